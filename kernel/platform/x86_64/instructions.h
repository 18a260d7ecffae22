// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>

// Privileged and other special instructions, one function each. SDM = Intel 64 and IA-32 Architectures Software
// Developer's Manual.
namespace kernel::platform::x86 {

struct CpuidResult {
    std::uint32_t eax, ebx, ecx, edx;
};

inline CpuidResult cpuid(std::uint32_t leaf, std::uint32_t subleaf = 0) {
    CpuidResult r;
    // SAFETY: CPUID only writes these four registers.
    asm volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(subleaf));
    return r;
}

inline void out8(std::uint16_t port, std::uint8_t value) {
    // SAFETY: port output; callers own the device.
    asm volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}
inline void out16(std::uint16_t port, std::uint16_t value) {
    // SAFETY: as out8.
    asm volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory");
}
inline void out32(std::uint16_t port, std::uint32_t value) {
    // SAFETY: as out8.
    asm volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}
inline std::uint8_t in8(std::uint16_t port) {
    std::uint8_t value;
    // SAFETY: port input; callers own the device.
    asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

inline std::uint64_t read_msr(std::uint32_t msr) {
    std::uint32_t low, high;
    // SAFETY: callers read only MSRs that exist.
    asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr) : "memory");
    return (std::uint64_t{high} << 32) | low;
}
inline void write_msr(std::uint32_t msr, std::uint64_t value) {
    // SAFETY: callers write only MSRs that exist, with values that the SDM allows.
    asm volatile("wrmsr"
                 :
                 : "c"(msr), "a"(static_cast<std::uint32_t>(value)), "d"(static_cast<std::uint32_t>(value >> 32))
                 : "memory");
}

inline std::uint64_t read_tsc() {
    std::uint32_t low, high;
    // SAFETY: LFENCE keeps RDTSC from running before earlier instructions (SDM vol. 2B, RDTSC).
    asm volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (std::uint64_t{high} << 32) | low;
}

// May run before earlier instructions have ended: for long-term averages.
inline std::uint64_t read_tsc_unordered() {
    std::uint32_t low, high;
    // SAFETY: only reads the counter.
    asm volatile("rdtsc" : "=a"(low), "=d"(high));
    return (std::uint64_t{high} << 32) | low;
}

inline std::uint64_t read_cr2() {
    std::uint64_t value;
    // SAFETY: reads a control register.
    asm volatile("movq %%cr2, %0" : "=r"(value));
    return value;
}
inline std::uint64_t read_cr3() {
    std::uint64_t value;
    // SAFETY: reads a control register.
    asm volatile("movq %%cr3, %0" : "=r"(value));
    return value;
}
inline void write_cr3(std::uint64_t value) {
    // SAFETY: the value is the physical address of a root table that maps the kernel half.
    asm volatile("movq %0, %%cr3" : : "r"(value) : "memory");
}
inline std::uint64_t read_cr4() {
    std::uint64_t value;
    // SAFETY: reads a control register.
    asm volatile("movq %%cr4, %0" : "=r"(value));
    return value;
}
inline void write_cr4(std::uint64_t value) {
    // SAFETY: callers set only bits that CPUID announces.
    asm volatile("movq %0, %%cr4" : : "r"(value) : "memory");
}
inline void invalidate_page(std::uint64_t address) {
    // SAFETY: drops a TLB entry, which never changes what memory holds.
    asm volatile("invlpg (%0)" : : "r"(address) : "memory");
}

inline std::uint64_t read_fs_base() {
    std::uint64_t value;
    // SAFETY: callers know that CR4.FSGSBASE is set.
    asm volatile("rdfsbase %0" : "=r"(value));
    return value;
}
inline void write_fs_base(std::uint64_t value) {
    // SAFETY: as read_fs_base; the value is canonical.
    asm volatile("wrfsbase %0" : : "r"(value));
}

// True when the CPU had a random number ready.
inline bool read_random_seed(std::uint64_t& value) {
    bool valid;
    // SAFETY: callers know that the CPU has the instruction.
    asm volatile("rdseed %0" : "=r"(value), "=@ccc"(valid));
    return valid;
}
inline bool read_random(std::uint64_t& value) {
    bool valid;
    // SAFETY: as read_random_seed.
    asm volatile("rdrand %0" : "=r"(value), "=@ccc"(valid));
    return valid;
}

// Vector state to and from an area of the size and alignment that the CPU asks for; only components in XCR0.
inline void save_state_legacy(std::byte* area) {
    // SAFETY: FXSAVE writes 512 bytes at a 16-byte boundary.
    asm volatile("fxsave64 (%0)" : : "r"(area) : "memory");
}
inline void restore_state_legacy(const std::byte* area) {
    // SAFETY: callers know that the area holds what FXSAVE left, or has a valid MXCSR.
    asm volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
}
inline void save_state(std::byte* area, std::uint32_t components) {
    // SAFETY: callers know that XSAVE is enabled.
    asm volatile("xsave64 (%0)" : : "r"(area), "a"(components), "d"(0) : "memory");
}
inline void save_changed_state(std::byte* area, std::uint32_t components) {
    // SAFETY: callers know that XSAVEOPT exists and XSAVE is enabled.
    asm volatile("xsaveopt64 (%0)" : : "r"(area), "a"(components), "d"(0) : "memory");
}
inline void restore_state(const std::byte* area, std::uint32_t components) {
    // SAFETY: callers know that the area holds what XSAVE left, or passed the checks of XRSTOR.
    asm volatile("xrstor64 (%0)" : : "r"(area), "a"(components), "d"(0) : "memory");
}

[[noreturn]] inline void halt_forever() {
    for (;;) {
        // SAFETY: stops this CPU for good, interrupts off.
        asm volatile("cli; hlt" : : : "memory");
    }
}

inline constexpr std::uint32_t kMsrApicBase = 0x1b;
inline constexpr std::uint32_t kMsrTscDeadline = 0x6e0;
inline constexpr std::uint32_t kMsrX2Apic = 0x800;
inline constexpr std::uint32_t kMsrEfer = 0xc0000080;
inline constexpr std::uint32_t kMsrStar = 0xc0000081;
inline constexpr std::uint32_t kMsrLstar = 0xc0000082;
inline constexpr std::uint32_t kMsrCstar = 0xc0000083;
inline constexpr std::uint32_t kMsrSyscallMask = 0xc0000084;
inline constexpr std::uint32_t kMsrFsBase = 0xc0000100;
inline constexpr std::uint32_t kMsrGsBase = 0xc0000101;
inline constexpr std::uint32_t kMsrKernelGsBase = 0xc0000102;

inline constexpr std::uint64_t kCr4OsFxsr = 1u << 9;
inline constexpr std::uint64_t kCr4OsXmmException = 1u << 10;
inline constexpr std::uint64_t kCr4Umip = 1u << 11;
inline constexpr std::uint64_t kCr4PageGlobal = 1u << 7;
inline constexpr std::uint64_t kCr4FsGsBase = 1u << 16;
inline constexpr std::uint64_t kCr4OsXsave = 1u << 18;
inline constexpr std::uint64_t kCr4Smep = 1u << 20;
inline constexpr std::uint64_t kCr4Smap = 1u << 21;

inline constexpr std::uint64_t kFlagAlwaysOne = 1u << 1;
inline constexpr std::uint64_t kFlagTrap = 1u << 8;
inline constexpr std::uint64_t kFlagInterrupt = 1u << 9;
inline constexpr std::uint64_t kFlagResume = 1u << 16;
// What a program may have in RFLAGS: CF PF AF ZF SF TF DF OF NT RF AC ID. Not IF, IOPL, VM, VIF, VIP.
inline constexpr std::uint64_t kFlagsOfUser = 0x254dd5;

}  // namespace kernel::platform::x86
