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

Result<> process_maps(const Subject& subject, Text& text) {
    TRY(check_inspection(subject));
    const RefPtr<mm::AddressSpace> space = target_of(subject).process->space();
    VirtAddr address{};
    while (space) {
        const std::optional<mm::RegionInfo> region = space->region_at_or_after(address);
        if (!region) {
            break;
        }
        TRY(add_region(text, *region));
        address = region->end;
    }
    return {};
}

}  // namespace kernel::linux_abi::procfs
