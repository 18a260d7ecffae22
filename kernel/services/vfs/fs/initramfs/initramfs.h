// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstddef>
#include <span>

#include "lib/result.h"
#include "services/vfs/inode.h"

namespace kernel::vfs::initramfs {

struct Statistics {
    std::size_t entries = 0;
    std::uint64_t file_bytes = 0;
};

// Unpacks a cpio archive of the "new ASCII" kind (cpio(5); with or without checksum), uncompressed, into a directory.
// Directories that are there already get the archive's attributes; other things are replaced. Names with ".." are not
// followed out of the directory: InvalidArgument, as for everything else that is malformed. Further archives may follow
// each other, padded with zeros. What was unpacked before an error stays. Errors: InvalidArgument, NoMemory, NoSpace.
Result<Statistics> unpack(std::span<const std::byte> archive, Inode& root);

}  // namespace kernel::vfs::initramfs
