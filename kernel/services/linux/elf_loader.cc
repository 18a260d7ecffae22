// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/elf_loader.h"

#include <algorithm>

#include "core/mm/io_buffer.h"
#include "lib/bytes.h"

namespace kernel::linux_abi {
namespace {

constexpr std::uint8_t kElfClass64 = 2;
constexpr std::uint8_t kElfLittleEndian = 1;
constexpr std::size_t kMaxProgramHeaders = 65536 / sizeof(abi::ElfProgramHeader);  // as Linux

bool is_supported(const abi::ElfHeader& h) {
    return h.ident[0] == 0x7f && h.ident[1] == 'E' && h.ident[2] == 'L' && h.ident[3] == 'F' &&
           h.ident[4] == kElfClass64 && h.ident[5] == kElfLittleEndian && h.machine == abi::kElfMachineAmd64 &&
           (h.type == abi::kElfTypeExecutable || h.type == abi::kElfTypeShared) &&
           h.program_header_bytes == sizeof(abi::ElfProgramHeader) && h.program_header_count > 0 &&
           h.program_header_count <= kMaxProgramHeaders;
}

// gABI chapter 5: addresses and offsets agree modulo the page size, and nothing overflows.
bool is_loadable(const abi::ElfProgramHeader& s) {
    return s.memory_bytes >= s.file_bytes && (s.virtual_address - s.offset) % kPageSize == 0 &&
           checked_add(s.virtual_address, s.memory_bytes) && checked_add(s.offset, s.file_bytes) &&
           s.virtual_address + s.memory_bytes <= platform::kUserMax.value;
}

mm::Access access_of(std::uint32_t flags) {
    mm::Access access = mm::Access::None;
    if ((flags & abi::kPfR) != 0) {
        access = access | mm::Access::Read;
    }
    if ((flags & abi::kPfW) != 0) {
        access = access | mm::Access::Read | mm::Access::Write;
    }
    if ((flags & abi::kPfX) != 0) {
        access = access | mm::Access::Read | mm::Access::Execute;
    }
    return access;
}

struct Extent {
    std::uint64_t start = UINT64_MAX;
    std::uint64_t end = 0;
    std::uint64_t alignment = kPageSize;
};

Result<Extent> extent_of(const ElfFile& elf) {
    Extent extent;
    for (const abi::ElfProgramHeader& s : elf.segments) {
        if (s.type != abi::kPtLoad) {
            continue;
        }
        if (!is_loadable(s)) {
            return Error::NotExecutable;
        }
        extent.start = std::min(extent.start, align_down(s.virtual_address, kPageSize));
        extent.end = std::max(extent.end, align_up(s.virtual_address + s.memory_bytes, kPageSize));
        if (is_power_of_two(s.alignment)) {
            extent.alignment = std::max(extent.alignment, s.alignment);
        }
    }
    if (extent.start >= extent.end) {
        return Error::NotExecutable;
    }
    return extent;
}

// Reserves the whole extent, so that the segments of one file keep their distances.
Result<VirtAddr> reserve(mm::AddressSpace& space, const ElfFile& elf, const Extent& extent, VirtAddr place) {
    mm::MapRequest request;
    request.bytes = extent.end - extent.start;
    if (!elf.is_position_independent()) {
        request.address = VirtAddr{extent.start};
        request.fixed = true;
        request.no_replace = true;
        return space.map(request);
    }
    if (!place.is_null()) {
        request.address = VirtAddr{align_up(place.value, extent.alignment)};
        return space.map(request);
    }
    if (extent.alignment == kPageSize) {
        return space.map(request);
    }
    // Room for any alignment; what is too much goes back.
    request.bytes += extent.alignment;
    const VirtAddr wide = TRY(space.map(request));
    const VirtAddr aligned{align_up(wide.value, extent.alignment)};
    TRY(space.unmap(wide, request.bytes));
    request.bytes -= extent.alignment;
    request.address = aligned;
    request.fixed = true;
    return space.map(request);
}

Result<> map_file_part(mm::AddressSpace& space, const RefPtr<vfs::File>& file, const abi::ElfProgramHeader& s,
                       VirtAddr bias) {
    if (s.file_bytes == 0) {
        return {};
    }
    const VirtAddr start = (bias + s.virtual_address).page_down();
    mm::MapRequest request;
    request.address = start;
    request.bytes = bias.value + s.virtual_address + s.file_bytes - start.value;
    request.access = access_of(s.flags);
    request.fixed = true;
    request.object = TRY(file->memory_object());
    request.object_offset = align_down(s.offset, kPageSize);
    request.backing_name = file;
    TRY(space.map(request));
    return {};
}

// The part of a segment that no file backs is zero: the rest of the last file page, and whole pages.
Result<> map_zero_part(mm::AddressSpace& space, const abi::ElfProgramHeader& s, VirtAddr bias) {
    if (s.memory_bytes <= s.file_bytes) {
        return {};
    }
    const VirtAddr zero_start = bias + s.virtual_address + s.file_bytes;
    const VirtAddr end = (bias + s.virtual_address + s.memory_bytes).page_up();
    const VirtAddr first_page = s.file_bytes == 0 ? zero_start.page_down() : zero_start.page_up();
    if (first_page > zero_start && (s.flags & abi::kPfW) != 0) {
        TRY(space.zero_out(zero_start, std::min(first_page, end) - zero_start));
    }
    if (first_page >= end) {
        return {};
    }
    mm::MapRequest request;
    request.address = first_page;
    request.bytes = end - first_page;
    request.access = access_of(s.flags);
    request.fixed = true;
    TRY(space.map(request));
    return {};
}

}  // namespace

const abi::ElfProgramHeader* ElfFile::find(abi::ElfSegmentType type) const {
    for (const abi::ElfProgramHeader& segment : segments) {
        if (segment.type == type) {
            return &segment;
        }
    }
    return nullptr;
}

Result<> read_exactly(vfs::File& file, std::uint64_t offset, std::span<std::byte> bytes) {
    mm::IoBuffer buffer(bytes);
    while (buffer.remaining() != 0) {
        if (TRY(file.read_at(buffer, offset + buffer.done())) == 0) {
            return Error::NotExecutable;
        }
    }
    return {};
}

Result<ElfFile> read_elf(vfs::File& file) {
    ElfFile elf;
    TRY(read_exactly(file, 0, as_writable_bytes_of(elf.header)));
    if (!is_supported(elf.header)) {
        return Error::NotExecutable;
    }
    TRY(elf.segments.resize(elf.header.program_header_count));
    TRY(read_exactly(file, elf.header.program_headers, std::as_writable_bytes(elf.segments.span())));
    return elf;
}

Result<LoadedElf> load_elf(mm::AddressSpace& space, const RefPtr<vfs::File>& file, const ElfFile& elf, VirtAddr place) {
    const Extent extent = TRY(extent_of(elf));
    const VirtAddr base = TRY(reserve(space, elf, extent, place));
    LoadedElf loaded;
    loaded.bias = VirtAddr{base.value - extent.start};
    loaded.entry = loaded.bias + elf.header.entry;
    for (const abi::ElfProgramHeader& s : elf.segments) {
        if (s.type != abi::kPtLoad) {
            continue;
        }
        TRY(map_file_part(space, file, s, loaded.bias));
        TRY(map_zero_part(space, s, loaded.bias));
        loaded.end = std::max(loaded.end, loaded.bias + s.virtual_address + s.memory_bytes);
        if (elf.header.program_headers >= s.offset && elf.header.program_headers < s.offset + s.file_bytes) {
            loaded.program_headers = loaded.bias + s.virtual_address + (elf.header.program_headers - s.offset);
        }
    }
    return loaded;
}

}  // namespace kernel::linux_abi
