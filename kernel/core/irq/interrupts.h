// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstdint>

#include "platform/cpu.h"

// Hands the interrupts that the platform reports to whoever registered for them.
namespace kernel::irq {

// Runs on the CPU that took the interrupt, after a trap out of user mode or in the idle loop: with no lock held. Must
// not block; may wake threads.
using Handler = void (*)();

// One handler per cause, registered while the system boots; a second one is a bug (panics). Timer and Reschedule belong
// to the scheduler. A cause without a handler is counted and ignored.
void register_handler(platform::Interrupts cause, Handler handler);

// Console input is waiting, or the console changed its size.
void register_console_handler(Handler handler);
// The outside asks for an orderly shutdown.
void register_power_handler(Handler handler);

// Calls the handlers of all causes in the set.
void handle_interrupts(platform::Interrupts pending);

// How often a cause (exactly one bit) was handled since boot, on all CPUs.
std::uint64_t interrupt_count(platform::Interrupts cause);

}  // namespace kernel::irq
