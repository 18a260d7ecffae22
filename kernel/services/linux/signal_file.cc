// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/signal_file.h"

#include <utility>

#include "abi/linux/events.h"
#include "core/mm/io_buffer.h"
#include "lib/bytes.h"
#include "platform/clock.h"
#include "services/linux/signals.h"

namespace kernel::linux_abi {
namespace {

constexpr sched::WaitOptions kInterruptible{.deadline_ns = platform::kNoDeadline, .interruptible = true};

void describe_fault(const abi::Siginfo& info, abi::SignalfdSiginfo& record) {
    record.address = info.fault.address;
    record.address_lsb = static_cast<std::uint16_t>(info.fault.address_lsb);
}

void describe_child(const abi::Siginfo& info, abi::SignalfdSiginfo& record) {
    record.pid = static_cast<std::uint32_t>(info.child.pid);
    record.uid = info.child.uid;
    record.status = info.child.status;
    record.utime = static_cast<std::uint64_t>(info.child.utime);
    record.stime = static_cast<std::uint64_t>(info.child.stime);
}

void describe_timer(const abi::Siginfo& info, abi::SignalfdSiginfo& record) {
    record.timer = static_cast<std::uint32_t>(info.timer.timer);
    record.overrun = static_cast<std::uint32_t>(info.timer.overrun);
    record.value_pointer = info.timer.value;
    record.value_int = static_cast<std::int32_t>(info.timer.value);
}

void describe_sender(const abi::Siginfo& info, abi::SignalfdSiginfo& record) {
    record.pid = static_cast<std::uint32_t>(info.sender.pid);
    record.uid = info.sender.uid;
    record.value_pointer = info.sender.value;
    record.value_int = static_cast<std::int32_t>(info.sender.value);
}

bool is_fault(int signal) {
    return (abi::signal_bit(signal) & (kSynchronousSignals & ~abi::signal_bit(abi::kSigsys))) != 0;
}

// Which fields of a siginfo mean something depends on its code, sigaction(2).
abi::SignalfdSiginfo record_of(const abi::Siginfo& info) {
    abi::SignalfdSiginfo record{};
    record.signal = static_cast<std::uint32_t>(info.signal);
    record.error = info.error;
    record.code = info.code;
    const bool by_kernel = info.code > 0 && info.code != abi::kSiKernel;
    if (by_kernel && is_fault(info.signal)) {
        describe_fault(info, record);
    } else if (by_kernel && info.signal == abi::kSigchld) {
        describe_child(info, record);
    } else if (info.code == abi::kSiTimer) {
        describe_timer(info, record);
    } else {
        describe_sender(info, record);
    }
    return record;
}

}  // namespace

SignalFile::SignalFile(vfs::OpenRequest&& request, abi::SignalMask mask)
    : AnonymousFile(std::move(request), "anon_inode:[signalfd]", &kClassTag), mask_(mask & ~kUnblockable) {}

Result<RefPtr<SignalFile>> SignalFile::create(vfs::OpenRequest&& request, abi::SignalMask mask) {
    return make_ref<SignalFile>(std::move(request), mask);
}

void SignalFile::set_mask(Task& task, abi::SignalMask mask) {
    mask_.store(mask & ~kUnblockable);
    task.process().signal_event().queue.wake_all();
}

Result<std::size_t> SignalFile::do_read(mm::IoBuffer& to, std::uint64_t) {
    TRY(check_record_room(to.remaining(), sizeof(abi::SignalfdSiginfo)));
    Task& task = Task::current();
    std::size_t done = 0;
    while (to.remaining() >= sizeof(abi::SignalfdSiginfo)) {
        abi::Siginfo info{};
        const auto ready = [&] { return take_pending_signal(task, mask_.load(), info); };
        if (!ready()) {
            if (done != 0) {
                break;
            }
            if (is_non_blocking()) {
                return Error::WouldBlock;
            }
            TRY(sched::wait_until(task.process().signal_event().queue, ready, kInterruptible));
        }
        const abi::SignalfdSiginfo record = record_of(info);
        const Result<std::size_t> copied = to.copy_from(as_bytes_of(record));
        if (!copied || *copied != sizeof(record)) {
            return done != 0 ? Result<std::size_t>(done) : Result<std::size_t>(Error::BadAddress);
        }
        done += sizeof(record);
    }
    return done;
}

Result<> SignalFile::keep(SignalEvent& event) {
    // Made room for outside of the lock, and freed outside of it.
    Vector<RefPtr<SignalEvent>> more;
    while (true) {
        std::size_t needed = 0;
        const bool done = kept_.with([&](Vector<RefPtr<SignalEvent>>& kept) {
            for (const RefPtr<SignalEvent>& known : kept) {
                if (known == &event) {
                    return true;
                }
            }
            if (kept.size() < kept.capacity()) {
                (void)kept.push_back(RefPtr<SignalEvent>(event));  // there is room
                return true;
            }
            needed = kept.size() + 1;
            if (more.capacity() < needed) {
                return false;
            }
            for (RefPtr<SignalEvent>& known : kept) {
                (void)more.push_back(std::move(known));
            }
            (void)more.push_back(RefPtr<SignalEvent>(event));
            kept.swap(more);
            return true;
        });
        if (done) {
            return {};
        }
        TRY(more.reserve(needed));
    }
}

Result<vfs::PollEvents> SignalFile::poll(vfs::PollRegistrar* registrar) {
    Task& task = Task::current();
    if (registrar != nullptr) {
        SignalEvent& event = task.process().signal_event();
        TRY(keep(event));
        TRY(registrar->watch(event.queue));
    }
    return (pending_signals(task) & mask_.load()) != 0 ? vfs::PollEvents::In : vfs::PollEvents::None;
}

}  // namespace kernel::linux_abi
