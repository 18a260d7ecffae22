// SPDX-License-Identifier: MIT OR Apache-2.0
#include "lib/hash_map.h"

#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "lib/hash_table.h"
#include "lib/own.h"
#include "support/heap.h"

namespace kernel {

// All keys collide in a few places, so that runs are long.
struct Clumsy {
    int value;
    bool operator==(const Clumsy&) const = default;
};
std::uint64_t hash_value(const Clumsy& clumsy) {
    return static_cast<std::uint64_t>(clumsy.value % 5) << 1;
}

namespace {

using test_support::for_each_allocation_failure;
using test_support::HeapExhausted;

TEST(HashMap, InsertFindRemove) {
    HashMap<int, int> map;
    EXPECT_EQ(map.find(1), nullptr);
    EXPECT_FALSE(map.remove(1));
    EXPECT_EQ(*MUST(map.insert(1, 10)), 10);
    EXPECT_EQ(map.insert(1, 11).error(), Error::Exists);
    EXPECT_EQ(*map.find(1), 10);
    EXPECT_EQ(*MUST(map.set(1, 12)), 12);
    MUST(map.set(2, 20));
    EXPECT_EQ(map.size(), 2u);
    EXPECT_TRUE(map.contains(2));
    EXPECT_EQ(map.take(1), 12);
    EXPECT_EQ(map.take(1), std::nullopt);
    EXPECT_TRUE(map.remove(2));
    EXPECT_TRUE(map.empty());
}

TEST(HashMap, StringsAreFoundByViews) {
    HashMap<String, OwnPtr<int>> map;
    for (int i = 0; i < 50; ++i) {
        MUST(map.insert(MUST(String::create(std::to_string(i))), MUST(make_own<int>(i))));
    }
    ASSERT_NE(map.find(std::string_view("17")), nullptr);
    EXPECT_EQ(**map.find(std::string_view("17")), 17);
    EXPECT_EQ(map.find(std::string_view("50")), nullptr);
    HashMap<String, OwnPtr<int>> moved = std::move(map);
    EXPECT_TRUE(map.empty());
    int sum = 0;
    moved.for_each([&](const String&, OwnPtr<int>& value) { sum += *value; });
    EXPECT_EQ(sum, 49 * 50 / 2);
    moved.clear();
    EXPECT_EQ(moved.find(std::string_view("17")), nullptr);
}

TEST(HashMap, ReserveMakesInsertInfallible) {
    HashMap<int, int> map;
    MUST(map.reserve(100));
    const HeapExhausted none_left;
    for (int i = 0; i < 100; ++i) {
        EXPECT_TRUE(map.insert(i, i));
    }
    EXPECT_TRUE(map.set(5, 6));
    EXPECT_EQ(map.reserve(SIZE_MAX).error(), Error::NoMemory);
    EXPECT_EQ(map.reserve(100'000).error(), Error::NoMemory);
}

TEST(HashMap, EveryFailureLeavesItIntact) {
    for_each_allocation_failure([]() -> Result<> {
        HashMap<int, int> map;
        for (int i = 0; i < 100; ++i) {
            const auto inserted = map.insert(i, i);
            EXPECT_EQ(map.size(), static_cast<std::size_t>(inserted ? i + 1 : i));
            for (int k = 0; k < i; ++k) {
                EXPECT_TRUE(map.contains(k));
            }
            TRY(inserted);
        }
        return {};
    });
}

template <class Key>
void compare_with_standard_map(unsigned seed, int key_range) {
    std::mt19937 random(seed);
    HashMap<Key, int> map;
    std::unordered_map<int, int> model;
    for (int step = 0; step < 30'000; ++step) {
        const int key = static_cast<int>(random()) & (key_range - 1);
        const int value = static_cast<int>(random());
        switch (random() % 4) {
            case 0:
                ASSERT_EQ(map.insert(Key{key}, value).has_value(), model.emplace(key, value).second);
                break;
            case 1:
                MUST(map.set(Key{key}, value));
                model[key] = value;
                break;
            default:
                ASSERT_EQ(map.remove(Key{key}), model.erase(key) == 1);
        }
        ASSERT_EQ(map.size(), model.size());
        const int probe = static_cast<int>(random()) & (key_range - 1);
        const auto expected = model.find(probe);
        const int* const found = map.find(Key{probe});
        ASSERT_EQ(found != nullptr, expected != model.end());
        if (found != nullptr) {
            ASSERT_EQ(*found, expected->second);
        }
    }
    std::size_t visited = 0;
    std::as_const(map).for_each([&](const Key&, const int&) { ++visited; });
    EXPECT_EQ(visited, model.size());
}

TEST(HashMap, BehavesLikeTheStandardOne) {
    compare_with_standard_map<int>(4, 1024);
    compare_with_standard_map<int>(5, 16);
    compare_with_standard_map<Clumsy>(6, 64);
}

struct Entry {
    explicit Entry(int k) : key(k) {}
    int key;
    HashNode node;
};
struct KeyOfEntry {
    int operator()(const Entry& entry) const { return entry.key; }
};
using Table = IntrusiveHashTable<Entry, &Entry::node, KeyOfEntry>;

TEST(HashTable, InsertFindRemove) {
    std::deque<Entry> entries;
    Table table;
    for (int i = 0; i < 1000; ++i) {
        table.insert(entries.emplace_back(i));
    }
    EXPECT_EQ(table.size(), 1000u);
    EXPECT_EQ(table.find(500), &entries[500]);
    EXPECT_EQ(table.find(1000), nullptr);
    EXPECT_EQ(table.find_if(hash_value(3), [](const Entry& entry) { return entry.key == 3; }), &entries[3]);
    table.remove(entries[500]);
    EXPECT_EQ(table.find(500), nullptr);
    EXPECT_FALSE(Table::is_linked(entries[500]));
    int visited = 0;
    table.for_each([&](Entry& entry) {
        ++visited;
        if (entry.key % 2 == 0) {
            table.remove(entry);
        }
    });
    EXPECT_EQ(visited, 999);
    EXPECT_EQ(table.size(), 500u);
    EXPECT_EQ(table.find(10), nullptr);
    EXPECT_EQ(table.find(11), &entries[11]);
    table.drain([](Entry&) {});
    EXPECT_TRUE(table.empty());
}

TEST(HashTable, WorksWithoutMemory) {
    std::deque<Entry> entries;
    Table table;
    {
        const HeapExhausted none_left;
        for (int i = 0; i < 100; ++i) {
            table.insert(entries.emplace_back(i));
        }
        for (int i = 0; i < 100; ++i) {
            EXPECT_EQ(table.find(i), &entries[static_cast<std::size_t>(i)]);
        }
        EXPECT_EQ(table.reserve(1000).error(), Error::NoMemory);
    }
    MUST(table.reserve(1000));
    EXPECT_EQ(table.find(77), &entries[77]);
    table.drain([](Entry&) {});
}

TEST(HashTable, SurvivesEveryFailure) {
    for_each_allocation_failure([] {
        std::deque<Entry> entries;
        Table table;
        for (int i = 0; i < 300; ++i) {
            table.insert(entries.emplace_back(i));
        }
        for (int i = 0; i < 300; ++i) {
            EXPECT_EQ(table.find(i), &entries[static_cast<std::size_t>(i)]);
        }
        table.drain([](Entry&) {});
    });
}

TEST(Hash, DependsOnEveryBit) {
    for (int bit = 0; bit < 64; ++bit) {
        const std::uint64_t other = std::uint64_t{1} << bit;
        EXPECT_GT(std::popcount(mix_hash(0x1234) ^ mix_hash(0x1234 ^ other)), 12);
    }
    EXPECT_EQ(hash_value(MUST(String::create("abc"))), hash_value(std::string_view("abc")));
    EXPECT_EQ(hash_value(FixedString<8>::truncated("abc")), hash_value(std::string_view("abc")));
    EXPECT_NE(combine_hashes(1, 2), combine_hashes(2, 1));
    int object = 0;
    EXPECT_EQ(hash_value(&object), hash_value(&object));
}

}  // namespace
}  // namespace kernel
