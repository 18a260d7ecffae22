// SPDX-License-Identifier: MIT OR Apache-2.0
#include "syscall_table/rows.h"

#include <algorithm>

namespace syscall_table {

std::vector<Row> rows() {
    return {
#define ARG(type, name) Argument{#type, #name}
#define SYSCALL(number, name, status, note, ...) Row{number, #name, Status::status, note, {__VA_ARGS__}},
#define MISSING(number, name) Row{number, #name, Status::Missing, "", {}},
#include "abi/linux/syscalls.def"
#undef MISSING
#undef SYSCALL
#undef ARG
    };
}

std::string markdown(const std::vector<Row>& rows) {
    const auto count = [&](Status status) { return std::to_string(std::ranges::count(rows, status, &Row::status)); };
    std::string page =
        "# Linux system calls\n\n"
        "Generated from `kernel/abi/linux/syscalls.def` by `build/hosted/bin/syscall_table --markdown`; a test "
        "compares them.\n\n"
        "*full*: complete, and each documented error has a test. *partial*: works, the note says what lacks. "
        "Every other call answers ENOSYS and is counted (`kpio run --stats`).\n\n";
    page += count(Status::Full) + " full, " + count(Status::Partial) + " partial, " + count(Status::Missing) +
            " missing.\n\n";
    page += "| number | call | status | note |\n|---|---|---|---|\n";
    std::string missing;
    for (const Row& row : rows) {
        if (row.status == Status::Missing) {
            missing += (missing.empty() ? "" : ", ") + std::string(row.name);
            continue;
        }
        page += "| " + std::to_string(row.number) + " | " + std::string(row.name) + " | " +
                (row.status == Status::Full ? "full" : "partial") + " | " + std::string(row.note) + " |\n";
    }
    return page + "\nMissing: " + missing + ".\n";
}

std::string grammar(const std::vector<Row>& rows) {
    std::string text;
    for (const Row& row : rows) {
        if (row.status == Status::Missing) {
            continue;
        }
        text += std::to_string(row.number) + " " + std::string(row.name);
        for (const Argument& argument : row.arguments) {
            text += " " + std::string(argument.name) + ":" + std::string(argument.type);
        }
        text += "\n";
    }
    return text;
}

}  // namespace syscall_table
