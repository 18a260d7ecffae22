// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "lib/types.h"

namespace kernel::platform::hosted {

// All frames that guests may ever map lie in one memfd; the kernel maps it whole, a stub's mapper maps runs of it.
struct GuestMemory {
    int descriptor = -1;  // open for as long as the kernel runs; stays open over a fork, closed by exec
    FrameNumber first{};  // frame at offset 0
    std::uint64_t frames = 0;
    std::byte* base = nullptr;  // the kernel's mapping of offset 0
};

// Valid after set_up_frames(); constant from then on.
const GuestMemory& guest_memory();

// Whether the whole run lies in guest memory; only such a run may be handed to a stub.
inline bool is_guest_run(FrameNumber first, std::uint64_t count) {
    const GuestMemory& memory = guest_memory();
    const auto begin = static_cast<std::uint64_t>(first);
    const auto low = static_cast<std::uint64_t>(memory.first);
    return begin >= low && begin - low <= memory.frames && count <= memory.frames - (begin - low);
}

// Offset in the memfd, in bytes. The frame must be in guest memory.
inline std::uint64_t guest_offset(FrameNumber frame) {
    return (static_cast<std::uint64_t>(frame) - static_cast<std::uint64_t>(guest_memory().first)) << kPageShift;
}

// Offset in the memfd of bytes that lie in guest memory, if no call has seen them or anything above them before: then
// the kernel has most likely never touched them, and writing to the memfd costs half of faulting them into its mapping.
std::optional<std::uint64_t> fresh_guest_offset(std::span<const std::byte> bytes);

// Makes the memfd and the kernel's own zone; called once, before any other thread runs. False when the host refuses.
bool set_up_frames(std::uint64_t guest_bytes, std::uint64_t kernel_bytes);

}  // namespace kernel::platform::hosted
