// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include "abi/linux/events.h"
#include "abi/linux/fs.h"
#include "abi/linux/ipc.h"
#include "abi/linux/process.h"
#include "abi/linux/signal.h"
#include "abi/linux/socket.h"
#include "abi/linux/types.h"
#include "core/syscall/table.h"
#include "services/linux/arguments.h"

// One handler for each row of abi/linux/syscalls.def that is not missing: sys_<name>(Task&, typed arguments…). The
// value goes to rax; an error becomes -errno. Restart errors are resolved on the way back to user mode.
namespace kernel::linux_abi {

class Task;

#define ARG(type, name) type name
#define SYSCALL(number, name, status, note, ...) Result<std::int64_t> sys_##name(Task& task __VA_OPT__(, ) __VA_ARGS__);
#define MISSING(number, name)
#include "abi/linux/syscalls.def"
#undef SYSCALL
#undef MISSING
#undef ARG

extern constinit const syscall::Table kSyscallTable;

// Counters of all calls since boot.
syscall::Statistics& syscall_statistics();

}  // namespace kernel::linux_abi
