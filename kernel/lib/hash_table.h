// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

#include "lib/assert.h"
#include "lib/hash.h"
#include "lib/heap.h"
#include "lib/member.h"
#include "lib/result.h"
#include "lib/types.h"

namespace kernel {

// A place in an IntrusiveHashTable. Must be unlinked before it is destroyed.
class HashNode : NonCopyable {
public:
    HashNode() = default;
    ~HashNode() { KASSERT(!is_linked()); }

    bool is_linked() const { return slot_ != nullptr; }

private:
    friend class HashTableCore;

    HashNode* next_ = nullptr;
    HashNode** slot_ = nullptr;  // the pointer that points here
    std::uint64_t hash_ = 0;
};

// The untyped table below IntrusiveHashTable.
class HashTableCore : NonCopyable {
public:
    ~HashTableCore();

    void insert(HashNode& node, std::uint64_t hash);
    void remove(HashNode& node);
    HashNode* first(std::uint64_t hash) const { return matching(buckets_[hash & (count_ - 1)], hash); }
    static HashNode* next(const HashNode& node) { return matching(node.next_, node.hash_); }
    std::size_t size() const { return size_; }
    Result<> reserve(std::size_t buckets);
    // The first element of bucket `index` or a later one, in order of buckets.
    HashNode* any_from(std::size_t index) const;
    HashNode* following(const HashNode& node) const;

private:
    static HashNode* matching(HashNode* node, std::uint64_t hash) {
        while (node != nullptr && node->hash_ != hash) {
            node = node->next_;
        }
        return node;
    }
    void link(HashNode& node);
    void release_buckets();

    HashNode* single_ = nullptr;
    HashNode** buckets_ = &single_;
    std::size_t count_ = 1;  // a power of two
    std::size_t size_ = 0;
};

// Chained hash table through a HashNode member of T: IntrusiveHashTable<Dentry, &Dentry::node, KeyOf>, where KeyOf is a
// type with `K operator()(const T&) const`, and hash_value and == know K. Does not own its elements; must be empty when
// destroyed. insert() cannot fail: the table grows when memory allows and is merely slower otherwise.
template <class T, auto Member, class KeyOf>
class IntrusiveHashTable : NonCopyable {
public:
    ~IntrusiveHashTable() { KASSERT(empty()); }

    std::size_t size() const { return core_.size(); }
    bool empty() const { return size() == 0; }
    static bool is_linked(const T& element) { return (element.*Member).is_linked(); }

    // Equal keys are allowed; find() then returns any of them. May allocate.
    void insert(T& element) {
        KASSERT(!is_linked(element));
        core_.insert(element.*Member, hash_value(KeyOf{}(static_cast<const T&>(element))));
    }
    // The element is in this table.
    void remove(T& element) {
        KASSERT(is_linked(element));
        core_.remove(element.*Member);
    }

    template <class K>
    T* find(const K& key) const {
        return find_if(hash_value(key), [&key](const T& element) { return KeyOf{}(element) == key; });
    }
    // For callers that have the hash already or compare in their own way.
    template <class Predicate>
    T* find_if(std::uint64_t hash, Predicate&& matches) const {
        for (HashNode* node = core_.first(hash); node != nullptr; node = HashTableCore::next(*node)) {
            T* const element = owner_of_member<T, Member>(node);
            if (matches(static_cast<const T&>(*element))) {
                return element;
            }
        }
        return nullptr;
    }

    // In no particular order. f may remove the element that it is given, and nothing else.
    template <class F>
    void for_each(F&& f) const {
        for (HashNode* node = core_.any_from(0); node != nullptr;) {
            HashNode* const following = core_.following(*node);
            f(*owner_of_member<T, Member>(node));
            node = following;
        }
    }
    // Unlinks every element and hands it to f, which may destroy it.
    template <class F>
    void drain(F&& f) {
        for_each([this, &f](T& element) {
            remove(element);
            f(element);
        });
    }

    // Room for `elements` without growing.
    Result<> reserve(std::size_t elements) { return core_.reserve(elements); }

private:
    HashTableCore core_;
};

}  // namespace kernel
