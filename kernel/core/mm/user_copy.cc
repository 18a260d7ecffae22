// SPDX-License-Identifier: MIT OR Apache-2.0
// The kernel's access to user memory: through frames and the direct map, never through user addresses.
#include <algorithm>

#include "core/mm/address_space.h"
#include "core/mm/reclaim.h"
#include "lib/atomic_bytes.h"

namespace kernel::mm {

// Calls f with the bytes of the page, which it must not keep. False: the page cannot be accessed so.
template <class F>
bool AddressSpace::with_user_page(VirtAddr address, Access access, bool forced, F&& f) {
    assert_may_reclaim();
    const std::uint64_t page = address.page_index();
    if (!forced && cache_.with_page(page, access == Access::Write, f)) [[likely]] {
        return true;
    }
    FrameRef pinned;
    unsigned rounds = 0;
    while (true) {
        Missing missing;
        const auto done = [&]() -> Result<bool> {
            Backing backing;
            const LockGuard guard(lock_);
            if (!TRY(back_for_access_locked(address, access, forced, backing, missing))) {
                return false;
            }
            const auto bytes = frame_bytes(backing.frame);
            f(bytes);
            if (!forced) {
                cache_.insert(page, bytes.data(), backing.writable);
            }
            return true;
        }();
        if (done && *done) {
            return true;
        }
        if (done ? !fetch(missing, pinned)
                 : done.error() != Error::NoMemory || ++rounds > 16 || reclaim_frames(kReclaimBatch) == 0) {
            return false;
        }
    }
}

// Page by page; returns how many bytes f was given.
template <class F>
std::uint64_t AddressSpace::for_user_bytes(VirtAddr address, std::uint64_t bytes, Access access, bool forced, F&& f) {
    std::uint64_t done = 0;
    while (done < bytes) {
        const VirtAddr at = address + done;
        const std::uint64_t piece = std::min(bytes - done, kPageSize - at.page_offset());
        const auto step = [&](std::span<std::byte, kPageSize> page) { f(page.subspan(at.page_offset(), piece), done); };
        if (!with_user_page(at, access, forced, step)) {
            break;
        }
        done += piece;
    }
    return done;
}

std::size_t AddressSpace::copy_in_some(std::span<std::byte> destination, VirtAddr source) {
    return for_user_bytes(
        source, destination.size(), Access::Read, false,
        [&](std::span<std::byte> bytes, std::uint64_t done) { copy_bytes(destination.subspan(done), bytes); });
}

std::size_t AddressSpace::copy_out_some(VirtAddr destination, std::span<const std::byte> source) {
    return for_user_bytes(
        destination, source.size(), Access::Write, false,
        [&](std::span<std::byte> bytes, std::uint64_t done) { copy_bytes(bytes, source.subspan(done, bytes.size())); });
}

std::uint64_t AddressSpace::zero_out_some(VirtAddr destination, std::uint64_t bytes) {
    return for_user_bytes(destination, bytes, Access::Write, false,
                          [](std::span<std::byte> part, std::uint64_t) { zero(part); });
}

Result<> AddressSpace::copy_in(std::span<std::byte> destination, VirtAddr source) {
    return copy_in_some(destination, source) == destination.size() ? Result<>() : Error::BadAddress;
}

Result<> AddressSpace::copy_out(VirtAddr destination, std::span<const std::byte> source) {
    return copy_out_some(destination, source) == source.size() ? Result<>() : Error::BadAddress;
}

Result<> AddressSpace::zero_out(VirtAddr destination, std::uint64_t bytes) {
    return zero_out_some(destination, bytes) == bytes ? Result<>() : Error::BadAddress;
}

Result<> AddressSpace::copy_out_forced(VirtAddr destination, std::span<const std::byte> source) {
    const std::uint64_t done = for_user_bytes(
        destination, source.size(), Access::Write, true,
        [&](std::span<std::byte> bytes, std::uint64_t at) { copy_bytes(bytes, source.subspan(at, bytes.size())); });
    return done == source.size() ? Result<>() : Error::BadAddress;
}

Result<std::size_t> AddressSpace::copy_in_string(VirtAddr source, std::span<char> destination) {
    std::size_t length = 0;
    while (length < destination.size()) {
        const VirtAddr at = source + length;
        const std::size_t piece = std::min<std::uint64_t>(destination.size() - length, kPageSize - at.page_offset());
        bool ended = false;
        const bool reached = with_user_page(at, Access::Read, false, [&](std::span<std::byte, kPageSize> page) {
            const std::span<const std::byte> bytes = page.subspan(at.page_offset(), piece);
            const auto end = std::ranges::find(bytes, std::byte{0});
            ended = end != bytes.end();
            const auto count = static_cast<std::size_t>(end - bytes.begin());
            copy_bytes(std::as_writable_bytes(destination.subspan(length)), bytes.first(count));
            length += count;
        });
        if (!reached) {
            return Error::BadAddress;
        }
        if (ended) {
            destination[length] = '\0';
            return length;
        }
    }
    return Error::NameTooLong;
}

Result<std::uint32_t> AddressSpace::load_u32(VirtAddr address) {
    if (address.value % sizeof(std::uint32_t) != 0) {
        return Error::InvalidArgument;
    }
    std::uint32_t value = 0;
    const bool reached = with_user_page(address, Access::Read, false, [&](std::span<std::byte, kPageSize> page) {
        value = atomic_load_u32(page, address.page_offset());
    });
    return reached ? Result<std::uint32_t>(value) : Error::BadAddress;
}

Result<std::uint32_t> AddressSpace::compare_exchange_u32(VirtAddr address, std::uint32_t expected,
                                                         std::uint32_t desired) {
    if (address.value % sizeof(std::uint32_t) != 0) {
        return Error::InvalidArgument;
    }
    std::uint32_t value = 0;
    const bool reached = with_user_page(address, Access::Write, false, [&](std::span<std::byte, kPageSize> page) {
        value = atomic_compare_exchange_u32(page, address.page_offset(), expected, desired);
    });
    return reached ? Result<std::uint32_t>(value) : Error::BadAddress;
}

std::optional<std::uint32_t> AddressSpace::try_load_u32(VirtAddr address) {
    std::optional<std::uint32_t> value;
    if (address.value % sizeof(std::uint32_t) == 0) {
        cache_.with_page(address.page_index(), false, [&](std::span<std::byte, kPageSize> page) {
            value = atomic_load_u32(page, address.page_offset());
        });
    }
    return value;
}

std::optional<std::uint32_t> AddressSpace::try_compare_exchange_u32(VirtAddr address, std::uint32_t expected,
                                                                    std::uint32_t desired) {
    std::optional<std::uint32_t> value;
    if (address.value % sizeof(std::uint32_t) == 0) {
        cache_.with_page(address.page_index(), true, [&](std::span<std::byte, kPageSize> page) {
            value = atomic_compare_exchange_u32(page, address.page_offset(), expected, desired);
        });
    }
    return value;
}

}  // namespace kernel::mm
