// SPDX-License-Identifier: MIT OR Apache-2.0
// The processor and limits: sched_yield(2), sched_setaffinity(2), setpriority(2), getcpu(2), prlimit(2), getrusage(2).
#include <algorithm>

#include "core/sched/scheduler.h"
#include "lib/bytes.h"
#include "platform/cpu.h"
#include "services/linux/process.h"
#include "services/linux/process_tree.h"
#include "services/linux/resource_usage.h"
#include "services/linux/scheduling_policy.h"
#include "services/linux/syscalls.h"
#include "services/linux/task.h"

namespace kernel::linux_abi {
namespace {

enum PriorityWhich : std::int32_t { kPrioProcess = 0, kPrioGroup = 1, kPrioUser = 2 };

// Calls visit for the tasks that getpriority(2) selects; NoSuchProcess when there are none.
template <class Visitor>
Result<> for_each_selected(Task& caller, std::int32_t which, std::int32_t who, Visitor visit) {
    bool found = false;
    const auto visit_process = [&](Process& process) {
        for (RefPtr<Task> t = process_tree::next_task(process, 0); t;
             t = process_tree::next_task(process, t->tid() + 1)) {
            if (which == kPrioUser && t->credentials()->values().user_real != static_cast<std::uint32_t>(who)) {
                continue;
            }
            found = true;
            visit(*t);
        }
        return true;
    };
    if (which == kPrioProcess) {
        const RefPtr<Task> target = who == 0 ? RefPtr<Task>(caller) : process_tree::find_task(who);
        if (!target) {
            return Error::NoSuchProcess;
        }
        visit(*target);
        return {};
    }
    if (which == kPrioGroup) {
        process_tree::for_each_in_group(who == 0 ? process_tree::group_of(caller.process()) : who, visit_process);
    } else if (which == kPrioUser) {
        if (who == 0) {
            who = static_cast<std::int32_t>(caller.credentials()->values().user_real);
        }
        process_tree::for_each_in_group(0, visit_process);
    } else {
        return Error::InvalidArgument;
    }
    if (!found) {
        return Error::NoSuchProcess;
    }
    return {};
}

Result<> check_limit(Task& task, unsigned resource, const abi::Rlimit& fresh, const abi::Rlimit& old) {
    if (fresh.current > fresh.maximum) {
        return Error::InvalidArgument;
    }
    if (fresh.maximum > old.maximum && !task.credentials()->capable(security::Capability::SysResource)) {
        return Error::NotPermitted;
    }
    if (resource == abi::kRlimitNofile && fresh.maximum > object::HandleTable::kMaxHandles) {
        return Error::NotPermitted;
    }
    return {};
}

void apply_limit(Task& task, Process& process, unsigned resource, const abi::Rlimit& limit) {
    process.set_limit(resource, limit);
    if (resource == abi::kRlimitNofile && &process == &task.process()) {
        task.handles().set_limit(static_cast<unsigned>(limit.current));
    }
    const RefPtr<mm::AddressSpace> space = process.space();
    if (!space) {
        return;
    }
    mm::SpaceLimits limits = space->limits();
    if (resource == abi::kRlimitAs) {
        limits.address_space_bytes = limit.current;
    }
    if (resource == abi::kRlimitData) {
        limits.data_bytes = limit.current;
    }
    if (resource == abi::kRlimitStack) {
        limits.stack_bytes = limit.current;
    }
    space->set_limits(limits);
}

}  // namespace

Result<RefPtr<Task>> scheduled_task(Task& task, int tid) {
    if (tid < 0) {
        return Error::InvalidArgument;
    }
    if (tid == 0) {
        return RefPtr<Task>(task);
    }
    RefPtr<Task> target = process_tree::find_task(tid);
    if (!target) {
        return Error::NoSuchProcess;
    }
    return target;
}

bool may_change_scheduling(const Task& caller, const Task& target) {
    if (caller.credentials()->capable(security::Capability::SysNice)) {
        return true;
    }
    const std::uint32_t user = caller.credentials()->values().user_effective;
    const RefPtr<security::Credentials> other = target.credentials();
    return user == other->values().user_real || user == other->values().user_effective;
}

Result<std::int64_t> sys_sched_yield(Task&) {
    sched::yield();
    return 0;
}

Result<std::int64_t> sys_sched_getaffinity(Task& task, Pid pid, Size bytes, Address mask) {
    const RefPtr<Task> target = TRY(scheduled_task(task, pid));
    if (bytes < sizeof(std::uint64_t) || bytes % sizeof(std::uint64_t) != 0) {
        return Error::InvalidArgument;
    }
    const std::uint64_t bits = (target->thread().affinity() & sched::CpuMask::first(platform::cpu_count())).bits();
    TRY(task.space().write_user(UserPtr<std::uint64_t>{mask.value}, bits));
    return sizeof(bits);
}

Result<std::int64_t> sys_sched_setaffinity(Task& task, Pid pid, Size bytes, Address mask) {
    const RefPtr<Task> target = TRY(scheduled_task(task, pid));
    std::uint64_t bits = 0;
    TRY(task.space().copy_in(as_writable_bytes_of(bits).first(std::min<std::uint64_t>(bytes, sizeof(bits))), mask));
    if (!may_change_scheduling(task, *target)) {
        return Error::NotPermitted;
    }
    TRY(target->thread().set_affinity(sched::CpuMask(bits)));
    return 0;
}

Result<std::int64_t> sys_getpriority(Task& task, Int which, Int who) {
    int best = sched::kMaxNice;
    TRY(for_each_selected(task, which, who, [&](Task& t) { best = std::min<int>(best, t.thread().params().nice); }));
    return 20 - best;
}

Result<std::int64_t> sys_setpriority(Task& task, Int which, Int who, Int nice) {
    const int wanted = std::clamp<int>(nice, sched::kMinNice, sched::kMaxNice);
    Result<> outcome = {};
    TRY(for_each_selected(task, which, who, [&](Task& t) {
        sched::SchedParams params = t.thread().params();
        if (!may_change_scheduling(task, t)) {
            outcome = Error::NotPermitted;
            return;
        }
        const bool within_limit =
            static_cast<std::uint64_t>(20 - wanted) <= t.process().limit(abi::kRlimitNice).current;
        if (wanted < params.nice && !within_limit && !task.credentials()->capable(security::Capability::SysNice)) {
            outcome = Error::AccessDenied;
            return;
        }
        params.nice = static_cast<std::int8_t>(wanted);
        (void)t.thread().set_params(params);
    }));
    TRY(outcome);
    return 0;
}

Result<std::int64_t> sys_getcpu(Task& task, UserPtr<std::uint32_t> cpu, UserPtr<std::uint32_t> node) {
    if (!cpu.is_null()) {
        TRY(task.space().write_user(cpu, task.thread().cpu()));
    }
    if (!node.is_null()) {
        TRY(task.space().write_user(node, 0));
    }
    return 0;
}

Result<std::int64_t> sys_prlimit64(Task& task, Pid pid, ResourceArg resource, InStruct<abi::Rlimit> limit,
                                   OutStruct<abi::Rlimit> old_limit) {
    if (resource >= abi::kRlimitCount) {
        return Error::InvalidArgument;
    }
    RefPtr<Process> target(task.process());
    if (pid != 0) {
        target = process_tree::find_process(pid);
    }
    if (!target) {
        return Error::NoSuchProcess;
    }
    if (target.get() != &task.process()) {
        const RefPtr<Task> other = process_tree::any_task(*target);
        if (other && !may_change_scheduling(task, *other)) {
            return Error::NotPermitted;
        }
    }
    const abi::Rlimit old = target->limit(resource);
    if (!limit.is_null()) {
        const abi::Rlimit fresh = TRY(task.space().read_user(UserPtr<abi::Rlimit>(limit)));
        TRY(check_limit(task, resource, fresh, old));
        apply_limit(task, *target, resource, fresh);
    }
    if (!old_limit.is_null()) {
        TRY(task.space().write_user(UserPtr<abi::Rlimit>(old_limit), old));
    }
    return 0;
}

Result<std::int64_t> sys_getrlimit(Task& task, ResourceArg resource, OutStruct<abi::Rlimit> limit) {
    if (resource >= abi::kRlimitCount) {
        return Error::InvalidArgument;
    }
    TRY(task.space().write_user(UserPtr<abi::Rlimit>(limit), task.process().limit(resource)));
    return 0;
}

Result<std::int64_t> sys_setrlimit(Task& task, ResourceArg resource, InStruct<abi::Rlimit> limit) {
    return sys_prlimit64(task, Pid{0}, resource, limit, {});
}

Result<std::int64_t> sys_getrusage(Task& task, Int who, OutStruct<abi::Rusage> usage) {
    constexpr std::int32_t kSelf = 0, kChildren = -1, kThread = 1;
    CpuUsage counted;
    if (who == kSelf) {
        counted = process_tree::usage_of(task.process());
    } else if (who == kChildren) {
        counted = process_tree::children_usage_of(task.process());
    } else if (who == kThread) {
        counted = task.usage();
    } else {
        return Error::InvalidArgument;
    }
    if (who != kChildren) {
        counted.max_resident_bytes = task.space().usage().peak_anonymous_pages * kPageSize;
    }
    TRY(task.space().write_user(UserPtr<abi::Rusage>(usage), rusage_of(counted)));
    return 0;
}

}  // namespace kernel::linux_abi
