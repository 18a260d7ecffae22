// SPDX-License-Identifier: MIT OR Apache-2.0
#include "main/shutdown.h"

#include <atomic>

#include "core/sched/scheduler.h"
#include "main/root_file_system.h"
#include "main/statistics.h"
#include "platform/clock.h"
#include "platform/power.h"
#include "services/linux/console.h"

namespace kernel::main {

int exit_status_of(int wait_status) {
    constexpr int kSignalBase = 128;
    const int signal = wait_status & 0x7f;
    return signal == 0 ? (wait_status >> 8) & 0xff : kSignalBase + signal;
}

[[noreturn]] void shut_down(int status) {
    static std::atomic<bool> begun = false;
    if (begun.exchange(true)) {
        while (true) {
            (void)sched::sleep_until(platform::kNoDeadline, false);
        }
    }
    sync_file_systems();
    if (boot_options().statistics) {
        print_statistics();
    }
    linux_abi::release_console();
    platform::power_off(status);
}

}  // namespace kernel::main
