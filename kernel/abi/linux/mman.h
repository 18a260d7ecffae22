// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstdint>

// mmap(2), mprotect(2), mremap(2), madvise(2).
namespace kernel::abi {

enum MmapProtection : std::uint32_t {
    kProtNone = 0,
    kProtRead = 1,
    kProtWrite = 2,
    kProtExec = 4,
    kProtGrowsdown = 0x01000000,
    kProtGrowsup = 0x02000000
};

enum MmapFlags : std::uint32_t {
    kMapShared = 0x01,
    kMapPrivate = 0x02,
    kMapSharedValidate = 0x03,
    kMapType = 0x0f,
    kMapFixed = 0x10,
    kMapAnonymous = 0x20,
    kMap32Bit = 0x40,
    kMapGrowsdown = 0x100,
    kMapDenywrite = 0x800,
    kMapExecutable = 0x1000,
    kMapLocked = 0x2000,
    kMapNoreserve = 0x4000,
    kMapPopulate = 0x8000,
    kMapNonblock = 0x10000,
    kMapStack = 0x20000,
    kMapHugetlb = 0x40000,
    kMapSync = 0x80000,
    kMapFixedNoreplace = 0x100000,
};

enum MremapFlags : std::uint32_t { kMremapMaymove = 1, kMremapFixed = 2, kMremapDontunmap = 4 };

enum MadviseAdvice : std::uint32_t {
    kMadvNormal = 0,
    kMadvRandom = 1,
    kMadvSequential = 2,
    kMadvWillneed = 3,
    kMadvDontneed = 4,
    kMadvFree = 8,
    kMadvRemove = 9,
    kMadvDontfork = 10,
    kMadvDofork = 11,
    kMadvMergeable = 12,
    kMadvUnmergeable = 13,
    kMadvHugepage = 14,
    kMadvNohugepage = 15,
    kMadvDontdump = 16,
    kMadvDodump = 17,
    kMadvWipeonfork = 18,
    kMadvKeeponfork = 19,
    kMadvCold = 20,
    kMadvPageout = 21,
    kMadvPopulateRead = 22,
    kMadvPopulateWrite = 23,
};

enum MsyncFlags : std::uint32_t { kMsAsync = 1, kMsInvalidate = 2, kMsSync = 4 };

}  // namespace kernel::abi
