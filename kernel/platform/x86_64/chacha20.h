// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

// The ChaCha20 block function: RFC 8439, 2.3.
namespace kernel::platform::x86 {

using ChaChaWords = std::array<std::uint32_t, 16>;

constexpr void chacha_quarter_round(ChaChaWords& x, std::size_t a, std::size_t b, std::size_t c, std::size_t d) {
    x[a] += x[b];
    x[d] = std::rotl(x[d] ^ x[a], 16);
    x[c] += x[d];
    x[b] = std::rotl(x[b] ^ x[c], 12);
    x[a] += x[b];
    x[d] = std::rotl(x[d] ^ x[a], 8);
    x[c] += x[d];
    x[b] = std::rotl(x[b] ^ x[c], 7);
}

constexpr ChaChaWords chacha20_block(const std::array<std::uint32_t, 8>& key, std::uint32_t counter,
                                     const std::array<std::uint32_t, 3>& nonce) {
    const ChaChaWords initial = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574, key[0],  key[1],   key[2],   key[3],
                                 key[4],     key[5],     key[6],     key[7],     counter, nonce[0], nonce[1], nonce[2]};
    ChaChaWords x = initial;
    for (int round = 0; round < 10; ++round) {
        chacha_quarter_round(x, 0, 4, 8, 12);
        chacha_quarter_round(x, 1, 5, 9, 13);
        chacha_quarter_round(x, 2, 6, 10, 14);
        chacha_quarter_round(x, 3, 7, 11, 15);
        chacha_quarter_round(x, 0, 5, 10, 15);
        chacha_quarter_round(x, 1, 6, 11, 12);
        chacha_quarter_round(x, 2, 7, 8, 13);
        chacha_quarter_round(x, 3, 4, 9, 14);
    }
    for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] += initial[i];
    }
    return x;
}

}  // namespace kernel::platform::x86
