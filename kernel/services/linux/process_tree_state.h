// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include "lib/guarded.h"
#include "lib/sparse_array.h"
#include "services/linux/process_tree.h"

// Shared by the files that implement the process tree; nobody else includes it.
namespace kernel::linux_abi::process_tree {

struct Tree {
    SparseArray<Process> processes;  // by pid; each entry holds a reference
    SparseArray<Task> tasks;         // by tid; each entry holds a reference
    RefPtr<Process> reaper;
    unsigned max_tasks = 0;
    unsigned task_count = 0;  // reserved ids of tasks
    int next_id = kFirstPid;
    bool wrapped = false;  // ids may be in use from now on
    bool limit_reported = false;

    template <class F>
    void for_each_process(F&& visit) {
        for (auto entry = processes.next(0); entry; entry = processes.next(entry->index + 1)) {
            visit(*entry->value);
        }
    }
};

extern constinit SpinGuarded<Tree, Rank::Process> tree;

// Tells the parent of a stop once every task has come to rest. Without the tree's lock.
void report_complete_stop(Process& process);

// SIGCHLD with its details, and a wake-up for wait4. Without the tree's lock.
void notify_parent(Process& parent, Process& child, int code, int status);

}  // namespace kernel::linux_abi::process_tree
