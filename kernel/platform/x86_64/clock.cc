// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/clock.h"

#include <algorithm>
#include <array>
#include <atomic>

#include "platform/user_clock.h"
#include "platform/x86_64/calibration.h"
#include "platform/x86_64/clock_internal.h"
#include "platform/x86_64/cpu_data.h"
#include "platform/x86_64/cpu_features.h"
#include "platform/x86_64/instructions.h"
#include "platform/x86_64/local_apic.h"
#include "platform/x86_64/rtc.h"

namespace kernel::platform::x86 {
namespace {

constexpr std::uint64_t kNsPerSecond = 1'000'000'000;
constexpr std::uint64_t kRefineAfterNs = kNsPerSecond / 2;

std::uint64_t scale(std::uint64_t value, std::uint64_t multiplier, unsigned shift) {
    return static_cast<std::uint64_t>(static_cast<unsigned __int128>(value) * multiplier >> shift);
}

// From TSC cycles to nanoseconds: a line through (tsc, ns).
struct ClockLine {
    static constexpr unsigned kToNsShift = 32;
    static constexpr unsigned kToCyclesShift = 30;  // room for 17 GHz

    std::uint64_t tsc = 0;
    std::uint64_t ns = 0;
    std::uint64_t ns_per_cycle = 0;
    std::uint64_t cycles_per_ns = 0;

    static ClockLine through(std::uint64_t tsc, std::uint64_t ns, std::uint64_t tsc_hz) {
        return {tsc, ns, (kNsPerSecond << kToNsShift) / tsc_hz, (tsc_hz << kToCyclesShift) / kNsPerSecond};
    }
    // A CPU's TSC may be a little behind the one that drew the line.
    std::uint64_t ns_at(std::uint64_t at_tsc) const {
        return at_tsc < tsc ? ns : ns + scale(at_tsc - tsc, ns_per_cycle, kToNsShift);
    }
    std::uint64_t tsc_at(std::uint64_t at_ns) const {
        return at_ns < ns ? tsc : tsc + scale(at_ns - ns, cycles_per_ns, kToCyclesShift);
    }
};

constinit std::array<ClockLine, 2> lines{};  // the first estimate and the refined one
constinit std::atomic<const ClockLine*> line = &lines[0];
constinit std::uint64_t tsc_hz = 0;
constinit std::uint64_t apic_ticks_per_ns = 0;  // << 32
constinit std::uint64_t refine_at_ns = kNoDeadline;
constinit std::uint64_t realtime_at_boot_ns = 0;

void refine() {
    refine_at_ns = kNoDeadline;
    const auto better = refine_tsc_frequency(tsc_hz);
    if (!better) {
        return;
    }
    const std::uint64_t tsc = read_tsc();
    lines[1] = ClockLine::through(tsc, lines[0].ns_at(tsc), *better);
    tsc_hz = *better;
    line.store(&lines[1], std::memory_order_release);
}

// Makes the hardware fire no later than the nearest deadline. One that fires too early is cheaper than following each
// change of the deadline.
void arm(CpuData& cpu, std::uint64_t now_ns) {
    const std::uint64_t wanted_ns = std::min(cpu.deadline_ns, refine_at_ns);
    if (wanted_ns >= cpu.armed_ns) {
        return;
    }
    cpu.armed_ns = wanted_ns;
    const std::uint64_t delay_ns = wanted_ns > now_ns ? wanted_ns - now_ns : 0;
    if (cpu_features().tsc_deadline) {
        write_msr(kMsrTscDeadline, line.load(std::memory_order_relaxed)->tsc_at(wanted_ns) + 1);
        return;
    }
    constexpr std::uint64_t kLongestDelayNs = 30 * kNsPerSecond;  // the counter has 32 bits
    const std::uint64_t ticks = scale(std::min(delay_ns, kLongestDelayNs), apic_ticks_per_ns, 32) + 1;
    set_apic_timer_count(static_cast<std::uint32_t>(std::min<std::uint64_t>(ticks, UINT32_MAX)));
}

}  // namespace

void initialise_clock() {
    const Frequencies frequencies = end_calibration();
    tsc_hz = frequencies.tsc_hz;
    apic_ticks_per_ns = (frequencies.apic_timer_hz << 32) / kNsPerSecond;
    lines[0] = ClockLine::through(read_tsc(), 0, tsc_hz);
    realtime_at_boot_ns = read_rtc_ns();
    enable_apic_timer(cpu_features().tsc_deadline ? TimerMode::TscDeadline : TimerMode::Count);
    if (!frequencies.tsc_exact) {
        refine_at_ns = kRefineAfterNs;
        arm(cpu_data(), 0);
    }
}

void handle_timer_interrupt(CpuData& cpu) {
    const std::uint64_t now_ns = monotonic_ns();
    cpu.armed_ns = kNoDeadline;
    if (now_ns >= refine_at_ns) {
        refine();
    }
    if (now_ns >= cpu.deadline_ns) {
        cpu.deadline_ns = kNoDeadline;
        raise_interrupt(cpu, Interrupts::Timer);
    }
    arm(cpu, now_ns);
}

std::uint64_t tsc_frequency_hz() {
    return tsc_hz;
}

}  // namespace kernel::platform::x86

namespace kernel::platform {

std::uint64_t monotonic_ns() {
    return x86::line.load(std::memory_order_acquire)->ns_at(x86::read_tsc());
}

std::uint64_t cpu_ticks() {
    return x86::read_tsc_unordered();
}

std::uint64_t ticks_to_ns(std::uint64_t ticks) {
    const x86::ClockLine* const line = x86::line.load(std::memory_order_acquire);
    return x86::scale(ticks, line->ns_per_cycle, x86::ClockLine::kToNsShift);
}

std::uint64_t realtime_ns() {
    return x86::realtime_at_boot_ns + monotonic_ns();
}

std::uint64_t user_ticks() {
    return x86::read_tsc();
}

// The kernel's own line, once it is final: user code that went on along the first estimate would be ahead of the
// kernel.
std::optional<UserClock> user_clock() {
    if (x86::refine_at_ns != kNoDeadline) {
        return std::nullopt;
    }
    const x86::ClockLine& line = *x86::line.load(std::memory_order_acquire);
    const std::uint64_t tsc = x86::read_tsc();
    const std::uint64_t now_ns = line.ns_at(tsc);
    return UserClock{.ticks = tsc,
                     .limit_ticks = x86::tsc_hz * 60,
                     .ns_per_tick = line.ns_per_cycle,
                     .monotonic_ns = now_ns,
                     .realtime_ns = x86::realtime_at_boot_ns + now_ns};
}

void set_timer(std::uint64_t deadline_ns) {
    x86::CpuData& cpu = x86::cpu_data();
    const std::uint64_t now_ns = monotonic_ns();
    if (deadline_ns <= now_ns) {
        cpu.deadline_ns = kNoDeadline;
        x86::raise_interrupt(cpu, Interrupts::Timer);
        return;
    }
    cpu.deadline_ns = deadline_ns;
    x86::arm(cpu, now_ns);
}

}  // namespace kernel::platform
