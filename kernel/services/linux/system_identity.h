// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <string_view>

#include "lib/string.h"

// How the system names itself, uname(2) and /proc/sys/kernel.
namespace kernel::linux_abi {

inline constexpr std::string_view kSystemName = "KPIO";
// The Linux release whose interface this follows, because programs parse it, and our own version.
inline constexpr std::string_view kRelease = "6.1.0-kpio";
inline constexpr std::string_view kVersion = "KPIO 0.1.0";
inline constexpr std::string_view kMachine = "x86_64";

inline constexpr std::size_t kMaxSystemNameBytes = 64;  // __NEW_UTS_LEN
using ChangeableName = FixedString<kMaxSystemNameBytes>;

// sethostname(2), setdomainname(2).
ChangeableName host_name();
ChangeableName domain_name();
void set_host_name(const ChangeableName& name);
void set_domain_name(const ChangeableName& name);

}  // namespace kernel::linux_abi
