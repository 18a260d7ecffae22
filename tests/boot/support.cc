// SPDX-License-Identifier: MIT OR Apache-2.0
// What kernel code above the platform provides, as small as the tests allow.
#include <algorithm>
#include <array>
#include <bit>

#include "lib/assert.h"
#include "lib/bytes.h"
#include "lib/heap.h"
#include "lib/lock_context.h"
#include "lib/park.h"
#include "platform/console.h"
#include "platform/cpu.h"
#include "platform/frame_source.h"
#include "platform/frames.h"
#include "selftest.h"

namespace selftest {
namespace {

using kernel::FrameNumber;

constexpr std::size_t kPoolFrames = 2048;

// Frames that were given back come first, then fresh ones from the first range that is long enough.
struct FramePool {
    std::array<FrameNumber, kPoolFrames> free{};
    std::size_t free_count = 0;
    FrameNumber next{};
    std::size_t left = 0;
    std::size_t used = 0;
    std::size_t until_failure = SIZE_MAX;
};
constinit FramePool pool;

void fill_pool() {
    for (const auto& range : kernel::platform::frame_ranges()) {
        if (range.count >= kPoolFrames) {
            pool.next = range.first;
            pool.left = kPoolFrames;
            return;
        }
    }
    kernel::panic("no range has room for the tests");
}

kernel::Result<FrameNumber> allocate() {
    if (pool.until_failure == 0) {
        return kernel::Error::NoMemory;
    }
    if (pool.until_failure != SIZE_MAX) {
        --pool.until_failure;
    }
    if (pool.left == 0 && pool.free_count == 0) {
        fill_pool();
    }
    FrameNumber frame = pool.next;
    if (pool.free_count != 0) {
        frame = pool.free[--pool.free_count];
    } else {
        ++pool.next;
        KASSERT(--pool.left != 0);
    }
    ++pool.used;
    kernel::zero({kernel::platform::frame_pointer(frame), kernel::kPageSize});
    return frame;
}

void release(FrameNumber frame) {
    // Whatever still uses the frame shall notice.
    kernel::fill_bytes({kernel::platform::frame_pointer(frame), kernel::kPageSize}, std::byte{0xdd});
    pool.free[pool.free_count++] = frame;
    --pool.used;
}

// Blocks of powers of two, cut from frames; blocks that were freed wait in lists.
struct FreeBlock {
    FreeBlock* next;
};
constinit std::array<FreeBlock*, 13> free_blocks{};

std::size_t block_bytes(std::size_t bytes, std::size_t align) {
    return std::bit_ceil(std::max(std::max(bytes, align), std::size_t{64}));
}

}  // namespace

std::size_t frames_in_use() {
    return pool.used;
}
std::size_t free_frames() {
    return pool.left + pool.free_count;
}
void fail_allocations_after(std::size_t count) {
    pool.until_failure = count;
}
FrameNumber take_frame() {
    return MUST(allocate());
}
void give_back_frame(FrameNumber frame) {
    release(frame);
}

FrameNumber take_large_run() {
    constexpr std::uint64_t kFrames = 512;
    for (const auto& range : kernel::platform::frame_ranges()) {
        const std::uint64_t end = kernel::frame_value(range.first) + range.count;
        const std::uint64_t begin = kernel::align_down(end - kFrames, kFrames);
        if (end >= kFrames && begin >= kernel::frame_value(range.first) + kPoolFrames) {
            return static_cast<FrameNumber>(begin);
        }
    }
    kernel::panic("no aligned run of 2 MiB");
}

void print(std::string_view text) {
    auto bytes = kernel::as_bytes(text);
    while (!bytes.empty()) {
        const auto count = kernel::platform::console_write(kernel::platform::ConsoleStream::Output, bytes);
        if (!count) {
            return;
        }
        bytes = bytes.subspan(*count);
    }
}

}  // namespace selftest

namespace kernel {

namespace platform {
Result<FrameNumber> allocate_table_frame() {
    return selftest::allocate();
}
void free_table_frame(FrameNumber frame) {
    selftest::release(frame);
}
}  // namespace platform

Result<void*> heap_allocate(std::size_t bytes, std::size_t align) {
    using namespace selftest;
    const std::size_t size = block_bytes(bytes, align);
    KASSERT(size <= kPageSize);
    auto& list = free_blocks[static_cast<std::size_t>(std::countr_zero(size))];
    if (list == nullptr) {
        std::byte* const page = platform::frame_pointer(TRY(selftest::allocate()));
        --pool.used;  // blocks never become frames again
        for (std::size_t offset = 0; offset < kPageSize; offset += size) {
            // SAFETY: the page is ours and unused.
            auto* const block = reinterpret_cast<FreeBlock*>(page + offset);
            block->next = list;
            list = block;
        }
    }
    FreeBlock* const block = list;
    list = block->next;
    return block;
}

void heap_free(void* block, std::size_t bytes, std::size_t align) {
    using namespace selftest;
    if (block == nullptr) {
        return;
    }
    const std::size_t size = block_bytes(bytes, align);
    auto& list = free_blocks[static_cast<std::size_t>(std::countr_zero(size))];
    auto* const freed = static_cast<FreeBlock*>(block);
    freed->next = list;
    list = freed;
}

LockContext& current_lock_context() {
    static constinit LockContext context;
    return context;
}

}  // namespace kernel
