// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

namespace kernel::vfs {

// The values are those of d_type in getdents64(2) and, shifted by 12, of S_IFMT in inode(7).
enum class FileType : std::uint8_t {
    Unknown = 0,
    Fifo = 1,
    CharacterDevice = 2,
    Directory = 4,
    BlockDevice = 6,
    Regular = 8,
    Symlink = 10,
    Socket = 12,
};

// Bits of a permissions word, inode(7).
inline constexpr std::uint32_t kSetUserId = 04000;
inline constexpr std::uint32_t kSetGroupId = 02000;
inline constexpr std::uint32_t kSticky = 01000;
inline constexpr std::uint32_t kGroupExecute = 00010;
inline constexpr std::uint32_t kAnyExecute = 00111;
inline constexpr std::uint32_t kPermissionMask = 07777;

inline constexpr std::size_t kMaxNameBytes = 255;   // NAME_MAX
inline constexpr std::size_t kMaxPathBytes = 4096;  // PATH_MAX, the terminating zero included
inline constexpr unsigned kMaxSymlinks = 40;        // path_resolution(7)

struct DeviceNumber {
    std::uint32_t major = 0;
    std::uint32_t minor = 0;
    constexpr bool operator==(const DeviceNumber&) const = default;
};

// What stat(2) tells. Times are nanoseconds since 1970; times outside of what 64 bits hold are clamped, as file systems
// with a limited range do.
struct Status {
    FileType type = FileType::Unknown;
    std::uint32_t permissions = 0;  // 07777
    std::uint32_t user = 0;
    std::uint32_t group = 0;
    std::uint32_t links = 0;
    DeviceNumber device{};   // of the file system
    DeviceNumber special{};  // what a device node stands for
    std::uint64_t inode = 0;
    std::uint64_t size_bytes = 0;
    std::uint64_t blocks_512 = 0;
    std::uint32_t block_bytes = 4096;  // preferred I/O size
    std::int64_t access_ns = 0;
    std::int64_t modify_ns = 0;
    std::int64_t change_ns = 0;
    std::int64_t birth_ns = 0;

    constexpr std::uint32_t mode() const { return (static_cast<std::uint32_t>(type) << 12) | permissions; }
};

// The part of Status that permission checks need.
struct Ownership {
    FileType type = FileType::Unknown;
    std::uint32_t permissions = 0;
    std::uint32_t user = 0;
    std::uint32_t group = 0;
};

// What to change; absent fields stay. The change time becomes "now" by itself.
struct StatusChange {
    std::optional<std::uint32_t> permissions{};
    std::optional<std::uint32_t> user{};
    std::optional<std::uint32_t> group{};
    std::optional<std::int64_t> access_ns{};
    std::optional<std::int64_t> modify_ns{};
};

// What statfs(2) tells.
struct FileSystemStatus {
    std::uint64_t magic = 0;
    std::uint64_t block_bytes = 4096;
    std::uint64_t blocks = 0;
    std::uint64_t free_blocks = 0;
    std::uint64_t available_blocks = 0;
    std::uint64_t files = 0;
    std::uint64_t free_files = 0;
    std::uint64_t id = 0;
    std::uint64_t max_name_bytes = kMaxNameBytes;
};

}  // namespace kernel::vfs
