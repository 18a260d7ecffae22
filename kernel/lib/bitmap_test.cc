// SPDX-License-Identifier: MIT OR Apache-2.0
#include "lib/bitmap.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "lib/ring_buffer.h"

namespace kernel {
namespace {

TEST(Bitmap, SingleBits) {
    FixedBitmap<130> bits;
    EXPECT_TRUE(bits.none());
    EXPECT_EQ(bits.find_set(0), std::nullopt);
    bits.set(0);
    bits.set(64);
    bits.set(129);
    EXPECT_EQ(bits.count(), 3u);
    EXPECT_EQ(bits.find_set(1), 64u);
    EXPECT_EQ(bits.find_set(65), 129u);
    EXPECT_EQ(bits.find_set(130), std::nullopt);
    EXPECT_EQ(bits.find_clear(0), 1u);
    EXPECT_EQ(bits.find_clear(129), std::nullopt);
    bits.assign(64, false);
    bits.assign(1, true);
    EXPECT_FALSE(bits.test(64));
    EXPECT_TRUE(bits.test(1));
    FixedBitmap<130> copy = bits;
    bits.clear_all();
    EXPECT_TRUE(bits.none());
    EXPECT_EQ(copy.count(), 3u);
    bits = copy;
    EXPECT_TRUE(bits.test(129));
}

TEST(Bitmap, WorksAtCompileTime) {
    constexpr auto kCount = [] {
        FixedBitmap<100> bits;
        bits.set_range(10, 80);
        return bits.count();
    }();
    static_assert(kCount == 80);
}

TEST(Bitmap, BehavesLikeAVectorOfBool) {
    for (const std::size_t size : {1u, 63u, 64u, 65u, 200u}) {
        std::mt19937 random(static_cast<unsigned>(size));
        std::vector<std::uint64_t> words(Bitmap::words_for(size));
        Bitmap bits(words, size);
        std::vector<bool> model(size);
        const auto first = [&](std::size_t from, bool value) -> std::optional<std::size_t> {
            for (std::size_t i = from; i < size; ++i) {
                if (model[i] == value) {
                    return i;
                }
            }
            return std::nullopt;
        };
        const auto clear_run = [&](std::size_t count, std::size_t from,
                                   std::size_t align) -> std::optional<std::size_t> {
            for (std::size_t begin = (from + align - 1) / align * align; begin + count <= size; begin += align) {
                std::size_t length = 0;
                while (length < count && !model[begin + length]) {
                    ++length;
                }
                if (length == count) {
                    return begin;
                }
            }
            return std::nullopt;
        };
        for (int step = 0; step < 3000; ++step) {
            const std::size_t begin = random() % size;
            const std::size_t count =
                random() % 4 == 0 ? random() % (size - begin + 1) : random() % 3 % (size - begin + 1);
            const bool value = random() % 2 == 0;
            value ? bits.set_range(begin, count) : bits.clear_range(begin, count);
            std::fill_n(model.begin() + static_cast<std::ptrdiff_t>(begin), count, value);
            const std::size_t from = random() % (size + 1);
            ASSERT_EQ(bits.find_set(from), first(from, true));
            ASSERT_EQ(bits.find_clear(from), first(from, false));
            ASSERT_EQ(bits.count(), static_cast<std::size_t>(std::count(model.begin(), model.end(), true)));
            const std::size_t run = 1 + random() % 10;
            const std::size_t align = std::size_t{1} << (random() % 4);
            ASSERT_EQ(bits.find_clear_run(run, from, align), clear_run(run, from, align));
            ASSERT_EQ(bits.test(begin), model[begin]);
        }
    }
}

TEST(BitmapDeathTest, BoundsAreChecked) {
    FixedBitmap<10> bits;
    EXPECT_DEATH(bits.set(10), "assertion failed");
    EXPECT_DEATH(bits.set_range(9, 2), "assertion failed");
}

TEST(RingBuffer, BehavesLikeAQueue) {
    for (const std::size_t capacity : {0u, 1u, 7u, 64u}) {
        std::mt19937 random(static_cast<unsigned>(capacity));
        std::vector<std::byte> storage(capacity);
        RingBuffer ring(storage);
        std::vector<std::byte> model;
        for (int step = 0; step < 5000; ++step) {
            std::vector<std::byte> data(random() % 20);
            for (std::byte& byte : data) {
                byte = static_cast<std::byte>(random());
            }
            if (random() % 2 == 0) {
                const std::size_t fits = std::min(data.size(), capacity - model.size());
                ASSERT_EQ(ring.write(data), fits);
                model.insert(model.end(), data.begin(), data.begin() + static_cast<std::ptrdiff_t>(fits));
            } else if (random() % 2 == 0) {
                const std::size_t available = std::min(data.size(), model.size());
                ASSERT_EQ(ring.read(data), available);
                ASSERT_TRUE(
                    std::equal(data.begin(), data.begin() + static_cast<std::ptrdiff_t>(available), model.begin()));
                model.erase(model.begin(), model.begin() + static_cast<std::ptrdiff_t>(available));
            } else {
                const auto region = ring.readable();
                ASSERT_EQ(region.empty(), model.empty());
                ASSERT_TRUE(std::equal(region.begin(), region.end(), model.begin()));
                const std::size_t offset = random() % 8;
                const std::size_t available = offset < model.size() ? std::min(data.size(), model.size() - offset) : 0;
                ASSERT_EQ(ring.peek(data, offset), available);
                if (available != 0) {
                    ASSERT_EQ(data[available - 1], model[offset + available - 1]);
                }
            }
            ASSERT_EQ(ring.size(), model.size());
            ASSERT_EQ(ring.free_space(), capacity - model.size());
            ASSERT_EQ(ring.full(), model.size() == capacity);
        }
        ring.clear();
        EXPECT_TRUE(ring.empty());
    }
}

TEST(RingBuffer, InPlace) {
    std::array<std::byte, 4> storage{};
    RingBuffer ring(storage);
    EXPECT_EQ(ring.writable().size(), 4u);
    ring.writable()[0] = std::byte{1};
    ring.commit(3);
    EXPECT_EQ(ring.writable().size(), 1u);
    EXPECT_EQ(ring.readable().size(), 3u);
    EXPECT_EQ(ring.readable()[0], std::byte{1});
    EXPECT_EQ(ring.readable(2).size(), 1u);
    ring.consume(2);
    EXPECT_EQ(ring.writable().size(), 1u);
    ring.commit(1);
    EXPECT_EQ(ring.writable().size(), 2u);
    EXPECT_DEATH(ring.commit(3), "assertion failed");
    EXPECT_DEATH(ring.consume(3), "assertion failed");
}

}  // namespace
}  // namespace kernel
