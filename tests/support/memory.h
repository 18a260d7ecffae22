// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <cstdint>

#include "core/mm/address_space.h"
#include "core/mm/frame_allocator.h"
#include "support/fake_platform.h"
#include "support/heap.h"

// For tests that need memory management for real, on the fake platform.
namespace test_support {

// Hands the fake platform's frames to the frame allocator, once in a test program.
inline void initialize_memory() {
    static const bool done = kernel::mm::initialize_frames().has_value();
    ASSERT_TRUE(done);
}

inline std::uint64_t used_frames(kernel::platform::FrameZone zone = kernel::platform::FrameZone::Any) {
    const auto statistics = kernel::mm::frame_statistics(zone);
    return statistics.total - statistics.free;
}

// Memory works; a test that leaks frames, heap or page maps fails.
class MemoryTest : public testing::Test {
protected:
    void SetUp() override {
        initialize_memory();
        frames_ = used_frames();
        blocks_ = live_heap_blocks();
        page_maps_ = live_page_maps();
    }
    void TearDown() override {
        EXPECT_EQ(used_frames(), frames_) << "frames leak";
        EXPECT_EQ(live_heap_blocks(), blocks_) << "heap leaks";
        EXPECT_EQ(live_page_maps(), page_maps_) << "page maps leak";
    }

private:
    std::uint64_t frames_ = 0;
    std::size_t blocks_ = 0;
    std::size_t page_maps_ = 0;
};

// Leaves the allocator only so many user frames, at most 1024, while in scope.
class FramesLeft {
public:
    explicit FramesLeft(std::uint64_t frames) {
        using namespace kernel::mm;
        constexpr auto kUser = kernel::platform::FrameZone::User;
        const kernel::FrameNumber first = MUST(allocate_frames(kMaxFrameOrder, kUser, Zeroing::None));
        split_frames(first, kMaxFrameOrder);
        for (unsigned order = kMaxFrameOrder + 1; order-- != 0;) {
            while (const auto block = allocate_frames(order, kUser, Zeroing::None)) {
                taken_.emplace_back(*block, order);
            }
        }
        for (std::uint64_t i = 0; i < std::uint64_t{1} << kMaxFrameOrder; ++i) {
            if (i < frames) {
                free_frames(first + i, 0);
            } else {
                taken_.emplace_back(first + i, 0);
            }
        }
    }
    FramesLeft(const FramesLeft&) = delete;
    FramesLeft& operator=(const FramesLeft&) = delete;
    ~FramesLeft() {
        for (const auto& [frame, order] : taken_) {
            kernel::mm::free_frames(frame, order);
        }
    }

private:
    std::vector<std::pair<kernel::FrameNumber, unsigned>> taken_;
};

inline FakePageMap& fake_map(kernel::mm::AddressSpace& space) {
    return static_cast<FakePageMap&>(space.page_map());
}

// A user program's access to one byte, with the faults that it takes.
inline kernel::Result<std::byte> user_read(kernel::mm::AddressSpace& space, kernel::VirtAddr address) {
    for (int attempt = 0; attempt < 64; ++attempt) {
        std::byte value{};
        if (fake_map(space).read(address, value) == FakePageMap::Outcome::Done) {
            return value;
        }
        TRY(space.handle_fault(address, kernel::platform::Access::Read));
        fake_map(space).commit();
    }
    ADD_FAILURE() << "faults do not end";
    return kernel::Error::BadAddress;
}

inline kernel::Result<> user_write(kernel::mm::AddressSpace& space, kernel::VirtAddr address, std::byte value) {
    for (int attempt = 0; attempt < 64; ++attempt) {
        const FakePageMap::Outcome outcome = fake_map(space).write(address, value);
        if (outcome == FakePageMap::Outcome::Done) {
            return {};
        }
        TRY(space.handle_fault(address, kernel::platform::Access::Write, outcome == FakePageMap::Outcome::Denied));
        fake_map(space).commit();
    }
    ADD_FAILURE() << "faults do not end";
    return kernel::Error::BadAddress;
}

}  // namespace test_support
