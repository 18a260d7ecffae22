// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/x86_64/local_apic.h"

#include <cstddef>

#include "platform/x86_64/cpu_features.h"
#include "platform/x86_64/instructions.h"
#include "platform/x86_64/kernel_map.h"
#include "platform/x86_64/vectors.h"

namespace kernel::platform::x86 {
namespace {

// Offsets of the memory-mapped registers; MSR 0x800 + offset / 16 in x2APIC mode.
constexpr std::uint32_t kId = 0x20;
constexpr std::uint32_t kTaskPriority = 0x80;
constexpr std::uint32_t kEndOfInterrupt = 0xb0;
constexpr std::uint32_t kSpurious = 0xf0;
constexpr std::uint32_t kLvtTimer = 0x320;
constexpr std::uint32_t kLvtLint0 = 0x350;
constexpr std::uint32_t kLvtLint1 = 0x360;
constexpr std::uint32_t kLvtError = 0x370;
constexpr std::uint32_t kInitialCount = 0x380;
constexpr std::uint32_t kCurrentCount = 0x390;
constexpr std::uint32_t kDivide = 0x3e0;

constexpr std::uint32_t kMasked = 1u << 16;
constexpr std::uint32_t kNmiDelivery = 4u << 8;
constexpr std::uint32_t kSoftwareEnable = 1u << 8;
constexpr std::uint32_t kTimerTscDeadline = 2u << 17;
constexpr std::uint32_t kDivideBy16 = 3;

constexpr std::uint64_t kBaseEnable = 1u << 11;
constexpr std::uint64_t kBaseX2Apic = 1u << 10;
constexpr std::uint64_t kBaseAddress = 0x000f'ffff'ffff'f000;

constinit volatile std::byte* registers = nullptr;  // null in x2APIC mode

volatile std::uint32_t& memory_register(std::uint32_t offset) {
    // SAFETY: the page at `registers` is the APIC's; registers are 32 bits wide.
    return *reinterpret_cast<volatile std::uint32_t*>(registers + offset);
}

std::uint32_t read(std::uint32_t offset) {
    return registers == nullptr ? static_cast<std::uint32_t>(read_msr(kMsrX2Apic + offset / 16))
                                : memory_register(offset);
}

void write(std::uint32_t offset, std::uint32_t value) {
    if (registers == nullptr) {
        write_msr(kMsrX2Apic + offset / 16, value);
    } else {
        memory_register(offset) = value;
    }
}

}  // namespace

void initialise_local_apic() {
    std::uint64_t base = read_msr(kMsrApicBase) | kBaseEnable;
    if (cpu_features().x2apic) {
        write_msr(kMsrApicBase, base);  // from disabled only by way of xAPIC mode
        base |= kBaseX2Apic;
    }
    write_msr(kMsrApicBase, base);
    if (!cpu_features().x2apic) {
        registers = map_device(base & kBaseAddress);
    }
    write(kTaskPriority, 0);
    write(kLvtTimer, kMasked);
    write(kLvtLint0, kMasked);  // the PIC's line
    write(kLvtLint1, kNmiDelivery);
    write(kLvtError, kMasked);
    write(kDivide, kDivideBy16);
    write(kSpurious, kSoftwareEnable | kVectorSpurious);
}

std::uint32_t local_apic_id() {
    return registers == nullptr ? read(kId) : read(kId) >> 24;
}

void end_of_interrupt() {
    write(kEndOfInterrupt, 0);
}

void set_apic_timer_count(std::uint32_t count) {
    write(kInitialCount, count);
}

std::uint32_t apic_timer_count() {
    return read(kCurrentCount);
}

void enable_apic_timer(TimerMode mode) {
    write(kInitialCount, 0);
    write(kLvtTimer, kVectorTimer | (mode == TimerMode::TscDeadline ? kTimerTscDeadline : 0));
    // SAFETY: orders the memory-mapped write before later writes of MSR_TSC_DEADLINE (SDM vol. 3A, 11.5.4.1).
    asm volatile("mfence" : : : "memory");
}

}  // namespace kernel::platform::x86
