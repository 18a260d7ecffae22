// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <concepts>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "lib/string.h"
#include "lib/types.h"

namespace kernel {

// Mixes every input bit into every output bit (the finisher of SplitMix64, Steele, Lea and Flood 2014).
constexpr std::uint64_t mix_hash(std::uint64_t value) {
    value ^= value >> 30;
    value *= 0xbf58476d1ce4e5b9;
    value ^= value >> 27;
    value *= 0x94d049bb133111eb;
    value ^= value >> 31;
    return value;
}

// The order matters.
constexpr std::uint64_t combine_hashes(std::uint64_t left, std::uint64_t right) {
    return mix_hash(mix_hash(left) + 0x9e3779b97f4a7c15 + right);
}

// Overload hash_value in the namespace of a key type to use it in hash tables. Equal keys have equal hashes.
template <class T>
    requires(std::integral<T> || std::is_enum_v<T>)
constexpr std::uint64_t hash_value(T value) {
    return mix_hash(static_cast<std::uint64_t>(value));
}

template <class T>
std::uint64_t hash_value(T* pointer) {
    // SAFETY: only the address is hashed.
    return mix_hash(reinterpret_cast<std::uintptr_t>(pointer));
}

constexpr std::uint64_t hash_value(VirtAddr address) {
    return mix_hash(address.value);
}

// FNV-1a, mixed. Not for tables whose worst case a program may choose.
constexpr std::uint64_t hash_value(std::string_view text) {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const char character : text) {
        hash = (hash ^ static_cast<unsigned char>(character)) * 0x100000001b3;
    }
    return mix_hash(hash);
}
inline std::uint64_t hash_value(const String& text) {
    return hash_value(text.view());
}
template <std::size_t N>
constexpr std::uint64_t hash_value(const FixedString<N>& text) {
    return hash_value(text.view());
}

}  // namespace kernel
