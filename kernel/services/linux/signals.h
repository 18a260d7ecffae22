// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include "abi/linux/signal.h"
#include "lib/result.h"
#include "services/linux/process.h"
#include "services/linux/task.h"

// Sending and delivering signals, signal(7).
namespace kernel::linux_abi {

// Siginfo for the usual senders.
abi::Siginfo kernel_signal(int signal);
abi::Siginfo user_signal(int signal, int code, const Task& sender);
abi::Siginfo fault_signal(int signal, int code, VirtAddr address);

// Queue a signal, with the effects that sending has (SIGCONT continues, stop signals cancel SIGCONT, SIGKILL wakes
// stopped tasks). No permission check. From any thread without locks, interrupt handlers included. Errors: WouldBlock
// (a full queue of real-time signals).
Result<> send_to_process(Process& process, const abi::Siginfo& info);
Result<> send_to_task(Task& task, const abi::Siginfo& info);
// Of a timer, to the process or one of its threads. False: nobody will take it, because it is ignored or there is no
// memory.
bool send_timer_signal(Process& process, Task* thread, const abi::Siginfo& info);
// To each process of a group that `sender` may signal. Errors: NoSuchProcess (no such group), NotPermitted (none
// allowed). A null sender is the kernel, which may always.
Result<> send_to_group(int group, const abi::Siginfo& info, const Task* sender);
// The kinds of siginfo that a program may not send to others: those that only the kernel makes, rt_sigqueueinfo(2).
bool forges_kernel_origin(const abi::Siginfo& info);
// kill(2)'s permission rule.
bool may_signal(const Task& sender, Process& target, int signal);

// A fault of the calling task itself: cannot be blocked or ignored; if the program tries, it dies.
void force_signal(Task& task, const abi::Siginfo& info);

// The task takes these signals no more. Those that its process got and it was to take: the others look at them.
void pass_on_shared_signals(Task& task, abi::SignalMask signals);

// True if the task has something to do before it goes back to user mode.
bool has_deliverable_signal(Task& task);

// What is queued for the task or its process, blocked or not.
abi::SignalMask pending_signals(Task& task);
// Takes one of them that is in `wanted`, the task's own first, without acting on it.
bool take_pending_signal(Task& task, abi::SignalMask wanted, abi::Siginfo& info);

// After a wait that was interrupted: whether there is a reason to leave the kernel, a signal, a stop or the end. If
// not, the interrupt is forgotten, and the wait may go on: signals can be taken by another thread, or be ignored.
bool must_answer_interrupt(Task& task);

// What a system call that ended with a restart error needs from signal delivery.
struct RestartState {
    Error error = Error::Interrupted;
    std::uint64_t syscall_number = 0;
};
enum class Delivered : std::uint8_t {
    Nothing,  // no handler runs
    Handler,  // the registers now lead into a handler
    MustExit,
};
// Acts on all deliverable signals of the calling task: terminates, stops, ignores, or builds handler frames. With
// `restart`, a handler's frame returns to the repeated or the interrupted call as SA_RESTART says. May block while
// stopped.
Delivered deliver_signals(Task& task, const RestartState* restart);

// Wait status words, wait(2).
constexpr int exit_status_word(int status) {
    return (status & 0xff) << 8;
}
constexpr int signal_status_word(int signal, bool core) {
    return signal | (core ? 0x80 : 0);
}
constexpr int stop_status_word(int signal) {
    return (signal << 8) | 0x7f;
}
inline constexpr int kContinuedStatusWord = 0xffff;

}  // namespace kernel::linux_abi
