// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/alarm.h"

#include "platform/clock.h"
#include "services/linux/process.h"
#include "services/linux/signals.h"

namespace kernel::linux_abi {

std::uint64_t Alarm::set(std::uint64_t delay_ns) {
    const std::uint64_t now_ns = platform::monotonic_ns();
    const std::uint64_t old_deadline_ns = timer_.deadline_ns();
    const bool was_armed = timer_.cancel();
    if (delay_ns != 0) timer_.arm(now_ns + delay_ns);
    if (!was_armed) return 0;
    return old_deadline_ns > now_ns ? old_deadline_ns - now_ns : 1;
}

void Alarm::expired(void* context) {
    (void)send_to_process(static_cast<Alarm*>(context)->process_, kernel_signal(abi::kSigalrm));
}

std::uint64_t set_alarm(Process& process, std::uint64_t delay_ns) {
    return process.alarm().with([&](Alarm& alarm) { return alarm.set(delay_ns); });
}

}  // namespace kernel::linux_abi
