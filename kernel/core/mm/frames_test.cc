// SPDX-License-Identifier: MIT OR Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <thread>
#include <vector>

#include "core/mm/frame_allocator.h"
#include "core/mm/frame_table.h"
#include "core/mm/slab.h"
#include "support/memory.h"

namespace kernel::mm {
namespace {

using platform::FrameZone;

class Frames : public test_support::MemoryTest {};

bool is_zero(FrameNumber first, unsigned order) {
    const std::byte* const bytes = platform::frame_pointer(first);
    return std::all_of(bytes, bytes + (kPageSize << order), [](std::byte byte) { return byte == std::byte{0}; });
}

TEST_F(Frames, BlocksAreAlignedZeroedAndOfTheirZone) {
    for (unsigned order = 0; order <= kMaxFrameOrder; ++order) {
        for (const FrameZone zone : {FrameZone::Kernel, FrameZone::User}) {
            const FrameNumber first = MUST(allocate_frames(order, zone, Zeroing::Zeroed));
            EXPECT_EQ(frame_value(first) % (1U << order), 0U);
            EXPECT_EQ(frame_range_of(first).zone, zone);
            EXPECT_TRUE(is_zero(first, order));
            std::fill_n(platform::frame_pointer(first), kPageSize << order, std::byte{1});
            free_frames(first, order);
        }
    }
    for (int i = 0; i < 100; ++i) {
        const FrameNumber first = MUST(allocate_frames(3, FrameZone::User, Zeroing::Zeroed));
        EXPECT_TRUE(is_zero(first, 3));
        std::fill_n(platform::frame_pointer(first), kPageSize << 3, std::byte{1});
        free_frames(first, 3);
    }
}

TEST_F(Frames, FreedSinglesFormBlocksAgain) {
    std::vector<FrameNumber> blocks;
    while (const auto block = allocate_frames(kMaxFrameOrder, FrameZone::User, Zeroing::None)) {
        blocks.push_back(*block);
    }
    EXPECT_EQ(blocks.size(), 64U);
    std::vector<FrameNumber> singles;
    for (const FrameNumber block : blocks) {
        split_frames(block, kMaxFrameOrder);
        for (unsigned i = 0; i < 1U << kMaxFrameOrder; ++i) {
            singles.push_back(block + i);
        }
    }
    EXPECT_FALSE(allocate_frames(0, FrameZone::User, Zeroing::None));
    std::ranges::shuffle(singles, std::mt19937_64(1));
    for (const FrameNumber frame : singles) {
        drop_frame_reference(frame);
    }
    blocks.clear();
    while (const auto block = allocate_frames(kMaxFrameOrder, FrameZone::User, Zeroing::None)) {
        blocks.push_back(*block);
    }
    EXPECT_EQ(blocks.size(), 64U);
    for (const FrameNumber block : blocks) {
        free_frames(block, kMaxFrameOrder);
    }
}

TEST_F(Frames, DiscardedMemoryIsKnownToBeZero) {
    const FrameNumber first = MUST(allocate_frames(9, FrameZone::User, Zeroing::None));
    std::fill_n(platform::frame_pointer(first), kPageSize << 9, std::byte{1});
    free_frames(first, 9);
    EXPECT_GE(discard_free_frames(9), 512U);
    EXPECT_TRUE(is_zero(first, 9));
}

TEST_F(Frames, ReferencesKeepAFrame) {
    FrameRef one = MUST(allocate_user_frame(Zeroing::Zeroed));
    const auto used = test_support::used_frames();
    FrameRef two(one.number());
    one.reset();
    EXPECT_EQ(test_support::used_frames(), used);
    two.reset();
    EXPECT_EQ(test_support::used_frames(), used - 1);
}

TEST_F(Frames, ManyThreadsGetDifferentFrames) {
    std::vector<std::vector<FrameNumber>> got(4);
    std::vector<std::thread> threads;
    for (auto& mine : got) {
        threads.emplace_back([&mine] {
            std::mt19937_64 random(reinterpret_cast<std::uintptr_t>(&mine));
            for (int i = 0; i < 3000; ++i) {
                if (mine.size() > 50 && random() % 2 == 0) {
                    free_frames(mine.back(), 0);
                    mine.pop_back();
                } else {
                    mine.push_back(MUST(allocate_frames(0, FrameZone::User, Zeroing::None)));
                }
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    std::vector<FrameNumber> all;
    for (const auto& mine : got) {
        all.insert(all.end(), mine.begin(), mine.end());
    }
    std::ranges::sort(all);
    EXPECT_EQ(std::ranges::adjacent_find(all), all.end());
    for (const FrameNumber frame : all) {
        free_frames(frame, 0);
    }
}

class Slab : public test_support::MemoryTest {};

TEST_F(Slab, BlocksDoNotOverlapAndKeepTheirContents) {
    struct Block {
        std::byte* memory;
        std::size_t bytes;
        std::size_t align;
        std::byte mark;
    };
    std::mt19937_64 random(7);
    std::vector<Block> blocks;
    for (int i = 0; i < 20'000; ++i) {
        if (!blocks.empty() && random() % 2 == 0) {
            std::swap(blocks[random() % blocks.size()], blocks.back());
            const Block block = blocks.back();
            blocks.pop_back();
            ASSERT_TRUE(std::all_of(block.memory, block.memory + block.bytes,
                                    [&](std::byte byte) { return byte == block.mark; }));
            slab_free(block.memory, block.bytes, block.align);
        } else {
            const std::size_t bytes = random() % 16 == 0 ? 1 + random() % 40'000 : 1 + random() % 700;
            const std::size_t align = std::size_t{1} << (random() % 9);
            auto* const memory = static_cast<std::byte*>(MUST(slab_allocate(bytes, align)));
            ASSERT_EQ(reinterpret_cast<std::uintptr_t>(memory) % align, 0U);
            const auto mark = static_cast<std::byte>(random() & 0xff);
            std::fill_n(memory, bytes, mark);
            blocks.push_back({memory, bytes, align, mark});
        }
    }
    for (const Block& block : blocks) {
        slab_free(block.memory, block.bytes, block.align);
    }
    EXPECT_EQ(heap_statistics().used_bytes, 0U);
    drain_heap_caches();
    EXPECT_EQ(heap_statistics().frames, 0U);
}

TEST_F(Slab, ExhaustionIsAnError) {
    std::vector<void*> blocks;
    while (const auto block = slab_allocate(1 << 20, 16)) {
        blocks.push_back(*block);
    }
    EXPECT_GT(blocks.size(), 30U);
    std::vector<void*> small;
    while (const auto block = slab_allocate(2048, 16)) {
        small.push_back(*block);
    }
    EXPECT_FALSE(slab_allocate(64 << 20, 16));
    for (void* block : small) {
        slab_free(block, 2048, 16);
    }
    for (void* block : blocks) {
        slab_free(block, 1 << 20, 16);
    }
    drain_heap_caches();
}

}  // namespace
}  // namespace kernel::mm
