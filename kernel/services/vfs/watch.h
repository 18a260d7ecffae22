// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include "lib/guarded.h"
#include "lib/immortal.h"
#include "lib/list.h"
#include "lib/ref.h"
#include "lib/result.h"

namespace kernel::vfs {

class Inode;
class InodeWatches;
struct Path;
struct Watch;

// What happens to files, for those who watch them; the bits are those of inotify(7).
enum class FileEvents : std::uint32_t {
    None = 0,
    Access = 0x1,
    Modify = 0x2,
    Attributes = 0x4,
    CloseWrite = 0x8,
    CloseNoWrite = 0x10,
    Open = 0x20,
    MovedFrom = 0x40,
    MovedTo = 0x80,
    Create = 0x100,
    Delete = 0x200,
    DeleteSelf = 0x400,
    MoveSelf = 0x800,
    Ignored = 0x8000,
    IsDirectory = 0x4000'0000,
};
constexpr FileEvents operator|(FileEvents a, FileEvents b) {
    return static_cast<FileEvents>(static_cast<std::uint32_t>(a) | static_cast<std::uint32_t>(b));
}
constexpr FileEvents operator&(FileEvents a, FileEvents b) {
    return static_cast<FileEvents>(static_cast<std::uint32_t>(a) & static_cast<std::uint32_t>(b));
}

class FileWatcher;

// One inode that a watcher watches; keeps it alive. Unlike on Linux, what is unlinked is gone for its watchers at once,
// even while it is open.
struct Watch {
    FileWatcher* watcher = nullptr;
    RefPtr<Inode> inode;
    FileEvents wanted = FileEvents::None;
    std::int32_t descriptor = 0;
    bool once = false;              // goes with its first event
    bool without_unlinked = false;  // nothing about children that have been unlinked
    ListNode inode_node;
    ListNode watcher_node;
};
using WatchList = IntrusiveList<Watch, &Watch::watcher_node>;

// Who watches. Called under the lock of all watches: takes only locks that rank later, blocks not, allocates plain
// memory.
class FileWatcher {
public:
    // What it watches; guarded by the lock of all watches.
    virtual WatchList& watches() = 0;
    virtual void file_event(const Watch& watch, FileEvents events, std::uint32_t cookie, std::string_view name) = 0;

protected:
    ~FileWatcher() = default;
};

// The watches of one inode. Guarded by the lock of all watches.
class InodeWatches : NonCopyable {
private:
    friend class Watches;
    friend class kernel::ObjectMaker;
    IntrusiveList<Watch, &Watch::inode_node> list_;
};

// All watches of the system, under one spinlock.
class Watches {
public:
    enum class Change : std::uint8_t { Replace, Add, MustBeNew };
    // A watch of this inode for the watcher, or a change of the one it has. Returns its descriptor, `fresh_descriptor`
    // for a new one. Errors: Exists (MustBeNew), NoSpace (too many in the system), NoMemory.
    static Result<std::int32_t> watch(FileWatcher& watcher, WatchList& own, Inode& inode, const Watch& wanted,
                                      Change change, std::int32_t fresh_descriptor);
    // Errors: InvalidArgument (no such descriptor).
    static Result<> remove(WatchList& own, std::int32_t descriptor);
    static void remove_all(WatchList& own);

    // Something happened to the file at this place: tells who watches it, and who watches the directory with its name
    // there.
    static void report(const Path& path, FileEvents events) {
        if (any()) {
            report_place(path, events);
        }
    }
    // A name in a directory came, went or moved.
    static void report_name(Inode& directory, std::string_view name, const Inode& subject, FileEvents events,
                            std::uint32_t cookie = 0) {
        if (any()) {
            report_entry(directory, name, subject, events, cookie);
        }
    }
    static void report_self(Inode& inode, FileEvents events) {
        if (any()) {
            report_inode(inode, events);
        }
    }
    // A name of it was removed: who watches it learns of the count of links, or of its end.
    static void report_unlinked(Inode& inode) {
        if (any()) {
            report_lost_name(inode);
        }
    }
    // Ties the two halves of a rename together.
    static std::uint32_t next_cookie();

private:
    static constexpr std::uint32_t kMaxWatches = 65536;
    struct All {
        std::uint32_t count = 0;
    };
    static bool any() { return exist_.load(std::memory_order_relaxed); }
    static void report_place(const Path& path, FileEvents events);
    static void report_entry(Inode& directory, std::string_view name, const Inode& subject, FileEvents events,
                             std::uint32_t cookie);
    static void report_inode(Inode& inode, FileEvents events);
    static void report_lost_name(Inode& inode);
    enum class Subject : std::uint8_t { Itself, Child, UnlinkedChild };
    static void deliver(Inode& inode, FileEvents events, std::uint32_t cookie, std::string_view name, Subject subject,
                        bool last);
    static void unlink_locked(All& all, Watch& watch, WatchList& own, WatchList& removed);

    static constinit std::atomic<bool> exist_;  // a hint: some watch exists
    // NOLINTNEXTLINE(bugprone-dynamic-static-initializers): made before any thread runs
    static Immortal<SpinGuarded<All, Rank::FileWatches>> all_;
};

}  // namespace kernel::vfs
