// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <string_view>

// How the system names itself, uname(2) and /proc/sys/kernel.
namespace kernel::linux_abi {

inline constexpr std::string_view kSystemName = "KPIO";
inline constexpr std::string_view kHostName = "kpio";
// The Linux release whose interface this follows, because programs parse it, and our own version.
inline constexpr std::string_view kRelease = "6.1.0-kpio";
inline constexpr std::string_view kVersion = "KPIO 0.1.0";
inline constexpr std::string_view kMachine = "x86_64";
inline constexpr std::string_view kDomainName = "(none)";

}  // namespace kernel::linux_abi
