// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstdint>

namespace kernel::platform::x86 {

// What this machine's CPUs have of the optional parts that we use. Constant after detect_cpu_features().
struct CpuFeatures {
    bool tsc_deadline = false;
    bool x2apic = false;
    bool xsave = false;
    bool xsaveopt = false;
    bool rdrand = false;
    bool rdseed = false;
    bool fsgsbase = false;
    bool smep = false;
    bool smap = false;
    bool umip = false;
    bool hypervisor = false;
};

const CpuFeatures& cpu_features();
void detect_cpu_features();

// Switches on, on this CPU, what protects the kernel and what user code expects.
void enable_cpu_features();

}  // namespace kernel::platform::x86
