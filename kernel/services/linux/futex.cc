// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/futex.h"

#include <array>

#include "core/sched/scheduler.h"
#include "core/sched/thread.h"
#include "lib/guarded.h"
#include "lib/list.h"
#include "lib/lock_rank.h"

namespace kernel::linux_abi {
namespace {

// One sleeping thread; lives on its stack. Guarded by the lock of its bucket, except `thread`.
struct Waiter {
    mm::MemoryKey key;
    std::uint32_t bits = 0;
    sched::Thread* thread = nullptr;
    std::atomic<unsigned> bucket = 0;  // changes under both buckets' locks
    std::atomic<bool> woken = false;
    ListNode node;
};
using Waiters = IntrusiveList<Waiter, &Waiter::node>;

constexpr unsigned kBucketCount = 256;
using Bucket = SpinGuarded<Waiters, Rank::Futex>;
std::array<Bucket, kBucketCount> buckets;

unsigned bucket_of(const mm::MemoryKey& key) {
    // Fibonacci hashing; words of one program differ in their low bits.
    const std::uint64_t hash = (key.owner * 0x9E37'79B9'7F4A'7C15u) ^ ((key.offset >> 2) * 0xC2B2'AE3D'27D4'EB4Fu);
    return static_cast<unsigned>(hash >> 56) % kBucketCount;
}

// Takes the waiter off and wakes it. After `woken` is set the waiter's stack frame may vanish, so the thread is kept.
void wake(Waiters& list, Waiter& waiter) {
    const RefPtr<sched::Thread> thread(*waiter.thread);
    list.remove(waiter);
    waiter.woken.store(true, std::memory_order_release);
    thread->unpark(sched::WakeHint::Sync);
}

std::uint32_t wake_in_bucket(Waiters& list, const mm::MemoryKey& key, std::uint32_t count, std::uint32_t bits) {
    std::uint32_t woken = 0;
    for (auto it = list.begin(); it != list.end() && woken < count;) {
        Waiter& waiter = *it;
        ++it;
        if (waiter.key != key || (waiter.bits & bits) == 0) {
            continue;
        }
        wake(list, waiter);
        ++woken;
    }
    return woken;
}

// Takes the waiter out of whatever bucket it is in by now. False if somebody woke it before.
bool withdraw(Waiter& waiter) {
    while (!waiter.woken.load(std::memory_order_acquire)) {
        const unsigned index = waiter.bucket.load(std::memory_order_acquire);
        bool done = false;
        bool was_queued = false;
        buckets[index].with([&](Waiters& list) {
            if (waiter.woken.load(std::memory_order_relaxed)) {
                done = true;
            } else if (waiter.bucket.load(std::memory_order_relaxed) == index) {
                list.remove(waiter);
                done = was_queued = true;
            }
        });
        if (done) {
            return was_queued;
        }
    }
    // The waker still runs in its lock; taking the lock once waits for it.
    buckets[waiter.bucket.load(std::memory_order_acquire)].with([](Waiters&) {});
    return false;
}

Result<> sleep(Task& task, Waiter& waiter, std::uint64_t deadline_ns) {
    while (!waiter.woken.load(std::memory_order_acquire)) {
        const bool in_time = sched::park(deadline_ns, true);
        if (waiter.woken.load(std::memory_order_acquire)) {
            break;
        }
        if (!in_time && withdraw(waiter)) {
            return Error::TimedOut;
        }
        if (task.thread().interrupt_pending() && withdraw(waiter)) {
            return Error::RestartSyscall;
        }
    }
    (void)withdraw(waiter);
    return {};
}

}  // namespace

Result<> futex_wait(Task& task, const FutexWait& wait) {
    Waiter waiter;
    waiter.key = TRY(task.space().key_of(wait.word, wait.private_word));
    waiter.bits = wait.bits;
    waiter.thread = &task.thread();
    const unsigned index = bucket_of(waiter.key);
    waiter.bucket.store(index, std::memory_order_relaxed);
    // The word is read after the waiter is in the queue, without the bucket's lock because reading may fault. A waker
    // changes the word first and looks into the queue then, so one of the two sees the other.
    buckets[index].with([&](Waiters& list) { list.push_back(waiter); });
    const Result<std::uint32_t> value = task.space().load_u32(wait.word);
    if (!value || *value != wait.expected) {
        // A wake-up that came meanwhile was meant for a thread that waits: as this one would have slept, it counts as
        // woken.
        if (!withdraw(waiter)) {
            return {};
        }
        return value ? Error::WouldBlock : value.error();
    }
    return sleep(task, waiter, wait.deadline_ns);
}

Result<std::int64_t> futex_wake(mm::AddressSpace& space, VirtAddr word, bool private_word, std::uint32_t count,
                                std::uint32_t bits) {
    const mm::MemoryKey key = TRY(space.key_of(word, private_word));
    const sched::WakeBatch batch;
    return buckets[bucket_of(key)].with([&](Waiters& list) -> std::int64_t {
        return static_cast<std::int64_t>(wake_in_bucket(list, key, count, bits));
    });
}

Result<std::int64_t> futex_wake_word(mm::AddressSpace& space, VirtAddr word, std::uint32_t count) {
    const std::int64_t woken = TRY(futex_wake(space, word, true, count));
    const mm::MemoryKey private_key = TRY(space.key_of(word, true));
    const mm::MemoryKey shared_key = TRY(space.key_of(word, false));
    if (private_key == shared_key) {
        return woken;
    }
    return woken + TRY(futex_wake(space, word, false, count));
}

namespace {

struct RequeueResult {
    std::uint32_t woken = 0;
    std::uint32_t moved = 0;
};

RequeueResult requeue_locked(Waiters& from, Waiters& to, const mm::MemoryKey& from_key, const mm::MemoryKey& to_key,
                             const FutexRequeue& request) {
    RequeueResult result;
    result.woken = wake_in_bucket(from, from_key, request.wake_count, abi::kFutexBitsetMatchAny);
    for (auto it = from.begin(); it != from.end() && result.moved < request.move_count;) {
        Waiter& waiter = *it;
        ++it;
        if (waiter.key != from_key) {
            continue;
        }
        if (&from != &to) {
            from.remove(waiter);
            to.push_back(waiter);
        }
        waiter.key = to_key;
        waiter.bucket.store(bucket_of(to_key), std::memory_order_release);
        ++result.moved;
    }
    return result;
}

}  // namespace

Result<std::int64_t> futex_requeue(mm::AddressSpace& space, const FutexRequeue& request) {
    const mm::MemoryKey from_key = TRY(space.key_of(request.word, request.private_word));
    const mm::MemoryKey to_key = TRY(space.key_of(request.target, request.private_word));
    if (request.expected && TRY(space.load_u32(request.word)) != *request.expected) {
        return Error::WouldBlock;
    }
    const sched::WakeBatch batch;
    Bucket& from = buckets[bucket_of(from_key)];
    Bucket& to = buckets[bucket_of(to_key)];
    const auto move = [&](Waiters& a, Waiters& b) { return requeue_locked(a, b, from_key, to_key, request); };
    const RequeueResult result =
        &from == &to ? from.with([&](Waiters& list) { return move(list, list); }) : from.with_both(to, move);
    return static_cast<std::int64_t>(result.woken) + static_cast<std::int64_t>(result.moved);
}

namespace {

constexpr unsigned kMaxRobustEntries = 2048;  // ROBUST_LIST_LIMIT

// One lock of the list: the owner's number becomes the mark of a dead owner.
void abandon_lock(Task& task, VirtAddr word) {
    if (word.value % sizeof(std::uint32_t) != 0) {
        return;
    }
    mm::AddressSpace& space = task.space();
    while (true) {
        const Result<std::uint32_t> value = space.load_u32(word);
        if (!value || (*value & abi::kFutexTidMask) != static_cast<std::uint32_t>(task.tid())) {
            return;
        }
        const std::uint32_t dead = (*value & abi::kFutexWaiters) | abi::kFutexOwnerDied;
        const Result<std::uint32_t> seen = space.compare_exchange_u32(word, *value, dead);
        if (!seen) {
            return;
        }
        if (*seen != *value) {
            continue;
        }
        if ((*value & abi::kFutexWaiters) != 0) {
            (void)futex_wake_word(space, word, 1);
        }
        return;
    }
}

}  // namespace

void exit_robust_futexes(Task& task) {
    const UserPtr<abi::RobustListHead> address = task.robust_list();
    if (address.is_null()) {
        return;
    }
    mm::AddressSpace& space = task.space();
    const Result<abi::RobustListHead> head = space.read_user(address);
    if (!head) {
        return;
    }
    const auto lock_of = [&](std::uint64_t entry) {
        return VirtAddr{(entry & ~std::uint64_t{1}) + static_cast<std::uint64_t>(head->futex_offset)};
    };
    std::uint64_t entry = head->next;
    for (unsigned i = 0; i < kMaxRobustEntries && (entry & ~std::uint64_t{1}) != address.address.value; ++i) {
        const Result<std::uint64_t> next = space.read_user(UserPtr<std::uint64_t>{VirtAddr{entry & ~std::uint64_t{1}}});
        if (entry != head->pending) {
            abandon_lock(task, lock_of(entry));
        }
        if (!next) {
            break;
        }
        entry = *next;
    }
    if (head->pending != 0) {
        abandon_lock(task, lock_of(head->pending));
    }
}

}  // namespace kernel::linux_abi
