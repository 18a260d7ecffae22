// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstdint>

namespace kernel::linux_abi {

// AT_HWCAP: CPUID leaf 1, edx. AT_HWCAP2: what the kernel adds (bit 1: FSGSBASE instructions are allowed).
std::uint64_t hardware_capabilities();
std::uint64_t hardware_capabilities2();

// AT_MINSIGSTKSZ: the largest signal frame with the vector state of this machine.
std::uint64_t minimum_signal_stack_bytes();

}  // namespace kernel::linux_abi
