// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include "services/linux/task.h"

namespace kernel::linux_abi {

// What a new task takes over, sched(7): all of it, unless the parent's policy is reset on fork.
void inherit_scheduling(Task& parent, Task& child);

// Whether the caller may change another task's scheduling, sched_setscheduler(2).
bool may_change_scheduling(const Task& caller, const Task& target);
// Errors: InvalidArgument, NoSuchProcess.
Result<RefPtr<Task>> scheduled_task(Task& task, int tid);

}  // namespace kernel::linux_abi
