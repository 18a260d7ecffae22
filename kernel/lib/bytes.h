// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

#include "lib/assert.h"

namespace kernel {

// The spans do not overlap; `destination` is at least as long as `source`.
inline void copy_bytes(std::span<std::byte> destination, std::span<const std::byte> source) {
    KASSERT(source.size() <= destination.size());
    if (!source.empty()) {
        __builtin_memcpy(destination.data(), source.data(), source.size());
    }
}

// Like copy_bytes; the spans may overlap.
inline void move_bytes(std::span<std::byte> destination, std::span<const std::byte> source) {
    KASSERT(source.size() <= destination.size());
    if (!source.empty()) {
        __builtin_memmove(destination.data(), source.data(), source.size());
    }
}

inline void fill_bytes(std::span<std::byte> bytes, std::byte value) {
    if (!bytes.empty()) {
        __builtin_memset(bytes.data(), static_cast<int>(value), bytes.size());
    }
}

inline void zero(std::span<std::byte> bytes) {
    fill_bytes(bytes, std::byte{0});
}

inline bool equal_bytes(std::span<const std::byte> left, std::span<const std::byte> right) {
    return left.size() == right.size() &&
           (left.empty() || __builtin_memcmp(left.data(), right.data(), left.size()) == 0);
}

// The object representation of a value, for copying it in and out. Padding is included: zero the object first if it
// leaves the kernel.
template <class T>
    requires std::is_trivially_copyable_v<T>
std::span<const std::byte> as_bytes_of(const T& object) {
    return std::as_bytes(std::span<const T, 1>(&object, 1));
}
template <class T>
    requires(std::is_trivially_copyable_v<T> && !std::is_const_v<T>)
std::span<std::byte> as_writable_bytes_of(T& object) {
    return std::as_writable_bytes(std::span<T, 1>(&object, 1));
}
// Writable where the object is.
template <class T>
    requires(std::is_trivially_copyable_v<T> && !std::is_const_v<T>)
std::span<std::byte> as_bytes_of(T& object) {
    return as_writable_bytes_of(object);
}

inline std::span<const std::byte> as_bytes(std::string_view text) {
    return std::as_bytes(std::span<const char>(text.data(), text.size()));
}
inline std::string_view as_text(std::span<const std::byte> bytes) {
    // SAFETY: char may alias every object.
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

inline bool fits(std::size_t size, std::size_t offset, std::size_t length) {
    return offset <= size && length <= size - offset;
}

// Bytes at any alignment, in host order. The range is inside the span.
template <class T>
    requires std::is_trivially_copyable_v<T>
T read_unaligned(std::span<const std::byte> bytes, std::size_t offset) {
    KASSERT(fits(bytes.size(), offset, sizeof(T)));
    T value;
    __builtin_memcpy(&value, bytes.data() + offset, sizeof(T));
    return value;
}
template <class T>
    requires std::is_trivially_copyable_v<T>
void write_unaligned(std::span<std::byte> bytes, std::size_t offset, const T& value) {
    KASSERT(fits(bytes.size(), offset, sizeof(T)));
    __builtin_memcpy(bytes.data() + offset, &value, sizeof(T));
}

}  // namespace kernel
