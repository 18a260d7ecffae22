// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/frames.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <array>
#include <atomic>

#include "lib/assert.h"
#include "platform/hosted/guest_memory.h"

namespace kernel::platform {
namespace hosted {
namespace {

// Frames of one naturally aligned run of this size are consecutive in the direct map and the memfd.
constexpr std::uint64_t kZoneAlignment = std::uint64_t{2} << 20;
// Frame 0 stays unused, so that 0 can mean "no frame".
constexpr FrameNumber kFirstFrame{kZoneAlignment >> kPageShift};

GuestMemory memory;
std::array<FrameRange, 2> ranges;
// What frame_pointer(0) would be.
std::byte* direct_map = nullptr;

int create_guest_memfd(std::uint64_t bytes) {
    const int descriptor = memfd_create("kpio-guest-memory", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (descriptor < 0) {
        return -1;
    }
    // Sealed in size: whoever gets hold of the descriptor in a stub cannot cut the memory off under the kernel.
    if (ftruncate(descriptor, static_cast<off_t>(bytes)) != 0 ||
        fcntl(descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        close(descriptor);
        return -1;
    }
    return descriptor;
}

// An inaccessible stretch of address space, aligned to kZoneAlignment.
std::byte* reserve_addresses(std::uint64_t bytes) {
    void* base = mmap(nullptr, bytes + kZoneAlignment, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) {
        return nullptr;
    }
    // SAFETY: rounding an address up inside the mapping, which has kZoneAlignment bytes to spare.
    const auto address = align_up(reinterpret_cast<std::uintptr_t>(base), kZoneAlignment);
    return static_cast<std::byte*>(base) + (address - reinterpret_cast<std::uintptr_t>(base));
}

}  // namespace

const GuestMemory& guest_memory() {
    return memory;
}

std::optional<std::uint64_t> fresh_guest_offset(std::span<const std::byte> bytes) {
    // Frames are first given out from the bottom up, so one bound tells new memory from old.
    static std::atomic<std::uint64_t> used_bytes = 0;
    const std::uint64_t size = memory.frames << kPageShift;
    // SAFETY: both are addresses of the process; compared as numbers, because the span may lie anywhere.
    const std::uint64_t offset =
        reinterpret_cast<std::uintptr_t>(bytes.data()) - reinterpret_cast<std::uintptr_t>(memory.base);
    if (offset >= size || bytes.size() > size - offset) {
        return std::nullopt;
    }
    std::uint64_t used = used_bytes.load(std::memory_order_relaxed);
    do {
        if (offset < used) {
            return std::nullopt;
        }
    } while (!used_bytes.compare_exchange_weak(used, offset + bytes.size(), std::memory_order_relaxed));
    return offset;
}

bool set_up_frames(std::uint64_t guest_bytes, std::uint64_t kernel_bytes) {
    guest_bytes = align_up(guest_bytes, kZoneAlignment);
    kernel_bytes = align_up(kernel_bytes, kZoneAlignment);
    const int descriptor = create_guest_memfd(guest_bytes);
    std::byte* base = reserve_addresses(guest_bytes + kernel_bytes);
    if (descriptor < 0 || base == nullptr) {
        return false;
    }
    std::byte* kernel_base = base + guest_bytes;
    if (mmap(base, guest_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_NORESERVE, descriptor, 0) ==
            MAP_FAILED ||
        mmap(kernel_base, kernel_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE,
             -1, 0) == MAP_FAILED) {
        return false;
    }
    // A huge page for each first touch would cost more memory than a small guest has in use.
    madvise(kernel_base, kernel_bytes, MADV_NOHUGEPAGE);

    memory = {.descriptor = descriptor, .first = kFirstFrame, .frames = guest_bytes >> kPageShift, .base = base};
    direct_map = base - frame_to_physical(kFirstFrame);
    ranges = {FrameRange{.first = kFirstFrame, .count = memory.frames, .zone = FrameZone::User, .zeroed = true},
              FrameRange{.first = kFirstFrame + memory.frames,
                         .count = kernel_bytes >> kPageShift,
                         .zone = FrameZone::Kernel,
                         .zeroed = true}};
    return true;
}

}  // namespace hosted

std::span<const FrameRange> frame_ranges() {
    return hosted::ranges;
}

std::byte* frame_pointer(FrameNumber frame) {
    return hosted::direct_map + frame_to_physical(frame);
}

FrameNumber frame_of_pointer(const void* pointer) {
    // SAFETY: the caller guarantees an address inside the direct map.
    const auto offset = static_cast<std::uint64_t>(static_cast<const std::byte*>(pointer) - hosted::direct_map);
    return physical_to_frame(offset);
}

bool discard_frames(FrameNumber first, std::uint64_t count) {
    const std::uint64_t bytes = count << kPageShift;
    if (hosted::is_guest_run(first, count)) {
        return fallocate(hosted::memory.descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                         static_cast<off_t>(hosted::guest_offset(first)), static_cast<off_t>(bytes)) == 0;
    }
    return madvise(frame_pointer(first), bytes, MADV_DONTNEED) == 0;
}

void* reserve_boot_array(std::size_t bytes) {
    void* array = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (array == MAP_FAILED) {
        return nullptr;
    }
    madvise(array, bytes, MADV_NOHUGEPAGE);
    return array;
}

}  // namespace kernel::platform
