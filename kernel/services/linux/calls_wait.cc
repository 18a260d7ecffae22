// SPDX-License-Identifier: MIT OR Apache-2.0
// exit(2), wait4(2), waitid(2).
#include "services/linux/process.h"
#include "services/linux/process_file.h"
#include "services/linux/process_tree.h"
#include "services/linux/resource_usage.h"
#include "services/linux/signals.h"
#include "services/linux/syscalls.h"
#include "services/linux/task.h"

namespace kernel::linux_abi {
namespace {

using process_tree::WaitedChild;
using process_tree::WaitSelector;

// Blocks unless WNOHANG; nothing when WNOHANG and no news. Errors: NoChild, RestartSyscall.
Result<std::optional<WaitedChild>> wait_for_child(Task& task, const WaitSelector& selector) {
    Process& process = task.process();
    Result<std::optional<WaitedChild>> taken = process_tree::take_child_event(process, selector);
    if (!taken || *taken || (selector.options & abi::kWnohang) != 0) {
        return taken;
    }
    const auto ready = [&] {
        taken = process_tree::take_child_event(process, selector);
        return !taken || taken->has_value();
    };
    const Result<> waited = sched::wait_until(process.child_event(), ready, {.interruptible = true});
    if (!waited) {
        return Error::RestartSyscall;
    }
    return taken;
}

}  // namespace

Result<std::int64_t> sys_exit(Task& task, Int status) {
    task.begin_exit(status & 0xff);
    return 0;
}

Result<std::int64_t> sys_exit_group(Task& task, Int status) {
    process_tree::begin_group_exit(task.process(), exit_status_word(status));
    task.begin_exit();
    return 0;
}

Result<std::int64_t> sys_wait4(Task& task, Pid pid, UserPtr<std::int32_t> status, WaitOptionsArg options,
                               OutStruct<abi::Rusage> usage) {
    constexpr std::uint32_t kKnown =
        abi::kWnohang | abi::kWuntraced | abi::kWcontinued | abi::kWnothread | abi::kWall | abi::kWclone;
    if ((options & ~kKnown) != 0) {
        return Error::InvalidArgument;
    }
    if (pid == INT32_MIN) {
        return Error::NoSuchProcess;
    }
    WaitSelector selector;
    selector.options = options | abi::kWexited;
    selector.caller_tid = task.tid();
    if (pid > 0) {
        selector.type = abi::kPPid, selector.id = pid;
    } else if (pid == 0) {
        selector.type = abi::kPPgid;
    } else if (pid < -1) {
        selector.type = abi::kPPgid, selector.id = -pid;
    }
    const std::optional<WaitedChild> child = TRY(wait_for_child(task, selector));
    if (!child) {
        return 0;
    }
    if (!status.is_null()) {
        TRY(task.space().write_user(status, child->status));
    }
    if (!usage.is_null()) {
        TRY(task.space().write_user(UserPtr<abi::Rusage>(usage), rusage_of(child->usage)));
    }
    return child->pid;
}

Result<std::int64_t> sys_waitid(Task& task, WaitIdTypeArg type, Pid id, OutStruct<abi::Siginfo> info,
                                WaitOptionsArg options, OutStruct<abi::Rusage> usage) {
    constexpr std::uint32_t kStates = abi::kWexited | abi::kWstopped | abi::kWcontinued;
    constexpr std::uint32_t kKnown =
        abi::kWnohang | kStates | abi::kWnowait | abi::kWnothread | abi::kWall | abi::kWclone;
    if ((options & ~kKnown) != 0 || (options & kStates) == 0) {
        return Error::InvalidArgument;
    }
    if (type > abi::kPPidfd || (type == abi::kPPid && id <= 0) || (type == abi::kPPgid && id < 0)) {
        return Error::InvalidArgument;
    }
    WaitSelector selector{static_cast<abi::WaitIdType>(type.value), id, options, task.tid()};
    RefPtr<ProcessFile> awaited;
    if (type == abi::kPPidfd) {
        if (id < 0) {
            return Error::InvalidArgument;
        }
        awaited = TRY(process_file_of(task, id));
        if (process_tree::was_reaped(awaited->process())) {
            return Error::NoChild;
        }
        selector.type = abi::kPPid;
        selector.id = awaited->process().pid();
        if (awaited->is_non_blocking()) {
            selector.options |= abi::kWnohang;
        }
    }
    const std::optional<WaitedChild> child = TRY(wait_for_child(task, selector));
    if (!child && awaited && (options & abi::kWnohang) == 0) {
        return Error::WouldBlock;
    }
    abi::Siginfo result{};
    if (child) {
        result.signal = abi::kSigchld;
        result.code = child->code;
        result.child.pid = child->pid;
        result.child.uid = child->uid;
        const bool by_exit = child->code == abi::kCldExited;
        if (child->code == abi::kCldContinued) {
            result.child.status = abi::kSigcont;
        } else if (by_exit || child->code == abi::kCldStopped) {
            result.child.status = (child->status >> 8) & 0xff;
        } else {
            result.child.status = child->status & 0x7f;
        }
    }
    if (!usage.is_null() && child) {
        TRY(task.space().write_user(UserPtr<abi::Rusage>(usage), rusage_of(child->usage)));
    }
    if (!info.is_null()) {
        TRY(task.space().write_user(UserPtr<abi::Siginfo>(info), result));
    }
    return 0;
}

}  // namespace kernel::linux_abi
