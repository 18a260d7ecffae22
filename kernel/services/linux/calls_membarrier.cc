// SPDX-License-Identifier: MIT OR Apache-2.0
// membarrier(2).
#include "core/sched/scheduler.h"
#include "services/linux/process.h"
#include "services/linux/process_tree.h"
#include "services/linux/syscalls.h"
#include "services/linux/task.h"

namespace kernel::linux_abi {
namespace {

enum Command : std::int32_t {
    kQuery = 0,
    kGlobal = 1,
    kGlobalExpedited = 2,
    kRegisterGlobalExpedited = 4,
    kPrivateExpedited = 8,
    kRegisterPrivateExpedited = 16,
    kPrivateExpeditedSyncCore = 32,
    kRegisterPrivateExpeditedSyncCore = 64,
};
constexpr std::int64_t kAll = 0x7f;

// A task that was in user mode has been in the kernel since: that is a barrier, and serialises its CPU, too.
void pass_through_kernel(Task& task) {
    const std::uint64_t stay = task.user_stay();
    if (stay == Task::kNotInUser) {
        return;
    }
    task.kick();
    while (task.user_stay() == stay) {
        sched::yield();
    }
}

void barrier_in(Process& process, const Task& caller) {
    for (RefPtr<Task> t = process_tree::next_task(process, 0); t; t = process_tree::next_task(process, t->tid() + 1)) {
        if (t.get() != &caller) {
            pass_through_kernel(*t);
        }
    }
}

}  // namespace

Result<std::int64_t> sys_membarrier(Task& task, Int command, Unsigned flags, Int) {
    if (flags != 0) {
        return Error::InvalidArgument;
    }
    std::atomic<std::uint32_t>& registered = task.process().barrier_registrations();
    switch (command) {
        case kQuery:
            return kAll;
        case kGlobal:
        case kGlobalExpedited:
            process_tree::for_each_in_group(0, [&](Process& process) {
                if (command == kGlobal || (process.barrier_registrations().load() & kRegisterGlobalExpedited) != 0) {
                    barrier_in(process, task);
                }
                return true;
            });
            return 0;
        case kPrivateExpedited:
        case kPrivateExpeditedSyncCore:
            // The command that registers is the next bit.
            if ((registered.load() & static_cast<std::uint32_t>(command.value << 1)) == 0) {
                return Error::NotPermitted;
            }
            barrier_in(task.process(), task);
            return 0;
        case kRegisterGlobalExpedited:
        case kRegisterPrivateExpedited:
        case kRegisterPrivateExpeditedSyncCore:
            registered.fetch_or(static_cast<std::uint32_t>(command.value));
            return 0;
        default:
            return Error::InvalidArgument;
    }
}

}  // namespace kernel::linux_abi
