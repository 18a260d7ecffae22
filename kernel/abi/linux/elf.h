// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstdint>

// ELF-64 (System V gABI chapters 4 and 5) and the auxiliary vector (psABI section 3.4.3, getauxval(3)).
namespace kernel::abi {

struct ElfHeader {
    std::uint8_t ident[16];
    std::uint16_t type, machine;
    std::uint32_t version;
    std::uint64_t entry, program_headers, section_headers;
    std::uint32_t flags;
    std::uint16_t header_bytes, program_header_bytes, program_header_count, section_header_bytes, section_header_count,
        names_index;
};
static_assert(sizeof(ElfHeader) == 64);

struct ElfProgramHeader {
    std::uint32_t type, flags;
    std::uint64_t offset, virtual_address, physical_address, file_bytes, memory_bytes, alignment;
};
static_assert(sizeof(ElfProgramHeader) == 56);

inline constexpr std::uint16_t kElfTypeExecutable = 2;
inline constexpr std::uint16_t kElfTypeShared = 3;
inline constexpr std::uint16_t kElfMachineAmd64 = 62;
enum ElfSegmentType : std::uint32_t {
    kPtNull = 0,
    kPtLoad = 1,
    kPtDynamic = 2,
    kPtInterp = 3,
    kPtNote = 4,
    kPtPhdr = 6,
    kPtTls = 7,
    kPtGnuStack = 0x6474e551,
    kPtGnuProperty = 0x6474e553
};
enum ElfSegmentFlags : std::uint32_t { kPfX = 1, kPfW = 2, kPfR = 4 };

enum AuxType : std::uint64_t {
    kAtNull = 0,
    kAtPhdr = 3,
    kAtPhent = 4,
    kAtPhnum = 5,
    kAtPagesz = 6,
    kAtBase = 7,
    kAtFlags = 8,
    kAtEntry = 9,
    kAtUid = 11,
    kAtEuid = 12,
    kAtGid = 13,
    kAtEgid = 14,
    kAtPlatform = 15,
    kAtHwcap = 16,
    kAtClktck = 17,
    kAtSecure = 23,
    kAtRandom = 25,
    kAtHwcap2 = 26,
    kAtRseqFeatureSize = 27,
    kAtRseqAlign = 28,
    kAtExecfn = 31,
    kAtSysinfoEhdr = 33,
    kAtMinsigstksz = 51,
};

}  // namespace kernel::abi
