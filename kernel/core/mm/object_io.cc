// SPDX-License-Identifier: MIT OR Apache-2.0
// Bytes of memory objects by offset.
#include <algorithm>

#include "core/mm/frame_run.h"
#include "core/mm/memory_object.h"
#include "core/mm/reclaim.h"
#include "lib/bytes.h"

namespace kernel::mm {

namespace {

// Offsets are loff_t to programs.
constexpr std::uint64_t kMaxObjectBytes = INT64_MAX;

}  // namespace

// Within one page.
Result<std::size_t> MemoryObject::read_piece(std::uint64_t offset, std::uint64_t bytes, IoBuffer& buffer) {
    const std::uint64_t page = offset / kPageSize;
    FrameRef frame = find_page(page, PageUse::Read);
    if (!frame && !tracks_dirty() && resident_pages({page, 1}) == 0) {
        return buffer.fill_zero(bytes);
    }
    if (!frame) {
        const std::uint64_t wanted = pages_for_bytes(offset % kPageSize + buffer.remaining());
        frame = TRY(get_page_for(page, PageUse::Read, wanted));
    }
    return buffer.copy_from(frame.bytes().subspan(offset % kPageSize, bytes));
}

Result<std::size_t> MemoryObject::read(std::uint64_t offset, IoBuffer& buffer) {
    assert_may_reclaim();
    std::size_t done = 0;
    while (buffer.remaining() != 0) {
        const std::uint64_t size = size_bytes();
        if (offset >= size) {
            break;
        }
        const std::uint64_t piece = std::min({size - offset, buffer.remaining(), kPageSize - offset % kPageSize});
        const auto copied = read_piece(offset, piece, buffer);
        if (!copied) {
            return done != 0 ? Result<std::size_t>(done) : copied.error();
        }
        done += *copied;
        offset += *copied;
        if (*copied < piece) {
            break;
        }
    }
    return done;
}

Result<std::size_t> MemoryObject::read(std::uint64_t offset, std::span<std::byte> bytes) {
    IoBuffer buffer(bytes);
    return read(offset, buffer);
}

// A page that is not in memory and whose old contents do not matter, because all of it is replaced or because it lies
// beyond the end: filled before anybody can see it, and without asking the pager. False: not such a page, nothing was
// done.
Result<bool> MemoryObject::write_fresh_page(std::uint64_t offset, std::uint64_t bytes, IoBuffer& buffer) {
    const std::uint64_t page = offset / kPageSize;
    const bool beyond_end = page >= pages_for_bytes(size_bytes());
    if (!tracks_dirty() || (bytes != kPageSize && !beyond_end) || resident_pages({page, 1}) != 0) {
        return false;
    }
    FrameRun run;
    TRY(run.allocate(1, bytes == kPageSize ? Zeroing::None : Zeroing::Zeroed));
    const std::size_t copied = TRY(buffer.copy_to(frame_bytes(run[0]).subspan(offset % kPageSize, bytes)));
    if (copied == bytes) {
        const auto inserted = insert_page(page, run[0], false, true);
        if (inserted) {
            static_cast<void>(run.take(0));
            return true;
        }
        if (inserted.error() != Error::Exists) {
            return inserted.error();
        }
    }
    // The user's memory ended early, or the page has come meanwhile.
    buffer.rewind(copied);
    return false;
}

// Within one page.
Result<std::size_t> MemoryObject::write_piece(std::uint64_t offset, std::uint64_t bytes, IoBuffer& buffer) {
    const std::uint64_t page = offset / kPageSize;
    FrameRef frame = find_page(page, PageUse::Write);
    if (!frame) {
        if (TRY(write_fresh_page(offset, bytes, buffer))) {
            return bytes;
        }
        const std::uint64_t wanted = pages_for_bytes(offset % kPageSize + buffer.remaining());
        frame = TRY(get_page_for(page, PageUse::Write, wanted));
    }
    const std::size_t copied = TRY(buffer.copy_to(frame.bytes().subspan(offset % kPageSize, bytes)));
    // Again, because a write-back may have begun before the bytes were there.
    mark_dirty(frame.info());
    return copied;
}

Result<std::size_t> MemoryObject::write(std::uint64_t offset, IoBuffer& buffer) {
    assert_may_reclaim();
    std::size_t done = 0;
    while (buffer.remaining() != 0) {
        if (offset >= kMaxObjectBytes) {
            return done != 0 ? Result<std::size_t>(done) : Error::FileTooLarge;
        }
        const std::uint64_t piece =
            std::min({buffer.remaining(), kPageSize - offset % kPageSize, kMaxObjectBytes - offset});
        const auto copied = write_piece(offset, piece, buffer);
        if (!copied) {
            return done != 0 ? Result<std::size_t>(done) : copied.error();
        }
        done += *copied;
        offset += *copied;
        grow_to(offset);
        if (*copied < piece) {
            break;
        }
    }
    if (tracks_dirty() && too_many_are_dirty()) {
        // Who makes them dirty cleans up. An error is found again by whoever asks for the write-back.
        static_cast<void>(write_back());
    }
    return done;
}

Result<std::size_t> MemoryObject::write(std::uint64_t offset, std::span<const std::byte> bytes) {
    IoBuffer buffer(bytes);
    return write(offset, buffer);
}

}  // namespace kernel::mm
