// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/vfs/regular_file.h"

#include <algorithm>

#include "core/mm/io_buffer.h"
#include "core/mm/memory_object.h"
#include "services/vfs/permission.h"
#include "services/vfs/seals.h"
#include "services/vfs/watch.h"

namespace kernel::vfs {

Result<> RegularFile::note_write() {
    if (credentials()) {
        TRY(remove_set_id(*inode(), *credentials()));
    }
    inode()->note_write();
    return {};
}

Result<std::size_t> RegularFile::do_read(mm::IoBuffer& to, std::uint64_t offset) {
    // Asked for each time: an overlay may have copied the file up since it was opened.
    const RefPtr<mm::MemoryObject> object = TRY(inode()->memory_object());
    const std::size_t count = TRY(object->read(offset, to));
    if (count != 0) {
        note_read();
    }
    return count;
}

Result<std::size_t> RegularFile::do_write(mm::IoBuffer& from, std::uint64_t& offset, WriteOrder order) {
    const Turn::Holder turn(inode()->write_turn());
    const RefPtr<mm::MemoryObject> object = TRY(inode()->memory_object());
    if (order == WriteOrder::Append) {
        offset = object->size_bytes();
    }
    if (from.remaining() == 0) {
        return std::size_t{0};
    }
    if (offset >= kMaxFileBytes) {
        return Error::FileTooLarge;
    }
    if (from.remaining() > kMaxFileBytes - offset) {
        from.truncate(kMaxFileBytes - offset);
    }
    TRY(check_write_seals(*inode(), *object, offset, from));
    TRY(note_write());
    const std::size_t count = TRY(object->write(offset, from));
    TRY(written(*object, offset, count));
    return count;
}

Result<> RegularFile::written(mm::MemoryObject&, std::uint64_t, std::size_t) {
    if (has(flags(), OpenFlags::Synchronous) || has(flags(), OpenFlags::DataSynchronous)) {
        return inode()->sync();
    }
    return {};
}

Result<RefPtr<mm::MemoryObject>> RegularFile::memory_object() {
    return inode()->memory_object();
}

Result<> RegularFile::resize(std::uint64_t bytes) {
    if (!is_writable()) {
        return Error::InvalidArgument;
    }
    if (bytes > kMaxFileBytes) {
        return Error::FileTooLarge;
    }
    const Turn::Holder turn(inode()->write_turn());
    TRY(note_write());
    TRY(inode()->resize(bytes));
    report(1, FileEvents::Modify);
    return {};
}

Result<std::optional<std::uint64_t>> RegularFile::seek_hole(std::uint64_t offset, bool data) {
    const RefPtr<mm::MemoryObject> object = TRY(inode()->memory_object());
    return data ? object->next_data(offset) : object->next_hole(offset);
}

Result<> RegularFile::sync(bool) {
    return inode()->sync();
}

Result<> RegularFile::allocate(std::uint64_t offset, std::uint64_t bytes, std::uint32_t mode) {
    if (!is_writable()) {
        return Error::BadHandle;
    }
    if (bytes == 0 || offset > kMaxFileBytes) {
        return Error::InvalidArgument;
    }
    if (bytes > kMaxFileBytes - offset) {
        return Error::FileTooLarge;
    }
    const bool punches = (mode & kAllocatePunchHole) != 0;
    const bool keeps_size = (mode & kAllocateKeepSize) != 0;
    if ((mode & ~(kAllocateKeepSize | kAllocatePunchHole)) != 0 || (punches && !keeps_size)) {
        return Error::NotSupported;
    }
    const Turn::Holder turn(inode()->write_turn());
    const RefPtr<mm::MemoryObject> object = TRY(inode()->memory_object());
    if (punches) {
        if (is_sealed(*inode(), kSealWrite | kSealFutureWrite)) {
            return Error::NotPermitted;
        }
        TRY(note_write());
        TRY(object->discard(offset, bytes));
        report(1, FileEvents::Modify);
        return {};
    }
    const std::uint64_t old_bytes = object->size_bytes();
    const std::uint64_t end = offset + bytes;
    if (end > old_bytes) {
        TRY(check_resize_seals(*inode(), old_bytes, end));
    }
    const bool grows = !keeps_size && end > old_bytes;
    if (grows) {
        TRY(note_write());
        TRY(inode()->resize(end));
    }
    const Result<> reserved = reserve(*object, offset, grows ? end : std::min(end, old_bytes));
    if (!reserved && grows) {
        (void)inode()->resize(old_bytes);
    }
    report(reserved ? 1 : 0, FileEvents::Modify);
    return reserved;
}

// Files in memory get their pages now, up to their end. The space of other files belongs to somebody else, who gives it
// when it is written to.
Result<> RegularFile::reserve(mm::MemoryObject& object, std::uint64_t offset, std::uint64_t end) {
    if (!object.starts_as_zero() || offset >= end) {
        return {};
    }
    for (std::uint64_t page = offset >> kPageShift; page < pages_for_bytes(end); ++page) {
        if (const auto got = object.get_page(page, mm::PageUse::Write); !got) {
            return got.error() == Error::NoMemory ? Error::NoSpace : got.error();
        }
    }
    return {};
}

}  // namespace kernel::vfs
