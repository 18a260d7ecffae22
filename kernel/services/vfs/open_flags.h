// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstdint>

namespace kernel::vfs {

// open(2), as a set of our own bits; the personality translates. Close-on-exec belongs to the handle, not to the file.
enum class OpenFlags : std::uint32_t {
    None = 0,
    Read = 1u << 0,
    Write = 1u << 1,
    Append = 1u << 2,
    NonBlocking = 1u << 3,
    Create = 1u << 4,
    Exclusive = 1u << 5,
    Truncate = 1u << 6,
    Directory = 1u << 7,
    NoFollow = 1u << 8,
    PathOnly = 1u << 9,
    NoAccessTime = 1u << 10,
    Synchronous = 1u << 11,      // O_SYNC
    DataSynchronous = 1u << 12,  // O_DSYNC
    Direct = 1u << 13,
    Temporary = 1u << 14,  // O_TMPFILE
    NoControllingTerminal = 1u << 15,
    Async = 1u << 16,
    LargeFile = 1u << 17,  // kept for F_GETFL only
};
constexpr OpenFlags operator|(OpenFlags a, OpenFlags b) {
    return static_cast<OpenFlags>(static_cast<std::uint32_t>(a) | static_cast<std::uint32_t>(b));
}
constexpr OpenFlags operator&(OpenFlags a, OpenFlags b) {
    return static_cast<OpenFlags>(static_cast<std::uint32_t>(a) & static_cast<std::uint32_t>(b));
}
constexpr OpenFlags operator~(OpenFlags a) {
    return static_cast<OpenFlags>(~static_cast<std::uint32_t>(a));
}
constexpr bool has(OpenFlags set, OpenFlags bit) {
    return (set & bit) != OpenFlags::None;
}

// What fcntl(F_SETFL) can change.
inline constexpr OpenFlags kChangeableFlags =
    OpenFlags::Append | OpenFlags::NonBlocking | OpenFlags::NoAccessTime | OpenFlags::Direct | OpenFlags::Async;

}  // namespace kernel::vfs
