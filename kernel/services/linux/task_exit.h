// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include "services/linux/task.h"

namespace kernel::linux_abi {

// What happens when a task has left its loop, exit(2): robust futexes, the clear-child-tid word, files, the tree.
void end_task(Task& task);

// vfork(2): the child lets its parent go on, at execve or at its end.
void release_vfork_parent(Process& process);

// Called once the first user process has ended, with its wait status. Registered by main.
using FirstProcessEnded = void (*)(int wait_status);
void set_first_process_handler(FirstProcessEnded handler);

}  // namespace kernel::linux_abi
