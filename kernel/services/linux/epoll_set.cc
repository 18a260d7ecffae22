// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/epoll_set.h"

#include <utility>

#include "services/linux/epoll_graph.h"

namespace kernel::linux_abi {
namespace {

// Of all sets together; /proc/sys/fs/epoll/max_user_watches is per user on Linux.
constexpr std::uint32_t kMaxItems = 1u << 19;
constinit std::atomic<std::uint32_t> item_count = 0;

constexpr std::uint32_t kAlways = abi::kEpollerr | abi::kEpollhup;

bool is_enabled(std::uint32_t interest) {
    return (interest & ~kEpollModes) != 0;
}

}  // namespace

class EpollItem::Watcher final : public sched::WaitEntry {
public:
    Watcher(EpollItem& item, sched::WaitQueue& queue, Kind kind) : WaitEntry(kind), queue_(queue), item_(item) {
        queue_.add(*this);
    }
    ~Watcher() { queue_.remove(*this); }
    bool notify(sched::WakeHint hint, sched::WakeReason reason) override { return item_.notified(hint, reason); }

private:
    sched::WaitQueue& queue_;
    EpollItem& item_;
};

class EpollItem::Registrar final : public vfs::PollRegistrar {
public:
    explicit Registrar(EpollItem& item) : item_(item) {}
    Result<> watch(sched::WaitQueue& queue) override {
        const bool exclusive = (item_.interest_.load(std::memory_order_relaxed) & abi::kEpollExclusive) != 0;
        const auto kind = exclusive ? sched::WaitEntry::Kind::ExclusiveWatcher : sched::WaitEntry::Kind::Watcher;
        TRY(item_.watchers_.reserve(item_.watchers_.size() + 1));
        return item_.watchers_.push_back(TRY(make_own<Watcher>(item_, queue, kind)));
    }

private:
    EpollItem& item_;
};

EpollItem::EpollItem(RefPtr<EpollSet> set, vfs::File& file, std::int32_t fd, const abi::EpollEvent& wanted,
                     EpollSet* nested)
    : set_(std::move(set)),
      file_(file),
      fd_(fd),
      nested_set_(nested),
      interest_(wanted.events | kAlways),
      data_(wanted.data) {}

EpollItem::~EpollItem() {
    KASSERT(!attached_);
    item_count.fetch_sub(1, std::memory_order_relaxed);
}

void EpollItem::file_released() {
    RefPtr<EpollItem> dropped;
    const vfs::Turn::Holder turn(set_->turn_);
    if (attached_) {
        dropped = set_->detach(*this);
    }
}

bool EpollItem::notified(sched::WakeHint hint, sched::WakeReason reason) {
    const std::uint32_t interest = interest_.load(std::memory_order_relaxed);
    if (!is_enabled(interest) || (interest & reason & ~kEpollModes) == 0) {
        return false;
    }
    (void)set_->make_ready(*this);
    return set_->waiters_.wake_one_within_notify(hint);
}

Result<std::uint32_t> EpollItem::ready_events(vfs::PollRegistrar* registrar) {
    const auto events = static_cast<std::uint32_t>(TRY(file_.poll(registrar)));
    const std::uint32_t interest = interest_.load(std::memory_order_relaxed);
    return is_enabled(interest) ? events & interest & ~kEpollModes : 0;
}

Result<RefPtr<EpollSet>> EpollSet::create() {
    return make_ref<EpollSet>();
}

bool EpollSet::make_ready(EpollItem& item) {
    return ready_.with([&](ReadyList& list) {
        if (ReadyList::is_linked(item)) {
            return false;
        }
        list.push_back(item);
        return true;
    });
}

// After a change of what is wanted: readiness that is there already counts as an event.
Result<> EpollSet::look_at(EpollItem& item, vfs::PollRegistrar* registrar) {
    if (TRY(item.ready_events(registrar)) != 0 && make_ready(item)) {
        waiters_.wake_one();
    }
    return {};
}

RefPtr<EpollItem> EpollSet::detach(EpollItem& item) {
    KASSERT(item.attached_);
    item.attached_ = false;
    item.watchers_.clear();
    ready_.with([&](ReadyList& list) {
        if (ReadyList::is_linked(item)) {
            list.remove(item);
        }
    });
    items_.remove(item);
    if (item.nested_set_ != nullptr) {
        epoll_graph::remove_edge(item);
    }
    item.file_.remove_observer(item);
    return RefPtr<EpollItem>::adopt(item);
}

Result<> EpollSet::add(vfs::File& file, std::int32_t fd, abi::EpollEvent wanted, EpollSet* nested) {
    RefPtr<EpollItem> dropped;
    const vfs::Turn::Holder turn(turn_);
    if (find(file, fd) != nullptr) {
        return Error::Exists;
    }
    if (item_count.fetch_add(1, std::memory_order_relaxed) >= kMaxItems) {
        item_count.fetch_sub(1, std::memory_order_relaxed);
        return Error::NoSpace;
    }
    Result<RefPtr<EpollItem>> made = make_ref<EpollItem>(RefPtr<EpollSet>(*this), file, fd, wanted, nested);
    if (!made) {
        item_count.fetch_sub(1, std::memory_order_relaxed);
        return made.error();
    }
    EpollItem& item = **made;
    if (nested != nullptr) {
        TRY(epoll_graph::add_edge(item));
    }
    item.attached_ = true;
    items_.insert(*made->release());
    file.add_observer(item);
    EpollItem::Registrar registrar(item);
    if (const Result<> looked = look_at(item, &registrar); !looked) {
        dropped = detach(item);
        return looked;
    }
    return {};
}

Result<> EpollSet::modify(vfs::File& file, std::int32_t fd, abi::EpollEvent wanted) {
    const vfs::Turn::Holder turn(turn_);
    EpollItem* const item = find(file, fd);
    if (item == nullptr) {
        return Error::NotFound;
    }
    if ((item->interest_.load(std::memory_order_relaxed) & abi::kEpollExclusive) != 0) {
        return Error::InvalidArgument;
    }
    item->data_ = wanted.data;
    item->interest_.store(wanted.events | kAlways);
    return look_at(*item, nullptr);
}

Result<> EpollSet::remove(vfs::File& file, std::int32_t fd) {
    RefPtr<EpollItem> dropped;
    const vfs::Turn::Holder turn(turn_);
    EpollItem* const item = find(file, fd);
    if (item == nullptr) {
        return Error::NotFound;
    }
    dropped = detach(*item);
    return {};
}

void EpollSet::close() {
    while (true) {
        RefPtr<EpollItem> dropped;
        const vfs::Turn::Holder turn(turn_);
        EpollItem* const item = items_.first();
        if (item == nullptr) {
            return;
        }
        dropped = detach(*item);
    }
}

// The first that has not been reported in this round; those that have are put aside, so that the loop ends.
EpollItem* EpollSet::next_ready(ReadyList& seen) {
    return ready_.with([&](ReadyList& list) -> EpollItem* {
        while (EpollItem* const item = list.pop_front()) {
            if (item->round_ != round_) {
                return item;
            }
            seen.push_back(*item);
        }
        return nullptr;
    });
}

// What is ready still concerns the next waiter.
void EpollSet::put_back(ReadyList& seen) {
    const bool more = ready_.with([&](ReadyList& list) {
        list.splice_back(seen);
        return !list.empty();
    });
    if (more) {
        waiters_.wake_one();
    }
}

bool EpollSet::has_events() {
    const vfs::Turn::Holder turn(turn_);
    ReadyList seen;
    ++round_;
    bool found = false;
    while (!found) {
        EpollItem* const item = next_ready(seen);
        if (item == nullptr) {
            break;
        }
        found = item->ready_events(nullptr).value_or(0) != 0;
        if (found) {
            ready_.with([&](ReadyList& list) {
                if (!ReadyList::is_linked(*item)) {
                    list.push_front(*item);
                }
            });
        }
    }
    ready_.with([&](ReadyList& list) { list.splice_back(seen); });
    return found;
}

}  // namespace kernel::linux_abi
