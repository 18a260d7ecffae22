// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstdint>

// inotify(7).
namespace kernel::abi {

struct InotifyEvent {
    std::int32_t descriptor;
    std::uint32_t mask, cookie, name_bytes;  // the name follows
};

enum InotifyFlags : std::uint32_t {
    kInAllEvents = 0xfff,
    kInUnmount = 0x2000,
    kInQOverflow = 0x4000,
    kInOnlydir = 0x0100'0000,
    kInDontFollow = 0x0200'0000,
    kInExclUnlink = 0x0400'0000,
    kInMaskCreate = 0x1000'0000,
    kInMaskAdd = 0x2000'0000,
    kInOneshot = 0x8000'0000,
    kInNonblock = 04000,
    kInCloexec = 02000000,
};

}  // namespace kernel::abi
