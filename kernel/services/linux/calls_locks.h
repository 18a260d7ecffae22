// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include "services/linux/file_arguments.h"

namespace kernel::linux_abi {

// The commands of fcntl(2) for record locks: those of the process and those of open file descriptions. Errors:
// BadHandle (not open for this type of lock), InvalidArgument, Overflow, WouldBlock, Deadlock, BadAddress, NoMemory.
bool is_lock_command(std::uint32_t command);
Result<std::int64_t> control_lock(Task& task, std::int32_t fd, vfs::File& file, std::uint32_t command,
                                  VirtAddr argument);

}  // namespace kernel::linux_abi
