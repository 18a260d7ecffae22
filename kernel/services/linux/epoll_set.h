// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>

#include "abi/linux/events.h"
#include "core/sched/wait_queue.h"
#include "lib/guarded.h"
#include "lib/list.h"
#include "lib/own.h"
#include "lib/ref.h"
#include "lib/result.h"
#include "lib/tree.h"
#include "lib/vector.h"
#include "services/vfs/file.h"
#include "services/vfs/turn.h"

namespace kernel::linux_abi {

class EpollSet;

// The bits of a request that are not events.
inline constexpr std::uint32_t kEpollModes =
    abi::kEpollExclusive | abi::kEpollWakeup | abi::kEpollOneshot | abi::kEpollEdge;

// One file that a set watches under one descriptor number. Its watchers stay in the file's wait queues from ADD to DEL,
// so that a change of readiness costs the same however many files the set has, and a wait looks at ready files only.
class EpollItem final : public vfs::FileObserver {
public:
    struct Key {
        const vfs::File* file = nullptr;
        std::int32_t fd = -1;
        auto operator<=>(const Key&) const = default;
    };
    struct ByKey {
        Key operator()(const EpollItem& item) const { return {&item.file_, item.fd_}; }
    };

    void file_released() override;
    // The set that is watched, when the file is one itself.
    EpollSet* nested_set() const { return nested_set_; }
    EpollSet& set() const { return *set_; }

    // For the set: all items, and those that may be ready.
    TreeNode tree_node;
    ListNode ready_node;
    // For the graph of sets, under its lock.
    ListNode child_node;
    ListNode parent_node;

private:
    friend class EpollSet;
    friend class kernel::ObjectMaker;
    class Watcher;
    class Registrar;

    EpollItem(RefPtr<EpollSet> set, vfs::File& file, std::int32_t fd, const abi::EpollEvent& wanted, EpollSet* nested);
    ~EpollItem() override;

    bool notified(sched::WakeHint hint, sched::WakeReason reason);
    Result<std::uint32_t> ready_events(vfs::PollRegistrar* registrar);

    const RefPtr<EpollSet> set_;
    vfs::File& file_;  // there as long as the item is attached
    const std::int32_t fd_;
    EpollSet* const nested_set_;
    // Written by whoever has the set's turn, read by wakers. Without poll events: disabled (EPOLLONESHOT).
    std::atomic<std::uint32_t> interest_;
    std::uint64_t data_;
    std::uint64_t round_ = 0;  // of the wait that reported it last
    bool attached_ = false;
    Vector<OwnPtr<Watcher>> watchers_;
};

// What an epoll descriptor refers to, epoll(7). The turn serialises changes and waits that collect events, as Linux's
// ep->mtx does; a file that is released waits for it, so whoever has the turn may poll each attached item's file. Turns
// of nested sets are taken along the graph of sets, which has no cycles.
class EpollSet final : public RefCounted {
public:
    static Result<RefPtr<EpollSet>> create();

    // Errors: Exists, SymlinkLoop and InvalidArgument (nesting), NoSpace (too many watches in the system), NoMemory,
    // and what the file's poll says. `nested` is the file's own set, if it has one.
    Result<> add(vfs::File& file, std::int32_t fd, abi::EpollEvent wanted, EpollSet* nested);
    // Errors: NotFound; InvalidArgument (EPOLLEXCLUSIVE).
    Result<> modify(vfs::File& file, std::int32_t fd, abi::EpollEvent wanted);
    Result<> remove(vfs::File& file, std::int32_t fd);
    // The descriptor is closed: forgets everything.
    void close();

    // Hands out up to `limit` events: visit(event) -> Result<>; an item whose event could not be delivered stays ready.
    template <class Visitor>
    Result<std::size_t> collect(std::size_t limit, Visitor&& visit);
    bool may_have_events() const {
        return ready_.with([](const ReadyList& list) { return !list.empty(); });
    }
    // Whether a wait would find something. May block.
    bool has_events();
    // Threads that wait, and those that watch the set itself.
    sched::WaitQueue& waiters() { return waiters_; }

    // Under the graph's lock.
    using ChildList = IntrusiveList<EpollItem, &EpollItem::child_node>;
    using ParentList = IntrusiveList<EpollItem, &EpollItem::parent_node>;
    ChildList children;
    ParentList parents;

private:
    friend class EpollItem;
    friend class kernel::ObjectMaker;
    using Items = IntrusiveTree<EpollItem, &EpollItem::tree_node, EpollItem::ByKey>;
    using ReadyList = IntrusiveList<EpollItem, &EpollItem::ready_node>;

    EpollSet() = default;
    ~EpollSet() override = default;

    // With the turn held.
    EpollItem* find(const vfs::File& file, std::int32_t fd) { return items_.find(EpollItem::Key{&file, fd}); }
    RefPtr<EpollItem> detach(EpollItem& item);
    bool make_ready(EpollItem& item);
    Result<> look_at(EpollItem& item, vfs::PollRegistrar* registrar);
    EpollItem* next_ready(ReadyList& seen);
    void put_back(ReadyList& seen);

    vfs::Turn turn_;
    Items items_;  // each holds a reference
    std::uint64_t round_ = 0;
    SpinGuarded<ReadyList, Rank::EpollReady> ready_;
    sched::WaitQueue waiters_;
};

template <class Visitor>
Result<std::size_t> EpollSet::collect(std::size_t limit, Visitor&& visit) {
    const vfs::Turn::Holder turn(turn_);
    ReadyList seen;
    std::size_t count = 0;
    Result<> delivered;
    ++round_;
    while (count < limit && delivered) {
        EpollItem* const item = next_ready(seen);
        if (item == nullptr) {
            break;
        }
        const std::uint32_t events = item->ready_events(nullptr).value_or(0);
        if (events == 0) {
            continue;
        }
        delivered = visit(abi::EpollEvent{.events = events, .data = item->data_});
        const std::uint32_t interest = item->interest_.load(std::memory_order_relaxed);
        if (delivered) {
            ++count;
            item->round_ = round_;
            if ((interest & abi::kEpollOneshot) != 0) {
                item->interest_.store(interest & kEpollModes, std::memory_order_relaxed);
                continue;
            }
        }
        if (!delivered || (interest & abi::kEpollEdge) == 0) {
            ready_.with([&](ReadyList& list) {
                if (!ReadyList::is_linked(*item)) {
                    list.push_back(*item);
                }
            });
        }
    }
    put_back(seen);
    if (count == 0 && !delivered) {
        return delivered.error();
    }
    return count;
}

}  // namespace kernel::linux_abi
