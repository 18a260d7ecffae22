// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <string_view>

#include "services/vfs/operations.h"

namespace kernel::vfs {

// What all operations that make a name have in common.

// The name may be made here: not on a read-only mount, write and search permission; then the directory is prepared for
// the change. Called without locks.
Result<> check_creation(const Path& directory, const security::Credentials& who);

// Makes the entry; the directory's lock is not held. Exists if the name is there. The request's owner is filled in, and
// the set-group-id rules of inode(7) are applied.
Result<RefPtr<Dentry>> create_entry(const Path& directory, std::string_view name, NewInode request,
                                    const security::Credentials& who);

// A regular file that no directory has, as if it had been deleted at once, open(2) O_TMPFILE. Errors: NotSupported (by
// the file system), those of check_creation.
Result<Path> create_unnamed(const Path& directory, std::uint32_t permissions, const security::Credentials& who);

}  // namespace kernel::vfs
