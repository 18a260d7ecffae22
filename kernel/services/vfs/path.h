// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include "lib/ref.h"
#include "lib/result.h"
#include "lib/string.h"
#include "services/vfs/dentry.h"

namespace kernel::vfs {

class Mount;

// A place in a tree of mounts. Keeps both alive.
struct Path {
    RefPtr<Mount> mount;
    RefPtr<Dentry> dentry;

    Path();
    Path(RefPtr<Mount> on, RefPtr<Dentry> at);
    Path(const Path&);
    Path(Path&&) noexcept;
    Path& operator=(const Path&);
    Path& operator=(Path&&) noexcept;
    ~Path();

    explicit operator bool() const { return static_cast<bool>(dentry); }
    bool operator==(const Path& other) const { return mount == other.mount && dentry == other.dentry; }
    Inode& inode() const { return *dentry->inode(); }
};

// The absolute path as seen from `root`, as getcwd(2) and /proc show it. For a place outside of root the text begins
// with
// "(unreachable)" (`reachable` false); the name of an unlinked file ends with " (deleted)" when `mark_deleted`.
inline constexpr std::string_view kUnreachable = "(unreachable)";
struct PathText {
    String text;
    bool reachable = true;
    bool deleted = false;
};
// Errors: NoMemory, NameTooLong (more than kMaxPathBytes).
Result<PathText> path_text(const Path& path, const Path& root, bool mark_deleted = true);

}  // namespace kernel::vfs
