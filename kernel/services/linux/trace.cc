// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/trace.h"

#include <algorithm>

#include "lib/format.h"
#include "platform/clock.h"
#include "platform/console.h"
#include "services/linux/errno.h"
#include "services/linux/process.h"
#include "services/linux/syscalls.h"
#include "services/linux/trace_arguments.h"

namespace kernel::linux_abi {
namespace {

TraceSettings settings;

constexpr std::size_t kLineBytes = 1024;
using LineBuffer = InlineFormatBuffer<kLineBytes>;

void emit(const FormatBuffer& line) {
    std::span<const std::byte> rest = std::as_bytes(std::span(line.view()));
    while (!rest.empty()) {
        const Result<std::size_t> written = platform::console_write(platform::ConsoleStream::Trace, rest);
        if (!written || *written == 0) {
            return;
        }
        rest = rest.subspan(*written);
    }
}

// Arguments whose memory the call fills are printed after it, with what it returned.
void print_call(FormatBuffer& line, Task& task, const syscall::Row* row, const platform::SyscallFrame& frame,
                std::int64_t result) {
    if (row == nullptr) {
        format_to(line, "syscall_{}()", frame.number);
        return;
    }
    format_to(line, "{}(", row->name);
    for (std::size_t i = 0; i < row->arguments.size(); ++i) {
        if (i != 0) {
            line.put(", ");
        }
        print_argument(line, task, *row, i, frame, result);
    }
    line.put(')');
}

void print_result(FormatBuffer& line, const syscall::Row* row, const Result<std::int64_t>& result) {
    if (!result) {
        if (is_restart(result.error())) {
            line.put(" = ? ERESTARTSYS (to be restarted if a signal handler allows it)\n");
            return;
        }
        const int number = errno_of(result.error());
        format_to(line, " = -1 {} ({})\n", errno_name(number), error_text(result.error()));
        return;
    }
    if (row != nullptr && returns_address(row->name)) {
        format_to(line, " = {:#x}\n", static_cast<std::uint64_t>(*result));
    } else {
        format_to(line, " = {}\n", *result);
    }
}

bool does_not_return(const syscall::Row& row) {
    return row.name == "exit" || row.name == "exit_group";
}

void print_start(Task& task, const syscall::Row* row, const platform::SyscallFrame& frame) {
    if (row == nullptr) {
        return;
    }
    // Calls that do not come back are told at their start, as strace does; after execve the path is gone.
    const bool returns = !does_not_return(*row);
    if (returns && row->name != "execve") {
        return;
    }
    LineBuffer line;
    format_to(line, "[pid {}] ", task.tid());
    print_call(line, task, row, frame, 0);
    line.put(returns ? " ...\n" : " = ?\n");
    emit(line);
}

void print_end(Task& task, const syscall::Row* row, const platform::SyscallFrame& frame,
               const Result<std::int64_t>& result) {
    if (row != nullptr && does_not_return(*row)) {
        return;
    }
    LineBuffer line;
    format_to(line, "[pid {}] ", task.tid());
    if (row != nullptr && row->name == "execve") {
        line.put("execve resumed");
    } else {
        print_call(line, task, row, frame, result ? *result : 0);
    }
    print_result(line, row, result);
    emit(line);
}

}  // namespace

void set_trace_settings(const TraceSettings& wanted) {
    settings = wanted;
    trace_detail::observed = wanted.print || wanted.count;
}

[[gnu::noinline]] Result<std::int64_t> dispatch_observed(Task& task, const syscall::Row* row,
                                                         const platform::SyscallFrame& frame) {
    if (settings.print) {
        print_start(task, row, frame);
    }
    const std::uint64_t start_ns = platform::monotonic_ns();
    Result<std::int64_t> result = syscall::dispatch(row, &task, frame);
    if (settings.count) {
        syscall_statistics().count(frame.number, !result, platform::monotonic_ns() - start_ns);
    }
    if (settings.print) {
        print_end(task, row, frame, result);
    }
    return result;
}

}  // namespace kernel::linux_abi
