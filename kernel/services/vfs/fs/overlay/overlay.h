// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <span>

#include "lib/ref.h"
#include "lib/result.h"
#include "services/vfs/filesystem.h"
#include "services/vfs/fs/tmpfs/tmpfs.h"

namespace kernel::vfs::overlay {

inline constexpr std::uint64_t kMagic = 0x794c7630;  // OVERLAYFS_SUPER_MAGIC, statfs(2)

// A writable tree over read-only ones (the topmost first), whose roots are all directories or all regular files. What
// changes is copied into a layer in memory that counts against the budget. Semantics are those of Linux's overlayfs
// with redirect_dir=on and xino=on: whiteouts are character devices 0/0, opaque directories and redirects are
// attributes trusted.overlay.*; a hard link of a lower tree is broken by the copy, and a mapping made before the copy
// keeps showing the lower file. Errors: NoMemory, NoSpace.
Result<RefPtr<FileSystem>> create(std::span<const RefPtr<FileSystem>> lowers, RefPtr<tmpfs::Budget> budget);

}  // namespace kernel::vfs::overlay
