// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/vfs/seals.h"

#include "core/mm/io_buffer.h"
#include "core/mm/memory_object.h"
#include "services/vfs/inode.h"

namespace kernel::vfs {

Result<std::uint32_t> seals_of(Inode& inode) {
    const std::atomic<std::uint32_t>* const seals = inode.seals();
    if (seals == nullptr) {
        return Error::InvalidArgument;
    }
    return seals->load(std::memory_order_acquire);
}

Result<> add_seals(Inode& inode, std::uint32_t fresh) {
    std::atomic<std::uint32_t>* const seals = inode.seals();
    if ((fresh & ~kAllSeals) != 0 || seals == nullptr) {
        return Error::InvalidArgument;
    }
    const Turn::Holder turn(inode.write_turn());
    const std::uint32_t old = seals->load(std::memory_order_acquire);
    if ((old & kSealSeal) != 0) {
        return Error::NotPermitted;
    }
    if ((fresh & ~old & kSealWrite) != 0 && TRY(inode.memory_object())->has_writable_share()) {
        return Error::Busy;
    }
    seals->store(old | fresh, std::memory_order_release);
    return {};
}

bool is_sealed(Inode& inode, std::uint32_t against) {
    const std::atomic<std::uint32_t>* const seals = inode.seals();
    return seals != nullptr && (seals->load(std::memory_order_acquire) & against) != 0;
}

Result<> check_write_seals(Inode& inode, const mm::MemoryObject& object, std::uint64_t offset, mm::IoBuffer& from) {
    if (is_sealed(inode, kSealWrite | kSealFutureWrite)) {
        return Error::NotPermitted;
    }
    const std::uint64_t size = object.size_bytes();
    if (!is_sealed(inode, kSealGrow) || (offset <= size && from.remaining() <= size - offset)) {
        return {};
    }
    // As on Linux, whole pages are written as long as they lie within the file.
    const std::uint64_t whole = align_down(size, kPageSize);
    if (offset >= whole) {
        return Error::NotPermitted;
    }
    from.truncate(whole - offset);
    return {};
}

Result<> check_resize_seals(Inode& inode, std::uint64_t old_bytes, std::uint64_t new_bytes) {
    const bool forbidden = (new_bytes < old_bytes && is_sealed(inode, kSealShrink)) ||
                           (new_bytes > old_bytes && is_sealed(inode, kSealGrow));
    return forbidden ? Error::NotPermitted : Result<>();
}

}  // namespace kernel::vfs
