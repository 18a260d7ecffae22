// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include "core/syscall/table.h"
#include "lib/format.h"
#include "services/linux/task.h"

namespace kernel::linux_abi {

// Prints one argument of a call as strace would. `result` is what the call returned (0: not yet, or an error): so many
// bytes of an output buffer are valid.
void print_argument(FormatBuffer& line, Task& task, const syscall::Row& row, std::size_t index,
                    const platform::SyscallFrame& frame, std::int64_t result);

bool returns_address(std::string_view call);

}  // namespace kernel::linux_abi
