// SPDX-License-Identifier: MIT OR Apache-2.0
// sched_setscheduler(2), sched_setparam(2), sched_setattr(2), sched_rr_get_interval(2), ioprio_set(2) and their like.
#include <algorithm>

#include "core/sched/run_queue.h"
#include "services/linux/process.h"
#include "services/linux/process_tree.h"
#include "services/linux/resource_usage.h"
#include "services/linux/scheduling_policy.h"
#include "services/linux/syscalls.h"

namespace kernel::linux_abi {
namespace {

using sched::Policy;
using sched::SchedParams;

struct Scheduling {
    std::uint32_t policy = abi::kSchedOther;
    bool reset_on_fork = false;
    SchedParams params;
};

bool is_known_policy(std::uint32_t policy) {
    return policy <= abi::kSchedBatch || policy == abi::kSchedIdle;
}

Scheduling scheduling_of(Task& task) {
    Scheduling result;
    result.params = task.thread().params();
    result.reset_on_fork = task.scheduling_notes().reset_on_fork.load();
    switch (result.params.policy) {
        case Policy::Fair:
            result.policy = task.scheduling_notes().batch.load() ? abi::kSchedBatch : abi::kSchedOther;
            break;
        case Policy::Idle:
            result.policy = abi::kSchedIdle;
            break;
        case Policy::Fifo:
            result.policy = abi::kSchedFifo;
            break;
        case Policy::RoundRobin:
            result.policy = abi::kSchedRr;
            break;
    }
    return result;
}

// Errors: InvalidArgument.
Result<SchedParams> params_of(std::uint32_t policy, std::uint32_t priority, int nice) {
    SchedParams params;
    params.nice = static_cast<std::int8_t>(std::clamp(nice, sched::kMinNice, sched::kMaxNice));
    if (priority > sched::kMaxRealTimePriority) {
        return Error::InvalidArgument;
    }
    params.priority = static_cast<std::uint8_t>(priority);
    switch (policy) {
        case abi::kSchedOther:
        case abi::kSchedBatch:
            params.policy = Policy::Fair;
            break;
        case abi::kSchedIdle:
            params.policy = Policy::Idle;
            break;
        case abi::kSchedFifo:
            params.policy = Policy::Fifo;
            break;
        case abi::kSchedRr:
            params.policy = Policy::RoundRobin;
            break;
        default:
            return Error::InvalidArgument;
    }
    return params.is_valid() ? Result<SchedParams>(params) : Result<SchedParams>(Error::InvalidArgument);
}

// sched(7), "Privileges and resource limits".
Result<> check_privilege(Task& caller, Task& target, const Scheduling& fresh) {
    if (caller.credentials()->capable(security::Capability::SysNice)) {
        return {};
    }
    const Scheduling old = scheduling_of(target);
    if (!may_change_scheduling(caller, target) || (old.reset_on_fork && !fresh.reset_on_fork)) {
        return Error::NotPermitted;
    }
    if (fresh.params.is_real_time()) {
        const std::uint64_t limit = target.process().limit(abi::kRlimitRtprio).current;
        const bool newly = old.policy != fresh.policy && limit == 0;
        if (newly || (fresh.params.priority > old.params.priority && fresh.params.priority > limit)) {
            return Error::NotPermitted;
        }
    } else {
        const std::uint64_t limit = target.process().limit(abi::kRlimitNice).current;
        const bool nicer = fresh.params.nice < old.params.nice;
        if ((nicer || (old.policy == abi::kSchedIdle && fresh.policy != abi::kSchedIdle)) &&
            static_cast<std::uint64_t>(20 - fresh.params.nice) > limit) {
            return Error::NotPermitted;
        }
    }
    return {};
}

Result<std::int64_t> apply(Task& caller, Task& target, const Scheduling& fresh) {
    TRY(check_privilege(caller, target, fresh));
    TRY(target.thread().set_params(fresh.params));
    target.scheduling_notes().batch.store(fresh.policy == abi::kSchedBatch);
    target.scheduling_notes().reset_on_fork.store(fresh.reset_on_fork);
    return 0;
}

Result<abi::SchedAttr> read_attributes(Task& task, UserPtr<abi::SchedAttr> address) {
    abi::SchedAttr attributes{};
    std::uint32_t size = TRY(task.space().read_user(UserPtr<std::uint32_t>{address.address}));
    size = size == 0 ? abi::kSchedAttrSizeVersion0 : size;
    if (size < abi::kSchedAttrSizeVersion0 || size > kPageSize) {
        (void)task.space().write_user(UserPtr<std::uint32_t>{address.address}, std::uint32_t{sizeof(attributes)});
        return Error::ArgumentListTooLong;
    }
    const std::size_t known = std::min<std::size_t>(size, sizeof(attributes));
    TRY(task.space().copy_in(as_writable_bytes_of(attributes).first(known), address.address));
    for (std::size_t at = known; at < size; ++at) {
        if (TRY(task.space().read_user(UserPtr<std::uint8_t>{address.address + at})) != 0) {
            return Error::ArgumentListTooLong;
        }
    }
    return attributes;
}

enum IoprioWhich : std::int32_t { kIoprioProcess = 1, kIoprioGroup = 2, kIoprioUser = 3 };
enum IoprioClass : unsigned { kIoprioNone = 0, kIoprioRealTime = 1, kIoprioBestEffort = 2, kIoprioIdle = 3 };
constexpr unsigned kIoprioClassShift = 13;

template <class Visitor>
Result<> for_each_io_task(Task& caller, std::int32_t which, std::int32_t who, Visitor visit) {
    bool found = false;
    const auto visit_task = [&](Task& task) {
        found = true;
        visit(task);
    };
    const auto visit_process = [&](Process& process) {
        for (RefPtr<Task> t = process_tree::next_task(process, 0); t;
             t = process_tree::next_task(process, t->tid() + 1)) {
            if (which != kIoprioUser || t->credentials()->values().user_real == static_cast<std::uint32_t>(who)) {
                visit_task(*t);
            }
        }
        return true;
    };
    switch (which) {
        case kIoprioProcess:
            if (const RefPtr<Task> task = who == 0 ? RefPtr<Task>(caller) : process_tree::find_task(who); task) {
                visit_task(*task);
            }
            break;
        case kIoprioGroup:
            process_tree::for_each_in_group(who == 0 ? process_tree::group_of(caller.process()) : who, visit_process);
            break;
        case kIoprioUser:
            process_tree::for_each_in_group(0, visit_process);
            break;
        default:
            return Error::InvalidArgument;
    }
    return found ? Result<>() : Error::NoSuchProcess;
}

Result<> check_io_priority(Task& task, std::uint32_t priority) {
    const std::uint32_t io_class = priority >> kIoprioClassShift;
    // Three bits; Linux 6.5 made hints of those above.
    const std::uint32_t level = priority & 7;
    switch (io_class) {
        case kIoprioRealTime:
            if (!task.credentials()->capable(security::Capability::SysAdmin) &&
                !task.credentials()->capable(security::Capability::SysNice)) {
                return Error::NotPermitted;
            }
            [[fallthrough]];
        case kIoprioBestEffort:
        case kIoprioIdle:
            return {};
        case kIoprioNone:
            return level == 0 ? Result<>() : Error::InvalidArgument;
        default:
            return Error::InvalidArgument;
    }
}

}  // namespace

void inherit_scheduling(Task& parent, Task& child) {
    Scheduling inherited = scheduling_of(parent);
    if (inherited.reset_on_fork) {
        inherited.params =
            SchedParams::fair(inherited.params.is_real_time() ? 0 : std::max<int>(0, inherited.params.nice));
        inherited.policy = abi::kSchedOther;
    }
    // What was valid for the parent.
    (void)child.thread().set_params(inherited.params);
    child.scheduling_notes().batch.store(inherited.policy == abi::kSchedBatch);
    child.scheduling_notes().io_priority.store(parent.scheduling_notes().io_priority.load());
}

Result<std::int64_t> sys_sched_getscheduler(Task& task, Pid pid) {
    const Scheduling found = scheduling_of(*TRY(scheduled_task(task, pid)));
    return found.policy | (found.reset_on_fork ? abi::kSchedResetOnFork : 0);
}

Result<std::int64_t> sys_sched_setscheduler(Task& task, Pid pid, Int policy, UserPtr<std::int32_t> parameter) {
    if (policy < 0 || !parameter || pid < 0) {
        return Error::InvalidArgument;
    }
    const std::int32_t priority = TRY(task.space().read_user(parameter));
    const RefPtr<Task> target = TRY(scheduled_task(task, pid));
    Scheduling fresh = scheduling_of(*target);
    fresh.reset_on_fork = (static_cast<std::uint32_t>(policy.value) & abi::kSchedResetOnFork) != 0;
    fresh.policy = static_cast<std::uint32_t>(policy.value) & ~abi::kSchedResetOnFork;
    fresh.params = TRY(params_of(fresh.policy, static_cast<std::uint32_t>(priority), fresh.params.nice));
    return apply(task, *target, fresh);
}

Result<std::int64_t> sys_sched_getparam(Task& task, Pid pid, UserPtr<std::int32_t> parameter) {
    if (!parameter) {
        return Error::InvalidArgument;
    }
    const RefPtr<Task> target = TRY(scheduled_task(task, pid));
    TRY(task.space().write_user(parameter, std::int32_t{target->thread().params().priority}));
    return 0;
}

Result<std::int64_t> sys_sched_setparam(Task& task, Pid pid, UserPtr<std::int32_t> parameter) {
    if (!parameter || pid < 0) {
        return Error::InvalidArgument;
    }
    const std::int32_t priority = TRY(task.space().read_user(parameter));
    const RefPtr<Task> target = TRY(scheduled_task(task, pid));
    Scheduling fresh = scheduling_of(*target);
    fresh.params = TRY(params_of(fresh.policy, static_cast<std::uint32_t>(priority), fresh.params.nice));
    return apply(task, *target, fresh);
}

Result<std::int64_t> sys_sched_get_priority_max(Task&, Int policy) {
    const auto known = static_cast<std::uint32_t>(policy.value);
    if (!is_known_policy(known) && known != abi::kSchedDeadline) {
        return Error::InvalidArgument;
    }
    return known == abi::kSchedFifo || known == abi::kSchedRr ? sched::kMaxRealTimePriority : 0;
}

Result<std::int64_t> sys_sched_get_priority_min(Task&, Int policy) {
    const auto known = static_cast<std::uint32_t>(policy.value);
    if (!is_known_policy(known) && known != abi::kSchedDeadline) {
        return Error::InvalidArgument;
    }
    return known == abi::kSchedFifo || known == abi::kSchedRr ? sched::kMinRealTimePriority : 0;
}

Result<std::int64_t> sys_sched_rr_get_interval(Task& task, Pid pid, OutStruct<abi::Timespec> interval) {
    const RefPtr<Task> target = TRY(scheduled_task(task, pid));
    std::uint64_t slice_ns = 0;  // of SCHED_FIFO, which has none
    switch (target->thread().params().policy) {
        case Policy::RoundRobin:
            slice_ns = sched::kRoundRobinSliceNs;
            break;
        case Policy::Fair:
        case Policy::Idle:
            slice_ns = sched::kSliceNs;
            break;
        case Policy::Fifo:
            break;
    }
    TRY(task.space().write_user(UserPtr<abi::Timespec>(interval), timespec_of(slice_ns)));
    return 0;
}

Result<std::int64_t> sys_sched_setattr(Task& task, Pid pid, UserPtr<abi::SchedAttr> attributes, Unsigned flags) {
    if (!attributes || pid < 0 || flags != 0) {
        return Error::InvalidArgument;
    }
    const abi::SchedAttr wanted = TRY(read_attributes(task, attributes));
    constexpr std::uint64_t kKnown = abi::kSchedFlagResetOnFork | abi::kSchedFlagKeepPolicy | abi::kSchedFlagKeepParams;
    if ((wanted.flags & ~kKnown) != 0 || static_cast<std::int32_t>(wanted.policy) < 0) {
        return Error::InvalidArgument;
    }
    const RefPtr<Task> target = TRY(scheduled_task(task, pid));
    Scheduling fresh = scheduling_of(*target);
    fresh.reset_on_fork = (wanted.flags & abi::kSchedFlagResetOnFork) != 0;
    if ((wanted.flags & abi::kSchedFlagKeepPolicy) == 0) {
        fresh.policy = wanted.policy;
    }
    if ((wanted.flags & abi::kSchedFlagKeepParams) == 0) {
        fresh.params = TRY(params_of(fresh.policy, wanted.priority, wanted.nice));
    }
    return apply(task, *target, fresh);
}

Result<std::int64_t> sys_sched_getattr(Task& task, Pid pid, UserPtr<abi::SchedAttr> attributes, Unsigned size,
                                       Unsigned flags) {
    if (!attributes || pid < 0 || flags != 0 || size < abi::kSchedAttrSizeVersion0 || size > kPageSize) {
        return Error::InvalidArgument;
    }
    const Scheduling found = scheduling_of(*TRY(scheduled_task(task, pid)));
    abi::SchedAttr result{};
    const auto bytes = std::min<std::uint32_t>(size, sizeof(result));
    result.size = bytes;
    result.policy = found.policy;
    result.flags = found.reset_on_fork ? abi::kSchedFlagResetOnFork : 0;
    result.nice = found.params.is_real_time() ? 0 : found.params.nice;
    result.priority = found.params.priority;
    result.util_max = 1024;  // no clamp
    TRY(task.space().copy_out(attributes.address, as_bytes_of(result).first(bytes)));
    return 0;
}

Result<std::int64_t> sys_ioprio_get(Task& task, Int which, Int who) {
    std::uint16_t best = 0;
    TRY(for_each_io_task(task, which, who, [&](Task& target) {
        const std::uint16_t priority = target.scheduling_notes().io_priority.load();
        // "None" counts as the middle of best effort; a smaller number is more urgent.
        best = best == 0 ? priority : (priority == 0 ? best : std::min(best, priority));
    }));
    return best;
}

Result<std::int64_t> sys_ioprio_set(Task& task, Int which, Int who, Int priority) {
    TRY(check_io_priority(task, static_cast<std::uint32_t>(priority.value)));
    Result<> outcome;
    TRY(for_each_io_task(task, which, who, [&](Task& target) {
        if (!may_change_scheduling(task, target)) {
            outcome = Error::NotPermitted;
            return;
        }
        target.scheduling_notes().io_priority.store(static_cast<std::uint16_t>(priority.value));
    }));
    TRY(outcome);
    return 0;
}

}  // namespace kernel::linux_abi
