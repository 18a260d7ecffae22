// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstddef>
#include <limits>
#include <memory>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

#include "lib/assert.h"
#include "lib/heap.h"
#include "lib/result.h"
#include "lib/types.h"

namespace kernel {

// Growing array. Whatever may allocate returns Error::NoMemory and then leaves the vector as it was.
template <class T>
class Vector {
    static_assert(std::is_nothrow_move_constructible_v<T> || std::is_move_constructible_v<T>);

public:
    Vector() = default;
    Vector(Vector&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)),
          size_(std::exchange(other.size_, 0)),
          capacity_(std::exchange(other.capacity_, 0)) {}
    Vector(const Vector&) = delete;
    Vector& operator=(const Vector&) = delete;
    Vector& operator=(Vector&& other) noexcept {
        Vector(std::move(other)).swap(*this);
        return *this;
    }
    ~Vector() {
        clear();
        free_block(data_, capacity_);
    }

    void swap(Vector& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        std::swap(capacity_, other.capacity_);
    }

    Result<Vector> clone() const
        requires std::is_copy_constructible_v<T>
    {
        Vector copy;
        TRY(copy.append(span()));
        return copy;
    }

    std::size_t size() const { return size_; }
    std::size_t capacity() const { return capacity_; }
    bool empty() const { return size_ == 0; }
    T* data() { return data_; }
    const T* data() const { return data_; }
    T* begin() { return data_; }
    T* end() { return data_ + size_; }
    const T* begin() const { return data_; }
    const T* end() const { return data_ + size_; }
    std::span<T> span() { return {data_, size_}; }
    std::span<const T> span() const { return {data_, size_}; }

    T& operator[](std::size_t index) {
        KASSERT(index < size_);
        return data_[index];
    }
    const T& operator[](std::size_t index) const {
        KASSERT(index < size_);
        return data_[index];
    }
    T& front() { return (*this)[0]; }
    const T& front() const { return (*this)[0]; }
    T& back() { return (*this)[size_ - 1]; }
    const T& back() const { return (*this)[size_ - 1]; }

    // Makes room for `capacity` elements in all, so that adding up to there cannot fail.
    Result<> reserve(std::size_t capacity) {
        if (capacity <= capacity_) {
            return {};
        }
        return reallocate(capacity);
    }

    Result<> push_back(T value) {
        TRY(grow_for(1));
        std::construct_at(data_ + size_, std::move(value));
        ++size_;
        return {};
    }
    template <class... Args>
    Result<T*> emplace_back(Args&&... args) {
        TRY(grow_for(1));
        T* element = std::construct_at(data_ + size_, std::forward<Args>(args)...);
        ++size_;
        return element;
    }
    // `values` is not part of this vector.
    Result<> append(std::span<const T> values)
        requires std::is_copy_constructible_v<T>
    {
        TRY(grow_for(values.size()));
        for (const T& value : values) {
            std::construct_at(data_ + size_, value);
            ++size_;
        }
        return {};
    }
    // In front of element `index`, or at the end for index == size().
    Result<> insert(std::size_t index, T value) {
        KASSERT(index <= size_);
        TRY(grow_for(1));
        if (index == size_) {
            std::construct_at(data_ + size_, std::move(value));
        } else {
            std::construct_at(data_ + size_, std::move(data_[size_ - 1]));
            for (std::size_t i = size_ - 1; i > index; --i) {
                data_[i] = std::move(data_[i - 1]);
            }
            data_[index] = std::move(value);
        }
        ++size_;
        return {};
    }

    void pop_back() {
        KASSERT(size_ != 0);
        --size_;
        std::destroy_at(data_ + size_);
    }
    T take_back() {
        T value = std::move(back());
        pop_back();
        return value;
    }
    void erase(std::size_t index) { erase(index, 1); }
    void erase(std::size_t index, std::size_t count) {
        KASSERT(index <= size_ && count <= size_ - index);
        for (std::size_t i = index; i + count < size_; ++i) {
            data_[i] = std::move(data_[i + count]);
        }
        shrink(size_ - count);
    }
    // Constant time; the last element takes the erased one's place.
    void erase_unordered(std::size_t index) {
        KASSERT(index < size_);
        if (index != size_ - 1) {
            data_[index] = std::move(data_[size_ - 1]);
        }
        pop_back();
    }

    // New elements are value-initialised.
    Result<> resize(std::size_t size)
        requires std::is_default_constructible_v<T>
    {
        if (size > size_) {
            TRY(grow_for(size - size_));
            while (size_ < size) {
                std::construct_at(data_ + size_);
                ++size_;
            }
        } else {
            shrink(size);
        }
        return {};
    }
    void shrink(std::size_t size) {
        KASSERT(size <= size_);
        while (size_ > size) {
            pop_back();
        }
    }
    // Keeps the memory.
    void clear() { shrink(0); }

private:
    static constexpr std::size_t kMaximum =
        static_cast<std::size_t>(std::numeric_limits<std::ptrdiff_t>::max()) / sizeof(T);

    static void free_block(T* block, std::size_t capacity) { heap_free(block, capacity * sizeof(T), alignof(T)); }

    Result<> grow_for(std::size_t extra) {
        const auto needed = checked_add(size_, extra);
        if (!needed) {
            return Error::NoMemory;
        }
        if (*needed <= capacity_) {
            return {};
        }
        const std::size_t doubled = capacity_ * 2;
        const std::size_t minimum = sizeof(T) > 64 ? 1 : 64 / sizeof(T);
        const std::size_t wanted = doubled > minimum ? doubled : minimum;
        return reallocate(*needed > wanted ? *needed : wanted);
    }

    Result<> reallocate(std::size_t capacity) {
        if (capacity > kMaximum) {
            return Error::NoMemory;
        }
        T* const block = static_cast<T*>(TRY(heap_allocate(capacity * sizeof(T), alignof(T))));
        for (std::size_t i = 0; i < size_; ++i) {
            std::construct_at(block + i, std::move(data_[i]));
            std::destroy_at(data_ + i);
        }
        free_block(std::exchange(data_, block), std::exchange(capacity_, capacity));
        return {};
    }

    T* data_ = nullptr;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
};

}  // namespace kernel
