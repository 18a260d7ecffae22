// SPDX-License-Identifier: MIT OR Apache-2.0
#include "lib/hash_table.h"

namespace kernel {

HashTableCore::~HashTableCore() {
    release_buckets();
}

void HashTableCore::release_buckets() {
    if (buckets_ != &single_) {
        heap_free(static_cast<void*>(buckets_), count_ * sizeof(HashNode*), alignof(HashNode*));
    }
}

void HashTableCore::link(HashNode& node) {
    HashNode*& bucket = buckets_[node.hash_ & (count_ - 1)];
    node.next_ = bucket;
    node.slot_ = &bucket;
    if (bucket != nullptr) {
        bucket->slot_ = &node.next_;
    }
    bucket = &node;
}

void HashTableCore::insert(HashNode& node, std::uint64_t hash) {
    if (size_ >= count_) {
        // Without memory the chains get longer; the next insertion tries again.
        static_cast<void>(reserve(count_ * 2));
    }
    node.hash_ = hash;
    link(node);
    ++size_;
}

void HashTableCore::remove(HashNode& node) {
    *node.slot_ = node.next_;
    if (node.next_ != nullptr) {
        node.next_->slot_ = node.slot_;
    }
    node.next_ = nullptr;
    node.slot_ = nullptr;
    --size_;
}

Result<> HashTableCore::reserve(std::size_t buckets) {
    constexpr std::size_t kMinimum = 16;
    std::size_t count = kMinimum;
    while (count < buckets) {
        const auto doubled = checked_multiply(count, 2);
        if (!doubled) {
            return Error::NoMemory;
        }
        count = *doubled;
    }
    if (count <= count_) {
        return {};
    }
    const auto bytes = checked_multiply(count, sizeof(HashNode*));
    if (!bytes) {
        return Error::NoMemory;
    }
    HashNode** const fresh = static_cast<HashNode**>(TRY(heap_allocate(*bytes, alignof(HashNode*))));
    std::uninitialized_fill_n(fresh, count, nullptr);

    HashNode** const old = std::exchange(buckets_, fresh);
    const std::size_t old_count = std::exchange(count_, count);
    for (std::size_t i = 0; i < old_count; ++i) {
        for (HashNode* node = old[i]; node != nullptr;) {
            HashNode* const following = node->next_;
            link(*node);
            node = following;
        }
    }
    if (old != &single_) {
        heap_free(static_cast<void*>(old), old_count * sizeof(HashNode*), alignof(HashNode*));
    }
    single_ = nullptr;
    return {};
}

HashNode* HashTableCore::any_from(std::size_t index) const {
    for (; index < count_; ++index) {
        if (buckets_[index] != nullptr) {
            return buckets_[index];
        }
    }
    return nullptr;
}

HashNode* HashTableCore::following(const HashNode& node) const {
    return node.next_ != nullptr ? node.next_ : any_from((node.hash_ & (count_ - 1)) + 1);
}

}  // namespace kernel
