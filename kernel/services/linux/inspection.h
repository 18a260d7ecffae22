// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include "services/linux/task.h"

namespace kernel::linux_abi {

// Whose ids speak for the caller: those that open files (/proc), or the real ones (ptrace and its like).
enum class InspectAs : std::uint8_t { FileUser, RealUser };

// ptrace(2), "Ptrace access mode checking".
bool may_inspect(Task& caller, Task& target, InspectAs as);

}  // namespace kernel::linux_abi
