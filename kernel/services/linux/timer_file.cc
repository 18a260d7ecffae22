// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/timer_file.h"

#include <utility>

#include "core/mm/io_buffer.h"
#include "lib/bytes.h"
#include "platform/clock.h"

namespace kernel::linux_abi {
namespace {

constexpr sched::WaitOptions kInterruptible{.deadline_ns = platform::kNoDeadline, .interruptible = true};

}  // namespace

TimerFile::TimerFile(vfs::OpenRequest&& request, std::int32_t clock)
    : AnonymousFile(std::move(request), "anon_inode:[timerfd]", &kClassTag),
      clock_(clock),
      timer_(&TimerFile::expired, this) {}

Result<RefPtr<TimerFile>> TimerFile::create(vfs::OpenRequest&& request, std::int32_t clock) {
    return make_ref<TimerFile>(std::move(request), clock);
}

void TimerFile::expired(void* context) {
    static_cast<TimerFile*>(context)->readable_.wake_all();
}

void TimerFile::catch_up(State& state) {
    const std::uint64_t passed = state.expiry.advance(now_ns());
    if (passed == 0) {
        return;
    }
    state.ticks += passed;
    arm(state);
}

std::uint64_t TimerFile::now_ns() const {
    return is_real_clock(clock_) ? platform::realtime_ns() : platform::monotonic_ns();
}

void TimerFile::arm(const State& state) {
    if (state.expiry.is_set()) {
        timer_.arm(monotonic_moment(clock_, state.expiry.deadline_ns));
    }
}

TimerSetting TimerFile::set(std::uint64_t first_ns, std::uint64_t interval_ns) {
    return state_.with([&](State& state) {
        catch_up(state);
        const TimerSetting before = state.expiry.remaining(now_ns());
        (void)timer_.cancel();
        state.ticks = 0;
        state.expiry = {.deadline_ns = first_ns, .interval_ns = interval_ns};
        arm(state);
        return before;
    });
}

TimerSetting TimerFile::remaining() {
    return state_.with([&](State& state) {
        catch_up(state);
        return state.expiry.remaining(now_ns());
    });
}

std::uint64_t TimerFile::take_ticks() {
    return state_.with([&](State& state) {
        catch_up(state);
        return std::exchange(state.ticks, 0);
    });
}

Result<std::size_t> TimerFile::do_read(mm::IoBuffer& to, std::uint64_t) {
    TRY(check_record_room(to.remaining(), sizeof(std::uint64_t)));
    std::uint64_t ticks = take_ticks();
    if (ticks == 0) {
        if (is_non_blocking()) {
            return Error::WouldBlock;
        }
        const auto ready = [&] {
            ticks = take_ticks();
            return ticks != 0;
        };
        TRY(sched::wait_until(readable_, ready, kInterruptible));
    }
    if (TRY(to.copy_from(as_bytes_of(ticks))) != sizeof(ticks)) {
        return Error::BadAddress;
    }
    return sizeof(ticks);
}

Result<vfs::PollEvents> TimerFile::poll(vfs::PollRegistrar* registrar) {
    if (registrar != nullptr) {
        TRY(registrar->watch(readable_));
    }
    const bool ready =
        state_.with([this](const State& state) { return state.ticks != 0 || state.expiry.deadline_ns <= now_ns(); });
    return ready ? vfs::PollEvents::In : vfs::PollEvents::None;
}

}  // namespace kernel::linux_abi
