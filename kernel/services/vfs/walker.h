// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "lib/result.h"
#include "lib/string.h"
#include "services/security/credentials.h"
#include "services/vfs/path.h"
#include "services/vfs/status.h"

namespace kernel::vfs {

// Flags of a walk; the restrictions are those of openat2(2).
enum class WalkFlags : std::uint32_t {
    None = 0,
    NoFollow = 1u << 0,         // a final symbolic link is the result
    Directory = 1u << 1,        // the result must be a directory: NotDirectory
    EmptyPath = 1u << 2,        // "" is the start itself (AT_EMPTY_PATH)
    Beneath = 1u << 3,          // never outside of the start: CrossDevice
    InRoot = 1u << 4,           // the start is the root of this walk
    NoSymlinks = 1u << 5,       // SymlinkLoop
    NoMagicLinks = 1u << 6,     // SymlinkLoop
    NoMountCrossing = 1u << 7,  // CrossDevice
};
constexpr WalkFlags operator|(WalkFlags a, WalkFlags b) {
    return static_cast<WalkFlags>(static_cast<std::uint32_t>(a) | static_cast<std::uint32_t>(b));
}
constexpr bool has(WalkFlags set, WalkFlags bit) {
    return (static_cast<std::uint32_t>(set) & static_cast<std::uint32_t>(bit)) != 0;
}

// Who walks, from where: absolute paths begin at `root`, which ".." never leaves; others at `start`. Lives as long as
// the call it is passed to.
struct WalkContext {
    const Path& root;
    const Path& start;
    const RefPtr<security::Credentials>& credentials;
};

// path_resolution(7). Errors: NotFound (also for an empty path), NotDirectory, AccessDenied (no search permission),
// SymlinkLoop (more than kMaxSymlinks), NameTooLong, NoMemory, Io, and those of the flags. May block.
Result<Path> resolve(const WalkContext& context, std::string_view path, WalkFlags flags = WalkFlags::None);

enum class LastComponent : std::uint8_t { Name, Dot, DotDot, Root };

// The directory that the last component is in, which is itself not looked up.
struct ParentWalk {
    Path directory;
    LastComponent last = LastComponent::Name;
    // For LastComponent::Name. Cut where it is surely too long, so that looking it up says so.
    FixedString<kMaxNameBytes + 1> name;
    bool trailing_slash = false;
};
// Errors: as resolve.
Result<ParentWalk> resolve_parent(const WalkContext& context, std::string_view path, WalkFlags flags = WalkFlags::None);

// The entry of a directory, which may be negative; neither links nor mounts are followed. Uses the cache, else takes
// the directory's lock. Errors: NameTooLong, NoMemory, Io.
Result<RefPtr<Dentry>> look_up(Dentry& directory, std::string_view name);
// The same, with the directory's lock held.
Result<RefPtr<Dentry>> look_up_locked(Dentry& directory, std::string_view name);

}  // namespace kernel::vfs
