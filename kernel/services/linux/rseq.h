// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstdint>

#include "abi/linux/process.h"
#include "lib/user_ptr.h"
#include "platform/user_context.h"

namespace kernel::linux_abi {

class Task;

// Restartable sequences, rseq(2): the thread's structure in user memory always says on which CPU it runs, and a
// critical section in which it is preempted, moved or interrupted by a signal goes on at its abort handler.
struct RestartableSequences {
    static constexpr std::uint32_t kUnknownCpu = UINT32_MAX;
    UserPtr<abi::Rseq> area{};
    std::uint32_t signature = 0;

    bool is_registered() const { return !area.is_null(); }
};

// Before the task enters user mode on another CPU than last time. May block, and be on another CPU afterwards. A
// structure out of reach costs the task a SIGSEGV, as does a section that cannot be.
void rseq_note_cpu(Task& task, unsigned cpu);
// When it was off its CPU, or is about to run a signal handler.
void rseq_leave_critical_section(Task& task);

}  // namespace kernel::linux_abi
