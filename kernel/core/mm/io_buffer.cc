// SPDX-License-Identifier: MIT OR Apache-2.0
#include "core/mm/io_buffer.h"

#include <algorithm>

#include "core/mm/address_space.h"
#include "lib/assert.h"
#include "lib/bytes.h"

namespace kernel::mm {

IoBuffer::IoBuffer(AddressSpace& space, std::span<const UserRange> ranges) : space_(&space), ranges_(ranges) {
    for (const UserRange& range : ranges) {
        remaining_ += range.bytes;
    }
}

IoBuffer::IoBuffer(AddressSpace& space, VirtAddr address, std::uint64_t bytes)
    : space_(&space), single_{address, bytes}, remaining_(bytes) {
    ranges_ = {&single_, 1};
}

// Splits what is next in the buffer into pieces of one range each: step(address or position, bytes, done) returns how
// many bytes went.
template <class Step>
Result<std::size_t> IoBuffer::for_pieces(std::uint64_t wanted, Step&& step) {
    const std::uint64_t total = std::min(wanted, remaining_);
    std::uint64_t done = 0;
    while (done < total) {
        while (ranges_[range_].bytes == range_done_) {
            ++range_;
            range_done_ = 0;
        }
        const std::uint64_t piece = std::min(total - done, ranges_[range_].bytes - range_done_);
        const std::uint64_t went = step(ranges_[range_].address + range_done_, piece, done);
        range_done_ += went;
        done += went;
        if (went < piece) {
            break;
        }
    }
    remaining_ -= done;
    done_ += done;
    return done == 0 && total != 0 ? Result<std::size_t>(Error::BadAddress) : Result<std::size_t>(done);
}

Result<std::size_t> IoBuffer::copy_from(std::span<const std::byte> source) {
    if (is_user()) {
        return for_pieces(source.size(), [&](VirtAddr address, std::uint64_t bytes, std::uint64_t done) {
            return space_->copy_out_some(address, source.subspan(done, bytes));
        });
    }
    const std::size_t bytes = std::min<std::uint64_t>(source.size(), remaining_);
    copy_bytes(writable_.subspan(done_), source.first(bytes));
    advance(bytes);
    return bytes;
}

Result<std::size_t> IoBuffer::fill_zero(std::uint64_t bytes) {
    if (is_user()) {
        return for_pieces(bytes, [&](VirtAddr address, std::uint64_t piece, std::uint64_t) {
            return space_->zero_out_some(address, piece);
        });
    }
    bytes = std::min(bytes, remaining_);
    zero(writable_.subspan(done_, bytes));
    advance(bytes);
    return bytes;
}

Result<std::size_t> IoBuffer::copy_to(std::span<std::byte> destination) {
    if (is_user()) {
        return for_pieces(destination.size(), [&](VirtAddr address, std::uint64_t bytes, std::uint64_t done) {
            return space_->copy_in_some(destination.subspan(done, bytes), address);
        });
    }
    const std::size_t bytes = std::min<std::uint64_t>(destination.size(), remaining_);
    copy_bytes(destination, readable_.subspan(done_, bytes));
    advance(bytes);
    return bytes;
}

void IoBuffer::advance(std::uint64_t bytes) {
    KASSERT(bytes <= remaining_);
    remaining_ -= bytes;
    done_ += bytes;
    while (is_user() && bytes != 0) {
        const std::uint64_t piece = std::min(bytes, ranges_[range_].bytes - range_done_);
        range_done_ += piece;
        bytes -= piece;
        if (bytes != 0) {
            ++range_;
            range_done_ = 0;
        }
    }
}

void IoBuffer::truncate(std::uint64_t bytes) {
    remaining_ = std::min(remaining_, bytes);
}

void IoBuffer::rewind(std::uint64_t bytes) {
    KASSERT(bytes <= done_);
    remaining_ += bytes;
    done_ -= bytes;
    while (is_user() && bytes != 0) {
        const std::uint64_t piece = std::min(bytes, range_done_);
        range_done_ -= piece;
        bytes -= piece;
        if (bytes != 0) {
            --range_;
            range_done_ = ranges_[range_].bytes;
        }
    }
}

}  // namespace kernel::mm
