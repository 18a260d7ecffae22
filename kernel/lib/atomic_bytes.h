// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "lib/assert.h"
#include "lib/bytes.h"
#include "lib/types.h"

namespace kernel {

// Atomic access to a word inside memory that others write at the same time, such as a frame that is mapped for users.
// `offset` is aligned to the word. Sequentially consistent.
inline std::uint32_t* aligned_u32(std::span<std::byte> bytes, std::size_t offset) {
    KASSERT(is_aligned(std::uint64_t{offset}, sizeof(std::uint32_t)) &&
            fits(bytes.size(), offset, sizeof(std::uint32_t)));
    // SAFETY: inside the span and aligned; used by the atomic builtins alone, which make no assumption about the
    // object.
    return reinterpret_cast<std::uint32_t*>(bytes.data() + offset);
}

inline std::uint32_t atomic_load_u32(std::span<std::byte> bytes, std::size_t offset) {
    return __atomic_load_n(aligned_u32(bytes, offset), __ATOMIC_SEQ_CST);
}

// Stores `desired` if the word is `expected`; returns what it was.
inline std::uint32_t atomic_compare_exchange_u32(std::span<std::byte> bytes, std::size_t offset, std::uint32_t expected,
                                                 std::uint32_t desired) {
    __atomic_compare_exchange_n(aligned_u32(bytes, offset), &expected, desired, false, __ATOMIC_SEQ_CST,
                                __ATOMIC_SEQ_CST);
    return expected;
}

}  // namespace kernel
