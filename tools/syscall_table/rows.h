// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <string>
#include <string_view>
#include <vector>

// The kernel's table of system calls for programs on the host: the same rows, read from the same file.
namespace syscall_table {

enum class Status { Full, Partial, Missing };

struct Argument {
    std::string_view type;
    std::string_view name;
};

struct Row {
    int number;
    std::string_view name;
    Status status;
    std::string_view note;
    std::vector<Argument> arguments;
};

std::vector<Row> rows();

// The compatibility page of the documentation.
std::string markdown(const std::vector<Row>& rows);

// One line for each call: number, name, argument types; what a fuzzer draws from.
std::string grammar(const std::vector<Row>& rows);

}  // namespace syscall_table
