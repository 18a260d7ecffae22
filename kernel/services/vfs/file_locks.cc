// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/vfs/file_locks.h"

#include <algorithm>
#include <utility>

namespace kernel::vfs {
namespace {

constexpr sched::WaitOptions kInterruptible{.deadline_ns = platform::kNoDeadline, .interruptible = true};

bool excludes(LockType a, LockType b) {
    return a == LockType::Exclusive || b == LockType::Exclusive;
}

// Elements that were unlinked under the lock are destroyed outside of it.
template <class T, auto Member>
void destroy_all(IntrusiveList<T, Member>& elements) {
    elements.drain([](T& element) { OwnPtr<T>::adopt(&element).reset(); });
}

}  // namespace

Immortal<SpinGuarded<FileLocks::All, Rank::FileLocks>> FileLocks::all_;

// In the list of waiters while in scope.
class FileLocks::WaiterGuard : NonCopyable {
public:
    explicit WaiterGuard(Waiter& waiter) : waiter_(waiter) {}
    ~WaiterGuard() {
        all_->with([&](All& all) {
            if (waiter_.node.is_linked()) {
                all.waiters.remove(waiter_);
            }
        });
    }

private:
    Waiter& waiter_;
};

FileLocks::~FileLocks() {
    destroy_all(records_);
    destroy_all(wholes_);
}

void FileLocks::changed(bool is) {
    if (is && changed_.has_waiters()) {
        changed_.wake_all();
    }
}

bool FileLocks::has_whole_conflict(const File& file, LockType type) const {
    return std::ranges::any_of(wholes_,
                               [&](const Whole& whole) { return whole.file != &file && excludes(whole.type, type); });
}

void FileLocks::remove_whole(const File& file, Wholes& removed) {
    wholes_.remove_if([&](const Whole& whole) { return whole.file == &file; },
                      [&](Whole& whole) { removed.push_back(whole); });
}

Result<> FileLocks::lock_whole(const File& file, LockType type, bool wait) {
    OwnPtr<Whole> fresh = TRY(make_own<Whole>());
    fresh->file = &file;
    fresh->type = type;
    const auto is_held = [&](const Whole& whole) { return whole.file == &file && whole.type == type; };
    Wholes removed;
    bool converted = false;
    const auto try_it = [&] {
        return all_->with([&](All&) {
            if (std::ranges::any_of(wholes_, is_held)) {
                return true;
            }
            remove_whole(file, removed);
            converted = !removed.empty();
            if (has_whole_conflict(file, type)) {
                return false;
            }
            wholes_.push_back(*fresh.release());
            return true;
        });
    };
    const bool locked = try_it();
    changed(converted);
    destroy_all(removed);
    if (locked) {
        return {};
    }
    if (!wait) {
        return Error::WouldBlock;
    }
    const Result<> waited = sched::wait_until(changed_, try_it, kInterruptible);
    destroy_all(removed);
    return waited;
}

void FileLocks::unlock_whole(const File& file) {
    Wholes removed;
    all_->with([&](All&) { remove_whole(file, removed); });
    changed(!removed.empty());
    destroy_all(removed);
}

const FileLocks::Record* FileLocks::find_conflict(const RecordLock& wanted) const {
    const auto speaks_against = [&](const Record& record) {
        const RecordLock& held = record.lock;
        return !(held.owner == wanted.owner) && held.range.overlaps(wanted.range) && excludes(held.type, wanted.type);
    };
    const auto found = std::ranges::find_if(records_, speaks_against);
    return found == records_.end() ? nullptr : &*found;
}

std::optional<RecordLock> FileLocks::conflict(const RecordLock& wanted) const {
    return all_->with([&](All&) -> std::optional<RecordLock> {
        const Record* const found = find_conflict(wanted);
        return found == nullptr ? std::nullopt : std::optional(found->lock);
    });
}

void FileLocks::cut(const LockOwner& owner, const LockRange& range, OwnPtr<Record>& spare, Records& removed) {
    for (Record* record = records_.front(); record != nullptr;) {
        Record* const following = records_.next(*record);
        LockRange& held = record->lock.range;
        if (record->lock.owner == owner && held.overlaps(range)) {
            const bool keeps_head = held.first < range.first;
            const bool keeps_tail = held.last > range.last;
            if (keeps_head && keeps_tail) {
                spare->lock = record->lock;
                spare->lock.range.first = range.last + 1;
                records_.insert_after(*record, *spare.release());
                held.last = range.first - 1;
            } else if (keeps_head) {
                held.last = range.first - 1;
            } else if (keeps_tail) {
                held.first = range.last + 1;
            } else {
                records_.remove(*record);
                removed.push_back(*record);
            }
        }
        record = following;
    }
}

// Neighbours of one type are one lock, as F_GETLK shows.
void FileLocks::merge_into(RecordLock& fresh, Records& removed) {
    const auto touches = [&](const Record& record) {
        const LockRange& held = record.lock.range;
        return record.lock.owner == fresh.owner && record.lock.type == fresh.type &&
               (held.last + 1 == fresh.range.first || fresh.range.last + 1 == held.first);
    };
    records_.remove_if(touches, [&](Record& record) {
        fresh.range.first = std::min(fresh.range.first, record.lock.range.first);
        fresh.range.last = std::max(fresh.range.last, record.lock.range.last);
        removed.push_back(record);
    });
}

// Follows who waits for whom. A process whose threads wait for several is followed along one of them, as on Linux; the
// number of steps is bounded because OFD locks and such threads can make circles that the waiter is not part of.
bool FileLocks::would_deadlock(const All& all, const LockOwner& waiter, LockOwner holder) {
    constexpr int kMaxSteps = 10;
    for (int step = 0; step < kMaxSteps && holder.is_process; ++step) {
        if (holder == waiter) {
            return true;
        }
        const auto next = std::ranges::find_if(all.waiters, [&](const Waiter& other) { return other.waits == holder; });
        if (next == all.waiters.end()) {
            return false;
        }
        holder = next->holder;
    }
    return false;
}

Result<bool> FileLocks::try_records(const RecordLock& wanted, OwnPtr<Record>& fresh, OwnPtr<Record>& spare,
                                    Waiter* waiter) {
    Records removed;
    const Result<bool> locked = all_->with([&](All& all) -> Result<bool> {
        if (waiter != nullptr && waiter->node.is_linked()) {
            all.waiters.remove(*waiter);
        }
        if (const Record* const other = find_conflict(wanted); other != nullptr) {
            if (waiter != nullptr && wanted.owner.is_process) {
                if (would_deadlock(all, wanted.owner, other->lock.owner)) {
                    return Error::Deadlock;
                }
                waiter->waits = wanted.owner;
                waiter->holder = other->lock.owner;
                all.waiters.push_back(*waiter);
            }
            return false;
        }
        cut(wanted.owner, wanted.range, spare, removed);
        fresh->lock = wanted;
        merge_into(fresh->lock, removed);
        records_.push_back(*fresh.release());
        return true;
    });
    // A part that became a shared lock may be what another waits for.
    changed(locked && *locked && !removed.empty());
    destroy_all(removed);
    return locked;
}

Result<> FileLocks::lock_records(const RecordLock& wanted, bool wait) {
    OwnPtr<Record> fresh = TRY(make_own<Record>());
    OwnPtr<Record> spare = TRY(make_own<Record>());
    if (!wait) {
        return TRY(try_records(wanted, fresh, spare, nullptr)) ? Result<>() : Error::WouldBlock;
    }
    Waiter waiter;
    const WaiterGuard guard(waiter);
    Result<bool> outcome = false;
    TRY(sched::wait_until(
        changed_,
        [&] {
            outcome = try_records(wanted, fresh, spare, &waiter);
            return !outcome || *outcome;
        },
        kInterruptible));
    TRY(outcome);
    return {};
}

Result<> FileLocks::unlock_records(const LockOwner& owner, const LockRange& range) {
    const bool may_split = range.first != 0 && range.last != kLockToEnd;
    OwnPtr<Record> spare = may_split ? TRY(make_own<Record>()) : OwnPtr<Record>();
    Records removed;
    all_->with([&](All&) { cut(owner, range, spare, removed); });
    changed(true);
    destroy_all(removed);
    return {};
}

void FileLocks::release_owner(const LockOwner& owner) {
    Records removed;
    all_->with([&](All&) {
        records_.remove_if([&](const Record& record) { return record.lock.owner == owner; },
                           [&](Record& record) { removed.push_back(record); });
    });
    changed(!removed.empty());
    destroy_all(removed);
}

void FileLocks::release_file(const File& file) {
    unlock_whole(file);
    release_owner(LockOwner::file(file));
}

}  // namespace kernel::vfs
