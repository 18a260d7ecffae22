// SPDX-License-Identifier: MIT OR Apache-2.0
#include <cstdio>
#include <string_view>

#include "syscall_table/rows.h"

int main(int count, char** words) {
    const std::string_view mode = count == 2 ? words[1] : "";
    if (mode == "--markdown") {
        std::fputs(syscall_table::markdown(syscall_table::rows()).c_str(), stdout);
    } else if (mode == "--grammar") {
        std::fputs(syscall_table::grammar(syscall_table::rows()).c_str(), stdout);
    } else {
        std::fputs("usage: syscall_table --markdown | --grammar\n", stderr);
        return 2;
    }
    return 0;
}
