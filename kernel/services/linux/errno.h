// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include "abi/linux/errno.h"
#include "lib/error.h"

namespace kernel::linux_abi {

// The Linux number for an error. Internal restart errors become EINTR.
int errno_of(Error error);

// The name as strace prints it ("ENOENT"); "E?" for a number without one.
const char* errno_name(int number);

constexpr bool is_restart(Error error) {
    return error == Error::RestartSyscall || error == Error::RestartAlways || error == Error::RestartNoHandler ||
           error == Error::RestartBlock;
}

}  // namespace kernel::linux_abi
