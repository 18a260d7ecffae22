// SPDX-License-Identifier: MIT OR Apache-2.0
// /proc/meminfo and its like: the machine as a whole, and /proc/sys.
#include <array>

#include "core/mm/frame_allocator.h"
#include "core/mm/reclaim.h"
#include "core/sched/run_queue.h"
#include "core/sched/scheduler.h"
#include "platform/clock.h"
#include "platform/cpu.h"
#include "platform/entropy.h"
#include "services/linux/inotify_file.h"
#include "services/linux/pipe.h"
#include "services/linux/process_tree.h"
#include "services/linux/procfs_entries.h"
#include "services/linux/resource_usage.h"
#include "services/linux/system_identity.h"

namespace kernel::linux_abi::procfs {
namespace {

constexpr std::uint64_t kNanosecondsPerSecond = 1'000'000'000;
constexpr std::uint64_t kNanosecondsPerCentisecond = 10'000'000;

struct AllCpuTimes {
    std::uint64_t busy_ns = 0;
    std::uint64_t idle_ns = 0;
    std::uint64_t switches = 0;
};

AllCpuTimes all_cpu_times() {
    AllCpuTimes sum;
    for (unsigned cpu = 0; cpu < platform::cpu_count(); ++cpu) {
        const sched::CpuTimes times = sched::cpu_times(cpu);
        sum.busy_ns += times.busy_ns;
        sum.idle_ns += times.idle_ns;
        sum.switches += times.switches;
    }
    return sum;
}

void add_seconds(Text& text, std::uint64_t time_ns) {
    text.print("{}.{:02}", time_ns / kNanosecondsPerSecond,
               time_ns % kNanosecondsPerSecond / kNanosecondsPerCentisecond);
}

// user nice system idle iowait irq softirq steal guest guest_nice
void add_cpu_line(Text& text, std::uint64_t busy_ns, std::uint64_t idle_ns) {
    text.print(" {} 0 0 {} 0 0 0 0 0 0\n", ticks_of(busy_ns), ticks_of(idle_ns));
}

void add_memory_line(Text& text, std::string_view name, std::uint64_t frames) {
    constexpr std::size_t kNameWidth = 16;
    constexpr std::string_view kSpaces = "                ";
    text.add(name);
    text.add(kSpaces.substr(0, name.size() < kNameWidth ? kNameWidth - name.size() : 1));
    text.print("{:8} kB\n", frames * (kPageSize / 1024));
}

template <const std::string_view& Content>
Result<> constant_line(const Subject&, Text& text) {
    text.add(Content);
    text.add("\n");
    return {};
}

template <ChangeableName (*Get)()>
Result<> name_line(const Subject&, Text& text) {
    text.add(Get().view());
    text.add("\n");
    return {};
}

template <std::uint64_t Value>
Result<> constant_number(const Subject&, Text& text) {
    text.print("{}\n", Value);
    return {};
}

// RFC 9562, version 4.
void add_uuid(Text& text, std::span<const std::byte, 16> random) {
    for (std::size_t i = 0; i < random.size(); ++i) {
        auto value = std::to_integer<unsigned>(random[i]);
        value = i == 6 ? (value & 0x0f) | 0x40 : value;
        value = i == 8 ? (value & 0x3f) | 0x80 : value;
        text.print("{}{:02x}", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", value);
    }
    text.add("\n");
}

Result<> random_uuid(const Subject&, Text& text) {
    std::array<std::byte, 16> bytes;
    platform::fill_random(bytes);
    add_uuid(text, bytes);
    return {};
}

constexpr std::uint64_t kMaxMappings = 65530;
constexpr std::uint64_t kMaxOpenFiles = 1048576;
constexpr std::uint64_t kEntropyBits = 256;
constexpr std::uint64_t kOverflowId = 65534;
constexpr std::uint64_t kMaxGroups = 65536;

Result<> threads_max(const Subject&, Text& text) {
    text.print("{}\n", process_tree::max_tasks());
    return {};
}

// A write of the whole name, by one who may (proc_sys_kernel(5)).
template <void (*Set)(const ChangeableName&)>
Result<std::size_t> store_name(const Subject&, std::string_view name) {
    if (!Task::current().credentials()->capable(security::Capability::SysAdmin)) {
        return Error::NotPermitted;
    }
    Set(ChangeableName::truncated(name.substr(0, name.find('\n'))));
    return name.size();
}

template <ChangeableName (*Get)(), void (*Set)(const ChangeableName&)>
constexpr Entry name_file(std::string_view name) {
    Entry entry = file(name, name_line<Get>, 0644);
    entry.store = store_name<Set>;
    return entry;
}

constexpr std::string_view kCorePattern = "core";

constexpr Entry kRandom[] = {
    file("entropy_avail", constant_number<kEntropyBits>),
    file("poolsize", constant_number<kEntropyBits>),
    file("uuid", random_uuid),
};
constexpr Entry kKernel[] = {
    file("cap_last_cap", constant_number<security::kCapabilityCount - 1>),
    file("core_pattern", constant_line<kCorePattern>),
    name_file<host_name, set_host_name>("hostname"),
    name_file<domain_name, set_domain_name>("domainname"),
    file("ngroups_max", constant_number<kMaxGroups>),
    file("osrelease", constant_line<kRelease>),
    file("ostype", constant_line<kSystemName>),
    file("overflowgid", constant_number<kOverflowId>),
    file("overflowuid", constant_number<kOverflowId>),
    file("pid_max", constant_number<process_tree::kMaxPid>),
    directory("random", kRandom),
    file("randomize_va_space", constant_number<2>),
    file("sched_rr_timeslice_ms", constant_number<sched::kRoundRobinSliceNs / 1'000'000>),
    file("threads-max", threads_max),
    file("version", constant_line<kVersion>),
};
constexpr Entry kInotify[] = {
    file("max_queued_events", constant_number<InotifyFile::kMaxQueued>),
    file("max_user_instances", constant_number<object::HandleTable::kMaxHandles>),
    file("max_user_watches", constant_number<65536>),
};
constexpr Entry kFs[] = {
    file("file-max", constant_number<kMaxOpenFiles>),
    directory("inotify", kInotify),
    file("nr_open", constant_number<object::HandleTable::kMaxHandles>),
    file("pipe-max-size", constant_number<Pipe::kMaxBytes>),
};
constexpr Entry kVm[] = {
    file("max_map_count", constant_number<kMaxMappings>),
    file("overcommit_memory", constant_number<0>),
    file("overcommit_ratio", constant_number<50>),
    file("mmap_min_addr", constant_number<65536>),
    file("nr_hugepages", constant_number<0>),
    file("swappiness", constant_number<60>),
};

}  // namespace

constinit const Entry kSysEntries[] = {
    directory("fs", kFs),
    directory("kernel", kKernel),
    directory("vm", kVm),
};

Result<> filesystems(const Subject&, Text& text) {
    for (std::size_t i = 0;; ++i) {
        const Result<vfs::FileSystemType> type = vfs::filesystem_at(i);
        if (!type) {
            return {};
        }
        text.print("{}\t{}\n", type->needs_device ? "" : "nodev", type->name);
    }
}

// The averages are those of nobody: no clock ticks that could sample.
Result<> loadavg(const Subject&, Text& text) {
    text.print("0.00 0.00 0.00 {}/{} {}\n", sched::runnable_threads(), process_tree::task_count(),
               process_tree::latest_id());
    return {};
}

Result<> meminfo(const Subject&, Text& text) {
    const mm::FrameStatistics memory = mm::frame_statistics(platform::FrameZone::User);
    const std::uint64_t cached = mm::reclaimable_frames();
    add_memory_line(text, "MemTotal:", memory.total);
    add_memory_line(text, "MemFree:", memory.free);
    add_memory_line(text, "MemAvailable:", memory.free + cached);
    add_memory_line(text, "Buffers:", 0);
    add_memory_line(text, "Cached:", cached);
    add_memory_line(text, "SwapCached:", 0);
    add_memory_line(text, "Active:", memory.total - memory.free - cached);
    add_memory_line(text, "Inactive:", cached);
    add_memory_line(text, "SwapTotal:", 0);
    add_memory_line(text, "SwapFree:", 0);
    add_memory_line(text, "Dirty:", 0);
    add_memory_line(text, "Writeback:", 0);
    add_memory_line(text, "AnonPages:", memory.total - memory.free - cached);
    add_memory_line(text, "Mapped:", cached);
    add_memory_line(text, "Shmem:", 0);
    add_memory_line(text, "Slab:", 0);
    add_memory_line(text, "SReclaimable:", 0);
    add_memory_line(text, "SUnreclaim:", 0);
    add_memory_line(text, "CommitLimit:", memory.total);
    add_memory_line(text, "Committed_AS:", memory.total - memory.free);
    add_memory_line(text, "VmallocTotal:", 0);
    add_memory_line(text, "VmallocUsed:", 0);
    return {};
}

// The lines that programs look for, of those that mean something here.
Result<> vmstat(const Subject&, Text& text) {
    const mm::FrameStatistics memory = mm::frame_statistics(platform::FrameZone::User);
    const std::uint64_t cached = mm::reclaimable_frames();
    text.print("nr_free_pages {}\nnr_inactive_anon 0\nnr_active_anon {}\nnr_inactive_file {}\nnr_active_file 0\n",
               memory.free, memory.total - memory.free - cached, cached);
    text.print("nr_anon_pages {}\nnr_mapped {}\nnr_file_pages {}\nnr_dirty 0\nnr_writeback 0\n",
               memory.total - memory.free - cached, cached, cached);
    text.print("pgpgin 0\npgpgout 0\npswpin 0\npswpout 0\npgfault {}\npgmajfault 0\n", total_page_faults());
    text.add("oom_kill 0\n");
    return {};
}

Result<> stat(const Subject&, Text& text) {
    const AllCpuTimes all = all_cpu_times();
    text.add("cpu ");
    add_cpu_line(text, all.busy_ns, all.idle_ns);
    for (unsigned cpu = 0; cpu < platform::cpu_count(); ++cpu) {
        const sched::CpuTimes times = sched::cpu_times(cpu);
        text.print("cpu{}", cpu);
        add_cpu_line(text, times.busy_ns, times.idle_ns);
    }
    const std::uint64_t boot_s = (platform::realtime_ns() - platform::monotonic_ns()) / kNanosecondsPerSecond;
    text.print("intr 0\nctxt {}\nbtime {}\nprocesses {}\n", all.switches, boot_s, process_tree::latest_id());
    text.print("procs_running {}\nprocs_blocked 0\nsoftirq 0\n", sched::runnable_threads());
    return {};
}

Result<> uptime(const Subject&, Text& text) {
    add_seconds(text, platform::monotonic_ns());
    text.add(" ");
    add_seconds(text, all_cpu_times().idle_ns);
    text.add("\n");
    return {};
}

Result<> version(const Subject&, Text& text) {
    text.print("{} version {} {}\n", kSystemName, kRelease, kVersion);
    return {};
}

}  // namespace kernel::linux_abi::procfs
