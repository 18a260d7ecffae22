// SPDX-License-Identifier: MIT OR Apache-2.0
#include "core/mm/amap.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "support/memory.h"

namespace kernel::mm {
namespace {

class AmapTest : public test_support::MemoryTest {};

void put(Amap& map, std::uint64_t page) {
    ASSERT_TRUE(map.prepare(page, 1));
    const FrameRef before = map.install(page, MUST(allocate_user_frame(Zeroing::None)));
}

TEST_F(AmapTest, FindsWhatWasInstalled) {
    Amap map;
    EXPECT_FALSE(map.find(5));
    put(map, 5);
    put(map, Amap::kPageLimit - 1);
    ASSERT_TRUE(map.find(5));
    EXPECT_TRUE(map.find(5)->exclusive);
    EXPECT_FALSE(map.find(6));
    EXPECT_EQ(map.next_present(0, Amap::kPageLimit), 5U);
    EXPECT_EQ(map.next_present(6, Amap::kPageLimit), Amap::kPageLimit - 1);
    EXPECT_EQ(map.next_present(6, Amap::kPageLimit - 1), std::nullopt);
    EXPECT_EQ(map.count(0, Amap::kPageLimit), 2U);
}

TEST_F(AmapTest, CopiesShareUntilChanged) {
    Amap parent;
    for (std::uint64_t page = 0; page < 200; ++page) {
        put(parent, 1000 + page);
    }
    Amap child;
    child.share(parent);
    EXPECT_FALSE(parent.find(1100)->exclusive);
    EXPECT_EQ(child.find(1100)->frame, parent.find(1100)->frame);
    put(child, 1100);
    EXPECT_TRUE(child.find(1100)->exclusive);
    EXPECT_FALSE(child.find(1101)->exclusive);
    EXPECT_NE(child.find(1100)->frame, parent.find(1100)->frame);
    child.clear();
    ASSERT_TRUE(parent.prepare(1000, 200));
    for (std::uint64_t page = 0; page < 200; ++page) {
        EXPECT_TRUE(parent.find(1000 + page)->exclusive);
    }
}

TEST_F(AmapTest, ErasesRangesAsAModelDoes) {
    std::mt19937_64 random(3);
    struct Pair {
        Amap map;
        std::map<std::uint64_t, FrameNumber> model;
    };
    std::vector<std::unique_ptr<Pair>> spaces;
    spaces.push_back(std::make_unique<Pair>());
    for (int step = 0; step < 4000; ++step) {
        Pair& pair = *spaces[random() % spaces.size()];
        const std::uint64_t first = random() % 2 == 0 ? random() % 600 : 70'000 + random() % 5000;
        const std::uint64_t pages = 1 + random() % (random() % 10 == 0 ? 6000 : 90);
        switch (random() % 8) {
            case 0:
                if (spaces.size() < 5) {
                    auto copy = std::make_unique<Pair>();
                    copy->map.share(pair.map);
                    copy->model = pair.model;
                    spaces.push_back(std::move(copy));
                }
                break;
            case 1:
                if (spaces.size() > 1) {
                    std::swap(spaces[random() % spaces.size()], spaces.back());
                    spaces.pop_back();
                }
                break;
            case 2: {
                const auto low = pair.model.lower_bound(first);
                const auto high = pair.model.lower_bound(first + pages);
                const auto expected = static_cast<std::uint64_t>(std::distance(low, high));
                EXPECT_EQ(pair.map.count(first, pages), expected);
                ASSERT_TRUE(pair.map.prepare_erase(first, pages));
                EXPECT_EQ(pair.map.erase(first, pages), expected);
                pair.model.erase(low, high);
                break;
            }
            default:
                put(pair.map, first);
                pair.model[first] = pair.map.find(first)->frame;
                break;
        }
        for (const auto& space : spaces) {
            std::uint64_t page = 0;
            for (const auto& [expected, frame] : space->model) {
                if (random() % 16 != 0) {
                    continue;
                }
                ASSERT_EQ(space->map.find(expected)->frame, frame);
            }
            const auto found = space->map.next_present(page, Amap::kPageLimit);
            EXPECT_EQ(found, space->model.empty() ? std::nullopt : std::optional(space->model.begin()->first));
        }
    }
}

TEST_F(AmapTest, SurvivesEveryAllocationFailure) {
    test_support::for_each_allocation_failure([]() -> Result<> {
        Amap parent;
        for (std::uint64_t page = 0; page < 3; ++page) {
            TRY(parent.prepare(page * 5000, 2));
            const FrameRef before = parent.install(page * 5000, TRY(allocate_user_frame(Zeroing::None)));
        }
        Amap child;
        child.share(parent);
        TRY(child.prepare(5000, 1));
        TRY(child.prepare_erase(1, 9000));
        child.erase(1, 9000);
        return {};
    });
}

}  // namespace
}  // namespace kernel::mm
