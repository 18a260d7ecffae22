// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstdint>

#include "core/syscall/table.h"
#include "platform/user_context.h"
#include "services/linux/task.h"

// --trace and --stats: what programs ask for, as strace(1) prints it, and counters.
namespace kernel::linux_abi {

struct TraceSettings {
    bool print = false;  // one line per call
    bool count = false;  // count and time calls, for the statistics
};
// Call at boot, before the first task runs.
void set_trace_settings(const TraceSettings& wanted);

// syscall::dispatch, told to those who want to know.
Result<std::int64_t> dispatch_observed(Task& task, const syscall::Row* row, const platform::SyscallFrame& frame);

namespace trace_detail {
inline constinit bool observed = false;
}
// Whether anybody wants to know about calls.
inline bool calls_are_observed() {
    return trace_detail::observed;
}

}  // namespace kernel::linux_abi
