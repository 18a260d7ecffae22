// SPDX-License-Identifier: MIT OR Apache-2.0
#include "lib/list.h"

#include <gtest/gtest.h>

#include <array>
#include <utility>
#include <vector>

namespace kernel {
namespace {

struct Base {
    virtual ~Base() = default;
    int before = 0;
    ListNode base_node;
};

struct Item : Base {
    explicit Item(int number) : value(number) {}
    int value;
    ListNode node;
};

using List = IntrusiveList<Item, &Item::node>;
using BaseNodeList = IntrusiveList<Item, &Item::base_node>;

template <class AnyList>
std::vector<int> values(const AnyList& list) {
    std::vector<int> result;
    for (const Item& item : list) {
        result.push_back(item.value);
    }
    return result;
}

class ListTest : public testing::Test {
protected:
    ~ListTest() override {
        list.drain([](Item&) {});
        other.drain([](Item&) {});
    }
    std::array<Item, 5> items{Item(0), Item(1), Item(2), Item(3), Item(4)};
    List list;
    List other;
};

TEST_F(ListTest, PushAndPopAtBothEnds) {
    EXPECT_TRUE(list.empty());
    EXPECT_EQ(list.front(), nullptr);
    EXPECT_EQ(list.pop_back(), nullptr);
    list.push_back(items[1]);
    list.push_back(items[2]);
    list.push_front(items[0]);
    EXPECT_EQ(values(list), (std::vector{0, 1, 2}));
    EXPECT_EQ(list.count(), 3u);
    EXPECT_EQ(list.front(), &items[0]);
    EXPECT_EQ(list.back(), &items[2]);
    EXPECT_EQ(list.pop_front(), &items[0]);
    EXPECT_EQ(list.pop_back(), &items[2]);
    EXPECT_FALSE(List::is_linked(items[0]));
    EXPECT_TRUE(List::is_linked(items[1]));
}

TEST_F(ListTest, InsertAndRemoveInTheMiddle) {
    list.push_back(items[0]);
    list.push_back(items[4]);
    list.insert_before(items[4], items[3]);
    list.insert_after(items[0], items[1]);
    EXPECT_EQ(values(list), (std::vector{0, 1, 3, 4}));
    EXPECT_EQ(list.next(items[1]), &items[3]);
    EXPECT_EQ(list.previous(items[1]), &items[0]);
    EXPECT_EQ(list.next(items[4]), nullptr);
    EXPECT_EQ(list.previous(items[0]), nullptr);
    list.remove(items[1]);
    EXPECT_EQ(values(list), (std::vector{0, 3, 4}));
    list.push_front(items[1]);
    EXPECT_EQ(values(list), (std::vector{1, 0, 3, 4}));
}

TEST_F(ListTest, Splice) {
    list.push_back(items[0]);
    other.push_back(items[1]);
    other.push_back(items[2]);
    list.splice_back(other);
    EXPECT_TRUE(other.empty());
    EXPECT_EQ(values(list), (std::vector{0, 1, 2}));
    list.splice_back(other);
    other.splice_back(list);
    EXPECT_EQ(values(other), (std::vector{0, 1, 2}));
    EXPECT_TRUE(list.empty());
}

TEST_F(ListTest, RemoveIf) {
    for (Item& item : items) {
        list.push_back(item);
    }
    std::vector<int> removed;
    list.remove_if([](const Item& item) { return item.value % 2 == 0; },
                   [&](Item& item) { removed.push_back(item.value); });
    EXPECT_EQ(removed, (std::vector{0, 2, 4}));
    EXPECT_EQ(values(list), (std::vector{1, 3}));
}

TEST_F(ListTest, NodeOfABaseClass) {
    BaseNodeList by_base;
    by_base.push_back(items[2]);
    by_base.push_back(items[1]);
    list.push_back(items[2]);
    EXPECT_EQ(values(by_base), (std::vector{2, 1}));
    EXPECT_EQ(by_base.pop_front(), &items[2]);
    EXPECT_EQ(by_base.pop_front(), &items[1]);
}

TEST_F(ListTest, IterationIsMutable) {
    list.push_back(items[0]);
    for (Item& item : list) {
        item.value = 77;
    }
    for (auto i = list.begin(); i != list.end(); i++) {
        EXPECT_EQ(i->value, 77);
    }
}

TEST_F(ListTest, DeathOfMisuse) {
    list.push_back(items[0]);
    EXPECT_DEATH(list.push_back(items[0]), "assertion failed: !is_linked");
    EXPECT_DEATH(list.remove(items[1]), "assertion failed: is_linked");
    EXPECT_DEATH(
        {
            List full;
            full.push_back(items[1]);
        },
        "assertion failed: empty");
    EXPECT_DEATH(
        {
            Item gone(9);
            list.push_back(gone);
        },
        "assertion failed: !is_linked");
}

}  // namespace
}  // namespace kernel
