// SPDX-License-Identifier: MIT OR Apache-2.0
#include "main/statistics.h"

#include <algorithm>
#include <array>

#include "core/mm/frame_allocator.h"
#include "core/mm/slab.h"
#include "core/sched/scheduler.h"
#include "lib/format.h"
#include "platform/clock.h"
#include "platform/console.h"
#include "platform/cpu.h"
#include "services/linux/syscalls.h"
#include "services/linux/task.h"

namespace kernel::main {
namespace {

std::uint64_t first_program_ns = 0;

constexpr std::size_t kShownCalls = 40;
constexpr std::uint64_t kMicrosecond = 1000;

template <class... Arguments>
void print(FormatString<Arguments...> format, const Arguments&... arguments) {
    InlineFormatBuffer<256> line;
    format_to<Arguments...>(line, format, arguments...);
    (void)platform::console_write(platform::ConsoleStream::Trace, std::as_bytes(std::span(line.view())));
}

struct CallCount {
    const syscall::Row* row = nullptr;
    std::uint64_t calls = 0, errors = 0, total_ns = 0;
};

void print_calls() {
    std::array<CallCount, syscall::kMaxNumber> counts{};
    std::size_t used = 0;
    for (const syscall::Row& row : linux_abi::kSyscallTable.rows()) {
        const syscall::Counter& counter = linux_abi::syscall_statistics().of(row.number);
        if (row.status == syscall::Status::Missing || counter.calls.load() == 0) {
            continue;
        }
        counts[used++] = {&row, counter.calls.load(), counter.errors.load(), counter.total_ns.load()};
    }
    const std::span<CallCount> all = std::span(counts).first(used);
    std::ranges::sort(all, std::ranges::greater(), &CallCount::total_ns);
    print("{:>10} {:>8} {:>12} {:>10}  call\n", "calls", "errors", "total us", "ns/call");
    for (const CallCount& c : all.first(std::min(used, kShownCalls))) {
        print("{:>10} {:>8} {:>12} {:>10}  {}\n", c.calls, c.errors, c.total_ns / kMicrosecond, c.total_ns / c.calls,
              c.row->name);
    }
}

void print_missing() {
    for (const syscall::Row& row : linux_abi::kSyscallTable.rows()) {
        const std::uint64_t calls = linux_abi::syscall_statistics().of(row.number).calls.load();
        if (row.status == syscall::Status::Missing && calls != 0) {
            print("missing call: {} ({} times)\n", row.name, calls);
        }
    }
    const std::uint64_t unknown = linux_abi::syscall_statistics().of(syscall::kMaxNumber).calls.load();
    if (unknown != 0) {
        print("calls by numbers that Linux does not have: {}\n", unknown);
    }
}

void print_memory(std::string_view name, platform::FrameZone zone) {
    const mm::FrameStatistics frames = mm::frame_statistics(zone);
    constexpr std::uint64_t kKib = 1024;
    print("{} memory: {} KiB in use, {} KiB ever touched, of {} KiB\n", name,
          (frames.total - frames.free) * kPageSize / kKib, (frames.total - frames.untouched) * kPageSize / kKib,
          frames.total * kPageSize / kKib);
}

}  // namespace

void note_first_program() {
    first_program_ns = platform::monotonic_ns();
}

void print_statistics() {
    print("-- statistics --\n");
    print("boot: {} us until the first program\n", first_program_ns / kMicrosecond);
    print("run: {} us\n", (platform::monotonic_ns() - first_program_ns) / kMicrosecond);
    for (unsigned cpu = 0; cpu < platform::cpu_count(); ++cpu) {
        const sched::CpuTimes times = sched::cpu_times(cpu);
        print("cpu {}: busy {} us, idle {} us, {} switches\n", cpu, times.busy_ns / kMicrosecond,
              times.idle_ns / kMicrosecond, times.switches);
    }
    print("page faults: {}\n", linux_abi::total_page_faults());
    print_memory("user", platform::FrameZone::User);
    print_memory("kernel", platform::FrameZone::Kernel);
    print_calls();
    print_missing();
}

}  // namespace kernel::main
