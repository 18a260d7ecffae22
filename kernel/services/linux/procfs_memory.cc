// SPDX-License-Identifier: MIT OR Apache-2.0
// /proc/PID/maps, cmdline and environ.
#include <array>

#include "services/linux/file_arguments.h"
#include "services/linux/procfs_entries.h"

namespace kernel::linux_abi::procfs {
namespace {

constexpr std::size_t kMaxArgumentBytes = 2 * 1024 * 1024;

// What is readable of the range; programs may have unmapped or overwritten it.
Result<> add_memory(const Process& process, Text& text, VirtAddr start, VirtAddr end) {
    const RefPtr<mm::AddressSpace> space = process.space();
    if (!space || start >= end) {
        return {};
    }
    std::uint64_t left = std::min<std::uint64_t>(end - start, kMaxArgumentBytes);
    std::array<std::byte, 256> chunk;
    while (left != 0) {
        const std::span<std::byte> part = std::span(chunk).first(std::min<std::uint64_t>(left, chunk.size()));
        const std::size_t copied = space->copy_in_some(part, start);
        text.add(as_text(part.first(copied)));
        if (copied < part.size()) {
            break;
        }
        start += copied;
        left -= copied;
    }
    return {};
}

struct Backing {
    std::uint64_t inode = 0;
    vfs::DeviceNumber device;
    RefPtr<vfs::File> file;
};

Backing backing_of(const mm::RegionInfo& region) {
    Backing backing;
    if (!region.backing_name || region.backing_name->type() != object::ObjectType::File) {
        return backing;
    }
    backing.file = static_ref_cast<vfs::File>(region.backing_name);
    if (const Result<vfs::Status> status = backing.file->status()) {
        backing.inode = status->inode;
        backing.device = status->device;
    }
    return backing;
}

std::string_view special_name(mm::RegionKind kind) {
    switch (kind) {
        case mm::RegionKind::Heap:
            return "[heap]";
        case mm::RegionKind::Stack:
            return "[stack]";
        case mm::RegionKind::Vdso:
            return "[vdso]";
        case mm::RegionKind::TimePage:
            return "[vvar]";
        case mm::RegionKind::Normal:
            break;
    }
    return {};
}

Result<> add_region(Text& text, const mm::RegionInfo& region) {
    constexpr std::size_t kNameColumn = 73;
    constexpr std::string_view kSpaces = "                                                                         ";
    static_assert(kSpaces.size() == kNameColumn);
    const Backing backing = backing_of(region);
    const auto letter = [&](mm::Access access, char name) { return mm::allows(region.access, access) ? name : '-'; };
    const std::size_t line_start = text.view().size();
    text.print("{:08x}-{:08x} {}{}{}{} {:08x} {:02x}:{:02x} {} ", region.start.value, region.end.value,
               letter(mm::Access::Read, 'r'), letter(mm::Access::Write, 'w'), letter(mm::Access::Execute, 'x'),
               region.shared ? 's' : 'p', backing.file ? region.object_offset : 0, backing.device.major,
               backing.device.minor, backing.inode);
    const std::string_view special = special_name(region.kind);
    if (backing.file || !special.empty()) {
        const std::size_t width = text.view().size() - line_start;
        text.add(kSpaces.substr(0, width < kNameColumn ? kNameColumn - width : 0));
    }
    if (backing.file && backing.file->path()) {
        TRY(add_path(text, backing.file->path()));
    } else {
        text.add(special);
    }
    text.add("\n");
    return {};
}

}  // namespace

Result<> process_cmdline(const Subject& subject, Text& text) {
    const Process& process = *target_of(subject).process;
    const Process::Program program = process.program();
    return add_memory(process, text, program.arguments_start, program.arguments_end);
}

Result<> process_environ(const Subject& subject, Text& text) {
    TRY(check_inspection(subject));
    const Process& process = *target_of(subject).process;
    const Process::Program program = process.program();
    return add_memory(process, text, program.environment_start, program.environment_end);
}

namespace {

// visit(space, region) for each mapping of the process.
template <class Visitor>
Result<> for_each_region(const Subject& subject, Visitor visit) {
    TRY(check_inspection(subject));
    const RefPtr<mm::AddressSpace> space = target_of(subject).process->space();
    VirtAddr address{};
    while (space) {
        const std::optional<mm::RegionInfo> region = space->region_at_or_after(address);
        if (!region) {
            break;
        }
        TRY(visit(*space, *region));
        address = region->end;
    }
    return {};
}

// In pages.
struct Resident {
    std::uint64_t anonymous = 0;         // private copies
    std::uint64_t shared_anonymous = 0;  // of those, with another process
    std::uint64_t of_file = 0;

    void add(const mm::RegionUsage& usage) {
        anonymous += usage.anonymous_pages;
        shared_anonymous += usage.shared_pages;
        of_file += usage.object_pages;
    }
    std::uint64_t all() const { return anonymous + of_file; }
};

void add_kib(Text& text, std::string_view name, std::uint64_t pages) {
    text.print("{:<15} {:8} kB\n", name, pages * (kPageSize / 1024));
}

// Pages of files count as shared and clean: who else maps them is not known here, nor which were written.
void add_resident(Text& text, const Resident& pages) {
    add_kib(text, "Rss:", pages.all());
    add_kib(text, "Pss:", pages.all() - pages.shared_anonymous / 2);
    add_kib(text, "Shared_Clean:", pages.of_file);
    add_kib(text, "Shared_Dirty:", pages.shared_anonymous);
    add_kib(text, "Private_Clean:", 0);
    add_kib(text, "Private_Dirty:", pages.anonymous - pages.shared_anonymous);
    add_kib(text, "Referenced:", pages.all());
    add_kib(text, "Anonymous:", pages.anonymous);
    for (const std::string_view name : {"LazyFree:", "AnonHugePages:", "ShmemPmdMapped:", "FilePmdMapped:",
                                        "Shared_Hugetlb:", "Private_Hugetlb:", "Swap:", "SwapPss:", "Locked:"}) {
        add_kib(text, name, 0);
    }
}

}  // namespace

Result<> process_maps(const Subject& subject, Text& text) {
    return for_each_region(subject,
                           [&](mm::AddressSpace&, const mm::RegionInfo& region) { return add_region(text, region); });
}

Result<> process_smaps(const Subject& subject, Text& text) {
    return for_each_region(subject, [&](mm::AddressSpace& space, const mm::RegionInfo& region) -> Result<> {
        TRY(add_region(text, region));
        add_kib(text, "Size:", (region.end - region.start) >> kPageShift);
        add_kib(text, "KernelPageSize:", 1);
        add_kib(text, "MMUPageSize:", 1);
        Resident pages;
        pages.add(space.region_usage(region.start, region.end));
        add_resident(text, pages);
        text.add("THPeligible:           0\n");
        return {};
    });
}

Result<> process_smaps_rollup(const Subject& subject, Text& text) {
    Resident pages;
    std::optional<VirtAddr> first;
    VirtAddr last{};
    TRY(for_each_region(subject, [&](mm::AddressSpace& space, const mm::RegionInfo& region) -> Result<> {
        first = first.value_or(region.start);
        last = region.end;
        pages.add(space.region_usage(region.start, region.end));
        return {};
    }));
    text.print("{:08x}-{:08x} ---p 00000000 00:00 0                          [rollup]\n",
               first.value_or(VirtAddr{}).value, last.value);
    add_resident(text, pages);
    return {};
}

}  // namespace kernel::linux_abi::procfs
