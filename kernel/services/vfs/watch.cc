// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/vfs/watch.h"

#include <algorithm>
#include <array>

#include "lib/own.h"
#include "services/vfs/inode.h"
#include "services/vfs/path.h"

namespace kernel::vfs {
namespace {

bool any_of(FileEvents events, FileEvents wanted) {
    return (events & wanted) != FileEvents::None;
}

FileEvents with_kind(const Inode& inode, FileEvents events) {
    return inode.is_directory() ? events | FileEvents::IsDirectory : events;
}

void destroy_all(WatchList& removed) {
    removed.drain([](Watch& watch) { OwnPtr<Watch>::adopt(&watch).reset(); });
}

}  // namespace

constinit std::atomic<bool> Watches::exist_ = false;
Immortal<SpinGuarded<Watches::All, Rank::FileWatches>> Watches::all_;

std::uint32_t Watches::next_cookie() {
    static constinit std::atomic<std::uint32_t> last = 0;
    return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

// The watch is destroyed, and lets go of its inode, outside of the lock.
void Watches::unlink_locked(All& all, Watch& watch, WatchList& own, WatchList& removed) {
    watch.inode->existing_watches()->list_.remove(watch);
    own.remove(watch);
    removed.push_back(watch);
    --all.count;
    exist_.store(all.count != 0, std::memory_order_relaxed);
}

Result<std::int32_t> Watches::watch(FileWatcher& watcher, WatchList& own, Inode& inode, const Watch& wanted,
                                    Change change, std::int32_t fresh_descriptor) {
    OwnPtr<Watch> fresh = TRY(make_own<Watch>());
    fresh->watcher = &watcher;
    fresh->inode = RefPtr<Inode>(inode);
    fresh->wanted = wanted.wanted;
    fresh->once = wanted.once;
    fresh->without_unlinked = wanted.without_unlinked;
    fresh->descriptor = fresh_descriptor;
    InodeWatches& there = *TRY(inode.watches());
    return all_->with([&](All& all) -> Result<std::int32_t> {
        const auto found =
            std::ranges::find_if(there.list_, [&](const Watch& watch) { return watch.watcher == &watcher; });
        if (found != there.list_.end()) {
            if (change == Change::MustBeNew) {
                return Error::Exists;
            }
            found->wanted = change == Change::Add ? found->wanted | wanted.wanted : wanted.wanted;
            found->once = wanted.once;
            found->without_unlinked = wanted.without_unlinked;
            return found->descriptor;
        }
        if (all.count >= kMaxWatches) {
            return Error::NoSpace;
        }
        ++all.count;
        exist_.store(true, std::memory_order_relaxed);
        there.list_.push_back(*fresh);
        own.push_back(*fresh.release());
        return fresh_descriptor;
    });
}

Result<> Watches::remove(WatchList& own, std::int32_t descriptor) {
    WatchList removed;
    all_->with([&](All& all) {
        const auto found =
            std::ranges::find_if(own, [&](const Watch& watch) { return watch.descriptor == descriptor; });
        if (found != own.end()) {
            found->watcher->file_event(*found, FileEvents::Ignored, 0, {});
            unlink_locked(all, *found, own, removed);
        }
    });
    const bool was_there = !removed.empty();
    destroy_all(removed);
    return was_there ? Result<>() : Error::InvalidArgument;
}

void Watches::remove_all(WatchList& own) {
    WatchList removed;
    all_->with([&](All& all) {
        while (Watch* const watch = own.front()) {
            unlink_locked(all, *watch, own, removed);
        }
    });
    destroy_all(removed);
}

void Watches::deliver(Inode& inode, FileEvents events, std::uint32_t cookie, std::string_view name, Subject subject,
                      bool last) {
    InodeWatches* const watches = inode.existing_watches();
    if (watches == nullptr) {
        return;
    }
    WatchList removed;
    all_->with([&](All& all) {
        for (Watch* watch = watches->list_.front(); watch != nullptr;) {
            Watch* const following = watches->list_.next(*watch);
            const bool hidden = subject == Subject::UnlinkedChild && watch->without_unlinked;
            const bool wanted = any_of(watch->wanted, events) && !hidden;
            if (wanted) {
                watch->watcher->file_event(*watch, events, cookie, name);
            }
            if (last || (wanted && watch->once)) {
                watch->watcher->file_event(*watch, FileEvents::Ignored, 0, {});
                unlink_locked(all, *watch, watch->watcher->watches(), removed);
            }
            watch = following;
        }
    });
    destroy_all(removed);
}

void Watches::report_place(const Path& path, FileEvents events) {
    Inode& inode = path.inode();
    events = with_kind(inode, events);
    if (const RefPtr<Dentry> parent = dentries::parent_of(*path.dentry); parent && parent->inode() != nullptr) {
        if (parent->inode()->existing_watches() != nullptr) {
            std::array<char, kMaxNameBytes> name;
            const std::size_t length = dentries::copy_name(*path.dentry, name);
            deliver(*parent->inode(), events, 0, {name.data(), length},
                    path.dentry->is_unlinked() ? Subject::UnlinkedChild : Subject::Child, false);
        }
    }
    deliver(inode, events, 0, {}, Subject::Itself, false);
}

void Watches::report_entry(Inode& directory, std::string_view name, const Inode& subject, FileEvents events,
                           std::uint32_t cookie) {
    deliver(directory, with_kind(subject, events), cookie, name, Subject::Child, false);
}

void Watches::report_inode(Inode& inode, FileEvents events) {
    // inotify(7) tells no kind with these.
    const bool of_itself = any_of(events, FileEvents::MoveSelf | FileEvents::DeleteSelf);
    deliver(inode, of_itself ? events : with_kind(inode, events), 0, {}, Subject::Itself, false);
}

void Watches::report_lost_name(Inode& inode) {
    if (inode.existing_watches() == nullptr) {
        return;
    }
    const Result<Status> status = inode.status();
    const bool gone = inode.is_directory() || (status && status->links == 0);
    if (!inode.is_directory()) {
        deliver(inode, FileEvents::Attributes, 0, {}, Subject::Itself, false);
    }
    if (gone) {
        deliver(inode, FileEvents::DeleteSelf, 0, {}, Subject::Itself, true);
    }
}

}  // namespace kernel::vfs
