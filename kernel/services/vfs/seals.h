// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstdint>

#include "lib/result.h"

namespace kernel::mm {
class IoBuffer;
class MemoryObject;
}  // namespace kernel::mm

// What a file's seals forbid, fcntl(2) "File Sealing". Changes of contents check them with the inode's turn to write
// held, and so does mmap(2) until the mapping is there: then a seal comes either before or after.
namespace kernel::vfs {

class Inode;

enum SealBits : std::uint32_t {
    kSealSeal = 1,
    kSealShrink = 2,
    kSealGrow = 4,
    kSealWrite = 8,
    kSealFutureWrite = 16,
};
inline constexpr std::uint32_t kAllSeals = kSealSeal | kSealShrink | kSealGrow | kSealWrite | kSealFutureWrite;

// Errors: InvalidArgument (cannot be sealed, unknown bits), NotPermitted (sealed against it), Busy (writable mappings).
Result<std::uint32_t> seals_of(Inode& inode);
Result<> add_seals(Inode& inode, std::uint32_t fresh);

bool is_sealed(Inode& inode, std::uint32_t against);
// Cuts what would go beyond the end of a file that must not grow. Errors: NotPermitted.
Result<> check_write_seals(Inode& inode, const mm::MemoryObject& object, std::uint64_t offset, mm::IoBuffer& from);
Result<> check_resize_seals(Inode& inode, std::uint64_t old_bytes, std::uint64_t new_bytes);

}  // namespace kernel::vfs
