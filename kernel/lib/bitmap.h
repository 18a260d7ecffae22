// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "lib/assert.h"

namespace kernel {

// A set of small numbers over memory that belongs to somebody else. Bits beyond size() stay clear.
class Bitmap {
public:
    static constexpr std::size_t kBitsPerWord = 64;
    static constexpr std::size_t words_for(std::size_t bits) {
        return bits / kBitsPerWord + (bits % kBitsPerWord != 0);
    }

    constexpr Bitmap() = default;
    // `words` holds at least `bits` bits, those from `bits` on clear.
    constexpr Bitmap(std::span<std::uint64_t> words, std::size_t bits) : words_(words.data()), bits_(bits) {
        KASSERT(words.size() >= words_for(bits));
    }

    constexpr std::size_t size() const { return bits_; }

    constexpr bool test(std::size_t bit) const {
        KASSERT(bit < bits_);
        return (words_[bit / kBitsPerWord] >> (bit % kBitsPerWord) & 1) != 0;
    }
    constexpr void set(std::size_t bit) {
        KASSERT(bit < bits_);
        words_[bit / kBitsPerWord] |= std::uint64_t{1} << (bit % kBitsPerWord);
    }
    constexpr void clear(std::size_t bit) {
        KASSERT(bit < bits_);
        words_[bit / kBitsPerWord] &= ~(std::uint64_t{1} << (bit % kBitsPerWord));
    }
    constexpr void assign(std::size_t bit, bool value) { value ? set(bit) : clear(bit); }
    constexpr void set_range(std::size_t begin, std::size_t count) { assign_range(begin, count, true); }
    constexpr void clear_range(std::size_t begin, std::size_t count) { assign_range(begin, count, false); }
    constexpr void assign_range(std::size_t begin, std::size_t count, bool value) {
        KASSERT(begin <= bits_ && count <= bits_ - begin);
        while (count != 0) {
            const std::size_t offset = begin % kBitsPerWord;
            const std::size_t here = count < kBitsPerWord - offset ? count : kBitsPerWord - offset;
            const std::uint64_t mask = (~std::uint64_t{0} >> (kBitsPerWord - here)) << offset;
            std::uint64_t& word = words_[begin / kBitsPerWord];
            word = value ? word | mask : word & ~mask;
            begin += here;
            count -= here;
        }
    }
    constexpr void clear_all() { clear_range(0, bits_); }

    constexpr std::size_t count() const {
        std::size_t total = 0;
        for (std::size_t i = 0; i < words_for(bits_); ++i) {
            total += static_cast<std::size_t>(std::popcount(words_[i]));
        }
        return total;
    }
    constexpr bool none() const { return !find_set(0).has_value(); }

    // The first such bit at or after `from`.
    constexpr std::optional<std::size_t> find_set(std::size_t from) const { return find(from, 0); }
    constexpr std::optional<std::size_t> find_clear(std::size_t from) const { return find(from, ~std::uint64_t{0}); }

    // The first run of `count` clear bits that starts at or after `from` at a multiple of `align` (a power of two).
    constexpr std::optional<std::size_t> find_clear_run(std::size_t count, std::size_t from = 0,
                                                        std::size_t align = 1) const {
        KASSERT(count != 0 && std::has_single_bit(align));
        while (const auto clear = find_clear(from)) {
            const std::size_t begin = (*clear + align - 1) & ~(align - 1);
            if (begin < *clear || begin > bits_ || count > bits_ - begin) {
                return std::nullopt;
            }
            const auto taken = find_set(begin);
            if (!taken || *taken - begin >= count) {
                return begin;
            }
            from = *taken + 1;
        }
        return std::nullopt;
    }

private:
    constexpr std::optional<std::size_t> find(std::size_t from, std::uint64_t invert) const {
        if (from >= bits_) {
            return std::nullopt;
        }
        std::size_t word = from / kBitsPerWord;
        std::uint64_t value = (words_[word] ^ invert) & (~std::uint64_t{0} << (from % kBitsPerWord));
        while (value == 0) {
            if (++word == words_for(bits_)) {
                return std::nullopt;
            }
            value = words_[word] ^ invert;
        }
        const std::size_t bit = word * kBitsPerWord + static_cast<std::size_t>(std::countr_zero(value));
        return bit < bits_ ? std::optional(bit) : std::nullopt;
    }

    std::uint64_t* words_ = nullptr;
    std::size_t bits_ = 0;
};

namespace detail {
template <std::size_t Bits>
struct BitmapStorage {
    std::array<std::uint64_t, Bitmap::words_for(Bits)> words{};
};
}  // namespace detail

// With its own memory, all clear at first.
template <std::size_t Bits>
class FixedBitmap : private detail::BitmapStorage<Bits>, public Bitmap {
public:
    constexpr FixedBitmap() : Bitmap(this->words, Bits) {}
    constexpr FixedBitmap(const FixedBitmap& other) : detail::BitmapStorage<Bits>(other), Bitmap(this->words, Bits) {}
    constexpr FixedBitmap& operator=(const FixedBitmap& other) {
        this->words = other.words;
        return *this;
    }
};

}  // namespace kernel
