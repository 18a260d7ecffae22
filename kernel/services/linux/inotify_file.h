// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include "core/sched/wait_queue.h"
#include "lib/guarded.h"
#include "lib/list.h"
#include "lib/own.h"
#include "lib/string.h"
#include "services/linux/anonymous_file.h"
#include "services/vfs/watch.h"

namespace kernel::linux_abi {

// inotify(7): watches, and the events that have not been read.
class InotifyFile final : public AnonymousFile, public vfs::FileWatcher {
public:
    static constexpr char kClassTag = 0;
    static constexpr std::size_t kMaxQueued = 16384;

    static Result<RefPtr<InotifyFile>> create(vfs::OpenRequest&& request);

    // Returns the descriptor of the watch. Errors: Exists, NoSpace, NoMemory.
    Result<std::int32_t> watch(vfs::Inode& inode, const vfs::Watch& wanted, vfs::Watches::Change change);
    // Errors: InvalidArgument.
    Result<> remove(std::int32_t descriptor) { return vfs::Watches::remove(watches_, descriptor); }

    Result<vfs::PollEvents> poll(vfs::PollRegistrar* registrar) override;
    Result<std::uint64_t> ioctl(vfs::Ioctl& request) override;
    vfs::WatchList& watches() override { return watches_; }
    void file_event(const vfs::Watch& watch, vfs::FileEvents events, std::uint32_t cookie,
                    std::string_view name) override;

protected:
    Result<std::size_t> do_read(mm::IoBuffer& to, std::uint64_t) override;

private:
    friend class kernel::ObjectMaker;
    struct Event {
        std::int32_t descriptor = 0;
        vfs::FileEvents events = vfs::FileEvents::None;
        std::uint32_t cookie = 0;
        String name;
        ListNode node;

        std::size_t record_bytes() const;
    };
    struct Queue {
        IntrusiveList<Event, &Event::node> events;
        std::size_t count = 0;
        std::size_t bytes = 0;
        bool overflowed = false;  // the last one tells that some are lost
    };

    explicit InotifyFile(vfs::OpenRequest&& request);
    ~InotifyFile() override;
    bool has_events() const;
    void add(OwnPtr<Event> event);
    // The next event if it fits; null when there is none. Errors: InvalidArgument (it does not fit).
    Result<OwnPtr<Event>> take(std::uint64_t room_bytes);
    static Result<> put(const Event& event, mm::IoBuffer& to);

    vfs::WatchList watches_;  // guarded by the lock of all watches
    std::atomic<std::int32_t> last_descriptor_ = 0;
    SpinGuarded<Queue, Rank::EventFile> queue_;
    sched::WaitQueue readable_;
};

}  // namespace kernel::linux_abi
