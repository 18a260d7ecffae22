// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/frames.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <cstring>

#include "platform/hosted/guest_memory.h"

namespace kernel::platform {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

class Frames : public testing::Test {
protected:
    static void SetUpTestSuite() { ASSERT_TRUE(hosted::set_up_frames(64 * kMiB, 16 * kMiB)); }
};

TEST_F(Frames, RangesCoverBothZones) {
    const auto ranges = frame_ranges();
    ASSERT_EQ(ranges.size(), 2u);
    EXPECT_EQ(ranges[0].zone, FrameZone::User);
    EXPECT_EQ(ranges[0].count, 64 * kMiB / kPageSize);
    EXPECT_EQ(ranges[1].zone, FrameZone::Kernel);
    EXPECT_EQ(ranges[1].count, 16 * kMiB / kPageSize);
    EXPECT_NE(frame_value(ranges[0].first), 0u);
}

TEST_F(Frames, PointersAndFramesAreInverse) {
    for (const FrameRange& range : frame_ranges()) {
        for (const FrameNumber frame : {range.first, range.first + (range.count - 1)}) {
            EXPECT_EQ(frame_of_pointer(frame_pointer(frame)), frame);
            EXPECT_EQ(frame_of_pointer(frame_pointer(frame) + kPageSize - 1), frame);
            std::memset(frame_pointer(frame), 1, kPageSize);
        }
    }
}

TEST_F(Frames, GuestRunsAreCheckedExactly) {
    const FrameRange user = frame_ranges()[0];
    EXPECT_TRUE(hosted::is_guest_run(user.first, user.count));
    EXPECT_FALSE(hosted::is_guest_run(user.first, user.count + 1));
    EXPECT_FALSE(hosted::is_guest_run(user.first - 1, 1));
    EXPECT_FALSE(hosted::is_guest_run(user.first + user.count, 1));
    EXPECT_FALSE(hosted::is_guest_run(user.first + 1, UINT64_MAX));
    EXPECT_FALSE(hosted::is_guest_run(frame_ranges()[1].first, 1));
}

TEST_F(Frames, DiscardedFramesReadAsZero) {
    for (const FrameRange& range : frame_ranges()) {
        std::byte* page = frame_pointer(range.first + 3);
        *page = std::byte{0x5a};
        EXPECT_TRUE(discard_frames(range.first + 3, 1));
        EXPECT_EQ(*page, std::byte{0});
    }
}

TEST_F(Frames, GuestMemoryCannotBeCutOff) {
    EXPECT_NE(ftruncate(hosted::guest_memory().descriptor, 0), 0);
}

TEST_F(Frames, BootArraysAreZeroAndWritable) {
    auto* array = static_cast<unsigned char*>(reserve_boot_array(1024 * kMiB));
    ASSERT_NE(array, nullptr);
    EXPECT_EQ(array[512 * kMiB], 0);
    array[512 * kMiB] = 1;
}

}  // namespace
}  // namespace kernel::platform
