// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstdint>

#include "core/sched/timer.h"
#include "lib/ref.h"
#include "lib/result.h"

namespace kernel::linux_abi {

class Process;

// alarm(2): sends SIGALRM to a process once. Lives in the process.
class Alarm {
  public:
    explicit Alarm(Process& process) : process_(process), timer_(&Alarm::expired, this) {}
    // 0 cancels. Returns what was left of the earlier alarm, 0 if there was none.
    std::uint64_t set(std::uint64_t delay_ns);
    void cancel() { timer_.cancel(); }

  private:
    static void expired(void* context);
    Process& process_;
    sched::Timer timer_;
};

std::uint64_t set_alarm(Process& process, std::uint64_t delay_ns);

}  // namespace kernel::linux_abi
