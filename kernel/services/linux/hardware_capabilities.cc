// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/hardware_capabilities.h"

#include "abi/linux/signal.h"
#include "lib/types.h"
#include "platform/user_context.h"

namespace kernel::linux_abi {

std::uint64_t hardware_capabilities() {
    return platform::cpu_feature_word();
}

std::uint64_t hardware_capabilities2() {
    constexpr std::uint64_t kFsGsBase = 1u << 1;
    return kFsGsBase;
}

std::uint64_t minimum_signal_stack_bytes() {
    constexpr std::uint64_t kRedZoneAndAlignment = 128 + 64 + 16 + 8;
    return align_up(
        platform::xstate_size() + sizeof(abi::kFpXstateMagic2) + sizeof(abi::SignalFrame) + kRedZoneAndAlignment,
        std::uint64_t{16});
}

}  // namespace kernel::linux_abi
