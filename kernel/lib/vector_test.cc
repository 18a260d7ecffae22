// SPDX-License-Identifier: MIT OR Apache-2.0
#include "lib/vector.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "lib/own.h"
#include "lib/string.h"
#include "support/heap.h"

namespace kernel {
namespace {

using test_support::for_each_allocation_failure;
using test_support::HeapExhausted;

Result<Vector<int>> numbers(int count) {
    Vector<int> result;
    for (int i = 0; i < count; ++i) {
        TRY(result.push_back(i));
    }
    return result;
}

TEST(Vector, GrowsAndShrinks) {
    Vector<int> vector = MUST(numbers(100));
    EXPECT_EQ(vector.size(), 100u);
    EXPECT_EQ(vector.front(), 0);
    EXPECT_EQ(vector.back(), 99);
    EXPECT_EQ(vector.take_back(), 99);
    vector.pop_back();
    EXPECT_EQ(vector.size(), 98u);
    MUST(vector.resize(200));
    EXPECT_EQ(vector[199], 0);
    MUST(vector.resize(3));
    EXPECT_EQ(vector.size(), 3u);
    const std::size_t capacity = vector.capacity();
    vector.clear();
    EXPECT_TRUE(vector.empty());
    EXPECT_EQ(vector.capacity(), capacity);
}

TEST(Vector, MovesAndClones) {
    Vector<int> first = MUST(numbers(5));
    Vector<int> second = std::move(first);
    EXPECT_EQ(first.size(), 0u);
    EXPECT_EQ(second.size(), 5u);
    const Vector<int> copy = MUST(second.clone());
    second[0] = 42;
    EXPECT_EQ(copy[0], 0);
    first = std::move(second);
    EXPECT_EQ(first[0], 42);
    EXPECT_EQ(MUST(Vector<int>().clone()).size(), 0u);
}

TEST(Vector, ReserveMakesPushInfallible) {
    Vector<int> vector;
    MUST(vector.reserve(10));
    const HeapExhausted none_left;
    for (int i = 0; i < 10; ++i) {
        EXPECT_TRUE(vector.push_back(i));
    }
    while (vector.size() < vector.capacity()) {
        EXPECT_TRUE(vector.push_back(0));
    }
    EXPECT_EQ(vector.push_back(10).error(), Error::NoMemory);
    EXPECT_EQ(vector.reserve(1000).error(), Error::NoMemory);
    EXPECT_EQ(vector[9], 9);
}

TEST(Vector, RefusesImpossibleSizes) {
    Vector<std::uint64_t> vector;
    EXPECT_EQ(vector.reserve(SIZE_MAX).error(), Error::NoMemory);
    EXPECT_EQ(vector.resize(SIZE_MAX / 8 + 1).error(), Error::NoMemory);
    MUST(vector.push_back(1));
    EXPECT_EQ(vector.resize(SIZE_MAX).error(), Error::NoMemory);
    EXPECT_EQ(vector.size(), 1u);
}

TEST(Vector, HoldsMoveOnlyElements) {
    Vector<OwnPtr<int>> vector;
    for (int i = 0; i < 20; ++i) {
        MUST(vector.insert(vector.size() / 2, MUST(make_own<int>(i))));
    }
    vector.erase(3);
    vector.erase_unordered(0);
    vector.erase_unordered(vector.size() - 1);
    EXPECT_EQ(vector.size(), 17u);
    for (const OwnPtr<int>& element : vector) {
        EXPECT_TRUE(element);
    }
    OwnPtr<int>* added = MUST(vector.emplace_back(nullptr));
    EXPECT_FALSE(*added);
}

TEST(Vector, PushOfOwnElement) {
    Vector<int> vector = MUST(numbers(1));
    for (int i = 0; i < 100; ++i) {
        MUST(vector.push_back(vector[0]));
    }
    EXPECT_EQ(vector.back(), 0);
}

TEST(Vector, EveryFailureLeavesItIntact) {
    for_each_allocation_failure([]() -> Result<> {
        Vector<String> vector;
        for (int i = 0; i < 20; ++i) {
            const std::size_t size = vector.size();
            auto text = String::create("a text that is longer than nothing");
            const auto pushed = text ? vector.push_back(std::move(*text)) : Result<>(text.error());
            if (!pushed) {
                EXPECT_EQ(vector.size(), size);
                return pushed;
            }
        }
        const auto inserted = vector.insert(3, TRY(String::create("middle")));
        EXPECT_EQ(vector.size(), inserted ? 21u : 20u);
        TRY(inserted);
        TRY(vector.resize(100));
        Vector<int> some = TRY(numbers(50));
        TRY(some.clone());
        return some.append(TRY(numbers(7)).span());
    });
}

TEST(Vector, BehavesLikeTheStandardOne) {
    std::mt19937 random(1);
    Vector<int> vector;
    std::vector<int> model;
    for (int step = 0; step < 20'000; ++step) {
        const auto at = [&](std::size_t bound) { return random() % bound; };
        const int value = static_cast<int>(random());
        switch (random() % 8) {
            case 0:
            case 1:
                MUST(vector.push_back(value));
                model.push_back(value);
                break;
            case 2: {
                const std::size_t index = at(model.size() + 1);
                MUST(vector.insert(index, value));
                model.insert(model.begin() + static_cast<std::ptrdiff_t>(index), value);
                break;
            }
            case 3:
                if (!model.empty()) {
                    const std::size_t index = at(model.size());
                    vector.erase(index);
                    model.erase(model.begin() + static_cast<std::ptrdiff_t>(index));
                }
                break;
            case 4:
                if (!model.empty()) {
                    const std::size_t index = at(model.size());
                    const std::size_t count = at(model.size() - index + 1);
                    vector.erase(index, count / 8);
                    const auto begin = model.begin() + static_cast<std::ptrdiff_t>(index);
                    model.erase(begin, begin + static_cast<std::ptrdiff_t>(count / 8));
                }
                break;
            case 5:
                if (!model.empty()) {
                    vector.pop_back();
                    model.pop_back();
                }
                break;
            case 6: {
                const std::size_t size = at(60);
                MUST(vector.resize(size));
                model.resize(size);
                break;
            }
            default:
                MUST(vector.append(std::array{value, value}));
                model.insert(model.end(), 2, value);
        }
        ASSERT_TRUE(std::ranges::equal(vector.span(), model)) << "step " << step;
    }
}

TEST(VectorDeathTest, BoundsAreChecked) {
    Vector<int> vector = MUST(numbers(3));
    EXPECT_DEATH(static_cast<void>(vector[3]), "assertion failed: index < size_");
    EXPECT_DEATH(vector.erase(2, 2), "assertion failed");
    EXPECT_DEATH(static_cast<void>(Vector<int>().back()), "assertion failed");
}

}  // namespace
}  // namespace kernel
