// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <atomic>
#include <cstdint>

#include "platform/clock.h"
#include "platform/cpu.h"

namespace kernel::platform::hosted {

// A vCPU is one host thread. It is in one of three places, and whoever raises an interrupt for it acts accordingly:
// in the kernel nothing is needed, asleep (idle) it is woken by futex, in user mode (waiting for a guest thread's
// notification) its host thread gets a signal.
//
// Raiser: set the bit in `pending`, then read `place`. vCPU: set `place`, then read `pending`. Both sequentially
// consistent, so at least one of them sees the other. What remains is a signal that arrives after the vCPU has looked
// at `pending` and before it sleeps in the ioctl. The signal handler closes that gap: when it interrupts the few
// instructions between the look and the SYSCALL, it moves the instruction pointer to the exit that returns -EINTR
// (as C libraries do for thread cancellation). So no signal is lost and no mask is switched on the hot path.

// True when this vCPU has interrupts that take_interrupts() would return.
bool interrupt_pending();

// The host ioctl(descriptor, request, argument), done by this vCPU while its guest thread runs user code. Arms the
// timer of platform::set_timer. Returns what the system call returns (negative errno), in particular:
// -EINTR  an interrupt is pending on this vCPU (also when it was before the call, then the ioctl is not made).
long wait_in_user_mode(int descriptor, unsigned long request, void* argument);

// The same after a kick: pending interrupts do not end it, only the time limit (relative, from now) does, with -ETIME.
long wait_for_kicked_guest(int descriptor, unsigned long request, void* argument, std::uint64_t limit_ns);

// Makes an interrupt pending on a CPU and gets it out of user mode or idle. Async-signal-safe.
void raise_interrupt(unsigned cpu_index, Interrupts cause);

// The host's thread id of the vCPU that calls.
int vcpu_thread_id();

// The signal that gets a vCPU's host thread out of a wait. Its handler does not restart system calls.
int vcpu_signal();

// Makes the calling host thread CPU 0 of `cpus`; called once, before the others start.
void set_up_boot_cpu(unsigned cpus);

}  // namespace kernel::platform::hosted
