// SPDX-License-Identifier: MIT OR Apache-2.0
// Checks a source tree against the rules of the house (docs/architecture.md).
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace check_layers {

struct Violation {
    std::string file;  // relative to the root of the tree
    std::size_t line;  // from 1
    std::string message;

    friend bool operator==(const Violation&, const Violation&) = default;
};

struct LayerSize {
    std::size_t files = 0;
    std::size_t code_lines = 0;  // neither blank nor comment alone; unit tests not counted
};

struct Report {
    std::vector<Violation> violations;
    std::map<std::string, LayerSize, std::less<>> layers;  // by layer
    std::vector<std::string> long_files;                   // above 600 lines
};

// Checks one file, whose path is relative to the root of the tree, and adds it to the report.
void check_file(std::string_view path, std::string_view text, Report& report);

// Adds a violation for each layer above its budget of code lines.
void check_budgets(Report& report);

// The largest number of code lines a layer may have; 0 for no limit.
std::size_t budget_of(std::string_view layer);

// Checks all sources of the tree at `root`, in a fixed order. Throws std::filesystem::filesystem_error or
// std::runtime_error when it cannot be read.
Report check_tree(const std::filesystem::path& root);

}  // namespace check_layers
