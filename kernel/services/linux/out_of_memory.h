// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include "services/linux/task.h"

namespace kernel::linux_abi {

// What to do about a fault of the task that found no memory, even after reclaiming: the process that holds most of it
// is ended. True: the task may try again (another process was ended, or is ending already; this waited for it a while).
// False: it is the task's own process that has to go. Called without locks; blocks.
bool make_room_after_fault(Task& task);

}  // namespace kernel::linux_abi
