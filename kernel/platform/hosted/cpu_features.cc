// SPDX-License-Identifier: MIT OR Apache-2.0
#include <cpuid.h>

#include "platform/user_context.h"

namespace kernel::platform {

std::uint32_t cpu_feature_word() {
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 ? edx : 0;
}

}  // namespace kernel::platform
