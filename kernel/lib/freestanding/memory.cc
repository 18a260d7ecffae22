// SPDX-License-Identifier: MIT OR Apache-2.0
// The memory functions that the compiler calls even in freestanding code. String instructions, because they are fast on
// every CPU of the last decade (Intel optimisation manual 3.7.6) and need no vector registers; eight bytes at a time,
// because an emulator executes every step.
#include <cstddef>
#include <cstdint>

namespace {

constexpr std::size_t kWordBytes = sizeof(std::uint64_t);

void copy_upwards(void* destination, const void* source, std::size_t bytes) {
    std::size_t words = bytes / kWordBytes;
    std::size_t rest = bytes % kWordBytes;
    // SAFETY: reads and writes exactly `bytes` bytes at the two addresses; the direction flag is clear by the ABI.
    asm volatile("rep movsq" : "+D"(destination), "+S"(source), "+c"(words) : : "memory");
    asm volatile("rep movsb" : "+D"(destination), "+S"(source), "+c"(rest) : : "memory");
}

void copy_downwards(void* destination, const void* source, std::size_t bytes) {
    auto* to = static_cast<unsigned char*>(destination) + bytes;
    const auto* from = static_cast<const unsigned char*>(source) + bytes;
    while (bytes % kWordBytes != 0) {
        *--to = *--from;
        --bytes;
    }
    while (bytes != 0) {
        to -= kWordBytes;
        from -= kWordBytes;
        bytes -= kWordBytes;
        std::uint64_t word;
        __builtin_memcpy(&word, from, kWordBytes);
        __builtin_memcpy(to, &word, kWordBytes);
    }
}

}  // namespace

extern "C" {

[[gnu::used]] void* memcpy(void* __restrict destination, const void* __restrict source, std::size_t bytes) {
    copy_upwards(destination, source, bytes);
    return destination;
}

[[gnu::used]] void* memmove(void* destination, const void* source, std::size_t bytes) {
    // SAFETY: the addresses are only subtracted. A destination before the source or behind its end may be filled
    // upwards; one word must have been read before it is overwritten, which holds in both directions.
    const std::uintptr_t distance =
        reinterpret_cast<std::uintptr_t>(destination) - reinterpret_cast<std::uintptr_t>(source);
    if (distance >= bytes) {
        copy_upwards(destination, source, bytes);
    } else {
        copy_downwards(destination, source, bytes);
    }
    return destination;
}

[[gnu::used]] void* memset(void* destination, int value, std::size_t bytes) {
    void* position = destination;
    const std::uint64_t pattern = std::uint64_t{0x0101010101010101} * static_cast<unsigned char>(value);
    std::size_t words = bytes / kWordBytes;
    std::size_t rest = bytes % kWordBytes;
    // SAFETY: writes exactly `bytes` bytes; the direction flag is clear by the ABI.
    asm volatile("rep stosq" : "+D"(position), "+c"(words) : "a"(pattern) : "memory");
    asm volatile("rep stosb" : "+D"(position), "+c"(rest) : "a"(pattern) : "memory");
    return destination;
}

[[gnu::used]] int memcmp(const void* left, const void* right, std::size_t bytes) {
    const auto* a = static_cast<const unsigned char*>(left);
    const auto* b = static_cast<const unsigned char*>(right);
    while (bytes >= sizeof(std::uint64_t)) {
        std::uint64_t x;
        std::uint64_t y;
        __builtin_memcpy(&x, a, sizeof x);
        __builtin_memcpy(&y, b, sizeof y);
        if (x != y) {
            break;
        }
        a += sizeof x;
        b += sizeof y;
        bytes -= sizeof x;
    }
    for (; bytes != 0; --bytes, ++a, ++b) {
        if (*a != *b) {
            return *a < *b ? -1 : 1;
        }
    }
    return 0;
}

[[gnu::used]] int bcmp(const void* left, const void* right, std::size_t bytes) {
    return memcmp(left, right, bytes);
}

[[gnu::used]] std::size_t strlen(const char* text) {
    std::size_t length = 0;
    while (text[length] != '\0') {
        // SAFETY: no instruction; it keeps the compiler from turning the loop into a call of strlen.
        asm volatile("");
        ++length;
    }
    return length;
}

[[gnu::used]] void* memchr(const void* block, int value, std::size_t bytes) {
    const auto* at = static_cast<const unsigned char*>(block);
    for (; bytes != 0; --bytes, ++at) {
        if (*at == static_cast<unsigned char>(value)) {
            // SAFETY: the C interface takes const and returns mutable.
            return const_cast<unsigned char*>(at);
        }
    }
    return nullptr;
}

}  // extern "C"
