// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include "lib/result.h"
#include "lib/types.h"

namespace kernel::platform {

inline constexpr unsigned kMaxCpus = 64;

// Pending interrupt causes of a CPU, as a bit set.
enum class Interrupts : std::uint32_t {
    None = 0,
    Timer = 1u << 0,         // the one-shot timer of this CPU expired
    Reschedule = 1u << 1,    // another CPU sent an inter-processor interrupt
    Console = 1u << 2,       // console input is waiting or the console changed its size
    PowerRequest = 1u << 3,  // the outside asked for an orderly shutdown (SIGTERM, power button)
};
constexpr Interrupts operator|(Interrupts a, Interrupts b) {
    return static_cast<Interrupts>(static_cast<std::uint32_t>(a) | static_cast<std::uint32_t>(b));
}
constexpr bool has(Interrupts set, Interrupts bit) {
    return (static_cast<std::uint32_t>(set) & static_cast<std::uint32_t>(bit)) != 0;
}

// Slots that core code hangs on a CPU. Zero-initialised before cpu code runs on it.
struct CpuLocal {
    unsigned index = 0;
    void* scheduler = nullptr;       // owned by core/sched
    void* current_thread = nullptr;  // owned by core/sched
    void* lock_context = nullptr;    // owned by lib's lock checker while no thread runs
};

// CPUs that the kernel may use; constant after boot, 1..kMaxCpus.
unsigned cpu_count();

// The CPU that executes the caller. A reference must not be kept over a blocking call: the thread may move.
CpuLocal& this_cpu();

using CpuEntry = void (*)(unsigned cpu_index);

// Starts CPUs 1..cpu_count()-1, each in entry(index) on a stack of its own; entry never returns.
Result<> start_secondary_cpus(CpuEntry entry);

// Makes the other CPU leave user mode or idle soon, with Interrupts::Reschedule pending. Never blocks. Sending to
// oneself makes the next enter_user/idle return at once.
void send_ipi(unsigned cpu_index);

// Takes and clears the interrupts that are pending on this CPU. Called after each trap and after idle.
Interrupts take_interrupts();

// Sleeps until an interrupt is pending on this CPU; returns at once when one is. Uses no processor time meanwhile.
void idle_until_interrupt();

// One pause of a spin loop.
void spin_pause();

}  // namespace kernel::platform
