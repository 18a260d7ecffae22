// SPDX-License-Identifier: MIT OR Apache-2.0
// initramfs OUTPUT <LIST: writes the archive that the list on standard input describes (see archive.h).
#include <cstdio>
#include <exception>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <utility>

#include "initramfs/archive.h"

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: initramfs OUTPUT <LIST\n");
        return 2;
    }
    try {
        const std::string list{std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
        initramfs::Archive archive;
        initramfs::add_list(archive, list);
        std::ofstream output(argv[1], std::ios::binary | std::ios::trunc);
        output << std::move(archive).finish();
        output.close();
        if (!output) {
            std::fprintf(stderr, "initramfs: cannot write %s\n", argv[1]);
            return 1;
        }
    } catch (const std::exception& error) {
        std::fprintf(stderr, "initramfs: %s\n", error.what());
        return 1;
    }
    return 0;
}
