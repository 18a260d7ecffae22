// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/posix_timer.h"

#include <algorithm>
#include <utility>

#include "abi/linux/process.h"
#include "platform/clock.h"
#include "services/linux/process.h"
#include "services/linux/process_tree.h"
#include "services/linux/signals.h"

namespace kernel::linux_abi {
namespace {

// How often a timer whose signal is ignored looks again, at most.
constexpr std::uint64_t kIgnoredPeriodNs = 1'000'000;

}  // namespace

PosixTimer::PosixTimer(Process& process, int id, std::int32_t clock, Notification notification, RefPtr<Task> cpu_thread)
    : process_(process),
      id_(id),
      clock_(clock),
      notification_(std::move(notification)),
      cpu_thread_(std::move(cpu_thread)),
      timer_(&PosixTimer::expired, this) {}

Result<RefPtr<PosixTimer>> PosixTimer::create(Process& process, int id, std::int32_t clock, Notification notification,
                                              RefPtr<Task> cpu_thread) {
    return make_ref<PosixTimer>(process, id, clock, std::move(notification), std::move(cpu_thread));
}

std::uint64_t PosixTimer::now_ns() const {
    if (clock_ == abi::kClockProcessCputime || clock_ == abi::kClockThreadCputime) {
        const CpuUsage usage =
            clock_ == abi::kClockThreadCputime ? cpu_thread_->usage() : process_tree::usage_of(process_);
        return usage.user_ns + usage.system_ns;
    }
    return is_real_clock(clock_) ? platform::realtime_ns() : platform::monotonic_ns();
}

void PosixTimer::arm(std::uint64_t deadline_ns) {
    if (deadline_ns != UINT64_MAX && !counts_cpu()) {
        timer_.arm(monotonic_moment(clock_, deadline_ns));
    }
}

TimerSetting PosixTimer::set(std::uint64_t first_ns, std::uint64_t interval_ns) {
    (void)timer_.cancel();
    const TimerSetting before = remaining();
    state_.with([&](State& state) {
        ++state.generation;
        state.queued = false;
        state.overrun = 0;
        state.expiry = {.deadline_ns = first_ns, .interval_ns = interval_ns};
    });
    arm(first_ns);
    return before;
}

TimerSetting PosixTimer::remaining() const {
    const std::uint64_t now = now_ns();
    Expiry expiry = state_.with([](const State& state) { return state.expiry; });
    // While a signal is queued the period stands still; what counts is when it would end.
    (void)expiry.advance(now);
    return expiry.remaining(now);
}

int PosixTimer::overrun() const {
    return state_.with([](const State& state) { return state.overrun; });
}

void PosixTimer::expired(void* context) {
    static_cast<PosixTimer*>(context)->fire();
}

void PosixTimer::fire() {
    const std::uint64_t now = now_ns();
    abi::Siginfo info{};
    const bool due = state_.with([&](State& state) {
        if (state.queued || state.expiry.deadline_ns > now) {
            return false;
        }
        state.queued = notification_.by_signal;
        info.padding0 = static_cast<std::int32_t>(state.generation);
        return true;
    });
    if (!due) {
        // A real clock may be behind the moment it was asked for.
        arm(state_.with([](const State& state) { return state.queued ? UINT64_MAX : state.expiry.deadline_ns; }));
        return;
    }
    info.signal = notification_.signal;
    info.code = abi::kSiTimer;
    info.timer.timer = id_;
    info.timer.value = notification_.value;
    if (!notification_.by_signal || !send_timer_signal(process_, notification_.thread.get(), info)) {
        (void)go_on(now + kIgnoredPeriodNs);
    }
}

std::uint64_t PosixTimer::go_on(std::uint64_t not_before_ns) {
    const std::uint64_t now = now_ns();
    std::uint64_t next_ns = UINT64_MAX;
    const std::uint64_t passed = state_.with([&](State& state) {
        state.queued = false;
        const std::uint64_t periods = state.expiry.advance(now);
        next_ns = state.expiry.deadline_ns;
        return periods;
    });
    arm(next_ns == UINT64_MAX ? next_ns : std::max(next_ns, not_before_ns));
    return passed;
}

bool PosixTimer::signal_taken(abi::Siginfo& info) {
    const bool current = state_.with([&](const State& state) {
        return state.queued && state.generation == static_cast<std::uint32_t>(info.padding0);
    });
    if (!current) {
        return false;
    }
    const std::uint64_t passed = go_on(0);
    const std::uint64_t overrun = passed == 0 ? 0 : std::min<std::uint64_t>(passed - 1, INT32_MAX);
    state_.with([&](State& state) { state.overrun = static_cast<int>(overrun); });
    info.padding0 = 0;
    info.timer.overrun = static_cast<std::int32_t>(overrun);
    return true;
}

void PosixTimer::signal_discarded(int signal) {
    const bool mine = notification_.by_signal && notification_.signal == signal;
    if (mine && state_.with([](const State& state) { return state.queued; })) {
        (void)go_on(now_ns() + kIgnoredPeriodNs);
    }
}

std::uint64_t PosixTimer::check_cpu_time() {
    fire();
    const std::uint64_t now = now_ns();
    return state_.with([&](const State& state) {
        if (state.queued || !state.expiry.is_set()) {
            return UINT64_MAX;
        }
        return state.expiry.deadline_ns > now ? state.expiry.deadline_ns - now : 0;
    });
}

}  // namespace kernel::linux_abi
