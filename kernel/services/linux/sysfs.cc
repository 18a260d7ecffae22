// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/sysfs.h"

#include "core/mm/frame_allocator.h"
#include "platform/cpu.h"
#include "services/linux/procfs_entries.h"

namespace kernel::linux_abi {
namespace sysfs {
namespace {

using namespace procfs;
using vfs::pseudofs::DynamicChildren;

constexpr std::string_view kCpuPrefix = "cpu";

Result<> online_cpus(const Subject&, Text& text) {
    const unsigned count = platform::cpu_count();
    if (count == 1) {
        text.add("0\n");
    } else {
        text.print("0-{}\n", count - 1);
    }
    return {};
}

Result<> all_cpus_mask(const Subject&, Text& text) {
    const unsigned count = platform::cpu_count();
    text.print("{:x}\n", count >= 64 ? UINT64_MAX : (std::uint64_t{1} << count) - 1);
    return {};
}

Result<> last_possible_cpu(const Subject&, Text& text) {
    text.print("{}\n", platform::kMaxCpus - 1);
    return {};
}

Result<> no_cpus(const Subject&, Text& text) {
    text.add("\n");
    return {};
}

template <int Number>
Result<> number(const Subject&, Text& text) {
    text.print("{}\n", Number);
    return {};
}

Result<> own_number(const Subject& cpu, Text& text) {
    text.print("{}\n", cpu.id);
    return {};
}

Result<> own_mask(const Subject& cpu, Text& text) {
    text.print("{:x}\n", std::uint64_t{1} << cpu.id);
    return {};
}

// Cores of one package, one thread each.
constexpr Entry kTopology[] = {
    file("cluster_id", number<-1>),
    file("core_cpus", own_mask),
    file("core_cpus_list", own_number),
    file("core_id", own_number),
    file("core_siblings", all_cpus_mask),
    file("core_siblings_list", online_cpus),
    file("die_id", number<0>),
    file("package_cpus", all_cpus_mask),
    file("package_cpus_list", online_cpus),
    file("physical_package_id", number<0>),
    file("thread_siblings", own_mask),
    file("thread_siblings_list", own_number),
};
constexpr Entry kCpu[] = {
    file("online", number<1>),
    directory("topology", kTopology),
};
constexpr Entry kCpuDirectory = directory({}, kCpu);

Result<Found> look_up_cpu(const Subject&, std::string_view name) {
    if (!name.starts_with(kCpuPrefix)) {
        return Error::NotFound;
    }
    const auto cpu = static_cast<unsigned>(TRY(parse_number(name.substr(kCpuPrefix.size()))));
    if (cpu >= platform::cpu_count()) {
        return Error::NotFound;
    }
    return Found{.entry = &kCpuDirectory, .subject = {.object = {}, .id = cpu}};
}

Result<DynamicChildren::Listed> next_cpu(const Subject&, std::uint64_t position) {
    if (position >= platform::cpu_count()) {
        return Error::NotFound;
    }
    InlineFormatBuffer<32> name;
    format_to(name, "{}{}", kCpuPrefix, position);
    return DynamicChildren::Listed{.name = TRY(FixedString<32>::create(name.view())),
                                   .entry = &kCpuDirectory,
                                   .id = position,
                                   .next_position = position + 1};
}
constexpr DynamicChildren kCpuDirectories{.look_up = look_up_cpu, .next = next_cpu};

constexpr Entry kCpus[] = {
    file("isolated", no_cpus),   file("kernel_max", last_possible_cpu), file("offline", no_cpus),
    file("online", online_cpus), file("possible", online_cpus),         file("present", online_cpus),
};

constexpr Entry cpus_directory() {
    Entry entry = directory("cpu", kCpus);
    entry.dynamic = &kCpuDirectories;
    return entry;
}

void add_node_line(Text& text, std::string_view name, std::uint64_t frames) {
    text.print("Node 0 {:<15} {:8} kB\n", name, frames * (kPageSize / 1024));
}

Result<> node_memory(const Subject&, Text& text) {
    const mm::FrameStatistics memory = mm::frame_statistics(platform::FrameZone::User);
    add_node_line(text, "MemTotal:", memory.total);
    add_node_line(text, "MemFree:", memory.free);
    add_node_line(text, "MemUsed:", memory.total - memory.free);
    return {};
}

Result<> node_distance(const Subject&, Text& text) {
    text.add("10\n");
    return {};
}

constexpr Entry kNode0[] = {
    file("cpulist", online_cpus),
    file("cpumap", all_cpus_mask),
    file("distance", node_distance),
    file("meminfo", node_memory),
};
constexpr Entry kNodes[] = {
    file("has_cpu", number<0>), file("has_memory", number<0>), directory("node0", kNode0),
    file("online", number<0>),  file("possible", number<0>),
};
constexpr Entry kSystem[] = {cpus_directory(), directory("node", kNodes)};
constexpr Entry kDevices[] = {directory("system", kSystem)};

Result<> huge_pages_enabled(const Subject&, Text& text) {
    text.add("always madvise [never]\n");
    return {};
}
constexpr Entry kHugePages[] = {file("enabled", huge_pages_enabled), file("hpage_pmd_size", number<2097152>)};
constexpr Entry kMemory[] = {directory("hugepages", {}), directory("transparent_hugepage", kHugePages)};
constexpr Entry kKernel[] = {directory("mm", kMemory)};
constexpr Entry kFs[] = {directory("cgroup", {})};
constexpr Entry kDev[] = {directory("block", {}), directory("char", {})};

constexpr Entry kRootEntries[] = {
    directory("block", {}),         directory("bus", {}),      directory("class", {}), directory("dev", kDev),
    directory("devices", kDevices), directory("firmware", {}), directory("fs", kFs),   directory("kernel", kKernel),
    directory("module", {}),        directory("power", {}),
};
constexpr Entry kRoot = directory({}, kRootEntries);

}  // namespace
}  // namespace sysfs

Result<RefPtr<vfs::FileSystem>> create_sysfs() {
    constexpr std::uint64_t kSysfsMagic = 0x62656572;
    return vfs::pseudofs::create("sysfs", kSysfsMagic, sysfs::kRoot);
}

Result<> register_sysfs() {
    return vfs::register_filesystem(
        {.name = "sysfs", .create = [](const vfs::MountRequest&) { return create_sysfs(); }, .needs_device = false});
}

}  // namespace kernel::linux_abi
