// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "lib/assert.h"
#include "lib/hash.h"
#include "lib/heap.h"
#include "lib/result.h"
#include "lib/types.h"

namespace kernel {

// Open addressing with linear probing. Whatever may allocate returns Error::NoMemory and then leaves the map as it was.
// Pointers to keys and values stay valid until the next insertion or removal. Lookups take every type that hash_value
// and == know beside K, such as a string_view for a String.
template <class K, class V>
class HashMap {
public:
    struct Entry {
        K key;
        V value;
    };

    HashMap() = default;
    HashMap(HashMap&& other) noexcept { swap(other); }
    HashMap(const HashMap&) = delete;
    HashMap& operator=(const HashMap&) = delete;
    HashMap& operator=(HashMap&& other) noexcept {
        HashMap(std::move(other)).swap(*this);
        return *this;
    }
    ~HashMap() {
        clear();
        heap_free(slots_, capacity_ * sizeof(Slot), alignof(Slot));
    }

    void swap(HashMap& other) noexcept {
        std::swap(slots_, other.slots_);
        std::swap(capacity_, other.capacity_);
        std::swap(size_, other.size_);
    }

    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }

    // Null if absent.
    template <class Key>
    V* find(const Key& key) {
        Slot* const slot = find_slot(key);
        return slot == nullptr ? nullptr : &slot->entry.value;
    }
    template <class Key>
    const V* find(const Key& key) const {
        const Slot* const slot = find_slot(key);
        return slot == nullptr ? nullptr : &slot->entry.value;
    }
    template <class Key>
    bool contains(const Key& key) const {
        return find_slot(key) != nullptr;
    }

    // Error::Exists, with the map unchanged, if the key is present. Returns the value's place.
    Result<V*> insert(K key, V value) {
        if (contains(key)) {
            return Error::Exists;
        }
        return &TRY(add(std::move(key), std::move(value)))->entry.value;
    }
    // Inserts or replaces. Replacing cannot fail.
    Result<V*> set(K key, V value) {
        if (V* const present = find(key); present != nullptr) {
            *present = std::move(value);
            return present;
        }
        return &TRY(add(std::move(key), std::move(value)))->entry.value;
    }

    // Tells whether the key was present.
    template <class Key>
    bool remove(const Key& key) {
        return take(key).has_value();
    }
    template <class Key>
    std::optional<V> take(const Key& key) {
        Slot* const slot = find_slot(key);
        if (slot == nullptr) {
            return std::nullopt;
        }
        std::optional<V> value(std::move(slot->entry.value));
        vacate(static_cast<std::size_t>(slot - slots_));
        return value;
    }

    // In no particular order: f(const K&, V&). f does not change the map.
    template <class F>
    void for_each(F&& f) {
        for (std::size_t i = 0; i < capacity_; ++i) {
            if (slots_[i].hash != kVacant) {
                f(static_cast<const K&>(slots_[i].entry.key), slots_[i].entry.value);
            }
        }
    }
    template <class F>
    void for_each(F&& f) const {
        for (std::size_t i = 0; i < capacity_; ++i) {
            if (slots_[i].hash != kVacant) {
                f(static_cast<const K&>(slots_[i].entry.key), static_cast<const V&>(slots_[i].entry.value));
            }
        }
    }

    // Room for `count` entries in all, so that inserting up to there cannot fail.
    Result<> reserve(std::size_t count) {
        std::size_t capacity = kMinimumCapacity;
        while (capacity - capacity / 4 < count) {
            const auto doubled = checked_multiply(capacity, 2);
            if (!doubled) {
                return Error::NoMemory;
            }
            capacity = *doubled;
        }
        return capacity > capacity_ ? rehash(capacity) : Result<>();
    }

    // Keeps the memory.
    void clear() {
        for (std::size_t i = 0; i < capacity_; ++i) {
            if (slots_[i].hash != kVacant) {
                std::destroy_at(&slots_[i].entry);
                slots_[i].hash = kVacant;
            }
        }
        size_ = 0;
    }

private:
    static constexpr std::size_t kMinimumCapacity = 8;
    static constexpr std::uint64_t kVacant = 0;

    struct Slot {
        Slot() {}
        ~Slot() {}
        std::uint64_t hash = kVacant;
        union {
            Entry entry;  // alive while hash is not kVacant
        };
    };

    template <class Key>
    static std::uint64_t hash_of(const Key& key) {
        return hash_value(key) | 1;
    }
    // The lowest bit says "occupied", so it does not choose the place.
    std::size_t home_of(std::uint64_t hash) const { return static_cast<std::size_t>(hash >> 1) & (capacity_ - 1); }
    std::size_t following(std::size_t index) const { return (index + 1) & (capacity_ - 1); }

    template <class Key>
    Slot* find_slot(const Key& key) const {
        if (size_ == 0) {
            return nullptr;
        }
        const std::uint64_t hash = hash_of(key);
        for (std::size_t i = home_of(hash); slots_[i].hash != kVacant; i = following(i)) {
            if (slots_[i].hash == hash && slots_[i].entry.key == key) {
                return &slots_[i];
            }
        }
        return nullptr;
    }

    Slot* place(std::uint64_t hash, K&& key, V&& value) {
        std::size_t i = home_of(hash);
        while (slots_[i].hash != kVacant) {
            i = following(i);
        }
        ::new (static_cast<void*>(&slots_[i].entry)) Entry{std::move(key), std::move(value)};
        slots_[i].hash = hash;
        ++size_;
        return &slots_[i];
    }

    Result<Slot*> add(K key, V value) {
        TRY(reserve(size_ + 1));
        return place(hash_of(key), std::move(key), std::move(value));
    }

    Result<> rehash(std::size_t capacity) {
        const auto bytes = checked_multiply(capacity, sizeof(Slot));
        if (!bytes) {
            return Error::NoMemory;
        }
        Slot* const slots = static_cast<Slot*>(TRY(heap_allocate(*bytes, alignof(Slot))));
        for (std::size_t i = 0; i < capacity; ++i) {
            std::construct_at(slots + i);
        }
        HashMap old;
        swap(old);
        slots_ = slots;
        capacity_ = capacity;
        for (std::size_t i = 0; i < old.capacity_; ++i) {
            if (old.slots_[i].hash != kVacant) {
                place(old.slots_[i].hash, std::move(old.slots_[i].entry.key), std::move(old.slots_[i].entry.value));
            }
        }
        return {};
    }

    // Closes the gap by moving back what was pushed behind it, so that no marks of removed entries pile up.
    void vacate(std::size_t gap) {
        std::destroy_at(&slots_[gap].entry);
        slots_[gap].hash = kVacant;
        --size_;
        for (std::size_t i = following(gap); slots_[i].hash != kVacant; i = following(i)) {
            const std::size_t distance_from_home = (i - home_of(slots_[i].hash)) & (capacity_ - 1);
            const std::size_t distance_from_gap = (i - gap) & (capacity_ - 1);
            if (distance_from_home >= distance_from_gap) {
                ::new (static_cast<void*>(&slots_[gap].entry)) Entry(std::move(slots_[i].entry));
                slots_[gap].hash = slots_[i].hash;
                std::destroy_at(&slots_[i].entry);
                slots_[i].hash = kVacant;
                gap = i;
            }
        }
    }

    Slot* slots_ = nullptr;
    std::size_t capacity_ = 0;  // a power of two, or 0
    std::size_t size_ = 0;
};

}  // namespace kernel
