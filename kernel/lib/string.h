// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <utility>

#include "lib/assert.h"
#include "lib/result.h"

namespace kernel {

// Owned text of any length, NUL-terminated for those who want it; may contain NULs. Whatever may allocate returns
// Error::NoMemory and then leaves the string as it was. Arguments may be views of the same string.
class String {
public:
    String() = default;
    String(String&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)),
          size_(std::exchange(other.size_, 0)),
          capacity_(std::exchange(other.capacity_, 0)) {}
    String(const String&) = delete;
    String& operator=(const String&) = delete;
    String& operator=(String&& other) noexcept {
        String(std::move(other)).swap(*this);
        return *this;
    }
    ~String() { free_block(); }

    static Result<String> create(std::string_view text);
    Result<String> clone() const { return create(view()); }

    void swap(String& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        std::swap(capacity_, other.capacity_);
    }

    Result<> append(std::string_view text);
    Result<> append(char character) { return append(std::string_view(&character, 1)); }
    Result<> assign(std::string_view text);
    // Room for `size` characters in all.
    Result<> reserve(std::size_t size);
    // New characters are NULs.
    Result<> resize(std::size_t size);
    // Keeps the memory.
    void clear() { truncate(0); }
    void truncate(std::size_t size);

    std::string_view view() const { return {data_, size_}; }
    operator std::string_view() const { return view(); }
    const char* c_str() const { return data_ == nullptr ? "" : data_; }
    // size() writable characters; null if nothing was ever stored.
    char* data() { return data_; }
    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    char operator[](std::size_t index) const {
        KASSERT(index < size_);
        return data_[index];
    }

    friend bool operator==(const String& left, const String& right) { return left.view() == right.view(); }
    friend bool operator==(const String& left, std::string_view right) { return left.view() == right; }
    friend bool operator==(const String& left, const char* right) { return left.view() == right; }

private:
    void free_block();

    char* data_ = nullptr;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;  // without the terminating NUL
};

// Text of at most N characters, stored in place and NUL-terminated.
template <std::size_t N>
class FixedString {
public:
    static constexpr std::size_t kCapacity = N;

    constexpr FixedString() = default;

    // Error::NameTooLong
    static constexpr Result<FixedString> create(std::string_view text) {
        FixedString result;
        TRY(result.append(text));
        return result;
    }
    // The first N characters.
    static constexpr FixedString truncated(std::string_view text) {
        FixedString result;
        result.copy(text.substr(0, N));
        return result;
    }

    // Error::NameTooLong, nothing appended.
    constexpr Result<> append(std::string_view text) {
        if (text.size() > N - size_) {
            return Error::NameTooLong;
        }
        copy(text);
        return {};
    }
    constexpr void clear() {
        size_ = 0;
        data_[0] = '\0';
    }

    constexpr std::string_view view() const { return {data_.data(), size_}; }
    constexpr operator std::string_view() const { return view(); }
    constexpr const char* c_str() const { return data_.data(); }
    constexpr std::size_t size() const { return size_; }
    constexpr bool empty() const { return size_ == 0; }

    friend constexpr bool operator==(const FixedString& left, const FixedString& right) {
        return left.view() == right.view();
    }
    friend constexpr bool operator==(const FixedString& left, std::string_view right) { return left.view() == right; }
    friend constexpr bool operator==(const FixedString& left, const char* right) { return left.view() == right; }

private:
    constexpr void copy(std::string_view text) {
        for (const char character : text) {
            data_[size_++] = character;
        }
        data_[size_] = '\0';
    }

    std::array<char, N + 1> data_{};
    std::size_t size_ = 0;
};

}  // namespace kernel
