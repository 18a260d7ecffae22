// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/vfs/regular_file.h"

#include "core/mm/io_buffer.h"
#include "core/mm/memory_object.h"
#include "services/vfs/permission.h"

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
    return inode()->resize(bytes);
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
    const Turn::Holder turn(inode()->write_turn());
    const RefPtr<mm::MemoryObject> object = TRY(inode()->memory_object());
    if ((mode & kAllocatePunchHole) != 0) {
        if (mode != (kAllocatePunchHole | kAllocateKeepSize)) {
            return Error::NotSupported;
        }
        TRY(note_write());
        return object->discard(offset, bytes);
    }
    if ((mode & ~kAllocateKeepSize) != 0) {
        return Error::NotSupported;
    }
    // Space comes when it is written to; the budget is not reserved.
    if ((mode & kAllocateKeepSize) == 0 && offset + bytes > object->size_bytes()) {
        TRY(note_write());
        return inode()->resize(offset + bytes);
    }
    return {};
}

}  // namespace kernel::vfs
