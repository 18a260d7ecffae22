// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/signals.h"

#include <algorithm>

#include "core/sched/wait_queue.h"
#include "lib/assert.h"
#include "services/linux/process_tree.h"
#include "services/linux/signal_frame.h"

namespace kernel::linux_abi {
namespace {

constexpr std::uint64_t kSyscallInstructionBytes = 2;

bool is_stop_signal(int signal) {
    return (abi::signal_bit(signal) & kStopSignals) != 0;
}

// What sending does before the signal is queued: SIGCONT undoes stops and the other way round, signal(7).
void apply_send_effects(Process& process, int signal) {
    if (signal == abi::kSigcont) {
        process.pending().with([](PendingSignals& pending) { pending.discard(kStopSignals); });
        process_tree::continue_process(process);
    } else if (is_stop_signal(signal)) {
        process.pending().with([](PendingSignals& pending) { pending.discard(abi::signal_bit(abi::kSigcont)); });
    } else if (signal == abi::kSigkill) {
        process_tree::begin_group_exit(process, signal_status_word(abi::kSigkill, false));
    }
}

// An ignored signal that nobody blocks is not even queued.
bool is_dropped(Process& process, const Task& receiver, int signal) {
    if ((receiver.blocked() & abi::signal_bit(signal)) != 0) {
        return false;
    }
    const RefPtr<SignalActions> actions = process.actions();
    return actions->is_ignored(signal) && !receiver.waits_for(signal);
}

// A queued signal concerns its receiver, and whoever reads it from a signalfd.
void note_signal(Process& process, Task& receiver, int signal) {
    if ((receiver.blocked() & abi::signal_bit(signal)) == 0 || receiver.waits_for(signal)) {
        receiver.kick();
    }
    process.signal_event().queue.wake_all();
}

// The task that shall take a signal of its process: one that does not block it and stays, the leader first.
RefPtr<Task> choose_receiver(Process& process, int signal) {
    RefPtr<Task> first;
    for (RefPtr<Task> task = process_tree::next_task(process, 0); task;
         task = process_tree::next_task(process, task->tid() + 1)) {
        const bool takes = (task->blocked() & abi::signal_bit(signal)) == 0 || task->waits_for(signal);
        if (takes && !task->exit_requested()) {
            return task;
        }
        if (!first) {
            first = task;
        }
    }
    return first;
}

abi::SignalMask deliverable(Task& task) {
    return pending_signals(task) & ~task.blocked();
}

// Sleeps until SIGKILL or SIGCONT.
void wait_while_stopped(Task& task) {
    process_tree::note_task_stopped(task);
    (void)sched::wait_until(task.process().task_event(),
                            [&] { return task.exit_requested() || !process_tree::is_at_rest(task); });
}

// POSIX: in an orphaned group nobody could continue what the terminal stops.
bool ignores_terminal_stop(Process& process, int signal) {
    return signal != abi::kSigstop && process_tree::is_orphaned_group(process_tree::group_of(process));
}

enum class Outcome : std::uint8_t { Continue, Handler, Exit };

Outcome take_default_action(Task& task, int signal) {
    Process& process = task.process();
    switch (default_action(signal)) {
        case DefaultAction::Ignore:
        case DefaultAction::Continue:
            return Outcome::Continue;
        case DefaultAction::Stop:
            if (!ignores_terminal_stop(process, signal)) {
                process_tree::stop_process(process, signal);
            }
            return Outcome::Continue;
        case DefaultAction::Terminate:
        case DefaultAction::Core:
            process_tree::begin_group_exit(process, signal_status_word(signal, false));
            return Outcome::Exit;
    }
    return Outcome::Continue;
}

// Decides what an interrupted call returns now that a handler runs before anything else, signal(7).
void resolve_restart(platform::Registers& registers, const RestartState& restart, const abi::Sigaction& action) {
    const bool again = restart.error == Error::RestartAlways ||
                       (restart.error == Error::RestartSyscall && (action.flags & abi::kSaRestart) != 0);
    if (again) {
        registers.rip -= kSyscallInstructionBytes;
        registers.rax = restart.syscall_number;
    } else {
        constexpr std::uint64_t kInterrupted = static_cast<std::uint64_t>(-4);
        registers.rax = kInterrupted;
    }
}

Outcome run_handler(Task& task, const abi::Siginfo& info, const abi::Sigaction& action, const RestartState*& restart) {
    Result<platform::Registers*> registers = task.context().registers();
    if (!registers) {
        process_tree::begin_group_exit(task.process(), signal_status_word(abi::kSigkill, false));
        return Outcome::Exit;
    }
    if (restart != nullptr) {
        resolve_restart(**registers, *restart, action);
        restart = nullptr;
    }
    rseq_leave_critical_section(task);
    if (push_signal_frame(task, **registers, action, info)) {
        return Outcome::Handler;
    }
    // No stack for the frame: SIGSEGV, and if that was the one, death.
    if (info.signal == abi::kSigsegv) {
        process_tree::begin_group_exit(task.process(), signal_status_word(abi::kSigsegv, false));
        return Outcome::Exit;
    }
    force_signal(task, fault_signal(abi::kSigsegv, abi::kSiKernel, VirtAddr{0}));
    return Outcome::Continue;
}

Outcome act_on(Task& task, const abi::Siginfo& info, const RestartState*& restart) {
    if (info.signal == abi::kSigkill) {
        process_tree::begin_group_exit(task.process(), signal_status_word(abi::kSigkill, false));
        return Outcome::Exit;
    }
    const RefPtr<SignalActions> actions = task.process().actions();
    const abi::Sigaction action = actions->take_for_delivery(info.signal);
    if (action.handler == abi::kSigIgn) {
        return Outcome::Continue;
    }
    if (action.handler == abi::kSigDfl) {
        return take_default_action(task, info.signal);
    }
    return run_handler(task, info, action, restart);
}

}  // namespace

abi::Siginfo kernel_signal(int signal) {
    abi::Siginfo info{};
    info.signal = signal;
    info.code = abi::kSiKernel;
    return info;
}

abi::Siginfo user_signal(int signal, int code, const Task& sender) {
    abi::Siginfo info{};
    info.signal = signal;
    info.code = code;
    info.sender.pid = sender.process().pid();
    info.sender.uid = sender.credentials()->values().user_real;
    return info;
}

abi::Siginfo fault_signal(int signal, int code, VirtAddr address) {
    abi::Siginfo info{};
    info.signal = signal;
    info.code = code;
    info.fault.address = address.value;
    return info;
}

Result<> send_to_process(Process& process, const abi::Siginfo& info) {
    KASSERT(is_valid_signal(info.signal));
    apply_send_effects(process, info.signal);
    RefPtr<Task> receiver = choose_receiver(process, info.signal);
    if (!receiver || is_dropped(process, *receiver, info.signal)) {
        return {};
    }
    const std::uint64_t limit = process.limit(abi::kRlimitSigpending).current;
    TRY(process.pending().with([&](PendingSignals& pending) { return pending.add(info, limit); }));
    // Again: a task that has blocked the signal since, or ends, has passed on only what was pending then. From now on
    // it finds this one.
    receiver = choose_receiver(process, info.signal);
    if (receiver) {
        note_signal(process, *receiver, info.signal);
    }
    return {};
}

Result<> send_to_task(Task& task, const abi::Siginfo& info) {
    KASSERT(is_valid_signal(info.signal));
    Process& process = task.process();
    apply_send_effects(process, info.signal);
    if (is_dropped(process, task, info.signal)) {
        return {};
    }
    const std::uint64_t limit = process.limit(abi::kRlimitSigpending).current;
    TRY(task.pending().with([&](PendingSignals& pending) { return pending.add(info, limit); }));
    note_signal(process, task, info.signal);
    return {};
}

bool send_timer_signal(Process& process, Task* thread, const abi::Siginfo& info) {
    const RefPtr<Task> receiver = thread != nullptr ? RefPtr<Task>(*thread) : choose_receiver(process, info.signal);
    if (!receiver || is_dropped(process, *receiver, info.signal)) {
        return false;
    }
    apply_send_effects(process, info.signal);
    const std::uint64_t limit = process.limit(abi::kRlimitSigpending).current;
    const auto add = [&](PendingSignals& pending) { return pending.add_beside_others(info, limit); };
    if (!(thread != nullptr ? thread->pending().with(add) : process.pending().with(add))) {
        return false;
    }
    note_signal(process, *receiver, info.signal);
    return true;
}

Result<> send_to_group(int group, const abi::Siginfo& info, const Task* sender) {
    bool found = false;
    bool sent = false;
    process_tree::for_each_in_group(group, [&](Process& process) {
        found = true;
        if (sender == nullptr || may_signal(*sender, process, info.signal)) {
            sent = true;
            if (info.signal != 0) {
                (void)send_to_process(process, info);
            }
        }
        return true;
    });
    if (!found) {
        return Error::NoSuchProcess;
    }
    if (!sent) {
        return Error::NotPermitted;
    }
    return {};
}

bool forges_kernel_origin(const abi::Siginfo& info) {
    return info.code >= 0 || info.code == abi::kSiTkill;
}

bool may_signal(const Task& sender, Process& target, int signal) {
    if (&sender.process() == &target) {
        return true;
    }
    const RefPtr<security::Credentials> own = sender.credentials();
    if (own->capable(security::Capability::Kill)) {
        return true;
    }
    if (signal == abi::kSigcont && process_tree::session_of(target) == process_tree::session_of(sender.process())) {
        return true;
    }
    const RefPtr<Task> task = process_tree::any_task(target);
    // A zombie: nothing happens. The reaper belongs to user 0.
    if (!task) {
        return target.pid() != process_tree::kReaperPid;
    }
    const RefPtr<security::Credentials> other_reference = task->credentials();
    const security::CredentialValues& me = own->values();
    const security::CredentialValues& other = other_reference->values();
    return me.user_effective == other.user_real || me.user_effective == other.user_saved ||
           me.user_real == other.user_real || me.user_real == other.user_saved;
}

void force_signal(Task& task, const abi::Siginfo& info) {
    const RefPtr<SignalActions> actions = task.process().actions();
    const abi::SignalMask bit = abi::signal_bit(info.signal);
    const bool blocked = (task.blocked() & bit) != 0;
    if (blocked || actions->get(info.signal).handler == abi::kSigIgn) {
        (void)actions->exchange(info.signal, abi::Sigaction{});
        task.set_blocked(task.blocked() & ~bit);
    }
    (void)task.pending().with([&](PendingSignals& pending) { return pending.add(info, abi::kRlimInfinity); });
    task.recheck();
}

void pass_on_shared_signals(Task& task, abi::SignalMask signals) {
    Process& process = task.process();
    const abi::SignalMask waiting =
        signals & process.pending().with([](PendingSignals& pending) { return pending.mask(); });
    if (waiting == 0) {
        return;
    }
    for (RefPtr<Task> other = process_tree::next_task(process, 0); other;
         other = process_tree::next_task(process, other->tid() + 1)) {
        if (other.get() != &task && (waiting & ~other->blocked()) != 0) {
            other->kick();
        }
    }
}

abi::SignalMask pending_signals(Task& task) {
    const auto mask_of = [](PendingSignals& pending) { return pending.mask(); };
    return task.pending().with(mask_of) | task.process().pending().with(mask_of);
}

bool take_pending_signal(Task& task, abi::SignalMask wanted, abi::Siginfo& info) {
    const auto take = [&](PendingSignals& pending) { return pending.take(wanted, info); };
    while (task.pending().with(take) || task.process().pending().with(take)) {
        // A timer goes on when its signal is taken; one that was set anew meanwhile has taken it back.
        if (info.padding0 == 0 || task.process().timers().signal_taken(info)) {
            return true;
        }
    }
    return false;
}

bool has_deliverable_signal(Task& task) {
    return deliverable(task) != 0;
}

bool must_answer_interrupt(Task& task) {
    task.clear_interrupt();
    return has_deliverable_signal(task) || task.exit_requested() || process_tree::is_stopped(task.process());
}

Delivered deliver_signals(Task& task, const RestartState* restart) {
    Delivered result = Delivered::Nothing;
    while (true) {
        if (task.exit_requested()) {
            return Delivered::MustExit;
        }
        if (process_tree::is_stopped(task.process())) {
            wait_while_stopped(task);
            continue;
        }
        abi::Siginfo info;
        if (!take_pending_signal(task, ~task.blocked(), info)) {
            return result;
        }
        switch (act_on(task, info, restart)) {
            case Outcome::Continue:
                break;
            case Outcome::Handler:
                result = Delivered::Handler;
                break;
            case Outcome::Exit:
                return Delivered::MustExit;
        }
    }
}

}  // namespace kernel::linux_abi
