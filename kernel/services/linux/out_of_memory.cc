// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/out_of_memory.h"

#include "core/sched/scheduler.h"
#include "lib/log.h"
#include "platform/clock.h"
#include "services/linux/process_tree.h"
#include "services/linux/signals.h"

namespace kernel::linux_abi {
namespace {

// An ending process gives its memory back when its last task leaves, which takes a moment; then the fault is tried
// again.
constexpr std::uint64_t kWaitForVictimNs = 2'000'000;

std::uint64_t anonymous_pages_of(const Process& process) {
    const RefPtr<mm::AddressSpace> space = process.space();
    return space ? space->usage().anonymous_pages : 0;
}

struct Largest {
    RefPtr<Process> process;
    std::uint64_t pages = 0;
    bool one_is_ending = false;
};

Largest find_largest() {
    Largest largest;
    process_tree::for_each_in_group(0, [&](Process& process) {
        const std::uint64_t pages = anonymous_pages_of(process);
        if (pages != 0 && process_tree::is_exiting(process)) {
            largest.one_is_ending = true;
        } else if (pages > largest.pages) {
            largest.process = RefPtr<Process>(process);
            largest.pages = pages;
        }
        return true;
    });
    return largest;
}

}  // namespace

bool make_room_after_fault(Task& task) {
    const Largest largest = find_largest();
    if (!largest.one_is_ending) {
        const bool own = !largest.process || largest.process.get() == &task.process();
        const int victim = own ? task.process().pid() : largest.process->pid();
        log_error("out of memory: process {} is ended (raise --memory)", victim);
        if (own) {
            return false;
        }
        process_tree::begin_group_exit(*largest.process, signal_status_word(abi::kSigkill, false));
    }
    // Its own end interrupts the wait.
    (void)sched::sleep_until(platform::monotonic_ns() + kWaitForVictimNs, true);
    return true;
}

}  // namespace kernel::linux_abi
