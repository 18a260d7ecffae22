// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/process_timers.h"

#include <algorithm>
#include <utility>

#include "platform/clock.h"
#include "services/linux/process.h"
#include "services/linux/process_tree.h"
#include "services/linux/signals.h"

namespace kernel::linux_abi {
namespace {

constexpr std::size_t kMaxTimers = 4096;
constexpr std::uint64_t kShortestPeriodNs = 100'000;  // between two signals of an interval timer

std::size_t cpu_index(IntervalTimer which) {
    return which == IntervalTimer::Virtual ? 0 : 1;
}

}  // namespace

ProcessTimers::ProcessTimers(Process& process) : process_(process), real_timer_(&ProcessTimers::real_expired, this) {}

void ProcessTimers::real_expired(void* context) {
    ProcessTimers& timers = *static_cast<ProcessTimers*>(context);
    const std::uint64_t now_ns = platform::monotonic_ns();
    std::uint64_t next_ns = UINT64_MAX;
    const bool due = timers.real_.with([&](Expiry& expiry) {
        const std::uint64_t passed = expiry.advance(now_ns);
        next_ns = expiry.deadline_ns;
        return passed != 0;
    });
    if (next_ns != UINT64_MAX) {
        timers.real_timer_.arm(std::max(next_ns, now_ns + kShortestPeriodNs));
    }
    if (due) {
        (void)send_to_process(timers.process_, kernel_signal(abi::kSigalrm));
    }
}

std::uint64_t ProcessTimers::cpu_now_ns(IntervalTimer which) const {
    const CpuUsage usage = process_tree::usage_of(process_);
    return which == IntervalTimer::Virtual ? usage.user_ns : usage.user_ns + usage.system_ns;
}

TimerSetting ProcessTimers::set(IntervalTimer which, const TimerSetting& setting) {
    const LockGuard guard(setting_);
    const auto expiry_from = [&](std::uint64_t now_ns) {
        const std::uint64_t first_ns =
            setting.value_ns == 0 ? UINT64_MAX : checked_add(now_ns, setting.value_ns).value_or(UINT64_MAX - 1);
        return Expiry{.deadline_ns = first_ns, .interval_ns = setting.value_ns == 0 ? 0 : setting.interval_ns};
    };
    if (which == IntervalTimer::Real) {
        (void)real_timer_.cancel();
        const std::uint64_t now_ns = platform::monotonic_ns();
        const Expiry fresh = expiry_from(now_ns);
        const Expiry before = real_.with([&](Expiry& expiry) { return std::exchange(expiry, fresh); });
        real_timer_.arm(fresh.deadline_ns);
        return before.remaining(now_ns);
    }
    const std::uint64_t now_ns = cpu_now_ns(which);
    const Expiry before = cpu_.with(
        [&](CpuExpiries& expiries) { return std::exchange(expiries[cpu_index(which)], expiry_from(now_ns)); });
    look_at_cpu_timers();
    return before.remaining(now_ns);
}

TimerSetting ProcessTimers::get(IntervalTimer which) {
    if (which == IntervalTimer::Real) {
        const std::uint64_t now_ns = platform::monotonic_ns();
        return real_.with([&](const Expiry& expiry) { return expiry.remaining(now_ns); });
    }
    const std::uint64_t now_ns = cpu_now_ns(which);
    return cpu_.with([&](const CpuExpiries& expiries) { return expiries[cpu_index(which)].remaining(now_ns); });
}

// Tasks in user mode come into the kernel, where they find out how long they may stay away.
void ProcessTimers::look_at_cpu_timers() {
    counts_cpu_.store(true);
    for (RefPtr<Task> task = process_tree::next_task(process_, 0); task;
         task = process_tree::next_task(process_, task->tid() + 1)) {
        task->poke();
    }
}

std::uint64_t ProcessTimers::run_cpu_timers() {
    std::uint64_t left_ns = UINT64_MAX;
    for (const IntervalTimer which : {IntervalTimer::Virtual, IntervalTimer::Profile}) {
        const std::uint64_t now_ns = cpu_now_ns(which);
        const bool due = cpu_.with([&](CpuExpiries& expiries) {
            Expiry& expiry = expiries[cpu_index(which)];
            const bool passed = expiry.advance(now_ns) != 0;
            left_ns = expiry.is_set() ? std::min(left_ns, expiry.deadline_ns - now_ns) : left_ns;
            return passed;
        });
        if (due) {
            const int signal = which == IntervalTimer::Virtual ? abi::kSigvtalrm : abi::kSigprof;
            (void)send_to_process(process_, kernel_signal(signal));
        }
    }
    bool any_timer = left_ns != UINT64_MAX;
    for (RefPtr<PosixTimer> timer = next(0); timer; timer = next(timer->id() + 1)) {
        if (timer->counts_cpu()) {
            any_timer = true;
            left_ns = std::min(left_ns, timer->check_cpu_time());
        }
    }
    if (!any_timer) {
        counts_cpu_.store(false);
    }
    return left_ns == UINT64_MAX ? left_ns : std::max(left_ns, kShortestPeriodNs);
}

Result<int> ProcessTimers::create(std::int32_t clock, PosixTimer::Notification notification, RefPtr<Task> cpu_thread,
                                  bool value_is_id) {
    const LockGuard guard(setting_);
    const std::uint64_t limit = std::min<std::uint64_t>(process_.limit(abi::kRlimitSigpending).current, kMaxTimers);
    const Result<int> id = table_.with([&](Table& table) -> Result<int> {
        if (table.timers.size() >= limit) {
            return Error::WouldBlock;
        }
        do {
            table.next_id = table.next_id == INT32_MAX ? 0 : table.next_id + 1;
        } while (table.timers.get(static_cast<std::uint64_t>(table.next_id - 1)) != nullptr);
        return table.next_id - 1;
    });
    if (value_is_id) {
        notification.value = static_cast<std::uint64_t>(id.value_or(0));
    }
    const RefPtr<PosixTimer> timer =
        TRY(PosixTimer::create(process_, TRY(Result<int>(id)), clock, std::move(notification), std::move(cpu_thread)));
    TRY(table_.with([&](Table& table) -> Result<> {
        TRY(table.timers.set(static_cast<std::uint64_t>(*id), timer.get()));
        timer->add_reference();
        return {};
    }));
    return *id;
}

RefPtr<PosixTimer> ProcessTimers::find(int id) const {
    if (id < 0) {
        return {};
    }
    return table_.with(
        [&](const Table& table) { return RefPtr<PosixTimer>(table.timers.get(static_cast<std::uint64_t>(id))); });
}

RefPtr<PosixTimer> ProcessTimers::next(int id) const {
    return table_.with([&](const Table& table) {
        const auto entry = table.timers.next(static_cast<std::uint64_t>(id));
        return RefPtr<PosixTimer>(entry ? entry->value : nullptr);
    });
}

TimerSetting ProcessTimers::set(PosixTimer& timer, std::uint64_t first_ns, std::uint64_t interval_ns) {
    const LockGuard guard(setting_);
    const TimerSetting before = timer.set(first_ns, interval_ns);
    if (timer.counts_cpu()) {
        look_at_cpu_timers();
    }
    return before;
}

bool ProcessTimers::remove(int id) {
    if (id < 0) {
        return false;
    }
    const LockGuard guard(setting_);
    PosixTimer* const found =
        table_.with([&](Table& table) { return table.timers.erase(static_cast<std::uint64_t>(id)); });
    if (found == nullptr) {
        return false;
    }
    const RefPtr<PosixTimer> timer = RefPtr<PosixTimer>::adopt(*found);
    (void)timer->set(UINT64_MAX, 0);
    return true;
}

void ProcessTimers::remove_all() {
    for (RefPtr<PosixTimer> timer = next(0); timer; timer = next(timer->id() + 1)) {
        (void)remove(timer->id());
    }
}

void ProcessTimers::end() {
    remove_all();
    const LockGuard guard(setting_);
    (void)real_timer_.cancel();
}

bool ProcessTimers::signal_taken(abi::Siginfo& info) {
    const RefPtr<PosixTimer> timer = find(info.timer.timer);
    return timer && timer->signal_taken(info);
}

void ProcessTimers::signals_discarded(int signal) {
    for (RefPtr<PosixTimer> timer = next(0); timer; timer = next(timer->id() + 1)) {
        timer->signal_discarded(signal);
    }
}

}  // namespace kernel::linux_abi
