// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "core/object/handle_table.h"
#include "core/sched/wait_queue.h"
#include "lib/guarded.h"
#include "lib/immortal.h"
#include "lib/list.h"
#include "lib/own.h"
#include "lib/result.h"
#include "lib/types.h"

namespace kernel::vfs {

class File;

enum class LockType : std::uint8_t { Shared, Exclusive };

// Who holds record locks: a process, known by its table of handles (POSIX locks), or an open file description (OFD
// locks). An identity, never followed.
struct LockOwner {
    const void* id = nullptr;
    bool is_process = false;

    static LockOwner process(const object::HandleTable& handles) { return {&handles, true}; }
    static LockOwner file(const File& file) { return {&file, false}; }
    bool operator==(const LockOwner&) const = default;
};

// Bytes first to last, both included; last is kLockToEnd for "whatever the end may be".
inline constexpr std::uint64_t kLockToEnd = INT64_MAX;
struct LockRange {
    std::uint64_t first = 0;
    std::uint64_t last = kLockToEnd;

    bool overlaps(const LockRange& other) const { return first <= other.last && other.first <= last; }
};

// One lock as F_GETLK reports it.
struct RecordLock {
    LockOwner owner;
    std::int32_t pid = 0;  // of the process that set it; 0 for OFD locks
    LockType type = LockType::Shared;
    LockRange range;
};

// The advisory locks of one inode: those of flock(2) and, independent of them, record locks, fcntl(2). One spinlock for
// all files, because looking for deadlocks follows waits from file to file; it is held for moments. Whoever waits is
// woken by every change and looks again.
class FileLocks : NonCopyable {
public:
    ~FileLocks();

    // flock(2): replaces what the file holds, whose loss a failed conversion does not undo. Errors: WouldBlock (unless
    // `wait`), Interrupted, NoMemory.
    Result<> lock_whole(const File& file, LockType type, bool wait);
    void unlock_whole(const File& file);

    // Sets the range of its owner to this type, merging and splitting what the owner has. Errors: WouldBlock (unless
    // `wait`), Deadlock (processes only), Interrupted, NoMemory.
    Result<> lock_records(const RecordLock& wanted, bool wait);
    // May have to split a lock. Errors: NoMemory.
    Result<> unlock_records(const LockOwner& owner, const LockRange& range);
    // The first lock that speaks against this one.
    std::optional<RecordLock> conflict(const RecordLock& wanted) const;

    void release_owner(const LockOwner& owner);
    // Of an open file that goes away: its flock and its record locks.
    void release_file(const File& file);

private:
    friend class kernel::ObjectMaker;
    struct Record {
        RecordLock lock;
        ListNode node;
    };
    struct Whole {
        const File* file = nullptr;
        LockType type = LockType::Shared;
        ListNode node;
    };
    // A process that waits for a record lock, and for whom.
    struct Waiter {
        LockOwner waits;
        LockOwner holder;
        ListNode node;
    };
    using Records = IntrusiveList<Record, &Record::node>;
    using Wholes = IntrusiveList<Whole, &Whole::node>;
    // Of all files. Its lock guards the lists below, too.
    struct All {
        IntrusiveList<Waiter, &Waiter::node> waiters;
    };
    // NOLINTNEXTLINE(bugprone-dynamic-static-initializers): made before any thread runs
    static Immortal<SpinGuarded<All, Rank::FileLocks>> all_;
    class WaiterGuard;

    FileLocks() = default;
    // Under the lock of all file locks.
    const Record* find_conflict(const RecordLock& wanted) const;
    bool has_whole_conflict(const File& file, LockType type) const;
    void remove_whole(const File& file, Wholes& removed);
    // Takes the range from what the owner has; a lock that is cut in two needs the spare.
    void cut(const LockOwner& owner, const LockRange& range, OwnPtr<Record>& spare, Records& removed);
    void merge_into(RecordLock& fresh, Records& removed);
    static bool would_deadlock(const All& all, const LockOwner& waiter, LockOwner holder);
    // True: locked. False: in the way is whom `waiter` now says.
    Result<bool> try_records(const RecordLock& wanted, OwnPtr<Record>& fresh, OwnPtr<Record>& spare, Waiter* waiter);
    void changed(bool is);

    Records records_;  // in no order
    Wholes wholes_;
    sched::WaitQueue changed_;
};

}  // namespace kernel::vfs
