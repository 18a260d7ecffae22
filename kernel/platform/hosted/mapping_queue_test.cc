// SPDX-License-Identifier: MIT OR Apache-2.0
#include <gtest/gtest.h>
#include <sys/mman.h>

#include "platform/hosted/stub_page_map.h"

namespace kernel::platform::hosted {
namespace {

using Change = MappingQueue::Change;
using Kind = MappingQueue::Kind;

Change map_of(std::uint64_t page, std::uint64_t frame, std::uint64_t pages = 1, int protection = PROT_READ) {
    return {Kind::Map, protection, page * kPageSize, pages * kPageSize, frame * kPageSize};
}
Change unmap_of(std::uint64_t page, std::uint64_t pages = 1) {
    return {.kind = Kind::Unmap, .address = page * kPageSize, .bytes = pages * kPageSize};
}

TEST(MappingQueue, MergesRunsInBothDirections) {
    MappingQueue queue;
    EXPECT_TRUE(queue.is_empty());
    EXPECT_TRUE(queue.add(map_of(10, 100)));
    EXPECT_TRUE(queue.add(map_of(11, 101, 2)));
    EXPECT_TRUE(queue.add(map_of(9, 99)));
    ASSERT_EQ(queue.changes().size(), 1u);
    EXPECT_EQ(queue.changes()[0].address, 9 * kPageSize);
    EXPECT_EQ(queue.changes()[0].offset, 99 * kPageSize);
    EXPECT_EQ(queue.changes()[0].bytes, 4 * kPageSize);
}

TEST(MappingQueue, KeepsApartWhatDiffers) {
    MappingQueue queue;
    EXPECT_TRUE(queue.add(map_of(10, 100)));
    EXPECT_TRUE(queue.add(map_of(11, 200)));                             // another frame
    EXPECT_TRUE(queue.add(map_of(12, 201, 1, PROT_READ | PROT_WRITE)));  // another access
    EXPECT_TRUE(queue.add(unmap_of(13)));                                // another kind
    EXPECT_TRUE(queue.add(unmap_of(15)));                                // a gap
    EXPECT_TRUE(queue.add(map_of(14, 202)));
    EXPECT_EQ(queue.changes().size(), 6u);
}

TEST(MappingQueue, KeepsTheOrder) {
    MappingQueue queue;
    EXPECT_TRUE(queue.add(unmap_of(10, 4)));
    EXPECT_TRUE(queue.add(map_of(10, 100)));
    EXPECT_TRUE(queue.add(unmap_of(14)));  // would fit the first, but comes after the mapping
    ASSERT_EQ(queue.changes().size(), 3u);
    EXPECT_EQ(queue.changes()[1].kind, Kind::Map);
}

TEST(MappingQueue, IsBounded) {
    MappingQueue queue;
    for (unsigned i = 0; i < MappingQueue::kCapacity; ++i) {
        EXPECT_TRUE(queue.add(unmap_of(2 * i)));
    }
    EXPECT_TRUE(queue.is_full());
    EXPECT_FALSE(queue.add(unmap_of(1000)));
    EXPECT_TRUE(queue.add(unmap_of(2 * MappingQueue::kCapacity - 1)));  // merges
    queue.clear();
    EXPECT_TRUE(queue.is_empty());
}

}  // namespace
}  // namespace kernel::platform::hosted
