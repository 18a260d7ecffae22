// SPDX-License-Identifier: MIT OR Apache-2.0
// check_layers [--quiet] [--stamp FILE] [ROOT]: exit status 1 when the tree at ROOT breaks a rule, 2 when it cannot be
// checked. FILE is touched when all is well, so that a build can depend on it.
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "check_layers/checker.h"

namespace {

struct Options {
    bool quiet = false;
    std::string stamp;
    std::string root = ".";
};

void print_sizes(const check_layers::Report& report) {
    std::printf("%-20s %6s %10s %10s\n", "layer", "files", "code lines", "budget");
    for (const auto& [layer, size] : report.layers) {
        const std::size_t budget = check_layers::budget_of(layer);
        const std::string limit = budget == 0 ? "-" : std::to_string(budget);
        std::printf("%-20s %6zu %10zu %10s\n", layer.c_str(), size.files, size.code_lines, limit.c_str());
    }
    for (const std::string& file : report.long_files) {
        std::printf("note: %s has more than 600 lines\n", file.c_str());
    }
}

int check(const Options& options) {
    if (!std::filesystem::is_directory(options.root)) {
        std::fprintf(stderr, "check_layers: %s is not a folder\n", options.root.c_str());
        return 2;
    }
    const check_layers::Report report = check_layers::check_tree(options.root);
    if (!options.quiet) {
        print_sizes(report);
    }
    for (const check_layers::Violation& violation : report.violations) {
        std::fprintf(stderr, "%s:%zu: error: %s\n", violation.file.c_str(), violation.line, violation.message.c_str());
    }
    if (!report.violations.empty()) {
        std::fprintf(stderr, "check_layers: %zu violations\n", report.violations.size());
        return 1;
    }
    if (!options.stamp.empty() && !std::ofstream(options.stamp)) {
        std::fprintf(stderr, "check_layers: cannot write %s\n", options.stamp.c_str());
        return 2;
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        Options options;
        for (int i = 1; i < argc; ++i) {
            const std::string_view argument = argv[i];
            if (argument == "--quiet") {
                options.quiet = true;
            } else if (argument == "--stamp" && i + 1 < argc) {
                options.stamp = argv[++i];
            } else if (argument.starts_with("-")) {
                std::fprintf(stderr, "usage: check_layers [--quiet] [--stamp FILE] [ROOT]\n");
                return 2;
            } else {
                options.root = argument;
            }
        }
        return check(options);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "check_layers: %s\n", error.what());
        return 2;
    }
}
