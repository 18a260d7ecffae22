// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/out_of_memory.h"

#include <atomic>
#include <utility>

#include "core/mm/frame_allocator.h"
#include "core/sched/scheduler.h"
#include "lib/immortal.h"
#include "lib/log.h"
#include "platform/clock.h"
#include "services/linux/process_tree.h"
#include "services/linux/signals.h"

namespace kernel::linux_abi {
namespace {

// An ending process gives its memory back when its last task has left. Until then faults are tried again and again,
// however long it takes on a busy host, and nobody else has to go. The limit is for one that cannot end because it
// waits for another that needs memory.
constexpr std::uint64_t kRetryNs = 2'000'000;
constexpr std::uint64_t kPatienceNs = 5'000'000'000;

struct Victim {
    RefPtr<Process> process;
    std::uint64_t since_ns = 0;
};
Immortal<SpinGuarded<Victim, Rank::ProcessShared>> latest_victim;
constinit std::atomic<bool> choosing = false;

bool is_still_ending() {
    const Victim latest = latest_victim->with([](const Victim& victim) { return victim; });
    return latest.process && process_tree::state_of(*latest.process) != ProcessState::Zombie &&
           platform::monotonic_ns() < latest.since_ns + kPatienceNs;
}

void set_victim(Process& process) {
    Victim fresh{RefPtr<Process>(process), platform::monotonic_ns()};
    latest_victim->with([&](Victim& victim) { std::swap(victim, fresh); });
}

std::uint64_t anonymous_pages_of(const Process& process) {
    const RefPtr<mm::AddressSpace> space = process.space();
    return space ? space->usage().anonymous_pages : 0;
}

struct Largest {
    RefPtr<Process> process;
    std::uint64_t pages = 0;
};

// Thousandths of all memory more or less, proc(5); nothing for whom it must not be.
std::uint64_t weighted_pages_of(Process& process) {
    constexpr std::int64_t kNever = -1000;
    const std::int64_t adjustment = process.oom_score_adjustment().load();
    if (adjustment == kNever) {
        return 0;
    }
    const auto thousandth = static_cast<std::int64_t>(mm::frame_statistics(platform::FrameZone::User).total / 1000);
    const std::int64_t weighted = static_cast<std::int64_t>(anonymous_pages_of(process)) + adjustment * thousandth;
    return weighted > 0 ? static_cast<std::uint64_t>(weighted) : 0;
}

Largest find_largest() {
    Largest largest;
    process_tree::for_each_in_group(0, [&](Process& process) {
        const std::uint64_t pages = weighted_pages_of(process);
        if (pages > largest.pages && !process_tree::is_exiting(process)) {
            largest.process = RefPtr<Process>(process);
            largest.pages = pages;
        }
        return true;
    });
    return largest;
}

}  // namespace

bool make_room_after_fault(Task& task) {
    bool own = false;
    if (!choosing.exchange(true)) {
        if (!is_still_ending()) {
            const Largest largest = find_largest();
            Process& victim = largest.process ? *largest.process : task.process();
            own = &victim == &task.process();
            log_error("out of memory: process {} is ended (raise --memory)", victim.pid());
            set_victim(victim);
            if (!own) {
                process_tree::begin_group_exit(victim, signal_status_word(abi::kSigkill, false));
            }
        }
        choosing.store(false);
    }
    if (own) {
        return false;
    }
    // Its own end interrupts the wait.
    (void)sched::sleep_until(platform::monotonic_ns() + kRetryNs, true);
    return true;
}

}  // namespace kernel::linux_abi
