// SPDX-License-Identifier: MIT OR Apache-2.0
#include "lib/sparse_array.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <map>
#include <random>
#include <vector>

#include "support/heap.h"

namespace kernel {
namespace {

using test_support::for_each_allocation_failure;
using test_support::HeapExhausted;
using test_support::live_heap_blocks;

std::array<int, 64> objects;

TEST(SparseArray, SetGetErase) {
    SparseArray<int> array;
    EXPECT_EQ(array.get(0), nullptr);
    EXPECT_EQ(array.erase(0), nullptr);
    EXPECT_EQ(array.next(0), std::nullopt);
    for (const std::uint64_t index : {std::uint64_t{0}, std::uint64_t{63}, std::uint64_t{64}, std::uint64_t{4096},
                                      std::uint64_t{1} << 40, UINT64_MAX}) {
        MUST(array.set(index, &objects[1]));
        EXPECT_EQ(array.get(index), &objects[1]);
    }
    EXPECT_EQ(array.size(), 6u);
    EXPECT_EQ(array.get(1), nullptr);
    EXPECT_EQ(array.get(std::uint64_t{1} << 41), nullptr);
    EXPECT_EQ(array.insert(63, &objects[2]).error(), Error::Exists);
    MUST(array.set(63, &objects[2]));
    EXPECT_EQ(array.erase(63), &objects[2]);
    EXPECT_EQ(array.erase(63), nullptr);
    EXPECT_EQ(array.erase(UINT64_MAX), &objects[1]);
    EXPECT_EQ(array.next(64)->index, 64u);
    EXPECT_EQ(array.next(65)->index, 4096u);
    EXPECT_EQ(array.next(4097)->index, std::uint64_t{1} << 40);
    EXPECT_EQ(array.next((std::uint64_t{1} << 40) + 1), std::nullopt);
}

TEST(SparseArray, AcceptsThePointerTypeToo) {
    SparseArray<int*> array;
    static_assert(std::is_same_v<decltype(array.get(0)), int*>);
    MUST(array.set(3, &objects[3]));
    SparseArray<int*> moved = std::move(array);
    EXPECT_TRUE(array.empty());
    EXPECT_EQ(moved.get(3), &objects[3]);
}

TEST(SparseArray, ForEach) {
    SparseArray<int> array;
    for (std::uint64_t i = 0; i < 500; i += 7) {
        MUST(array.set(i, &objects[i % 64]));
    }
    MUST(array.set(UINT64_MAX, &objects[0]));
    std::vector<std::uint64_t> seen;
    array.for_each(10, 36, [&](std::uint64_t index, int* value) {
        EXPECT_EQ(value, &objects[index % 64]);
        seen.push_back(index);
    });
    EXPECT_EQ(seen, (std::vector<std::uint64_t>{14, 21, 28, 35}));
    std::size_t all = 0;
    array.for_each([&](std::uint64_t index, int*) {
        ++all;
        array.erase(index);
    });
    EXPECT_EQ(all, 73u);
    EXPECT_TRUE(array.empty());
}

TEST(SparseArray, FreesWhatIsEmpty) {
    const std::size_t before = live_heap_blocks();
    SparseArray<int> array;
    MUST(array.set(UINT64_MAX, &objects[0]));
    EXPECT_EQ(live_heap_blocks(), before + 11);
    MUST(array.set(5, &objects[0]));
    array.erase(UINT64_MAX);
    EXPECT_EQ(live_heap_blocks(), before + 1);
    array.erase(5);
    EXPECT_EQ(live_heap_blocks(), before);
}

TEST(SparseArray, ReplacingNeedsNoMemory) {
    SparseArray<int> array;
    MUST(array.set(100, &objects[0]));
    const HeapExhausted none_left;
    EXPECT_TRUE(array.set(100, &objects[1]));
    EXPECT_TRUE(array.set(101, &objects[1]));
    EXPECT_EQ(array.set(1u << 20, &objects[1]).error(), Error::NoMemory);
    EXPECT_EQ(array.get(101), &objects[1]);
    EXPECT_EQ(array.next(102), std::nullopt);
}

TEST(SparseArray, EveryFailureLeavesItIntact) {
    for_each_allocation_failure([]() -> Result<> {
        SparseArray<int> array;
        std::mt19937_64 random(7);
        std::map<std::uint64_t, int*> model;
        for (int i = 0; i < 40; ++i) {
            const std::uint64_t index = random() >> (random() % 64);
            const std::size_t blocks = live_heap_blocks();
            const auto set = array.set(index, &objects[0]);
            if (set) {
                model[index] = &objects[0];
            } else {
                EXPECT_EQ(live_heap_blocks(), blocks);
                EXPECT_EQ(array.get(index), nullptr);
            }
            EXPECT_EQ(array.size(), model.size());
            for (const auto& [at, value] : model) {
                EXPECT_EQ(array.get(at), value);
            }
            TRY(set);
        }
        return {};
    });
}

TEST(SparseArray, BehavesLikeTheStandardMap) {
    for (const unsigned bits : {5u, 9u, 14u, 64u}) {
        std::mt19937_64 random(bits);
        const auto pick = [&] { return bits == 64 ? random() >> (random() % 64) : random() % (1u << bits); };
        SparseArray<int> array;
        std::map<std::uint64_t, int*> model;
        for (int step = 0; step < 10'000; ++step) {
            const std::uint64_t index = pick();
            if (random() % 2 == 0) {
                int* const value = &objects[random() % 64];
                MUST(array.set(index, value));
                model[index] = value;
            } else {
                auto victim = random() % 4 == 0 ? model.find(index) : model.lower_bound(index);
                int* const expected = victim == model.end() ? nullptr : victim->second;
                ASSERT_EQ(array.erase(victim == model.end() ? index : victim->first),
                          model.contains(index) && victim == model.end() ? model[index] : expected);
                if (victim != model.end()) {
                    model.erase(victim);
                } else {
                    model.erase(index);
                }
            }
            ASSERT_EQ(array.size(), model.size());
            const std::uint64_t probe = pick();
            const auto following = model.lower_bound(probe);
            const auto found = array.next(probe);
            ASSERT_EQ(found.has_value(), following != model.end());
            if (found) {
                ASSERT_EQ(found->index, following->first);
                ASSERT_EQ(found->value, following->second);
            }
            ASSERT_EQ(array.get(probe), model.contains(probe) ? model[probe] : nullptr);
        }
    }
}

}  // namespace
}  // namespace kernel
