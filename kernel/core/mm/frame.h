// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "lib/types.h"
#include "platform/frames.h"

namespace kernel::mm {

// What a frame is used for. Never used frames have all-zero entries.
enum class FrameKind : std::uint8_t {
    Untouched,  // beyond the frontier of its range
    Free,       // head of a free block; Frame::order is its size
    FreeTail,   // inside a free block, or in a per-CPU cache
    Allocated,  // handed out, no further meaning: kernel memory, page tables
    Slab,       // part of a slab; owner is the size class of the heap
    Anonymous,  // private memory; owner is the AnonymousFamily, index the page number in its address spaces
    Cached,     // page of a memory object; owner is the MemoryObject, index the page in it
};

// Bits of Frame::flags.
enum class FrameFlag : std::uint16_t {
    KnownZero = 1u << 0,   // the contents are zero (free frames only)
    Busy = 1u << 1,        // being read, or about to be dropped: wait
    Dirty = 1u << 2,       // newer than what the pager has
    Referenced = 1u << 3,  // used since the clock hand came by
    OnList = 1u << 4,      // in the reclaim list
    Writeback = 1u << 5,   // being written by the pager
};

// One entry of the frame table. Changes of kind, owner and index belong to whoever holds the only reference, those of
// the list links to the lock of the list that the frame is in.
struct Frame {
    std::atomic<std::uint32_t> references = 0;
    std::atomic<std::uint16_t> flags = 0;
    std::uint8_t order = 0;
    // Relaxed: the allocator looks at neighbours that others own, to see whether they are free, which only it makes
    // them.
    std::atomic<FrameKind> kind_ = FrameKind::Untouched;
    void* owner = nullptr;
    std::uint64_t index = 0;
    std::uint32_t next = 0;  // table slots; 0 ends a list
    std::uint32_t previous = 0;

    FrameKind kind() const { return kind_.load(std::memory_order_relaxed); }
    void set_kind(FrameKind kind) { kind_.store(kind, std::memory_order_relaxed); }

    bool has(FrameFlag flag) const {
        return (flags.load(std::memory_order_acquire) & static_cast<std::uint16_t>(flag)) != 0;
    }
    // Returns whether it was set before.
    bool set(FrameFlag flag) {
        const auto bit = static_cast<std::uint16_t>(flag);
        return (flags.fetch_or(bit, std::memory_order_acq_rel) & bit) != 0;
    }
    bool clear(FrameFlag flag) {
        const auto bit = static_cast<std::uint16_t>(flag);
        return (flags.fetch_and(static_cast<std::uint16_t>(~bit), std::memory_order_acq_rel) & bit) != 0;
    }
};
static_assert(sizeof(Frame) == 32);

// The table entry of a frame that platform::frame_ranges() lists. Constant time.
Frame& frame_info(FrameNumber frame);

// The kernel's view of the frame's contents.
inline std::span<std::byte, kPageSize> frame_bytes(FrameNumber frame) {
    return std::span<std::byte, kPageSize>(platform::frame_pointer(frame), kPageSize);
}

void add_frame_reference(FrameNumber frame);
// Frees the frame with the last reference.
void drop_frame_reference(FrameNumber frame);

// Holds one reference to a frame, or nothing.
class [[nodiscard]] FrameRef {
public:
    constexpr FrameRef() = default;
    // Takes a further reference.
    explicit FrameRef(FrameNumber frame) : frame_(frame), held_(true) { add_frame_reference(frame); }
    // Takes over a reference that the caller owns.
    static FrameRef adopt(FrameNumber frame) {
        FrameRef result;
        result.frame_ = frame;
        result.held_ = true;
        return result;
    }
    FrameRef(FrameRef&& other) noexcept : frame_(other.frame_), held_(std::exchange(other.held_, false)) {}
    FrameRef& operator=(FrameRef&& other) noexcept {
        if (this != &other) {
            reset();
            frame_ = other.frame_;
            held_ = std::exchange(other.held_, false);
        }
        return *this;
    }
    FrameRef(const FrameRef&) = delete;
    FrameRef& operator=(const FrameRef&) = delete;
    ~FrameRef() { reset(); }

    void reset() {
        if (std::exchange(held_, false)) {
            drop_frame_reference(frame_);
        }
    }
    // Gives the reference to the caller.
    [[nodiscard]] FrameNumber release() {
        held_ = false;
        return frame_;
    }

    explicit operator bool() const { return held_; }
    FrameNumber number() const { return frame_; }
    Frame& info() const { return frame_info(frame_); }
    std::span<std::byte, kPageSize> bytes() const { return frame_bytes(frame_); }

private:
    FrameNumber frame_{};
    bool held_ = false;
};

}  // namespace kernel::mm
