// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstdint>

#include "core/syscall/table.h"
#include "platform/user_context.h"
#include "services/linux/task.h"

// --trace and --stats: what programs ask for, as strace(1) prints it, and counters.
namespace kernel::linux_abi {

struct TraceSettings {
    bool print = false;       // one line per call
    bool count_time = false;  // measure calls, for the statistics
};
// Call at boot, before the first task runs.
void set_trace_settings(const TraceSettings& settings);

// Around one dispatch.
class TraceScope {
  public:
    TraceScope(Task& task, const syscall::Row* row, const platform::SyscallFrame& frame);
    void finished(const Result<std::int64_t>& result) const;

  private:
    Task& task_;
    const syscall::Row* row_;
    const platform::SyscallFrame& frame_;
    std::uint64_t start_ns_ = 0;
};

}  // namespace kernel::linux_abi
