// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include "abi/linux/elf.h"
#include "core/mm/address_space.h"
#include "lib/result.h"
#include "lib/vector.h"
#include "services/vfs/file.h"

namespace kernel::linux_abi {

// An ELF file's headers, checked.
struct ElfFile {
    abi::ElfHeader header{};
    Vector<abi::ElfProgramHeader> segments;

    bool is_position_independent() const { return header.type == abi::kElfTypeShared; }
    const abi::ElfProgramHeader* find(abi::ElfSegmentType type) const;
};
// Errors: NotExecutable (not for this machine, damaged), Io, NoMemory.
Result<ElfFile> read_elf(vfs::File& file);

// Reads exactly that many bytes. Errors: NotExecutable when the file ends before.
Result<> read_exactly(vfs::File& file, std::uint64_t offset, std::span<std::byte> bytes);

struct LoadedElf {
    VirtAddr bias{};  // what is added to the file's addresses
    VirtAddr entry{};
    VirtAddr program_headers{};
    VirtAddr end{};  // first byte behind the last segment
};
// Maps the segments. A position-independent file goes to `place` (null: where the space finds room).
// Errors: NotExecutable, InvalidArgument, NoMemory, Io.
Result<LoadedElf> load_elf(mm::AddressSpace& space, const RefPtr<vfs::File>& file, const ElfFile& elf, VirtAddr place);

}  // namespace kernel::linux_abi
