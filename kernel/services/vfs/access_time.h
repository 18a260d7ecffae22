// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstdint>

#include "services/vfs/mount.h"
#include "services/vfs/path.h"
#include "services/vfs/status.h"

namespace kernel::vfs {

// relatime, mount(8): the access time is brought up to date when it is not after the others, or a day old.
constexpr bool relatime_wants_update(std::int64_t access_ns, std::int64_t modify_ns, std::int64_t change_ns,
                                     std::int64_t now_ns) {
    constexpr std::int64_t kDayNs = 24 * 3600 * std::int64_t{1'000'000'000};
    return access_ns <= modify_ns || access_ns <= change_ns || now_ns - access_ns >= kDayNs;
}

// A read through this mount happened.
inline void touch_access(const Path& path) {
    const MountFlags flags = path.mount->flags();
    if (has(flags, MountFlags::NoAccessTime) || path.mount->is_read_only() ||
        (has(flags, MountFlags::NoDirectoryAccessTime) && path.inode().is_directory())) {
        return;
    }
    path.inode().touch_access(has(flags, MountFlags::StrictAccessTime));
}

}  // namespace kernel::vfs
