// SPDX-License-Identifier: MIT OR Apache-2.0
// The kernel's memory functions under other names, against the C library's.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#define memcpy kpio_memcpy
#define memmove kpio_memmove
#define memset kpio_memset
#define memcmp kpio_memcmp
#define bcmp kpio_bcmp
#define strlen kpio_strlen
#define memchr kpio_memchr
#include "lib/freestanding/memory.cc"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef bcmp
#undef strlen
#undef memchr

namespace {

std::vector<unsigned char> pattern(std::size_t bytes) {
    std::vector<unsigned char> result(bytes);
    std::iota(result.begin(), result.end(), static_cast<unsigned char>(1));
    return result;
}

int sign(int value) {
    return (value > 0) - (value < 0);
}

TEST(FreestandingMemory, CopyAtEveryLengthAndAlignment) {
    const auto source = pattern(300);
    for (std::size_t offset = 0; offset < 9; ++offset) {
        for (std::size_t bytes = 0; bytes < 200; ++bytes) {
            std::vector<unsigned char> to(300, 0xee);
            auto expected = to;
            EXPECT_EQ(kpio_memcpy(to.data() + offset, source.data() + 3, bytes), to.data() + offset);
            std::memcpy(expected.data() + offset, source.data() + 3, bytes);
            ASSERT_EQ(to, expected);
        }
    }
}

TEST(FreestandingMemory, MoveAtEveryOverlap) {
    for (std::size_t from = 0; from < 40; ++from) {
        for (std::size_t to = 0; to < 40; ++to) {
            for (const std::size_t bytes : {0u, 1u, 7u, 8u, 9u, 31u, 64u, 65u}) {
                auto actual = pattern(128);
                auto expected = actual;
                EXPECT_EQ(kpio_memmove(actual.data() + to, actual.data() + from, bytes), actual.data() + to);
                std::memmove(expected.data() + to, expected.data() + from, bytes);
                ASSERT_EQ(actual, expected) << from << " to " << to << ", " << bytes;
            }
        }
    }
}

TEST(FreestandingMemory, Set) {
    for (std::size_t bytes = 0; bytes < 100; ++bytes) {
        auto actual = pattern(128);
        auto expected = actual;
        EXPECT_EQ(kpio_memset(actual.data() + 5, 0x1a5, bytes), actual.data() + 5);
        std::memset(expected.data() + 5, 0x1a5, bytes);
        ASSERT_EQ(actual, expected);
    }
}

TEST(FreestandingMemory, Compare) {
    const auto one = pattern(64);
    for (std::size_t bytes = 0; bytes <= 64; ++bytes) {
        EXPECT_EQ(kpio_memcmp(one.data(), one.data(), bytes), 0);
        for (std::size_t at = 0; at < bytes; ++at) {
            auto other = one;
            other[at] = static_cast<unsigned char>(200 + at % 50);
            ASSERT_EQ(sign(kpio_memcmp(one.data(), other.data(), bytes)),
                      sign(std::memcmp(one.data(), other.data(), bytes)));
            ASSERT_EQ(sign(kpio_memcmp(other.data(), one.data(), bytes)), 1);
            ASSERT_NE(kpio_bcmp(one.data(), other.data(), bytes), 0);
        }
    }
}

TEST(FreestandingMemory, Text) {
    for (std::size_t length = 0; length < 20; ++length) {
        const std::string text(length, 'x');
        EXPECT_EQ(kpio_strlen(text.c_str()), length);
    }
    const std::string text = "abc\xff";
    EXPECT_EQ(kpio_memchr(text.data(), 'c', 4), text.data() + 2);
    EXPECT_EQ(kpio_memchr(text.data(), 0xff, 4), text.data() + 3);
    EXPECT_EQ(kpio_memchr(text.data(), 'c', 2), nullptr);
}

}  // namespace
