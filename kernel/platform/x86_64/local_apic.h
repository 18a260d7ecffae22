// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstdint>

// The CPU's own interrupt controller: SDM vol. 3A, chapter 11.
namespace kernel::platform::x86 {

// Switches it on with everything masked.
void initialise_local_apic();

std::uint32_t local_apic_id();
void end_of_interrupt();

// The timer counts down once, in unknown units until calibrated; 0 stops it.
void set_apic_timer_count(std::uint32_t count);
std::uint32_t apic_timer_count();

// Lets the timer raise kVectorTimer, by count or when the TSC reaches MSR_TSC_DEADLINE.
enum class TimerMode : std::uint8_t { Count, TscDeadline };
void enable_apic_timer(TimerMode mode);

}  // namespace kernel::platform::x86
