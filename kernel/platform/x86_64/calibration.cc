// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/x86_64/calibration.h"

#include <string_view>

#include "lib/assert.h"
#include "lib/bytes.h"
#include "platform/x86_64/cpu_features.h"
#include "platform/x86_64/instructions.h"
#include "platform/x86_64/layout.h"
#include "platform/x86_64/local_apic.h"

namespace kernel::platform::x86 {
namespace {

constexpr std::uint64_t kPitHz = 1'193'182;  // Intel 8254 on every PC
constexpr std::uint32_t kPitPeriod = 65536;
constexpr std::uint64_t kPitTicksWanted = 1200;               // 1 ms
constexpr std::uint64_t kMaxWaitCycles = 200'000'000;         // a PIT that does not count for so long is not there
constexpr std::uint64_t kApicHzUnderHypervisor = 62'500'000;  // QEMU, KVM: 1 GHz; we divide by 16
constexpr std::uint64_t kApicTicksWanted = 62'500;

// One moment on all clocks that we compare.
struct Moment {
    std::uint64_t tsc = 0;
    std::uint32_t pit = 0;
    std::uint32_t apic = 0;
};

constinit std::uint64_t known_tsc_hz = 0;
constinit bool pit_counts = false;
constinit Moment start;

void start_pit() {
    out8(0x61, static_cast<std::uint8_t>((in8(0x61) & ~2) | 1));  // gate of channel 2 open, speaker off
    out8(0x43, 0xb4);                                             // channel 2, low and high byte, mode 2
    out8(0x42, 0);
    out8(0x42, 0);
}

void latch_pit() {
    out8(0x43, 0x80);
}  // holds channel 2's count for reading

std::uint32_t read_latched_pit() {
    const std::uint32_t low = in8(0x42);
    return low | static_cast<std::uint32_t>(in8(0x42)) << 8;
}

// Of several tries the one that took least: a hypervisor may stop us in between.
Moment read_clocks(bool with_pit) {
    Moment best;
    std::uint64_t best_cycles = UINT64_MAX;
    for (unsigned i = 0; i < 5; ++i) {
        Moment moment;
        const std::uint64_t before = read_tsc();
        if (with_pit) {
            latch_pit();
        }
        moment.apic = apic_timer_count();
        const std::uint64_t after = read_tsc();
        moment.pit = with_pit ? read_latched_pit() : 0;
        moment.tsc = before + (after - before) / 2;
        if (after - before < best_cycles) {
            best_cycles = after - before;
            best = moment;
        }
    }
    return best;
}

std::uint64_t pit_ticks_between(const Moment& from, const Moment& to) {
    return (from.pit - to.pit) % kPitPeriod;
}

// CPUID 15H: SDM vol. 2A.
std::uint64_t tsc_hz_from_cpuid() {
    if (cpuid(0).eax < 0x15) {
        return 0;
    }
    const CpuidResult leaf = cpuid(0x15);
    return leaf.eax == 0 ? 0 : std::uint64_t{leaf.ecx} * leaf.ebx / leaf.eax;
}

// KVM's paravirtual clock (Linux: Documentation/virt/kvm/x86/msr.rst): asked once for the frequency, then switched off.
struct alignas(64) KvmTimeInfo {
    std::uint32_t version;
    std::uint32_t padding;
    std::uint64_t tsc_timestamp;
    std::uint64_t system_time;
    std::uint32_t tsc_to_ns_multiplier;
    std::uint8_t tsc_shift;  // signed: from 128 on, shifts to the right by 256 less this
    std::uint8_t flags;
    std::uint8_t padding2[2];
};
constinit volatile KvmTimeInfo kvm_time{};

std::uint64_t tsc_hz_from_kvm() {
    constexpr std::uint32_t kMsrSystemTime = 0x4b56'4d01;
    if ((cpuid(0x4000'0001).eax >> 3 & 1) == 0) {
        return 0;
    }
    write_msr(kMsrSystemTime, image_physical(&kvm_time) | 1);
    const std::uint64_t multiplier = kvm_time.tsc_to_ns_multiplier;
    const unsigned shift = kvm_time.tsc_shift;
    write_msr(kMsrSystemTime, 0);
    if (multiplier == 0) {
        return 0;
    }
    // ns = (tsc << shift) * multiplier >> 32
    const std::uint64_t khz = (std::uint64_t{1'000'000} << 32) / multiplier;
    return (shift >= 128 ? khz << (256 - shift) : khz >> shift) * 1000;
}

std::uint64_t tsc_hz_from_hypervisor() {
    if (!cpu_features().hypervisor) {
        return 0;
    }
    const CpuidResult leaf = cpuid(0x4000'0000);
    constexpr std::uint32_t kTimingLeaf = 0x4000'0010;  // VMware's, also of KVM and QEMU: EAX = TSC in kHz
    if (leaf.eax >= kTimingLeaf && leaf.eax < 0x4001'0000 && cpuid(kTimingLeaf).eax != 0) {
        return std::uint64_t{cpuid(kTimingLeaf).eax} * 1000;
    }
    const std::uint32_t signature[] = {leaf.ebx, leaf.ecx, leaf.edx};
    return as_text(std::as_bytes(std::span(signature))).starts_with("KVMKVMKVM") ? tsc_hz_from_kvm() : 0;
}

bool enough(const Moment& now) {
    if (known_tsc_hz != 0) {
        return now.tsc - start.tsc >= known_tsc_hz / 4096;
    }
    return pit_ticks_between(start, now) >= kPitTicksWanted;
}

// Without a PIT the APIC's timer is the reference, whose frequency hypervisors have agreed on.
Frequencies calibrate_by_apic() {
    Moment now = read_clocks(false);
    while (start.apic - now.apic < kApicTicksWanted && now.apic != 0) {
        now = read_clocks(false);
    }
    const std::uint64_t ticks = start.apic - now.apic;
    if (ticks == 0 || now.apic == 0) {
        panic("no clock: neither PIT nor APIC timer counts");
    }
    return {(now.tsc - start.tsc) * kApicHzUnderHypervisor / ticks, kApicHzUnderHypervisor, false};
}

}  // namespace

void begin_calibration() {
    known_tsc_hz = tsc_hz_from_cpuid();
    if (known_tsc_hz == 0) {
        known_tsc_hz = tsc_hz_from_hypervisor();
    }
    if (known_tsc_hz == 0) {
        start_pit();
    }
    set_apic_timer_count(UINT32_MAX);
    start = read_clocks(known_tsc_hz == 0);
}

Frequencies end_calibration() {
    if (known_tsc_hz != 0 && cpu_features().tsc_deadline) {
        return {known_tsc_hz, 0, true};
    }
    const bool with_pit = known_tsc_hz == 0;
    Moment now = read_clocks(with_pit);
    while (!enough(now) && now.tsc - start.tsc < kMaxWaitCycles) {
        now = read_clocks(with_pit);
    }
    const std::uint64_t cycles = now.tsc - start.tsc;
    Frequencies result{known_tsc_hz, 0, known_tsc_hz != 0};
    if (with_pit) {
        const std::uint64_t ticks = pit_ticks_between(start, now);
        pit_counts = ticks >= kPitTicksWanted;
        if (!pit_counts) {
            return calibrate_by_apic();
        }
        result.tsc_hz = cycles * kPitHz / ticks;
    }
    // Both measured over a few ms: the product fits.
    result.apic_timer_hz = cpu_features().tsc_deadline ? 0 : (start.apic - now.apic) * result.tsc_hz / cycles;
    return result;
}

std::optional<std::uint64_t> refine_tsc_frequency(std::uint64_t tsc_hz) {
    if (!pit_counts) {
        return std::nullopt;
    }
    const Moment now = read_clocks(true);
    const std::uint64_t cycles = now.tsc - start.tsc;
    // The first measurement is good to about 0.2 %; the counter's 55 ms must not be lost in that.
    constexpr std::uint64_t kMaxSeconds = 5;
    if (cycles > kMaxSeconds * tsc_hz) {
        return std::nullopt;
    }
    const std::uint64_t estimate = cycles * kPitHz / tsc_hz;
    const std::uint64_t phase = pit_ticks_between(start, now);
    const std::uint64_t periods = (estimate + kPitPeriod / 2 - phase) / kPitPeriod;
    return cycles * kPitHz / (periods * kPitPeriod + phase);
}

}  // namespace kernel::platform::x86
