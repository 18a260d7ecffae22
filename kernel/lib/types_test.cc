// SPDX-License-Identifier: MIT OR Apache-2.0
#include "lib/types.h"

#include <gtest/gtest.h>

#include <cstdint>

#include "lib/user_ptr.h"

namespace kernel {
namespace {

TEST(Types, Alignment) {
    EXPECT_EQ(align_down(0x1fffu, 0x1000u), 0x1000u);
    EXPECT_EQ(align_up(0x1001u, 0x1000u), 0x2000u);
    EXPECT_EQ(align_up(0x1000u, 0x1000u), 0x1000u);
    EXPECT_EQ(align_up(UINT64_MAX, kPageSize), 0u);
    EXPECT_EQ(align_up_checked(UINT64_MAX, kPageSize), std::nullopt);
    EXPECT_EQ(align_up_checked(std::uint64_t{1}, kPageSize), kPageSize);
    EXPECT_EQ(align_up_checked(std::uint64_t{0}, kPageSize), 0u);
    EXPECT_TRUE(is_aligned(0x3000u, 0x1000u));
    EXPECT_FALSE(is_aligned(0x3008u, 0x1000u));
    EXPECT_TRUE(is_power_of_two(64u));
    EXPECT_FALSE(is_power_of_two(0u));
    EXPECT_FALSE(is_power_of_two(65u));
}

TEST(Types, CheckedArithmetic) {
    EXPECT_EQ(checked_add(UINT64_MAX, 1), std::nullopt);
    EXPECT_EQ(checked_add(UINT64_MAX, 0), UINT64_MAX);
    EXPECT_EQ(checked_multiply(std::uint64_t{1} << 63, 2), std::nullopt);
    EXPECT_EQ(checked_multiply(std::uint64_t{1} << 62, 2), std::uint64_t{1} << 63);
}

TEST(Types, PagesForBytes) {
    EXPECT_EQ(pages_for_bytes(0), 0u);
    EXPECT_EQ(pages_for_bytes(1), 1u);
    EXPECT_EQ(pages_for_bytes(4096), 1u);
    EXPECT_EQ(pages_for_bytes(4097), 2u);
    EXPECT_EQ(pages_for_bytes(UINT64_MAX), std::uint64_t{1} << 52);
}

TEST(VirtAddr, ArithmeticAndPages) {
    constexpr VirtAddr kAddress{0x12345};
    static_assert(kAddress.page_down() == VirtAddr{0x12000});
    static_assert(kAddress.page_up() == VirtAddr{0x13000});
    static_assert(!kAddress.is_page_aligned());
    static_assert(kAddress.page_offset() == 0x345);
    static_assert(kAddress.page_index() == 0x12);
    static_assert(kAddress + 1 > kAddress);
    static_assert((kAddress + 16) - kAddress == 16);
    static_assert(kAddress - 5 == VirtAddr{0x12340});
    EXPECT_EQ(VirtAddr{UINT64_MAX}.checked_add(1), std::nullopt);
    EXPECT_EQ(VirtAddr{1}.checked_add(1), VirtAddr{2});
    EXPECT_TRUE(VirtAddr{}.is_null());
    VirtAddr moving{0x1000};
    moving += 0x10;
    moving -= 0x8;
    EXPECT_EQ(moving, VirtAddr{0x1008});
}

TEST(FrameNumber, Arithmetic) {
    FrameNumber frame = physical_to_frame(0x5fff);
    EXPECT_EQ(frame, FrameNumber{5});
    EXPECT_EQ(frame_to_physical(frame), 0x5000u);
    EXPECT_EQ(frame + 3 - frame, 3u);
    EXPECT_EQ(frame - 1, FrameNumber{4});
    EXPECT_EQ(++frame, FrameNumber{6});
    EXPECT_LT(FrameNumber{1}, FrameNumber{2});
}

TEST(UserPtr, IsAnAddressWithAType) {
    struct Pair {
        std::uint64_t a;
        std::uint64_t b;
    };
    constexpr UserPtr<Pair> kPointer{VirtAddr{0x1000}};
    static_assert((kPointer + 2).address == VirtAddr{0x1020});
    static_assert((kPointer - 1).value() == 0xff0);
    static_assert(kPointer.is_aligned());
    static_assert(!UserPtr<Pair>{VirtAddr{0x1001}}.is_aligned());
    static_assert((kPointer.cast<char>() + 1).value() == 0x1001);
    constexpr UserPtr<void> kUntyped = kPointer;
    static_assert((kUntyped + 1).value() == 0x1001);
    static_assert(!UserPtr<Pair>{});
    static_assert(kPointer < kPointer + 1);
    UserPtr<std::uint32_t> moving{VirtAddr{8}};
    moving += 2;
    EXPECT_EQ(moving.value(), 16u);
}

}  // namespace
}  // namespace kernel
