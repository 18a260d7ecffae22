// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "lib/result.h"
#include "services/linux/process.h"
#include "services/linux/task.h"
#include "services/vfs/pseudofs.h"

// The tables that make up /proc, and what their functions share. Nobody else includes this.
namespace kernel::linux_abi::procfs {

using vfs::FileType;
using vfs::pseudofs::Entry;
using vfs::pseudofs::Found;
using vfs::pseudofs::Subject;
using vfs::pseudofs::Text;

constexpr Entry file(std::string_view name, Result<> (*generate)(const Subject&, Text&),
                     std::uint32_t permissions = 0444) {
    Entry entry;
    entry.name = name;
    entry.permissions = permissions;
    entry.generate = generate;
    return entry;
}
constexpr Entry directory(std::string_view name, std::span<const Entry> children) {
    Entry entry;
    entry.name = name;
    entry.type = FileType::Directory;
    entry.permissions = 0555;
    entry.children = children;
    return entry;
}
constexpr Entry link(std::string_view name, Result<> (*target)(const Subject&, Text&)) {
    Entry entry;
    entry.name = name;
    entry.type = FileType::Symlink;
    entry.permissions = 0777;
    entry.target = target;
    return entry;
}

// A subject is a process or a task; `sub_id` is a descriptor number in fd and fdinfo.
struct Target {
    RefPtr<Process> process;
    RefPtr<Task> task;  // the leader if it lives, else any; null for a zombie
};
Target target_of(const Subject& subject);
// Errors: NotFound (a zombie, or it has gone).
Result<RefPtr<Task>> live_task(const Subject& subject);
bool is_alive(const Subject& subject);
vfs::pseudofs::Owner owner_of(const Subject& subject);
TaskName name_of(const Target& target);

// Whether the caller may look inside, ptrace(2) "access mode checking". Errors: AccessDenied, NotFound.
Result<> check_inspection(const Subject& subject);

// A decimal number without sign or leading zeros, as names in /proc are. Errors: NotFound.
Result<int> parse_number(std::string_view name);

// `text` with the characters of `special` and the backslash as \ooo.
void add_escaped(Text& text, std::string_view plain, std::string_view special);
// The path as the caller sees it.
Result<> add_path(Text& text, const vfs::Path& path, bool mark_deleted = true);

// procfs_cpuinfo.cc
Result<> cpuinfo(const Subject&, Text& text);

// procfs_system.cc
inline constexpr std::size_t kSysEntryCount = 3;
extern constinit const Entry kSysEntries[kSysEntryCount];
Result<> filesystems(const Subject&, Text& text);
Result<> loadavg(const Subject&, Text& text);
Result<> meminfo(const Subject&, Text& text);
Result<> stat(const Subject&, Text& text);
Result<> uptime(const Subject&, Text& text);
Result<> version(const Subject&, Text& text);
Result<> vmstat(const Subject&, Text& text);

// procfs_process.cc
Result<> process_stat(const Subject& subject, Text& text);
Result<> process_status(const Subject& subject, Text& text);
Result<> process_statm(const Subject& subject, Text& text);
Result<> process_limits(const Subject& subject, Text& text);

// procfs_memory.cc
Result<> process_cmdline(const Subject& subject, Text& text);
Result<> process_environ(const Subject& subject, Text& text);
Result<> process_maps(const Subject& subject, Text& text);
Result<> process_smaps(const Subject& subject, Text& text);
Result<> process_smaps_rollup(const Subject& subject, Text& text);

// procfs_descriptors.cc
extern constinit const vfs::pseudofs::DynamicChildren kDescriptorLinks;
extern constinit const vfs::pseudofs::DynamicChildren kDescriptorFiles;

// procfs_mounts.cc
Result<> process_mounts(const Subject& subject, Text& text);
Result<> process_mountinfo(const Subject& subject, Text& text);

}  // namespace kernel::linux_abi::procfs
