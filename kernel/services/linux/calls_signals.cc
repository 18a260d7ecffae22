// SPDX-License-Identifier: MIT OR Apache-2.0
// Signal dispositions, masks and sending: sigaction(2), sigprocmask(2), kill(2), sigaltstack(2) and their like.
#include "core/sched/scheduler.h"
#include "platform/clock.h"
#include "services/linux/process.h"
#include "services/linux/process_tree.h"
#include "services/linux/resource_usage.h"
#include "services/linux/signal_frame.h"
#include "services/linux/signals.h"
#include "services/linux/syscalls.h"
#include "services/linux/task.h"

namespace kernel::linux_abi {
namespace {

Result<> check_mask_size(Size size) {
    if (size != sizeof(abi::SignalMask)) {
        return Error::InvalidArgument;
    }
    return {};
}

template <class T>
Result<> store(Task& task, OutStruct<T> address, const T& value) {
    return task.space().write_user(UserPtr<T>(address), value);
}

template <class T>
Result<T> load(Task& task, InStruct<T> address) {
    return task.space().read_user(UserPtr<T>(address));
}

// After an action becomes "ignore", what is pending of it goes, sigaction(2).
void discard_ignored(Process& process, int signal) {
    const abi::SignalMask bit = abi::signal_bit(signal);
    const auto discard = [&](PendingSignals& pending) { pending.discard(bit); };
    process.pending().with(discard);
    for (RefPtr<Task> task = process_tree::next_task(process, 0); task;
         task = process_tree::next_task(process, task->tid() + 1)) {
        task->pending().with(discard);
    }
    process.timers().signals_discarded(signal);
}

Result<> send_checked(Task& task, Process& target, Task* thread, const abi::Siginfo& info, int signal) {
    if (!may_signal(task, target, signal)) {
        return Error::NotPermitted;
    }
    if (signal == 0) {
        return {};
    }
    return thread != nullptr ? send_to_task(*thread, info) : send_to_process(target, info);
}

Result<> send_to_thread(Task& task, int group, int tid, int signal, const abi::Siginfo& info) {
    if (tid <= 0 || (signal != 0 && !is_valid_signal(signal))) {
        return Error::InvalidArgument;
    }
    const RefPtr<Task> target = process_tree::find_task(tid);
    if (!target || (group != 0 && target->process().pid() != group)) {
        return Error::NoSuchProcess;
    }
    return send_checked(task, target->process(), target.get(), info, signal);
}

// kill(-1): everything but the caller and the reaper.
Result<> send_to_everybody(Task& task, const abi::Siginfo& info) {
    bool sent = false;
    process_tree::for_each_in_group(0, [&](Process& process) {
        if (&process == &task.process() || !may_signal(task, process, info.signal)) {
            return true;
        }
        sent = true;
        if (info.signal != 0) {
            (void)send_to_process(process, info);
        }
        return true;
    });
    if (!sent) {
        return Error::NoSuchProcess;
    }
    return {};
}

}  // namespace

Result<std::int64_t> sys_rt_sigaction(Task& task, SignalArg signal, InStruct<abi::Sigaction> action,
                                      OutStruct<abi::Sigaction> old_action, Size mask_size) {
    TRY(check_mask_size(mask_size));
    if (!is_valid_signal(signal)) {
        return Error::InvalidArgument;
    }
    const RefPtr<SignalActions> actions = task.process().actions();
    abi::Sigaction old = actions->get(signal);
    if (!action.is_null()) {
        abi::Sigaction fresh = TRY(load(task, action));
        if ((abi::signal_bit(signal) & kUnblockable) != 0) {
            return Error::InvalidArgument;
        }
        fresh.mask &= ~kUnblockable;
        fresh.flags &= ~std::uint64_t{abi::kSaUnsupported};
        old = actions->exchange(signal, fresh);
        if (actions->is_ignored(signal)) {
            discard_ignored(task.process(), signal);
        }
    }
    if (!old_action.is_null()) {
        TRY(store(task, old_action, old));
    }
    return 0;
}

Result<std::int64_t> sys_rt_sigprocmask(Task& task, SigprocmaskHowArg how, InStruct<abi::SignalMask> set,
                                        OutStruct<abi::SignalMask> old_set, Size mask_size) {
    TRY(check_mask_size(mask_size));
    const abi::SignalMask old = task.blocked();
    if (!set.is_null()) {
        const abi::SignalMask wanted = TRY(load(task, set));
        switch (how) {
            case abi::kSigBlock:
                task.set_blocked(old | wanted);
                break;
            case abi::kSigUnblock:
                task.set_blocked(old & ~wanted);
                break;
            case abi::kSigSetmask:
                task.set_blocked(wanted);
                break;
            default:
                return Error::InvalidArgument;
        }
    }
    if (!old_set.is_null()) {
        TRY(store(task, old_set, old));
    }
    return 0;
}

Result<std::int64_t> sys_rt_sigpending(Task& task, OutStruct<abi::SignalMask> set, Size mask_size) {
    if (mask_size > sizeof(abi::SignalMask)) {
        return Error::InvalidArgument;
    }
    const abi::SignalMask pending = pending_signals(task) & task.blocked();
    TRY(task.space().copy_out(set.address, as_bytes_of(pending).first(mask_size)));
    return 0;
}

Result<std::int64_t> sys_rt_sigreturn(Task& task) {
    const Result<platform::Registers*> registers = task.context().registers();
    if (!registers || !pop_signal_frame(task, **registers)) {
        force_signal(task, fault_signal(abi::kSigsegv, abi::kSiKernel, VirtAddr{0}));
        task.keep_registers();
        return 0;
    }
    task.keep_registers();
    return static_cast<std::int64_t>((*registers)->rax);
}

Result<std::int64_t> sys_rt_sigsuspend(Task& task, InStruct<abi::SignalMask> set, Size mask_size) {
    TRY(check_mask_size(mask_size));
    task.set_temporary_mask(TRY(load(task, set)));
    (void)sched::sleep_until(platform::kNoDeadline, true);
    return Error::RestartNoHandler;
}

Result<std::int64_t> sys_pause(Task&) {
    (void)sched::sleep_until(platform::kNoDeadline, true);
    return Error::RestartNoHandler;
}

Result<std::int64_t> sys_rt_sigtimedwait(Task& task, InStruct<abi::SignalMask> set, OutStruct<abi::Siginfo> info,
                                         InStruct<abi::Timespec> timeout, Size mask_size) {
    TRY(check_mask_size(mask_size));
    const abi::SignalMask wanted = TRY(load(task, set)) & ~kUnblockable;
    std::uint64_t deadline_ns = platform::kNoDeadline;
    if (!timeout.is_null()) {
        const std::uint64_t wait_ns = TRY(ns_of(TRY(load(task, timeout))));
        deadline_ns = checked_add(platform::monotonic_ns(), wait_ns).value_or(platform::kNoDeadline);
    }
    abi::Siginfo taken{};
    const auto ready = [&] { return take_pending_signal(task, wanted, taken); };
    task.set_waited_signals(wanted);
    Result<> result = {};
    while (!ready()) {
        result = sched::sleep_until(deadline_ns, true);
        if (ready()) {
            result = {};
            break;
        }
        if (result) {
            result = Error::WouldBlock;
            break;
        }
        // Another signal: EINTR unless it was none for us after all.
        if (must_answer_interrupt(task)) {
            result = Error::Interrupted;
            break;
        }
    }
    task.set_waited_signals(0);
    // One that has come too late for this call was perhaps left to it.
    pass_on_shared_signals(task, wanted & task.blocked());
    TRY(result);
    if (!info.is_null()) {
        TRY(store(task, info, taken));
    }
    return taken.signal;
}

Result<std::int64_t> sys_sigaltstack(Task& task, InStruct<abi::SignalStack> stack,
                                     OutStruct<abi::SignalStack> old_stack) {
    const std::uint64_t stack_pointer = TRY(task.context().registers())->rsp;
    const bool on_stack = task.is_on_signal_stack(stack_pointer);
    abi::SignalStack old = task.signal_stack();
    if (on_stack) {
        old.flags |= abi::kSsOnstack;
    }
    if (!stack.is_null()) {
        abi::SignalStack fresh = TRY(load(task, stack));
        if (on_stack) {
            return Error::NotPermitted;
        }
        const std::int32_t mode = fresh.flags & ~abi::kSsAutodisarm;
        if (mode != 0 && mode != abi::kSsDisable && mode != abi::kSsOnstack) {
            return Error::InvalidArgument;
        }
        if (mode == abi::kSsDisable) {
            fresh.address = 0;
            fresh.bytes = 0;
        } else if (fresh.bytes < abi::kMinSigstksz) {
            return Error::NoMemory;
        }
        fresh.flags &= ~abi::kSsOnstack;
        fresh.padding = 0;
        task.signal_stack() = fresh;
    }
    if (!old_stack.is_null()) {
        TRY(store(task, old_stack, old));
    }
    return 0;
}

Result<std::int64_t> sys_kill(Task& task, Pid pid, SignalArg signal) {
    if (signal != 0 && !is_valid_signal(signal)) {
        return Error::InvalidArgument;
    }
    const abi::Siginfo info = user_signal(signal, abi::kSiUser, task);
    if (pid > 0) {
        const RefPtr<Process> target = process_tree::find_process(pid);
        if (!target) {
            return Error::NoSuchProcess;
        }
        TRY(send_checked(task, *target, nullptr, info, signal));
    } else if (pid == -1) {
        TRY(send_to_everybody(task, info));
    } else {
        if (pid == INT32_MIN) {
            return Error::NoSuchProcess;
        }
        const int group = pid == 0 ? process_tree::group_of(task.process()) : -pid;
        TRY(send_to_group(group, info, &task));
    }
    return 0;
}

Result<std::int64_t> sys_tkill(Task& task, Pid thread, SignalArg signal) {
    TRY(send_to_thread(task, 0, thread, signal, user_signal(signal, abi::kSiTkill, task)));
    return 0;
}

Result<std::int64_t> sys_tgkill(Task& task, Pid group, Pid thread, SignalArg signal) {
    if (group <= 0) {
        return Error::InvalidArgument;
    }
    TRY(send_to_thread(task, group, thread, signal, user_signal(signal, abi::kSiTkill, task)));
    return 0;
}

Result<std::int64_t> sys_rt_sigqueueinfo(Task& task, Pid pid, SignalArg signal, InStruct<abi::Siginfo> info) {
    abi::Siginfo details = TRY(load(task, info));
    details.signal = signal;
    details.padding0 = 0;  // the kernel's own mark of timers
    if (signal != 0 && !is_valid_signal(signal)) {
        return Error::InvalidArgument;
    }
    if (forges_kernel_origin(details) && pid != task.process().pid()) {
        return Error::NotPermitted;
    }
    const RefPtr<Process> target = process_tree::find_process(pid);
    if (!target) {
        return Error::NoSuchProcess;
    }
    TRY(send_checked(task, *target, nullptr, details, signal));
    return 0;
}

Result<std::int64_t> sys_rt_tgsigqueueinfo(Task& task, Pid group, Pid thread, SignalArg signal,
                                           InStruct<abi::Siginfo> info) {
    abi::Siginfo details = TRY(load(task, info));
    details.signal = signal;
    details.padding0 = 0;  // the kernel's own mark of timers
    if (group <= 0) {
        return Error::InvalidArgument;
    }
    if (forges_kernel_origin(details) && group != task.process().pid()) {
        return Error::NotPermitted;
    }
    TRY(send_to_thread(task, group, thread, signal, details));
    return 0;
}

}  // namespace kernel::linux_abi
