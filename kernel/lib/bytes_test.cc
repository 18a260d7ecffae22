// SPDX-License-Identifier: MIT OR Apache-2.0
#include "lib/bytes.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>

namespace kernel {
namespace {

TEST(Bytes, CopyMoveFillCompare) {
    std::array<std::byte, 8> to{};
    copy_bytes(to, as_bytes("abcdef"));
    EXPECT_EQ(as_text(to).substr(0, 6), "abcdef");
    move_bytes(std::span(to).subspan(2), std::span(to).first(6));
    EXPECT_EQ(as_text(to), "ababcdef");
    zero(std::span(to).first(4));
    EXPECT_EQ(as_text(to), std::string_view("\0\0\0\0cdef", 8));
    fill_bytes(to, std::byte{'x'});
    EXPECT_TRUE(equal_bytes(to, as_bytes("xxxxxxxx")));
    EXPECT_FALSE(equal_bytes(to, as_bytes("xxxxxxx")));
    EXPECT_TRUE(equal_bytes({}, {}));
    copy_bytes({}, {});
    zero({});
}

TEST(Bytes, ObjectsAsBytes) {
    std::uint32_t number = 0x04030201;
    EXPECT_EQ(as_bytes_of(number)[0], std::byte{1});
    as_writable_bytes_of(number)[3] = std::byte{0xff};
    EXPECT_EQ(number, 0xff030201u);
    const std::uint16_t constant = 0x0201;
    EXPECT_EQ(as_bytes_of(constant)[1], std::byte{2});
    zero(as_bytes_of(number));
    EXPECT_EQ(number, 0u);
}

TEST(Bytes, Unaligned) {
    std::array<std::byte, 9> bytes{};
    write_unaligned(bytes, 1, std::uint64_t{0x1122334455667788});
    EXPECT_EQ(read_unaligned<std::uint64_t>(bytes, 1), 0x1122334455667788u);
    EXPECT_EQ(read_unaligned<std::uint16_t>(bytes, 1), 0x7788u);
    EXPECT_TRUE(fits(9, 1, 8));
    EXPECT_FALSE(fits(9, 2, 8));
    EXPECT_FALSE(fits(9, SIZE_MAX, 2));
}

TEST(BytesDeathTest, RangesAreChecked) {
    std::array<std::byte, 4> bytes{};
    EXPECT_DEATH(static_cast<void>(read_unaligned<std::uint32_t>(bytes, 1)), "assertion failed: fits");
    EXPECT_DEATH(write_unaligned(bytes, SIZE_MAX, 'x'), "assertion failed: fits");
    EXPECT_DEATH(copy_bytes(bytes, as_bytes("12345")), "assertion failed");
}

}  // namespace
}  // namespace kernel
