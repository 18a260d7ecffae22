// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <compare>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace kernel {

inline constexpr unsigned kPageShift = 12;
inline constexpr std::uint64_t kPageSize = std::uint64_t{1} << kPageShift;

// Base of classes whose identity matters: no copies, no moves.
class NonCopyable {
public:
    NonCopyable() = default;
    NonCopyable(const NonCopyable&) = delete;
    NonCopyable& operator=(const NonCopyable&) = delete;
};

template <std::unsigned_integral T>
constexpr bool is_power_of_two(T value) {
    return value != 0 && (value & (value - 1)) == 0;
}

// `alignment` is a power of two. align_up wraps around at the end of the type: use align_up_checked for foreign values.
template <std::unsigned_integral T>
constexpr T align_down(T value, std::type_identity_t<T> alignment) {
    return static_cast<T>(value & ~(alignment - 1));
}

template <std::unsigned_integral T>
constexpr T align_up(T value, std::type_identity_t<T> alignment) {
    return static_cast<T>((value + (alignment - 1)) & ~(alignment - 1));
}

template <std::unsigned_integral T>
constexpr std::optional<T> align_up_checked(T value, std::type_identity_t<T> alignment) {
    const T result = align_up(value, alignment);
    if (result < value) {
        return std::nullopt;
    }
    return result;
}

template <std::unsigned_integral T>
constexpr bool is_aligned(T value, std::type_identity_t<T> alignment) {
    return (value & (alignment - 1)) == 0;
}

template <std::unsigned_integral T>
constexpr std::optional<T> checked_add(T left, std::type_identity_t<T> right) {
    T result{};
    if (__builtin_add_overflow(left, right, &result)) {
        return std::nullopt;
    }
    return result;
}

template <std::unsigned_integral T>
constexpr std::optional<T> checked_multiply(T left, std::type_identity_t<T> right) {
    T result{};
    if (__builtin_mul_overflow(left, right, &result)) {
        return std::nullopt;
    }
    return result;
}

// Number of whole pages that hold `bytes`; correct for every value, UINT64_MAX included.
constexpr std::uint64_t pages_for_bytes(std::uint64_t bytes) {
    return (bytes >> kPageShift) + ((bytes & (kPageSize - 1)) != 0 ? 1 : 0);
}

// An address in some address space. Never dereferenced: kernel pointers are pointers. Arithmetic wraps; ranges that
// come from outside are checked with checked_add.
struct VirtAddr {
    std::uint64_t value = 0;

    constexpr auto operator<=>(const VirtAddr&) const = default;

    constexpr VirtAddr& operator+=(std::uint64_t bytes) {
        value += bytes;
        return *this;
    }
    constexpr VirtAddr& operator-=(std::uint64_t bytes) {
        value -= bytes;
        return *this;
    }
    friend constexpr VirtAddr operator+(VirtAddr address, std::uint64_t bytes) {
        return VirtAddr{address.value + bytes};
    }
    friend constexpr VirtAddr operator-(VirtAddr address, std::uint64_t bytes) {
        return VirtAddr{address.value - bytes};
    }
    // Distance in bytes; `left` is not below `right`.
    friend constexpr std::uint64_t operator-(VirtAddr left, VirtAddr right) { return left.value - right.value; }

    constexpr std::optional<VirtAddr> checked_add(std::uint64_t bytes) const {
        const auto sum = kernel::checked_add(value, bytes);
        if (!sum) {
            return std::nullopt;
        }
        return VirtAddr{*sum};
    }
    constexpr bool is_null() const { return value == 0; }
    constexpr VirtAddr page_down() const { return VirtAddr{align_down(value, kPageSize)}; }
    constexpr VirtAddr page_up() const { return VirtAddr{align_up(value, kPageSize)}; }
    constexpr bool is_page_aligned() const { return is_aligned(value, kPageSize); }
    constexpr std::uint64_t page_offset() const { return value & (kPageSize - 1); }
    constexpr std::uint64_t page_index() const { return value >> kPageShift; }
};

// Physical memory in units of kPageSize.
enum class FrameNumber : std::uint64_t {};

constexpr std::uint64_t frame_value(FrameNumber frame) {
    return static_cast<std::uint64_t>(frame);
}
constexpr FrameNumber operator+(FrameNumber frame, std::uint64_t frames) {
    return static_cast<FrameNumber>(frame_value(frame) + frames);
}
constexpr FrameNumber operator-(FrameNumber frame, std::uint64_t frames) {
    return static_cast<FrameNumber>(frame_value(frame) - frames);
}
constexpr std::uint64_t operator-(FrameNumber left, FrameNumber right) {
    return frame_value(left) - frame_value(right);
}
constexpr FrameNumber& operator++(FrameNumber& frame) {
    return frame = frame + 1;
}

constexpr std::uint64_t frame_to_physical(FrameNumber frame) {
    return frame_value(frame) << kPageShift;
}
// The frame that contains the physical address.
constexpr FrameNumber physical_to_frame(std::uint64_t address) {
    return static_cast<FrameNumber>(address >> kPageShift);
}

}  // namespace kernel
