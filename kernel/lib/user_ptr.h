// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "lib/types.h"

namespace kernel {

// A typed address in user memory. It says nothing about what is there and cannot be dereferenced: copy_in and copy_out
// of the address space take it. Arithmetic is in elements and wraps.
template <class T>
struct UserPtr {
    using Element = T;

    VirtAddr address;

    constexpr auto operator<=>(const UserPtr&) const = default;
    constexpr bool is_null() const { return address.is_null(); }
    constexpr explicit operator bool() const { return !is_null(); }
    constexpr std::uint64_t value() const { return address.value; }

    template <class U>
    constexpr UserPtr<U> cast() const {
        return UserPtr<U>{address};
    }

    constexpr UserPtr operator+(std::uint64_t elements) const { return UserPtr{address + elements * kStride}; }
    constexpr UserPtr operator-(std::uint64_t elements) const { return UserPtr{address - elements * kStride}; }
    constexpr UserPtr& operator+=(std::uint64_t elements) { return *this = *this + elements; }

    constexpr bool is_aligned() const { return kernel::is_aligned(address.value, std::uint64_t{kAlignment}); }

    // Every pointer is also an untyped one.
    constexpr operator UserPtr<void>() const
        requires(!std::is_void_v<T>)
    {
        return UserPtr<void>{address};
    }

private:
    template <class U>
    static constexpr std::size_t size_or_one() {
        if constexpr (std::is_void_v<U>) {
            return 1;
        } else {
            return sizeof(U);
        }
    }
    template <class U>
    static constexpr std::size_t alignment_or_one() {
        if constexpr (std::is_void_v<U>) {
            return 1;
        } else {
            return alignof(U);
        }
    }
    static constexpr std::size_t kStride = size_or_one<T>();
    static constexpr std::size_t kAlignment = alignment_or_one<T>();
};

}  // namespace kernel
