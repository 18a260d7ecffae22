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
        if (!written || *written == 0) return;
        rest = rest.subspan(*written);
    }
}

// Arguments whose memory the call fills are printed after it, with what it returned.
void print_call(FormatBuffer& line, Task& task, const syscall::Row* row, const platform::SyscallFrame& frame, std::int64_t result) {
    if (row == nullptr) {
        format_to(line, "syscall_{}()", frame.number);
        return;
    }
    format_to(line, "{}(", row->name);
    for (std::size_t i = 0; i < row->arguments.size(); ++i) {
        if (i != 0) line.put(", ");
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
    if (row != nullptr && returns_address(row->name))
        format_to(line, " = {:#x}\n", static_cast<std::uint64_t>(*result));
    else
        format_to(line, " = {}\n", *result);
}

}  // namespace

void set_trace_settings(const TraceSettings& wanted) { settings = wanted; }

TraceScope::TraceScope(Task& task, const syscall::Row* row, const platform::SyscallFrame& frame)
    : task_(task), row_(row), frame_(frame) {
    if (settings.count_time) start_ns_ = platform::monotonic_ns();
    // Calls that do not come back are told at their start, as strace does.
    if (settings.print && row != nullptr && (row->name == "exit" || row->name == "exit_group")) {
        LineBuffer line;
        format_to(line, "[pid {}] ", task.tid());
        print_call(line, task, row, frame, 0);
        line.put(" = ?\n");
        emit(line);
    }
    if (settings.print && row != nullptr && row->name == "execve") {
        // The path is gone afterwards.
        LineBuffer line;
        format_to(line, "[pid {}] ", task.tid());
        print_call(line, task, row, frame, 0);
        line.put(" ...\n");
        emit(line);
    }
}

void TraceScope::finished(const Result<std::int64_t>& result) const {
    const std::uint64_t elapsed_ns = settings.count_time ? platform::monotonic_ns() - start_ns_ : 0;
    syscall_statistics().count(frame_.number, !result, elapsed_ns);
    if (!settings.print) return;
    if (row_ != nullptr && (row_->name == "exit" || row_->name == "exit_group")) return;
    LineBuffer line;
    format_to(line, "[pid {}] ", task_.tid());
    if (row_ != nullptr && row_->name == "execve")
        line.put("execve resumed");
    else
        print_call(line, task_, row_, frame_, result ? *result : 0);
    print_result(line, row_, result);
    emit(line);
}

}  // namespace kernel::linux_abi
