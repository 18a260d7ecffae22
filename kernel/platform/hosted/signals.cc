// SPDX-License-Identifier: MIT OR Apache-2.0
// What the host's signals mean to the kernel process. The signal that gets a vCPU out of a wait is in cpu.cc.
#include <ucontext.h>
#include <atomic>
#include <csignal>

#include "lib/format.h"
#include "platform/hosted/shutdown.h"
#include "platform/hosted/terminal.h"
#include "platform/hosted/vcpu.h"

namespace kernel::platform::hosted {
namespace {

std::atomic<unsigned> end_requests = 0;

void on_end_request(int signal) {
    // The kernel first asks the guest to end, the second time it kills it. Who asks once more has waited for that in
    // vain.
    constexpr unsigned kPatience = 2;
    if (end_requests.fetch_add(1) >= kPatience) {
        end_process(128 + signal);
    }
    raise_interrupt(0, Interrupts::PowerRequest);
}

void on_console_change(int signal) {
    if (signal == SIGCONT) {
        renew_terminal_mode();
    }
    raise_interrupt(0, Interrupts::Console);
}

void on_kernel_fault(int signal, siginfo_t* info, void* context) {
    const greg_t* registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    InlineFormatBuffer<160> message;
    format_to(message, "signal {} in the kernel: address {:x}, rip {:x}, rsp {:x}", signal,
              // SAFETY: printed as a number.
              reinterpret_cast<std::uintptr_t>(info->si_addr), static_cast<std::uint64_t>(registers[REG_RIP]),
              static_cast<std::uint64_t>(registers[REG_RSP]));
    panic(message.c_str());
}

// Our own confinement; the call is a bug of ours, or somebody else's doing.
void on_forbidden_call(int, siginfo_t* info, void*) {
    InlineFormatBuffer<80> message;
    format_to(message, "forbidden host system call {}", info->si_syscall);
    panic(message.c_str());
}

void handle(int signal, void (*handler)(int), int flags) {
    struct sigaction action{};
    action.sa_handler = handler;
    action.sa_flags = flags | SA_ONSTACK;
    sigaction(signal, &action, nullptr);
}

}  // namespace

bool end_was_requested() {
    return end_requests.load(std::memory_order_relaxed) != 0;
}

void set_up_signals() {
    // A signal that the caller made us ignore (nohup, a background job's SIGINT) stays ignored.
    for (const int signal : {SIGTERM, SIGHUP, SIGINT, SIGQUIT}) {
        struct sigaction current{};
        sigaction(signal, nullptr, &current);
        if (current.sa_handler != SIG_IGN) {
            handle(signal, on_end_request, 0);
        }
    }
    handle(SIGPIPE, SIG_IGN, 0);
    for (const int signal : {SIGWINCH, SIGCONT}) {
        handle(signal, on_console_change, SA_RESTART);
    }
    struct sigaction forbidden{};
    forbidden.sa_sigaction = on_forbidden_call;
    forbidden.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigaction(SIGSYS, &forbidden, nullptr);
    for (const int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE}) {
        struct sigaction action{};
        action.sa_sigaction = on_kernel_fault;
        // A second fault while reporting the first ends the process.
        action.sa_flags = SA_SIGINFO | SA_ONSTACK | static_cast<int>(SA_RESETHAND);
        sigaction(signal, &action, nullptr);
    }
}

}  // namespace kernel::platform::hosted
