// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>

#include "lib/assert.h"
#include "lib/result.h"
#include "lib/types.h"

namespace kernel {

// The untyped radix tree below SparseArray: 64-way, as high as the largest index needs.
class SparseArrayCore : NonCopyable {
public:
    struct Found {
        std::uint64_t index = 0;
        void* value = nullptr;
    };

    SparseArrayCore() = default;
    ~SparseArrayCore() { clear(); }

    void* get(std::uint64_t index) const;
    // `value` is not null. Returns what was there before.
    Result<void*> set(std::uint64_t index, void* value);
    void* erase(std::uint64_t index);
    std::optional<Found> next(std::uint64_t index) const;
    std::size_t size() const { return size_; }
    void clear();
    void swap(SparseArrayCore& other) noexcept;

private:
    struct Node;

    Result<> grow_to_cover(std::uint64_t index);
    void free_empty_path(Node* node);
    void drop_root_levels();
    bool covers(std::uint64_t index) const;

    Node* root_ = nullptr;
    std::size_t size_ = 0;
};

// Maps 64-bit indices to non-null pointers, which it does not own. Dense runs cost about 9 bytes an entry; empty space
// costs nothing. Written both as SparseArray<Folio> and SparseArray<Folio*>.
template <class T>
class SparseArray {
public:
    using Value = std::remove_pointer_t<T>*;
    struct Entry {
        std::uint64_t index = 0;
        Value value = nullptr;
    };

    SparseArray() = default;
    SparseArray(SparseArray&& other) noexcept { core_.swap(other.core_); }
    SparseArray& operator=(SparseArray&& other) noexcept {
        SparseArray(std::move(other)).swap(*this);
        return *this;
    }
    void swap(SparseArray& other) noexcept { core_.swap(other.core_); }

    // Number of present entries.
    std::size_t size() const { return core_.size(); }
    bool empty() const { return size() == 0; }

    // Null if absent.
    Value get(std::uint64_t index) const { return static_cast<Value>(core_.get(index)); }
    // Inserts or replaces. Error::NoMemory leaves the array as it was; replacing cannot fail.
    Result<> set(std::uint64_t index, Value value) {
        TRY(core_.set(index, value));
        return {};
    }
    // Error::Exists if the index is present.
    Result<> insert(std::uint64_t index, Value value) {
        return get(index) != nullptr ? Error::Exists : set(index, value);
    }
    // Returns what was there, null if nothing.
    Value erase(std::uint64_t index) { return static_cast<Value>(core_.erase(index)); }

    // The first present entry at or after `index`.
    std::optional<Entry> next(std::uint64_t index) const {
        const auto found = core_.next(index);
        if (!found) {
            return std::nullopt;
        }
        return Entry{found->index, static_cast<Value>(found->value)};
    }

    // Calls f(index, value) for the present entries of [begin, end) in order. f may change the array.
    template <class F>
    void for_each(std::uint64_t begin, std::uint64_t end, F&& f) const {
        for (auto entry = next(begin); entry && entry->index < end; entry = next(entry->index + 1)) {
            f(entry->index, entry->value);
        }
    }
    template <class F>
    void for_each(F&& f) const {
        for (auto entry = next(0); entry; entry = entry->index == UINT64_MAX ? std::nullopt : next(entry->index + 1)) {
            f(entry->index, entry->value);
        }
    }

    void clear() { core_.clear(); }

private:
    SparseArrayCore core_;
};

}  // namespace kernel
