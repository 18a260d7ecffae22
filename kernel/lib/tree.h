// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "lib/assert.h"
#include "lib/member.h"
#include "lib/types.h"

namespace kernel {

// A place in an IntrusiveTree. Must be unlinked before it is destroyed.
class TreeNode : NonCopyable {
public:
    TreeNode() = default;
    ~TreeNode() { KASSERT(!is_linked()); }

    bool is_linked() const { return height_ != 0; }

private:
    friend class TreeCore;
    template <class T, auto Member, class KeyOf, class Augment>
    friend class IntrusiveTree;

    TreeNode* parent_ = nullptr;
    TreeNode* left_ = nullptr;
    TreeNode* right_ = nullptr;
    std::uint32_t height_ = 0;  // 0: not in a tree
};

// The untyped AVL tree below IntrusiveTree.
class TreeCore : NonCopyable {
public:
    // Recomputes what a node knows about its subtree. Null in trees that keep no such thing.
    using Update = void (*)(TreeNode&);

    void link(TreeNode& node, TreeNode* parent, bool left, Update update);
    void unlink(TreeNode& node, Update update);
    static void update_path(TreeNode* node, Update update);

    TreeNode* root() const { return root_; }
    std::size_t size() const { return size_; }
    static TreeNode* leftmost(TreeNode* node);
    static TreeNode* rightmost(TreeNode* node);
    static TreeNode* next(TreeNode* node);
    static TreeNode* previous(TreeNode* node);

    // Unlinks all nodes without rebalancing and hands each one to f.
    template <class F>
    void drain(F&& f) {
        TreeNode* node = root_;
        root_ = nullptr;
        size_ = 0;
        while (node != nullptr) {
            if (node->left_ != nullptr) {
                node = node->left_;
            } else if (node->right_ != nullptr) {
                node = node->right_;
            } else {
                TreeNode* const parent = node->parent_;
                if (parent != nullptr) {
                    (parent->left_ == node ? parent->left_ : parent->right_) = nullptr;
                }
                node->parent_ = nullptr;
                node->height_ = 0;
                f(*node);
                node = parent;
            }
        }
    }

private:
    static std::uint32_t height(const TreeNode* node) { return node == nullptr ? 0 : node->height_; }
    static void refresh(TreeNode& node, Update update);
    TreeNode*& slot_of(TreeNode& node);
    TreeNode& rotate_left(TreeNode& top, Update update);
    TreeNode& rotate_right(TreeNode& top, Update update);
    TreeNode& balance(TreeNode& node, Update update);
    void rebalance_path(TreeNode* node, Update update);

    TreeNode* root_ = nullptr;
    std::size_t size_ = 0;
};

struct NoAugment {};

// Ordered tree through a TreeNode member of T: IntrusiveTree<Mapping, &Mapping::node, ByStart>, where ByStart is a type
// with `K operator()(const T&) const` and K has <. It never allocates and does not own its elements. Must be empty when
// destroyed. Keys may be equal: equal elements keep the order in which they were inserted. A key must not change order
// while linked.
//
// Augment, if given, keeps a value in each node about its subtree: `static void update(T& element, const T* left, const
// T* right)` recomputes it from the children (null: none). When an element's own contribution changes, call changed().
template <class T, auto Member, class KeyOf, class Augment = NoAugment>
class IntrusiveTree : NonCopyable {
public:
    template <class Element>
    class BasicIterator {
    public:
        using difference_type = std::ptrdiff_t;
        using value_type = T;

        BasicIterator() = default;
        Element& operator*() const { return *owner_of_member<T, Member>(node_); }
        Element* operator->() const { return &**this; }
        BasicIterator& operator++() {
            node_ = TreeCore::next(node_);
            return *this;
        }
        BasicIterator operator++(int) {
            BasicIterator before = *this;
            ++*this;
            return before;
        }
        bool operator==(const BasicIterator&) const = default;

    private:
        friend IntrusiveTree;
        explicit BasicIterator(TreeNode* node) : node_(node) {}
        TreeNode* node_ = nullptr;
    };
    using Iterator = BasicIterator<T>;
    using ConstIterator = BasicIterator<const T>;

    ~IntrusiveTree() { KASSERT(empty()); }

    bool empty() const { return core_.root() == nullptr; }
    std::size_t size() const { return core_.size(); }
    static bool is_linked(const T& element) { return (element.*Member).is_linked(); }

    void insert(T& element) {
        KASSERT(!is_linked(element));
        TreeNode* parent = nullptr;
        bool left = false;
        for (TreeNode* node = core_.root(); node != nullptr;) {
            parent = node;
            left = KeyOf{}(element) < key_of(node);
            node = left ? node->left_ : node->right_;
        }
        core_.link(element.*Member, parent, left, kUpdate);
    }
    // The element is in this tree.
    void remove(T& element) {
        KASSERT(is_linked(element));
        core_.unlink(element.*Member, kUpdate);
    }

    // All return null if there is no such element; of equal ones find and lower_bound return the first.
    template <class K>
    T* find(const K& key) const {
        T* const element = lower_bound(key);
        return element != nullptr && !(key < KeyOf{}(*element)) ? element : nullptr;
    }
    // First element with a key >= `key`.
    template <class K>
    T* lower_bound(const K& key) const {
        TreeNode* best = nullptr;
        for (TreeNode* node = core_.root(); node != nullptr;) {
            if (key_of(node) < key) {
                node = node->right_;
            } else {
                best = node;
                node = node->left_;
            }
        }
        return element_of(best);
    }
    // First element with a key > `key`.
    template <class K>
    T* upper_bound(const K& key) const {
        TreeNode* best = nullptr;
        for (TreeNode* node = core_.root(); node != nullptr;) {
            if (key < key_of(node)) {
                best = node;
                node = node->left_;
            } else {
                node = node->right_;
            }
        }
        return element_of(best);
    }
    // Last element with a key <= `key`.
    template <class K>
    T* at_or_before(const K& key) const {
        TreeNode* best = nullptr;
        for (TreeNode* node = core_.root(); node != nullptr;) {
            if (key < key_of(node)) {
                node = node->left_;
            } else {
                best = node;
                node = node->right_;
            }
        }
        return element_of(best);
    }

    T* first() const { return element_of(TreeCore::leftmost(core_.root())); }
    T* last() const { return element_of(TreeCore::rightmost(core_.root())); }
    T* next(const T& element) const { return element_of(TreeCore::next(node_of(element))); }
    T* previous(const T& element) const { return element_of(TreeCore::previous(node_of(element))); }
    T* prev(const T& element) const { return previous(element); }

    // The shape, for searches that are guided by an Augment.
    T* root() const { return element_of(core_.root()); }
    T* left(const T& element) const { return element_of((element.*Member).left_); }
    T* right(const T& element) const { return element_of((element.*Member).right_); }
    // Brings the augmented values up to date after the element's contribution changed.
    void changed(T& element) { TreeCore::update_path(&(element.*Member), kUpdate); }

    // Unlinks every element, children before parents, and hands it to f, which may destroy it.
    template <class F>
    void drain(F&& f) {
        core_.drain([&f](TreeNode& node) { f(*owner_of_member<T, Member>(&node)); });
    }

    // The element under an iterator may be removed only after the iterator has moved on.
    Iterator begin() { return Iterator(TreeCore::leftmost(core_.root())); }
    Iterator end() { return Iterator(nullptr); }
    ConstIterator begin() const { return ConstIterator(TreeCore::leftmost(core_.root())); }
    ConstIterator end() const { return ConstIterator(nullptr); }

private:
    static T* element_of(TreeNode* node) { return node == nullptr ? nullptr : owner_of_member<T, Member>(node); }
    static decltype(auto) key_of(TreeNode* node) {
        return KeyOf{}(static_cast<const T&>(*owner_of_member<T, Member>(node)));
    }
    // SAFETY: the tree was given its elements as mutable ones; const here means only that the caller does not change
    // the order.
    static TreeNode* node_of(const T& element) { return const_cast<TreeNode*>(&(element.*Member)); }

    static void update_node(TreeNode& node) {
        if constexpr (!std::is_same_v<Augment, NoAugment>) {
            Augment::update(*element_of(&node), static_cast<const T*>(element_of(node.left_)),
                            static_cast<const T*>(element_of(node.right_)));
        }
    }
    static constexpr TreeCore::Update kUpdate = std::is_same_v<Augment, NoAugment> ? nullptr : &update_node;

    TreeCore core_;
};

}  // namespace kernel
