// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "lib/lock_rank.h"
#include "lib/types.h"

namespace kernel {

enum class LockKind : std::uint8_t { Spinning, Sleeping };

struct HeldLock {
    const void* lock = nullptr;
    Rank rank{};
    LockKind kind{};
};

// What one kernel thread knows about its own locks. It belongs to the thread, not to the CPU, because sleeping locks
// stay held while the thread is switched out and moves. Its address identifies the thread as the owner of a Mutex, so
// it is unique among living threads and does not move.
struct alignas(8) LockContext : NonCopyable {
    static constexpr std::size_t kCapacity = 16;

    LockContext() = default;
    explicit LockContext(void* of_thread) : thread(of_thread) {}

    // Whose context this is: for the implementer of park.h, which sets it, and for priority inheritance. May be null
    // for contexts that are not a thread's, such as a CPU's while it boots.
    void* thread = nullptr;
    std::size_t held_count = 0;
    std::array<HeldLock, kCapacity> held{};
};

// The calling thread's context. Implemented by the scheduler and platform (before threads run: one for each CPU), in
// unit tests by tests/support. Do not keep the reference for another thread to use.
LockContext& current_lock_context();

}  // namespace kernel
