// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/procfs.h"

#include <algorithm>
#include <array>
#include <utility>

#include "services/linux/inspection.h"
#include "services/linux/process_tree.h"
#include "services/linux/procfs_entries.h"

namespace kernel::linux_abi {
namespace procfs {

Target target_of(const Subject& subject) {
    auto& object = static_cast<object::Object&>(*subject.object);
    if (object.type() == object::ObjectType::Thread) {
        RefPtr<Task> task(static_cast<Task&>(object));
        RefPtr<Process> process(task->process());
        return {std::move(process), std::move(task)};
    }
    RefPtr<Process> process(static_cast<Process&>(object));
    RefPtr<Task> leader = process_tree::find_task(process->pid());
    RefPtr<Task> task = leader ? std::move(leader) : process_tree::any_task(*process);
    return {std::move(process), std::move(task)};
}

Result<RefPtr<Task>> live_task(const Subject& subject) {
    RefPtr<Task> task = target_of(subject).task;
    if (!task) {
        return Error::NotFound;
    }
    return task;
}

bool is_alive(const Subject& subject) {
    auto& object = static_cast<object::Object&>(*subject.object);
    const int id = static_cast<int>(subject.id);
    return object.type() == object::ObjectType::Thread
               ? process_tree::find_task(id) == &static_cast<Task&>(object)
               : process_tree::find_process(id) == &static_cast<Process&>(object);
}

vfs::pseudofs::Owner owner_of(const Subject& subject) {
    const Target target = target_of(subject);
    if (!target.task) {
        return {target.process->last_uid(), 0};
    }
    // proc(5): those of a process that must not be dumped belong to root.
    if (!target.process->dumpable()) {
        return {};
    }
    const RefPtr<security::Credentials> credentials = target.task->credentials();
    return {credentials->values().user_effective, credentials->values().group_effective};
}

TaskName name_of(const Target& target) {
    if (target.task) {
        return target.task->name();
    }
    TaskName name{};
    const std::string_view text = target.process->pid() == process_tree::kReaperPid ? "kpio" : "ended";
    std::copy(text.begin(), text.end(), name.begin());
    return name;
}

Result<> check_inspection(const Subject& subject) {
    const Target target = target_of(subject);
    Task& caller = Task::current();
    if (&caller.process() == target.process.get()) {
        return {};
    }
    if (!target.task) {
        return Error::NotFound;
    }
    return may_inspect(caller, *target.task, InspectAs::FileUser) ? Result<>() : Result<>(Error::AccessDenied);
}

Result<int> parse_number(std::string_view name) {
    constexpr std::size_t kMaxDigits = 9;
    if (name.empty() || name.size() > kMaxDigits || (name.size() > 1 && name.front() == '0')) {
        return Error::NotFound;
    }
    int value = 0;
    for (const char digit : name) {
        if (digit < '0' || digit > '9') {
            return Error::NotFound;
        }
        value = value * 10 + (digit - '0');
    }
    return value;
}

void add_escaped(Text& text, std::string_view plain, std::string_view special) {
    for (const char character : plain) {
        if (character == '\\' || special.find(character) != std::string_view::npos) {
            text.print("\\{:03o}", static_cast<unsigned>(static_cast<unsigned char>(character)));
        } else {
            text.add(std::string_view(&character, 1));
        }
    }
}

Result<> add_path(Text& text, const vfs::Path& path, bool mark_deleted) {
    const vfs::PathText found = TRY(vfs::path_text(path, Task::current().fs().root(), mark_deleted));
    std::string_view shown = found.text.view();
    // Only getcwd(2) marks what lies outside of the root.
    shown.remove_prefix(found.reachable ? 0 : vfs::kUnreachable.size());
    text.add(shown);
    return {};
}

namespace {

using vfs::pseudofs::DynamicChildren;

// exe, cwd and root: where they lead, and the text of it.
using PathOf = Result<vfs::Path> (*)(const Subject& subject);

Result<vfs::Path> executable_of(const Subject& subject) {
    TRY(check_inspection(subject));
    vfs::Path path = target_of(subject).process->program().executable;
    if (!path) {
        return Error::NotFound;
    }
    return path;
}

Result<RefPtr<FsContext>> fs_of(const Subject& subject) {
    TRY(check_inspection(subject));
    RefPtr<FsContext> fs = TRY(live_task(subject))->shared_fs();
    if (!fs) {
        return Error::NotFound;
    }
    return fs;
}

Result<vfs::Path> working_directory_of(const Subject& subject) {
    return TRY(fs_of(subject))->working_directory();
}

Result<vfs::Path> root_of(const Subject& subject) {
    return TRY(fs_of(subject))->root();
}

template <PathOf Find>
Result<> path_target(const Subject& subject, Text& text) {
    return add_path(text, TRY(Find(subject)));
}

template <PathOf Find>
constexpr Entry path_link(std::string_view name) {
    Entry entry = link(name, path_target<Find>);
    entry.follow = Find;
    return entry;
}

Result<> comm(const Subject& subject, Text& text) {
    const TaskName name = name_of(target_of(subject));
    text.print("{}\n", std::string_view(name.data()));
    return {};
}

// Only the process's own threads may rename one another.
Result<std::size_t> store_comm(const Subject& subject, std::string_view name) {
    const RefPtr<Task> task = TRY(live_task(subject));
    if (&task->process() != &Task::current().process()) {
        return Error::InvalidArgument;
    }
    const std::size_t taken = name.size();
    while (name.ends_with('\n')) {
        name.remove_suffix(1);
    }
    task->set_name(name);
    return taken;
}

constexpr Entry comm_file() {
    Entry entry = file("comm", comm, 0644);
    entry.store = store_comm;
    return entry;
}

Result<> wchan(const Subject&, Text& text) {
    text.add("0");
    return {};
}

Result<> cgroup(const Subject&, Text& text) {
    text.add("0::/\n");
    return {};
}

// From -1000, never to be ended for want of memory, to 1000, proc(5).
Result<> oom_score_adjustment(const Subject& subject, Text& text) {
    text.print("{}\n", target_of(subject).process->oom_score_adjustment().load());
    return {};
}

Result<std::size_t> store_oom_score_adjustment(const Subject& subject, std::string_view value) {
    constexpr int kLimit = 1000;
    const std::size_t taken = value.size();
    std::string_view digits = value.substr(0, value.find('\n'));
    const bool negative = digits.starts_with('-');
    digits.remove_prefix(negative ? 1 : 0);
    const Result<int> number = parse_number(digits);
    if (!number || *number > kLimit) {
        return Error::InvalidArgument;
    }
    const int wanted = negative ? -*number : *number;
    std::atomic<int>& current = target_of(subject).process->oom_score_adjustment();
    if (wanted < current.load() && !Task::current().credentials()->capable(security::Capability::SysResource)) {
        return Error::AccessDenied;
    }
    current.store(wanted);
    return taken;
}

constexpr Entry oom_score_adjustment_file() {
    Entry entry = file("oom_score_adj", oom_score_adjustment, 0644);
    entry.store = store_oom_score_adjustment;
    return entry;
}

Result<> oom_score(const Subject& subject, Text& text) {
    const int adjustment = target_of(subject).process->oom_score_adjustment().load();
    text.print("{}\n", adjustment > 0 ? adjustment : 0);
    return {};
}

Result<> persona(const Subject& subject, Text& text) {
    TRY(check_inspection(subject));
    text.print("{:08x}\n", target_of(subject).process->persona().load());
    return {};
}

// Time on a processor; time waited for one is not counted; time slices.
Result<> schedstat(const Subject& subject, Text& text) {
    const Target target = target_of(subject);
    const CpuUsage usage = target.task ? target.task->usage() : process_tree::usage_of(*target.process);
    text.print("{} 0 {}\n", usage.user_ns + usage.system_ns, usage.voluntary_switches + usage.involuntary_switches);
    return {};
}

Result<> no_login_user(const Subject&, Text& text) {
    text.add("4294967295");
    return {};
}

// One namespace of users, in which every id is itself.
Result<> identity_map(const Subject&, Text& text) {
    text.add("         0          0 4294967295\n");
    return {};
}

Result<> allowed(const Subject&, Text& text) {
    text.add("allow\n");
    return {};
}

Result<> children(const Subject& subject, Text& text) {
    const Target target = target_of(subject);
    process_tree::for_each_in_group(0, [&](Process& process) {
        if (process_tree::parent_pid(process) == target.process->pid()) {
            text.print("{} ", process.pid());
        }
        return true;
    });
    return {};
}

constexpr Entry dynamic_directory(std::string_view name, const DynamicChildren& children, std::uint32_t permissions) {
    Entry entry = directory(name, {});
    entry.permissions = permissions;
    entry.dynamic = &children;
    return entry;
}

// What a process and each of its threads have.
#define KPIO_PROC_COMMON_ENTRIES                                                                                   \
    file("cgroup", cgroup), file("cmdline", process_cmdline), comm_file(), path_link<working_directory_of>("cwd"), \
        file("environ", process_environ, 0400), path_link<executable_of>("exe"),                                   \
        dynamic_directory("fd", kDescriptorLinks, 0500), dynamic_directory("fdinfo", kDescriptorFiles, 0555),      \
        file("limits", process_limits), file("maps", process_maps), file("mountinfo", process_mountinfo),          \
        file("mounts", process_mounts), file("oom_score", oom_score), oom_score_adjustment_file(),                 \
        path_link<root_of>("root"), file("stat", process_stat), file("statm", process_statm),                      \
        file("status", process_status), file("wchan", wchan), file("gid_map", identity_map),                       \
        file("loginuid", no_login_user), file("personality", persona, 0400), file("schedstat", schedstat),         \
        file("sessionid", no_login_user), file("setgroups", allowed), file("smaps", process_smaps),                \
        file("smaps_rollup", process_smaps_rollup), file("uid_map", identity_map)

// All that is in a process's directory belongs to the process's user.
template <std::size_t Count>
constexpr std::array<Entry, Count> owned(std::array<Entry, Count> entries) {
    for (Entry& entry : entries) {
        entry.owner = owner_of;
    }
    return entries;
}

constexpr std::array kThreadEntries =
    owned(std::to_array<Entry>({KPIO_PROC_COMMON_ENTRIES, file("children", children)}));

constexpr Entry thread_directory() {
    Entry entry = directory({}, kThreadEntries);
    entry.alive = is_alive;
    entry.owner = owner_of;
    return entry;
}
constexpr Entry kThread = thread_directory();

InlineFormatBuffer<32>& number_name(InlineFormatBuffer<32>& buffer, int number) {
    format_to(buffer, "{}", number);
    return buffer;
}

Result<DynamicChildren::Listed> listed(int number, const Entry& entry) {
    InlineFormatBuffer<32> name;
    DynamicChildren::Listed result;
    result.name = TRY(FixedString<32>::create(number_name(name, number).view()));
    result.entry = &entry;
    result.id = static_cast<std::uint64_t>(number);
    result.next_position = static_cast<std::uint64_t>(number) + 1;
    return result;
}

Result<Found> look_up_thread(const Subject& parent, std::string_view name) {
    const int tid = TRY(parse_number(name));
    RefPtr<Task> task = process_tree::find_task(tid);
    if (!task || &task->process() != target_of(parent).process.get()) {
        return Error::NotFound;
    }
    return Found{.entry = &kThread, .subject = {.object = std::move(task), .id = static_cast<std::uint64_t>(tid)}};
}

Result<DynamicChildren::Listed> next_thread(const Subject& parent, std::uint64_t position) {
    const RefPtr<Process> process = target_of(parent).process;
    const RefPtr<Task> task =
        position > INT32_MAX ? RefPtr<Task>() : process_tree::next_task(*process, static_cast<int>(position));
    if (!task) {
        return Error::NotFound;
    }
    return listed(task->tid(), kThread);
}
constexpr DynamicChildren kThreads{.look_up = look_up_thread, .next = next_thread};

constexpr std::array kProcessEntries =
    owned(std::to_array<Entry>({KPIO_PROC_COMMON_ENTRIES, dynamic_directory("task", kThreads, 0555)}));

constexpr Entry process_directory() {
    Entry entry = directory({}, kProcessEntries);
    entry.alive = is_alive;
    entry.owner = owner_of;
    return entry;
}
constexpr Entry kProcess = process_directory();

// Threads can be looked up here too, but are not listed, proc(5).
Result<Found> look_up_process(const Subject&, std::string_view name) {
    const int pid = TRY(parse_number(name));
    RefPtr<Process> process = process_tree::find_process(pid);
    if (process) {
        return Found{.entry = &kProcess,
                     .subject = {.object = std::move(process), .id = static_cast<std::uint64_t>(pid)}};
    }
    RefPtr<Task> task = process_tree::find_task(pid);
    if (!task) {
        return Error::NotFound;
    }
    return Found{.entry = &kThread, .subject = {.object = std::move(task), .id = static_cast<std::uint64_t>(pid)}};
}

Result<DynamicChildren::Listed> next_process_entry(const Subject&, std::uint64_t position) {
    const RefPtr<Process> process =
        position > INT32_MAX ? RefPtr<Process>() : process_tree::next_process(static_cast<int>(position));
    if (!process) {
        return Error::NotFound;
    }
    return listed(process->pid(), kProcess);
}
constexpr DynamicChildren kProcesses{.look_up = look_up_process, .next = next_process_entry};

Result<> self(const Subject&, Text& text) {
    text.print("{}", Task::current().process().pid());
    return {};
}

Result<> thread_self(const Subject&, Text& text) {
    const Task& task = Task::current();
    text.print("{}/task/{}", task.process().pid(), task.tid());
    return {};
}

Result<> mounts_link(const Subject&, Text& text) {
    text.add("self/mounts");
    return {};
}

Result<> swaps(const Subject&, Text& text) {
    text.add("Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
    return {};
}

Result<> partitions(const Subject&, Text& text) {
    text.add("major minor  #blocks  name\n\n");
    return {};
}

// No controllers, proc_cgroups(5).
Result<> cgroups(const Subject&, Text& text) {
    text.add("#subsys_name\thierarchy\tnum_cgroups\tenabled\n");
    return {};
}

Result<> nothing(const Subject&, Text&) {
    return {};
}

Result<> devices(const Subject&, Text& text) {
    text.add("Character devices:\n  1 mem\n  5 /dev/tty\n  5 /dev/console\n  5 /dev/ptmx\n\nBlock devices:\n");
    return {};
}

Result<> empty_line(const Subject&, Text& text) {
    text.add("\n");
    return {};
}

constexpr Entry kRootEntries[] = {
    file("cgroups", cgroups),
    file("cmdline", empty_line),
    file("cpuinfo", cpuinfo),
    file("devices", devices),
    file("diskstats", nothing),
    file("filesystems", filesystems),
    file("loadavg", loadavg),
    file("meminfo", meminfo),
    link("mounts", mounts_link),
    file("partitions", partitions),
    link("self", self),
    file("stat", stat),
    file("swaps", swaps),
    directory("sys", kSysEntries),
    link("thread-self", thread_self),
    file("uptime", uptime),
    file("version", version),
    file("vmstat", vmstat),
};

constexpr Entry root_directory() {
    Entry entry = directory({}, kRootEntries);
    entry.dynamic = &kProcesses;
    return entry;
}
constexpr Entry kRoot = root_directory();

}  // namespace
}  // namespace procfs

Result<RefPtr<vfs::FileSystem>> create_procfs() {
    constexpr std::uint64_t kProcMagic = 0x9fa0;
    return vfs::pseudofs::create("proc", kProcMagic, procfs::kRoot);
}

Result<> register_procfs() {
    return vfs::register_filesystem(
        {.name = "proc", .create = [](const vfs::MountRequest&) { return create_procfs(); }, .needs_device = false});
}

}  // namespace kernel::linux_abi
