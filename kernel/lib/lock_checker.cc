// SPDX-License-Identifier: MIT OR Apache-2.0
#include "lib/lock_checker.h"

#include "lib/assert.h"
#include "lib/format.h"

namespace kernel::lock_checker {
namespace {

[[noreturn]] void violation(const char* rule, Rank wanted, const HeldLock& held) {
    InlineFormatBuffer<160> message;
    format_to(message, "lock order: {} (wanted {}, held {})", rule, rank_name(wanted), rank_name(held.rank));
    panic(message.c_str());
}

void check_pair(const HeldLock& held, const void* lock, Rank rank, LockKind kind, LockOrder order) {
    if (held.lock == lock) {
        violation("lock is already held by this thread", rank, held);
    }
    if (order == LockOrder::Try) {
        return;
    }
    if (kind == LockKind::Sleeping && held.kind == LockKind::Spinning) {
        violation("sleeping lock under a spinlock", rank, held);
    }
    if (held.rank > rank) {
        violation("rank is before a held one", rank, held);
    }
    if (held.rank == rank && order != LockOrder::SameRankByStructure) {
        if (order != LockOrder::SameRankByAddress) {
            violation("rank is held already", rank, held);
        }
        // SAFETY: the addresses are only compared; as integers, because the objects are unrelated.
        if (reinterpret_cast<std::uintptr_t>(held.lock) > reinterpret_cast<std::uintptr_t>(lock)) {
            violation("locks of one rank out of address order", rank, held);
        }
    }
}

}  // namespace

void check_acquire(const void* lock, Rank rank, LockKind kind, LockOrder order) {
    const LockContext& context = current_lock_context();
    for (std::size_t i = 0; i < context.held_count; ++i) {
        check_pair(context.held[i], lock, rank, kind, order);
    }
}

void note_acquired(const void* lock, Rank rank, LockKind kind) {
    LockContext& context = current_lock_context();
    if (context.held_count == LockContext::kCapacity) {
        violation("too many locks held at once", rank, context.held[LockContext::kCapacity - 1]);
    }
    context.held[context.held_count++] = HeldLock{.lock = lock, .rank = rank, .kind = kind};
}

void note_released(const void* lock, Rank rank) {
    LockContext& context = current_lock_context();
    for (std::size_t i = context.held_count; i > 0; --i) {
        if (context.held[i - 1].lock != lock) {
            continue;
        }
        for (std::size_t later = i; later < context.held_count; ++later) {
            context.held[later - 1] = context.held[later];
        }
        --context.held_count;
        return;
    }
    InlineFormatBuffer<160> message;
    format_to(message, "lock order: released a lock that this thread does not hold ({})", rank_name(rank));
    panic(message.c_str());
}

bool is_held(const void* lock) {
    const LockContext& context = current_lock_context();
    for (std::size_t i = 0; i < context.held_count; ++i) {
        if (context.held[i].lock == lock) {
            return true;
        }
    }
    return false;
}

void check_no_locks_held() {
    const LockContext& context = current_lock_context();
    if (context.held_count != 0) {
        InlineFormatBuffer<160> message;
        format_to(message, "lock order: {} held where no lock may be",
                  rank_name(context.held[context.held_count - 1].rank));
        panic(message.c_str());
    }
}

void check_may_block() {
    const LockContext& context = current_lock_context();
    for (std::size_t i = 0; i < context.held_count; ++i) {
        if (context.held[i].kind == LockKind::Spinning) {
            InlineFormatBuffer<160> message;
            format_to(message, "lock order: spinlock {} held where the thread may block",
                      rank_name(context.held[i].rank));
            panic(message.c_str());
        }
    }
}

}  // namespace kernel::lock_checker
