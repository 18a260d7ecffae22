// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/event_file.h"

#include <utility>

#include "core/mm/io_buffer.h"
#include "lib/bytes.h"
#include "platform/clock.h"

namespace kernel::linux_abi {
namespace {

using vfs::PollEvents;

constexpr sched::WaitOptions kInterruptible{.deadline_ns = platform::kNoDeadline, .interruptible = true};
constexpr auto kReadable = static_cast<sched::WakeReason>(PollEvents::In | PollEvents::ReadNormal);
constexpr auto kWritable = static_cast<sched::WakeReason>(PollEvents::Out | PollEvents::WriteNormal);

}  // namespace

EventFile::EventFile(vfs::OpenRequest&& request, std::uint64_t initial, Mode mode)
    : AnonymousFile(std::move(request), "anon_inode:[eventfd]", &kClassTag), mode_(mode), count_(initial) {}

Result<RefPtr<EventFile>> EventFile::create(vfs::OpenRequest&& request, std::uint64_t initial, Mode mode) {
    return make_ref<EventFile>(std::move(request), initial, mode);
}

std::uint64_t EventFile::take() {
    return count_.with([&](std::uint64_t& count) -> std::uint64_t {
        if (count == 0) {
            return 0;
        }
        const std::uint64_t taken = mode_ == Mode::Semaphore ? 1 : count;
        count -= taken;
        return taken;
    });
}

bool EventFile::add(std::uint64_t value) {
    return count_.with([&](std::uint64_t& count) {
        if (value > kMaximum - count) {
            return false;
        }
        count += value;
        return true;
    });
}

Result<std::size_t> EventFile::do_read(mm::IoBuffer& to, std::uint64_t) {
    TRY(check_record_room(to.remaining(), sizeof(std::uint64_t)));
    std::uint64_t taken = take();
    if (taken == 0) {
        if (is_non_blocking()) {
            return Error::WouldBlock;
        }
        const auto ready = [&] {
            taken = take();
            return taken != 0;
        };
        TRY(sched::wait_until(readable_, ready, kInterruptible));
    }
    writable_.wake_one(sched::WakeHint::None, kWritable);
    if (mode_ == Mode::Semaphore) {
        // The wake-up that this reader used up may have been for more than it took.
        if (count_.with([](std::uint64_t count) { return count != 0; })) {
            readable_.pass_on();
        }
    }
    if (TRY(to.copy_from(as_bytes_of(taken))) != sizeof(taken)) {
        return Error::BadAddress;
    }
    return sizeof(taken);
}

Result<std::size_t> EventFile::do_write(mm::IoBuffer& from, std::uint64_t&, vfs::WriteOrder) {
    std::uint64_t value = 0;
    // Linux has taken longer writes until 6.11 and ignored the rest.
    if (from.remaining() != sizeof(value)) {
        return Error::InvalidArgument;
    }
    if (TRY(from.copy_to(as_writable_bytes_of(value))) != sizeof(value)) {
        return Error::BadAddress;
    }
    if (value > kMaximum) {
        return Error::InvalidArgument;
    }
    if (!add(value)) {
        if (is_non_blocking()) {
            return Error::WouldBlock;
        }
        TRY(sched::wait_until(writable_, [&] { return add(value); }, kInterruptible));
        writable_.pass_on();  // another writer may have less to add
    }
    readable_.wake_one(sched::WakeHint::None, kReadable);
    return sizeof(value);
}

Result<PollEvents> EventFile::poll(vfs::PollRegistrar* registrar) {
    if (registrar != nullptr) {
        TRY(registrar->watch(readable_));
        TRY(registrar->watch(writable_));
    }
    const std::uint64_t count = count_.with([](std::uint64_t value) { return value; });
    PollEvents events = PollEvents::None;
    if (count != 0) {
        events |= PollEvents::In;
    }
    if (count < kMaximum) {
        events |= PollEvents::Out;
    }
    return events;
}

}  // namespace kernel::linux_abi
