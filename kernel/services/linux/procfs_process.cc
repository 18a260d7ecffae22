// SPDX-License-Identifier: MIT OR Apache-2.0
// /proc/PID/stat, status, statm and limits, in the words of proc(5).
#include <array>
#include <span>

#include "platform/cpu.h"
#include "services/linux/file_arguments.h"
#include "services/linux/process_tree.h"
#include "services/linux/procfs_entries.h"
#include "services/linux/resource_usage.h"
#include "services/linux/terminal.h"

namespace kernel::linux_abi::procfs {
namespace {

constexpr std::uint64_t kKibibyte = 1024;

struct StateName {
    char letter;
    std::string_view name;
};

StateName state_of(const Target& target) {
    if (!target.task || process_tree::state_of(*target.process) == ProcessState::Zombie) {
        // The reaper is the kernel's own: it has no thread, and never ends.
        return target.process->pid() == process_tree::kReaperPid ? StateName{'S', "sleeping"}
                                                                 : StateName{'Z', "zombie"};
    }
    if (process_tree::is_stopped(*target.process)) {
        return {'T', "stopped"};
    }
    switch (target.task->thread().state()) {
        case sched::ThreadState::New:
        case sched::ThreadState::Runnable:
            return {'R', "running"};
        case sched::ThreadState::UninterruptibleSleep:
            return {'D', "disk sleep"};
        case sched::ThreadState::Sleeping:
            return {'S', "sleeping"};
        case sched::ThreadState::Dead:
            break;
    }
    return {'X', "dead"};
}

unsigned thread_count(const Process& process) {
    unsigned count = 0;
    for (RefPtr<Task> task = process_tree::next_task(process, 0); task;
         task = process_tree::next_task(process, task->tid() + 1)) {
        ++count;
    }
    return count;
}

struct TerminalNumbers {
    int device = 0;
    int foreground_group = -1;
};

TerminalNumbers terminal_of(Process& process) {
    constexpr int kConsole = 5 << 8 | 1;
    const RefPtr<Session> session = process_tree::session(process);
    const RefPtr<Terminal> terminal = session ? session->terminal() : RefPtr<Terminal>();
    if (!terminal) {
        return {};
    }
    return {kConsole, terminal->foreground_group()};
}

mm::SpaceUsage memory_of(const Process& process) {
    const RefPtr<mm::AddressSpace> space = process.space();
    return space ? space->usage() : mm::SpaceUsage{};
}

struct SignalSets {
    abi::SignalMask pending = 0;
    abi::SignalMask process_pending = 0;
    abi::SignalMask blocked = 0;
    abi::SignalMask ignored = 0;
    abi::SignalMask caught = 0;
};

SignalSets signals_of(const Target& target) {
    SignalSets sets;
    const auto mask = [](PendingSignals& pending) { return pending.mask(); };
    sets.process_pending = target.process->pending().with(mask);
    if (target.task) {
        sets.pending = target.task->pending().with(mask);
        sets.blocked = target.task->blocked();
    }
    const RefPtr<SignalActions> actions = target.process->actions();
    for (int signal = 1; actions && signal <= abi::kSignalCount; ++signal) {
        const std::uint64_t handler = actions->get(signal).handler;
        if (handler == abi::kSigIgn) {
            sets.ignored |= abi::signal_bit(signal);
        } else if (handler != abi::kSigDfl) {
            sets.caught |= abi::signal_bit(signal);
        }
    }
    return sets;
}

int nice_of(const Target& target) {
    return target.task ? target.task->thread().params().nice : 0;
}

void add_memory(Text& text, std::string_view name, std::uint64_t bytes) {
    text.print("{}:\t{:8} kB\n", name, bytes / kKibibyte);
}

void add_credentials(Text& text, const security::Credentials& credentials) {
    const security::CredentialValues& values = credentials.values();
    text.print("Uid:\t{}\t{}\t{}\t{}\n", values.user_real, values.user_effective, values.user_saved,
               values.user_filesystem);
    text.print("Gid:\t{}\t{}\t{}\t{}\n", values.group_real, values.group_effective, values.group_saved,
               values.group_filesystem);
}

void add_capabilities(Text& text, const security::CredentialValues& values) {
    text.print("CapInh:\t{:016x}\nCapPrm:\t{:016x}\nCapEff:\t{:016x}\nCapBnd:\t{:016x}\nCapAmb:\t{:016x}\n",
               values.inheritable.bits, values.permitted.bits, values.effective.bits, values.bounding.bits,
               values.ambient.bits);
    text.print("NoNewPrivs:\t{}\nSeccomp:\t0\nSeccomp_filters:\t0\n", values.no_new_privileges ? 1 : 0);
}

void add_memory_lines(Text& text, const mm::SpaceUsage& memory) {
    const std::uint64_t resident = memory.anonymous_pages * kPageSize;
    add_memory(text, "VmPeak", memory.peak_virtual_bytes);
    add_memory(text, "VmSize", memory.virtual_bytes);
    add_memory(text, "VmLck", 0);
    add_memory(text, "VmPin", 0);
    add_memory(text, "VmHWM", memory.peak_anonymous_pages * kPageSize);
    add_memory(text, "VmRSS", resident);
    add_memory(text, "RssAnon", resident);
    add_memory(text, "RssFile", 0);
    add_memory(text, "RssShmem", 0);
    add_memory(text, "VmData", memory.data_bytes);
    add_memory(text, "VmStk", memory.stack_bytes);
    add_memory(text, "VmExe", memory.executable_bytes);
    add_memory(text, "VmLib", 0);
    add_memory(text, "VmPTE", 0);
    add_memory(text, "VmSwap", 0);
}

void add_signal_lines(Text& text, const SignalSets& sets, const Process& process) {
    text.print("SigQ:\t0/{}\n", process.limit(abi::kRlimitSigpending).current);
    text.print("SigPnd:\t{:016x}\nShdPnd:\t{:016x}\nSigBlk:\t{:016x}\nSigIgn:\t{:016x}\nSigCgt:\t{:016x}\n",
               sets.pending, sets.process_pending, sets.blocked, sets.ignored, sets.caught);
}

void add_cpu_lines(Text& text, std::uint64_t allowed) {
    const unsigned count = platform::cpu_count();
    const std::uint64_t present = count >= 64 ? UINT64_MAX : (std::uint64_t{1} << count) - 1;
    text.print("Cpus_allowed:\t{:x}\nCpus_allowed_list:\t", allowed & present);
    std::string_view separator;
    for (unsigned cpu = 0; cpu < count; ++cpu) {
        if (((allowed >> cpu) & 1) != 0) {
            text.print("{}{}", separator, cpu);
            separator = ",";
        }
    }
    text.add("\n");
}

struct LimitRow {
    std::string_view name;
    abi::RlimitResource resource;
    std::string_view unit;
};
constexpr LimitRow kLimitRows[] = {
    {"Max cpu time", abi::kRlimitCpu, "seconds"},         {"Max file size", abi::kRlimitFsize, "bytes"},
    {"Max data size", abi::kRlimitData, "bytes"},         {"Max stack size", abi::kRlimitStack, "bytes"},
    {"Max core file size", abi::kRlimitCore, "bytes"},    {"Max resident set", abi::kRlimitRss, "bytes"},
    {"Max processes", abi::kRlimitNproc, "processes"},    {"Max open files", abi::kRlimitNofile, "files"},
    {"Max locked memory", abi::kRlimitMemlock, "bytes"},  {"Max address space", abi::kRlimitAs, "bytes"},
    {"Max file locks", abi::kRlimitLocks, "locks"},       {"Max pending signals", abi::kRlimitSigpending, "signals"},
    {"Max msgqueue size", abi::kRlimitMsgqueue, "bytes"}, {"Max nice priority", abi::kRlimitNice, ""},
    {"Max realtime priority", abi::kRlimitRtprio, ""},    {"Max realtime timeout", abi::kRlimitRttime, "us"},
};

void add_limit(Text& text, std::uint64_t value) {
    if (value == abi::kRlimInfinity) {
        text.print("{:<20} ", "unlimited");
    } else {
        text.print("{:<20} ", value);
    }
}

}  // namespace

// Fields 1 to 52; 0 where there is nothing to tell.
Result<> process_stat(const Subject& subject, Text& text) {
    const Target target = target_of(subject);
    Process& process = *target.process;
    const bool of_one_thread = static_cast<object::Object&>(*subject.object).type() == object::ObjectType::Thread;
    const CpuUsage own = of_one_thread && target.task ? target.task->usage() : process_tree::usage_of(process);
    const CpuUsage children = process_tree::children_usage_of(process);
    const TerminalNumbers terminal = terminal_of(process);
    const mm::SpaceUsage memory = memory_of(process);
    const SignalSets sets = signals_of(target);
    const int nice = nice_of(target);
    const TaskName name = name_of(target);
    constexpr int kBasePriority = 20;
    text.print("{} ({}) {} {} {} {} {} {} 0 ", of_one_thread ? target.task->tid() : process.pid(),
               std::string_view(name.data()), state_of(target).letter, process_tree::parent_pid(process),
               process_tree::group_of(process), process_tree::session_of(process), terminal.device,
               terminal.foreground_group);
    text.print("{} {} {} 0 {} {} {} {} ", own.minor_faults, children.minor_faults, memory.major_faults,
               ticks_of(own.user_ns), ticks_of(own.system_ns), ticks_of(children.user_ns),
               ticks_of(children.system_ns));
    text.print("{} {} {} 0 {} {} {} {} ", kBasePriority + nice, nice, thread_count(process),
               ticks_of(process.start_ns()), memory.virtual_bytes, memory.anonymous_pages,
               process.limit(abi::kRlimitRss).current);
    text.print("0 0 0 0 0 {} {} {} {} 0 0 0 ", sets.pending, sets.blocked, sets.ignored, sets.caught);
    text.print("{} {} 0 0 0 0 0 ", int{abi::kSigchld}, target.task ? target.task->thread().cpu() : 0);
    text.add("0 0 0 0 0 0 0 0\n");
    return {};
}

Result<> process_status(const Subject& subject, Text& text) {
    const Target target = target_of(subject);
    Process& process = *target.process;
    const TaskName name = name_of(target);
    const StateName state = state_of(target);
    text.add("Name:\t");
    add_escaped(text, std::string_view(name.data()), "\n");
    text.add("\n");
    const RefPtr<FsContext> fs = target.task ? target.task->shared_fs() : RefPtr<FsContext>();
    if (fs) {
        text.print("Umask:\t{:04o}\n", fs->umask());
    }
    text.print("State:\t{} ({})\nTgid:\t{}\nNgid:\t0\nPid:\t{}\nPPid:\t{}\nTracerPid:\t0\n", state.letter, state.name,
               process.pid(), target.task ? target.task->tid() : process.pid(), process_tree::parent_pid(process));
    const RefPtr<security::Credentials> credentials =
        target.task ? target.task->credentials() : RefPtr<security::Credentials>();
    if (credentials) {
        add_credentials(text, *credentials);
        const RefPtr<object::HandleTable> handles = target.task->shared_handles();
        text.print("FDSize:\t{}\nGroups:\t", handles ? handles->count() : 0);
        for (const std::uint32_t group : credentials->groups()) {
            text.print("{} ", group);
        }
        text.add("\n");
        add_memory_lines(text, memory_of(process));
    }
    text.add("CoreDumping:\t0\nTHP_enabled:\t0\n");
    text.print("Threads:\t{}\n", thread_count(process));
    add_signal_lines(text, signals_of(target), process);
    if (credentials) {
        add_capabilities(text, credentials->values());
        add_cpu_lines(text, target.task->thread().affinity().bits());
        text.add("Mems_allowed:\t1\nMems_allowed_list:\t0\n");
        const CpuUsage usage = process_tree::usage_of(process);
        text.print("voluntary_ctxt_switches:\t{}\nnonvoluntary_ctxt_switches:\t{}\n", usage.voluntary_switches,
                   usage.involuntary_switches);
    }
    return {};
}

// size resident shared text lib data dt, in pages
Result<> process_statm(const Subject& subject, Text& text) {
    const mm::SpaceUsage memory = memory_of(*target_of(subject).process);
    text.print("{} {} 0 {} 0 {} 0\n", memory.virtual_bytes / kPageSize, memory.anonymous_pages,
               memory.executable_bytes / kPageSize, (memory.data_bytes + memory.stack_bytes) / kPageSize);
    return {};
}

Result<> process_limits(const Subject& subject, Text& text) {
    const Process::Limits limits = target_of(subject).process->limits();
    text.print("{:<25} {:<20} {:<20} {:<10}\n", "Limit", "Soft Limit", "Hard Limit", "Units");
    for (const LimitRow& row : kLimitRows) {
        text.print("{:<25} ", row.name);
        add_limit(text, limits[row.resource].current);
        add_limit(text, limits[row.resource].maximum);
        text.print("{:<10}\n", row.unit);
    }
    return {};
}

}  // namespace kernel::linux_abi::procfs
