// SPDX-License-Identifier: MIT OR Apache-2.0
#include "lib/tree.h"

#include <gtest/gtest.h>

#include <bit>
#include <deque>
#include <map>
#include <random>
#include <utility>
#include <vector>

namespace kernel {
namespace {

struct Item {
    explicit Item(int k, int s = 0) : key(k), serial(s) {}
    int key;
    int serial;
    int weight = 1;
    int subtree_weight = 0;
    TreeNode node;
    TreeNode plain_node;
};

struct ByKey {
    int operator()(const Item& item) const { return item.key; }
};
struct SumWeights {
    static void update(Item& item, const Item* left, const Item* right) {
        item.subtree_weight =
            item.weight + (left != nullptr ? left->subtree_weight : 0) + (right != nullptr ? right->subtree_weight : 0);
    }
};
using Tree = IntrusiveTree<Item, &Item::node, ByKey, SumWeights>;
using PlainTree = IntrusiveTree<Item, &Item::plain_node, ByKey>;

// Height of the subtree, or -1 where balance, order or augmentation is wrong.
int checked_height(const Tree& tree, const Item* item) {
    if (item == nullptr) {
        return 0;
    }
    const Item* const left = tree.left(*item);
    const Item* const right = tree.right(*item);
    const int left_height = checked_height(tree, left);
    const int right_height = checked_height(tree, right);
    const bool balanced = left_height >= 0 && right_height >= 0 && std::abs(left_height - right_height) <= 1;
    const bool ordered = (left == nullptr || left->key <= item->key) && (right == nullptr || item->key <= right->key);
    const int sum =
        item->weight + (left != nullptr ? left->subtree_weight : 0) + (right != nullptr ? right->subtree_weight : 0);
    return balanced && ordered && item->subtree_weight == sum ? 1 + std::max(left_height, right_height) : -1;
}

std::vector<int> keys(const auto& tree) {
    std::vector<int> result;
    for (const Item& item : tree) {
        result.push_back(item.key);
    }
    return result;
}

TEST(Tree, EmptyAndSingle) {
    Tree tree;
    EXPECT_TRUE(tree.empty());
    EXPECT_EQ(tree.first(), nullptr);
    EXPECT_EQ(tree.last(), nullptr);
    EXPECT_EQ(tree.find(1), nullptr);
    EXPECT_EQ(tree.begin(), tree.end());
    Item item(5);
    tree.insert(item);
    EXPECT_TRUE(Tree::is_linked(item));
    EXPECT_EQ(tree.first(), &item);
    EXPECT_EQ(tree.last(), &item);
    EXPECT_EQ(tree.root(), &item);
    EXPECT_EQ(tree.next(item), nullptr);
    EXPECT_EQ(tree.previous(item), nullptr);
    EXPECT_EQ(tree.size(), 1u);
    tree.remove(item);
    EXPECT_FALSE(Tree::is_linked(item));
    EXPECT_TRUE(tree.empty());
}

TEST(Tree, Bounds) {
    std::deque<Item> items;
    PlainTree tree;
    for (const int key : {10, 20, 30, 40}) {
        tree.insert(items.emplace_back(key));
    }
    EXPECT_EQ(tree.lower_bound(20)->key, 20);
    EXPECT_EQ(tree.lower_bound(21)->key, 30);
    EXPECT_EQ(tree.lower_bound(41), nullptr);
    EXPECT_EQ(tree.upper_bound(20)->key, 30);
    EXPECT_EQ(tree.upper_bound(40), nullptr);
    EXPECT_EQ(tree.at_or_before(20)->key, 20);
    EXPECT_EQ(tree.at_or_before(19)->key, 10);
    EXPECT_EQ(tree.at_or_before(9), nullptr);
    EXPECT_EQ(tree.find(30)->key, 30);
    EXPECT_EQ(tree.find(31), nullptr);
    EXPECT_EQ(tree.prev(*tree.find(30))->key, 20);
    EXPECT_EQ(keys(tree), (std::vector{10, 20, 30, 40}));
    tree.drain([](Item& item) { EXPECT_FALSE(PlainTree::is_linked(item)); });
    EXPECT_TRUE(tree.empty());
    EXPECT_EQ(tree.size(), 0u);
}

TEST(Tree, EqualKeysKeepTheirOrder) {
    std::deque<Item> items;
    Tree tree;
    for (int serial = 0; serial < 50; ++serial) {
        tree.insert(items.emplace_back(serial % 3, serial));
    }
    EXPECT_EQ(tree.find(1)->serial, 1);
    EXPECT_EQ(tree.lower_bound(2)->serial, 2);
    EXPECT_EQ(tree.upper_bound(0)->serial, 1);
    int before = -1;
    for (Item* item = tree.find(0); item != nullptr && item->key == 0; item = tree.next(*item)) {
        EXPECT_GT(item->serial, before);
        before = item->serial;
    }
    tree.drain([](Item&) {});
}

TEST(Tree, HeightIsLogarithmic) {
    std::deque<Item> items;
    Tree tree;
    for (int key = 0; key < 10'000; ++key) {
        tree.insert(items.emplace_back(key));
    }
    const int height = checked_height(tree, tree.root());
    EXPECT_GT(height, 0);
    EXPECT_LE(height, 19);  // 1.44 log2(n)
    EXPECT_EQ(tree.root()->subtree_weight, 10'000);
    tree.find(77)->weight = 100;
    tree.changed(*tree.find(77));
    EXPECT_EQ(tree.root()->subtree_weight, 10'099);
    tree.drain([](Item&) {});
}

TEST(Tree, BehavesLikeTheStandardMultimap) {
    std::mt19937 random(3);
    std::deque<Item> storage;
    std::vector<Item*> spare;
    for (int i = 0; i < 400; ++i) {
        spare.push_back(&storage.emplace_back(0, i));
    }
    Tree tree;
    PlainTree plain;
    std::multimap<int, Item*> model;
    for (int step = 0; step < 30'000; ++step) {
        const bool filling = step / 3000 % 2 == 0;
        if (!spare.empty() && (model.empty() || random() % 5 < (filling ? 3u : 2u))) {
            const std::size_t pick = random() % spare.size();
            Item* const item = std::exchange(spare[pick], spare.back());
            spare.pop_back();
            item->key = static_cast<int>(random() % 200);
            item->weight = static_cast<int>(random() % 10);
            tree.insert(*item);
            plain.insert(*item);
            model.emplace(item->key, item);
        } else {
            auto victim = model.lower_bound(static_cast<int>(random() % 200));
            if (victim == model.end()) {
                victim = model.begin();
            }
            tree.remove(*victim->second);
            plain.remove(*victim->second);
            spare.push_back(victim->second);
            model.erase(victim);
        }
        ASSERT_EQ(tree.size(), model.size());
        const int key = static_cast<int>(random() % 200);
        const auto expected = [&](auto position) { return position == model.end() ? nullptr : position->second; };
        ASSERT_EQ(tree.lower_bound(key), expected(model.lower_bound(key)));
        ASSERT_EQ(plain.lower_bound(key), expected(model.lower_bound(key)));
        ASSERT_EQ(tree.upper_bound(key), expected(model.upper_bound(key)));
        ASSERT_EQ(tree.find(key), model.contains(key) ? model.lower_bound(key)->second : nullptr);
        if (step % 100 == 0) {
            ASSERT_GE(checked_height(tree, tree.root()), 0);
            Item* forward = tree.first();
            for (const auto& entry : model) {
                ASSERT_EQ(forward, entry.second);
                forward = tree.next(*forward);
            }
            Item* backward = plain.last();
            for (auto entry = model.rbegin(); entry != model.rend(); ++entry) {
                ASSERT_EQ(backward, entry->second);
                backward = plain.previous(*backward);
            }
            ASSERT_EQ(backward, nullptr);
        }
    }
    tree.drain([](Item&) {});
    plain.drain([](Item&) {});
}

TEST(TreeDeathTest, Misuse) {
    Tree tree;
    Item item(1);
    EXPECT_DEATH(tree.remove(item), "assertion failed: is_linked");
    tree.insert(item);
    EXPECT_DEATH(tree.insert(item), "assertion failed: !is_linked");
    EXPECT_DEATH(
        {
            Item gone(2);
            tree.insert(gone);
        },
        "assertion failed: !is_linked");
    tree.remove(item);
}

}  // namespace
}  // namespace kernel
