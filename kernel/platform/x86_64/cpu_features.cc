// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/x86_64/cpu_features.h"

#include "platform/x86_64/instructions.h"

namespace kernel::platform::x86 {
namespace {

constinit CpuFeatures features;

constexpr bool bit(std::uint32_t value, unsigned index) {
    return (value >> index & 1) != 0;
}

}  // namespace

const CpuFeatures& cpu_features() {
    return features;
}

void detect_cpu_features() {
    const std::uint32_t max_leaf = cpuid(0).eax;
    const CpuidResult basic = cpuid(1);
    features.x2apic = bit(basic.ecx, 21);
    features.tsc_deadline = bit(basic.ecx, 24);
    features.xsave = bit(basic.ecx, 26);
    features.rdrand = bit(basic.ecx, 30);
    features.hypervisor = bit(basic.ecx, 31);
    if (max_leaf >= 7) {
        const CpuidResult extended = cpuid(7);
        features.fsgsbase = bit(extended.ebx, 0);
        features.smep = bit(extended.ebx, 7);
        features.rdseed = bit(extended.ebx, 18);
        features.smap = bit(extended.ebx, 20);
        features.umip = bit(extended.ecx, 2);
    }
    if (features.xsave && max_leaf >= 0xd) {
        features.xsaveopt = bit(cpuid(0xd, 1).eax, 0);
    }
}

void enable_cpu_features() {
    std::uint64_t cr4 = read_cr4() | kCr4OsFxsr | kCr4OsXmmException;
    cr4 |= features.fsgsbase ? kCr4FsGsBase : 0;
    cr4 |= features.smep ? kCr4Smep : 0;
    cr4 |= features.smap ? kCr4Smap : 0;
    cr4 |= features.umip ? kCr4Umip : 0;
    cr4 |= features.xsave ? kCr4OsXsave : 0;
    write_cr4(cr4);
    // SAFETY: no breakpoint is armed; DR7 has its reserved bit 10 only.
    asm volatile("movq %0, %%dr7" : : "r"(std::uint64_t{0x400}));
}

}  // namespace kernel::platform::x86
