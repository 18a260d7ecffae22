// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "lib/result.h"
#include "lib/types.h"

namespace kernel::mm {

class AddressSpace;

struct UserRange {
    VirtAddr address;
    std::uint64_t bytes = 0;
};

// Where a read puts its bytes or a write takes them from: one kernel span, or ranges of user memory (iovec). Carries a
// position, so that a file system may fill it piece by piece; each piece is copied once. Used by one thread; refers to
// the memory and the array of ranges, does not own them.
//
// User memory may be unmapped at any point: the copying functions then report what was done before it, and BadAddress
// when that is nothing. May block (page faults), so no lock may be held that ranks after Rank::AddressSpace or at it.
class IoBuffer {
public:
    // For reading into, and for writing from, kernel memory.
    explicit IoBuffer(std::span<std::byte> kernel_bytes)
        : writable_(kernel_bytes), readable_(kernel_bytes), remaining_(kernel_bytes.size()) {}
    explicit IoBuffer(std::span<const std::byte> kernel_bytes)
        : readable_(kernel_bytes), remaining_(kernel_bytes.size()) {}
    // The sum of the lengths must not overflow.
    IoBuffer(AddressSpace& space, std::span<const UserRange> ranges);
    IoBuffer(AddressSpace& space, VirtAddr address, std::uint64_t bytes);
    IoBuffer(const IoBuffer&) = delete;
    IoBuffer& operator=(const IoBuffer&) = delete;

    // Bytes that still fit in (or come out), and those that went already.
    std::uint64_t remaining() const { return remaining_; }
    std::uint64_t done() const { return done_; }
    bool is_user() const { return space_ != nullptr; }

    // Puts bytes into the buffer: min(source.size(), remaining()) of them, or fewer before a bad address. Errors:
    // BadAddress.
    Result<std::size_t> copy_from(std::span<const std::byte> source);
    // The same with zero bytes.
    Result<std::size_t> fill_zero(std::uint64_t bytes);
    // Takes bytes out of the buffer. Errors: BadAddress.
    Result<std::size_t> copy_to(std::span<std::byte> destination);

    // Skips; at most remaining().
    void advance(std::uint64_t bytes);
    // Hides all but the first `bytes` from now on.
    void truncate(std::uint64_t bytes);
    // Goes back over bytes that went already but were not used after all; at most done().
    void rewind(std::uint64_t bytes);

private:
    template <class Step>
    Result<std::size_t> for_pieces(std::uint64_t wanted, Step&& step);

    std::span<std::byte> writable_;
    std::span<const std::byte> readable_;
    AddressSpace* space_ = nullptr;
    UserRange single_;
    std::span<const UserRange> ranges_;
    std::size_t range_ = 0;         // index of the current range
    std::uint64_t range_done_ = 0;  // bytes of it that went already
    std::uint64_t remaining_ = 0;
    std::uint64_t done_ = 0;
};

}  // namespace kernel::mm
