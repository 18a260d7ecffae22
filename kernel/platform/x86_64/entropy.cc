// SPDX-License-Identifier: MIT OR Apache-2.0
// A ChaCha20 generator with fast key erasure: each request takes a fresh key from the stream first, so that what was
// handed out cannot be computed from the state that is left. Inputs are mixed by a chain of ChaCha20 blocks keyed with
// the state so far, the input as counter and nonce; each block replaces the key.
#include "platform/entropy.h"

#include <algorithm>
#include <optional>

#include "lib/bytes.h"
#include "lib/guarded.h"
#include "platform/clock.h"
#include "platform/x86_64/chacha20.h"
#include "platform/x86_64/cpu_features.h"
#include "platform/x86_64/entropy_internal.h"
#include "platform/x86_64/instructions.h"
#include "platform/x86_64/rtc.h"

namespace kernel::platform::x86 {
namespace {

using Key = std::array<std::uint32_t, 8>;

class Generator {
public:
    void mix(std::uint64_t input) {
        take_key(
            chacha20_block(key_, static_cast<std::uint32_t>(input), {static_cast<std::uint32_t>(input >> 32), 1, 0}));
    }
    void fill(std::span<std::byte> bytes) {
        const Key stream_key = key_;
        take_key(chacha20_block(stream_key, 0, kStream));
        for (std::uint32_t counter = 1; !bytes.empty(); ++counter) {
            const ChaChaWords block = chacha20_block(stream_key, counter, kStream);
            const std::size_t count = bytes.size() < sizeof block ? bytes.size() : sizeof block;
            copy_bytes(bytes, as_bytes_of(block).first(count));
            bytes = bytes.subspan(count);
        }
    }

private:
    static constexpr std::array<std::uint32_t, 3> kStream = {0, 2, 0};

    void take_key(const ChaChaWords& block) { std::copy_n(block.begin(), key_.size(), key_.begin()); }

    Key key_{};
};

constinit SpinGuarded<Generator, Rank::Platform> generator;

// Each fails now and then; the SDM advises ten tries (vol. 1, 7.3.17).
std::optional<std::uint64_t> hardware_random() {
    const CpuFeatures& features = cpu_features();
    for (int i = 0; i < 10; ++i) {
        std::uint64_t value = 0;
        if ((features.rdseed && read_random_seed(value)) || (features.rdrand && read_random(value))) {
            return value;
        }
    }
    return std::nullopt;
}

// Device accesses leave the virtual or the real bus at times that nobody outside can predict to the cycle.
std::uint64_t jittered_cycles() {
    in8(0x61);
    return read_tsc();
}

}  // namespace

void initialise_entropy() {
    constexpr unsigned kHardwareWords = 8;
    generator.with([](Generator& g) {
        g.mix(realtime_ns());
        unsigned words = 0;
        while (words < kHardwareWords) {
            const auto word = hardware_random();
            if (!word) {
                break;
            }
            g.mix(*word);
            ++words;
        }
        // Alone, jitter has to give 256 bits, at a cautious one for each sample.
        const unsigned samples = words == kHardwareWords ? 8 : 256;
        for (unsigned i = 0; i < samples; ++i) {
            g.mix(jittered_cycles());
        }
    });
}

}  // namespace kernel::platform::x86

namespace kernel::platform {

void fill_random(std::span<std::byte> bytes) {
    // Bounded, so that the counter of one stream cannot wrap and the lock is held briefly.
    constexpr std::size_t kChunkBytes = 4096;
    while (!bytes.empty()) {
        const std::size_t count = bytes.size() < kChunkBytes ? bytes.size() : kChunkBytes;
        x86::generator.with([&](x86::Generator& generator) {
            generator.mix(x86::read_tsc());
            generator.fill(bytes.first(count));
        });
        bytes = bytes.subspan(count);
    }
}

}  // namespace kernel::platform
