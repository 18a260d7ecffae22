// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/inotify_file.h"

#include <utility>

#include "abi/linux/inotify.h"
#include "abi/linux/tty.h"
#include "core/mm/address_space.h"
#include "core/mm/io_buffer.h"
#include "lib/bytes.h"
#include "platform/clock.h"

namespace kernel::linux_abi {
namespace {

using vfs::FileEvents;
using vfs::PollEvents;

constexpr sched::WaitOptions kInterruptible{.deadline_ns = platform::kNoDeadline, .interruptible = true};
constexpr auto kReadable = static_cast<sched::WakeReason>(PollEvents::In | PollEvents::ReadNormal);
constexpr auto kOverflow = static_cast<FileEvents>(abi::kInQOverflow);

}  // namespace

// The name ends with at least one zero and is padded to the size of the header.
std::size_t InotifyFile::Event::record_bytes() const {
    const std::size_t padded = name.empty() ? 0 : align_up(name.size() + 1, sizeof(abi::InotifyEvent));
    return sizeof(abi::InotifyEvent) + padded;
}

InotifyFile::InotifyFile(vfs::OpenRequest&& request)
    : AnonymousFile(std::move(request), "anon_inode:inotify", &kClassTag) {}

InotifyFile::~InotifyFile() {
    vfs::Watches::remove_all(watches_);
    queue_.unguarded().events.drain([](Event& event) { OwnPtr<Event>::adopt(&event).reset(); });
}

Result<RefPtr<InotifyFile>> InotifyFile::create(vfs::OpenRequest&& request) {
    return make_ref<InotifyFile>(std::move(request));
}

Result<std::int32_t> InotifyFile::watch(vfs::Inode& inode, const vfs::Watch& wanted, vfs::Watches::Change change) {
    const std::int32_t fresh = last_descriptor_.fetch_add(1, std::memory_order_relaxed) + 1;
    const Result<std::int32_t> got = vfs::Watches::watch(*this, watches_, inode, wanted, change, fresh);
    if (!got || *got != fresh) {
        // Given back if nobody was faster, so that numbers follow each other.
        std::int32_t expected = fresh;
        last_descriptor_.compare_exchange_strong(expected, fresh - 1, std::memory_order_relaxed);
    }
    return got;
}

bool InotifyFile::has_events() const {
    return queue_.with([](const Queue& queue) { return queue.count != 0; });
}

void InotifyFile::add(OwnPtr<Event> event) {
    queue_.with([&](Queue& queue) {
        queue.bytes += event->record_bytes();
        ++queue.count;
        queue.overflowed = event->events == kOverflow;
        queue.events.push_back(*event.release());
    });
    readable_.wake_all(sched::WakeHint::None, kReadable);
}

// An event that is like the last one is not told twice. Where memory or room is lacking, one event says so.
void InotifyFile::file_event(const vfs::Watch& watch, FileEvents events, std::uint32_t cookie, std::string_view name) {
    enum class Room : std::uint8_t { There, Repeated, Full, Overflowed };
    const Room room = queue_.with([&](Queue& queue) {
        const Event* const last = queue.events.back();
        if (last != nullptr && last->descriptor == watch.descriptor && last->events == events &&
            last->cookie == cookie && last->name.view() == name) {
            return Room::Repeated;
        }
        if (queue.count < kMaxQueued) {
            return Room::There;
        }
        return queue.overflowed ? Room::Overflowed : Room::Full;
    });
    if (room == Room::Repeated || room == Room::Overflowed) {
        return;
    }
    Result<OwnPtr<Event>> event = make_own<Event>();
    if (!event) {
        return;
    }
    Result<String> text = String::create(name);
    if (room == Room::Full || !text) {
        (*event)->descriptor = -1;
        (*event)->events = kOverflow;
    } else {
        (*event)->descriptor = watch.descriptor;
        (*event)->events = events;
        (*event)->cookie = cookie;
        (*event)->name = std::move(*text);
    }
    add(std::move(*event));
}

Result<OwnPtr<InotifyFile::Event>> InotifyFile::take(std::uint64_t room_bytes) {
    return queue_.with([&](Queue& queue) -> Result<OwnPtr<Event>> {
        Event* const first = queue.events.front();
        if (first == nullptr) {
            return OwnPtr<Event>();
        }
        const std::size_t bytes = first->record_bytes();
        if (bytes > room_bytes) {
            return Error::InvalidArgument;
        }
        queue.events.remove(*first);
        queue.bytes -= bytes;
        --queue.count;
        return OwnPtr<Event>::adopt(first);
    });
}

Result<> InotifyFile::put(const Event& event, mm::IoBuffer& to) {
    const std::size_t padded = event.record_bytes() - sizeof(abi::InotifyEvent);
    const abi::InotifyEvent header{event.descriptor, static_cast<std::uint32_t>(event.events), event.cookie,
                                   static_cast<std::uint32_t>(padded)};
    if (TRY(to.copy_from(as_bytes_of(header))) != sizeof(header)) {
        return Error::BadAddress;
    }
    if (padded != 0) {
        const std::size_t name = TRY(to.copy_from(as_bytes(event.name.view())));
        if (name != event.name.size() || TRY(to.fill_zero(padded - name)) != padded - name) {
            return Error::BadAddress;
        }
    }
    return {};
}

Result<std::size_t> InotifyFile::do_read(mm::IoBuffer& to, std::uint64_t) {
    const std::uint64_t before = to.done();
    while (true) {
        Result<OwnPtr<Event>> event = take(to.remaining());
        const bool some = to.done() != before;
        if (event && *event) {
            // An event that cannot be handed over is lost, as on Linux.
            if (const Result<> given = put(**event, to); !given) {
                return some ? Result<std::size_t>(to.done() - before) : given.error();
            }
            continue;
        }
        if (some) {
            return to.done() - before;
        }
        if (!event) {
            return event.error();
        }
        if (is_non_blocking()) {
            return Error::WouldBlock;
        }
        TRY(sched::wait_until(readable_, [this] { return has_events(); }, kInterruptible));
    }
}

Result<PollEvents> InotifyFile::poll(vfs::PollRegistrar* registrar) {
    if (registrar != nullptr) {
        TRY(registrar->watch(readable_));
    }
    return has_events() ? PollEvents::In | PollEvents::ReadNormal : PollEvents::None;
}

Result<std::uint64_t> InotifyFile::ioctl(vfs::Ioctl& request) {
    if (request.command != abi::kFionread) {
        return Error::NotTerminal;
    }
    const std::size_t bytes = queue_.with([](const Queue& queue) { return queue.bytes; });
    TRY(request.space.write_user(UserPtr<std::int32_t>{VirtAddr{request.argument}}, static_cast<std::int32_t>(bytes)));
    return 0;
}

}  // namespace kernel::linux_abi
