// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/out_of_memory.h"

#include <atomic>

#include "core/sched/scheduler.h"
#include "lib/log.h"
#include "platform/clock.h"
#include "services/linux/process_tree.h"
#include "services/linux/signals.h"

namespace kernel::linux_abi {
namespace {

// An ending process gives its memory back when its last task has left, which takes a moment. Until then faults are
// tried again and again; only when that moment has passed without success has another one to go.
constexpr std::uint64_t kRetryNs = 2'000'000;
constexpr std::uint64_t kGraceNs = 100'000'000;
constinit std::atomic<std::uint64_t> latest_victim_ns = 0;

// True for one caller in each grace period.
bool may_choose_victim() {
    const std::uint64_t now_ns = platform::monotonic_ns();
    std::uint64_t latest_ns = latest_victim_ns.load(std::memory_order_relaxed);
    const bool in_grace = latest_ns != 0 && now_ns < latest_ns + kGraceNs;
    return !in_grace && latest_victim_ns.compare_exchange_strong(latest_ns, now_ns, std::memory_order_relaxed);
}

std::uint64_t anonymous_pages_of(const Process& process) {
    const RefPtr<mm::AddressSpace> space = process.space();
    return space ? space->usage().anonymous_pages : 0;
}

struct Largest {
    RefPtr<Process> process;
    std::uint64_t pages = 0;
};

Largest find_largest() {
    Largest largest;
    process_tree::for_each_in_group(0, [&](Process& process) {
        const std::uint64_t pages = anonymous_pages_of(process);
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
    if (may_choose_victim()) {
        const Largest largest = find_largest();
        const bool own = !largest.process || largest.process.get() == &task.process();
        const int victim = own ? task.process().pid() : largest.process->pid();
        log_error("out of memory: process {} is ended (raise --memory)", victim);
        if (own) {
            return false;
        }
        process_tree::begin_group_exit(*largest.process, signal_status_word(abi::kSigkill, false));
    }
    // Its own end interrupts the wait.
    (void)sched::sleep_until(platform::monotonic_ns() + kRetryNs, true);
    return true;
}

}  // namespace kernel::linux_abi
