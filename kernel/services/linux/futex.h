// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstdint>

#include "core/mm/address_space.h"
#include "lib/result.h"
#include "services/linux/task.h"

// futex(2): threads that sleep until another one wakes the word they watch.
namespace kernel::linux_abi {

struct FutexWait {
    VirtAddr word{};
    bool private_word = false;
    std::uint32_t expected = 0;
    std::uint32_t bits = abi::kFutexBitsetMatchAny;
    std::uint64_t deadline_ns = UINT64_MAX;  // monotonic
};
// Errors: WouldBlock (the word has another value), TimedOut, RestartSyscall (a signal came), BadAddress,
// InvalidArgument.
Result<> futex_wait(Task& task, const FutexWait& wait);

// Wakes up to `count` waiters whose bits meet `bits`; returns how many.
Result<std::int64_t> futex_wake(mm::AddressSpace& space, VirtAddr word, bool private_word, std::uint32_t count,
                                std::uint32_t bits = abi::kFutexBitsetMatchAny);
// Wakes shared and private waiters of a word: the kernel's own wake-ups at thread exit.
Result<std::int64_t> futex_wake_word(mm::AddressSpace& space, VirtAddr word, std::uint32_t count);

// Wakes `wake_count` and moves up to `move_count` of the others to `target`. With `expected`, only if the word has that
// value (WouldBlock). Returns the number woken and moved.
struct FutexRequeue {
    VirtAddr word{}, target{};
    bool private_word = false;
    std::uint32_t wake_count = 0, move_count = 0;
    std::optional<std::uint32_t> expected;
};
Result<std::int64_t> futex_requeue(mm::AddressSpace& space, const FutexRequeue& request);

// Marks the locks that a task holds at its end as abandoned and wakes a waiter of each, set_robust_list(2).
void exit_robust_futexes(Task& task);

}  // namespace kernel::linux_abi
