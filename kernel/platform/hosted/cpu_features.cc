// SPDX-License-Identifier: MIT OR Apache-2.0
#include <cpuid.h>
#include <sys/auxv.h>

#include "platform/user_context.h"

namespace kernel::platform {

// On x86 the host's AT_HWCAP is this word. CPUID itself would leave a virtual machine, for tens of microseconds.
std::uint32_t cpu_feature_word() {
    return static_cast<std::uint32_t>(getauxval(AT_HWCAP));
}

CpuIdentification cpu_identification(std::uint32_t leaf, std::uint32_t subleaf) {
    CpuIdentification result;
    if (__get_cpuid_count(leaf, subleaf, &result.eax, &result.ebx, &result.ecx, &result.edx) == 0) {
        return {};
    }
    return result;
}

}  // namespace kernel::platform
