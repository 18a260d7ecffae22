// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstdint>

// File-related constants and structures: open(2), stat(2), getdents64(2), statfs(2), fcntl(2).
namespace kernel::abi {

inline constexpr std::int32_t kAtFdcwd = -100;

enum OpenFlags : std::uint32_t {
    kORdonly = 0,
    kOWronly = 01,
    kORdwr = 02,
    kOAccmode = 03,
    kOCreat = 0100,
    kOExcl = 0200,
    kONoctty = 0400,
    kOTrunc = 01000,
    kOAppend = 02000,
    kONonblock = 04000,
    kODsync = 010000,
    kOAsync = 020000,
    kODirect = 040000,
    kOLargefile = 0100000,
    kODirectory = 0200000,
    kONofollow = 0400000,
    kONoatime = 01000000,
    kOCloexec = 02000000,
    kOSync = 04010000,
    kOPath = 010000000,
    kOTmpfile = 020200000,
};

enum AtFlags : std::uint32_t {
    kAtSymlinkNofollow = 0x100,
    kAtRemovedir = 0x200,
    kAtEaccess = 0x200,
    kAtSymlinkFollow = 0x400,
    kAtNoAutomount = 0x800,
    kAtEmptyPath = 0x1000,
    kAtStatxSyncType = 0x6000,
};

enum FileModes : std::uint32_t {
    kSIfmt = 0170000,
    kSIfsock = 0140000,
    kSIflnk = 0120000,
    kSIfreg = 0100000,
    kSIfblk = 0060000,
    kSIfdir = 0040000,
    kSIfchr = 0020000,
    kSIfifo = 0010000,
    kSIsuid = 04000,
    kSIsgid = 02000,
    kSIsvtx = 01000,
};

enum FcntlCommands : std::uint32_t {
    kFDupfd = 0,
    kFGetfd = 1,
    kFSetfd = 2,
    kFGetfl = 3,
    kFSetfl = 4,
    kFGetlk = 5,
    kFSetlk = 6,
    kFSetlkw = 7,
    kFSetown = 8,
    kFGetown = 9,
    kFOfdGetlk = 36,
    kFOfdSetlk = 37,
    kFOfdSetlkw = 38,
    kFDupfdCloexec = 1030,
    kFSetpipeSz = 1031,
    kFGetpipeSz = 1032,
    kFAddSeals = 1033,
    kFGetSeals = 1034,
};
enum LockTypes : std::int16_t { kFRdlck = 0, kFWrlck = 1, kFUnlck = 2 };
enum FlockOperations : std::uint32_t { kLockSh = 1, kLockEx = 2, kLockNb = 4, kLockUn = 8 };

// fcntl(2) F_SETLK and its like.
struct Flock {
    std::int16_t type, whence;
    std::int32_t padding;
    std::int64_t start, length;
    std::int32_t pid, padding2;
};
static_assert(sizeof(Flock) == 32);
inline constexpr std::uint32_t kFdCloexec = 1;

enum SeekWhence : std::uint32_t { kSeekSet = 0, kSeekCur = 1, kSeekEnd = 2, kSeekData = 3, kSeekHole = 4 };
enum AccessMode : std::uint32_t { kFOk = 0, kXOk = 1, kWOk = 2, kROk = 4 };
enum RenameFlags : std::uint32_t { kRenameNoreplace = 1, kRenameExchange = 2, kRenameWhiteout = 4 };
enum DirentType : std::uint8_t {
    kDtUnknown = 0,
    kDtFifo = 1,
    kDtChr = 2,
    kDtDir = 4,
    kDtBlk = 6,
    kDtReg = 8,
    kDtLnk = 10,
    kDtSock = 12
};

struct Stat {
    std::uint64_t device;
    std::uint64_t inode;
    std::uint64_t links;
    std::uint32_t mode;
    std::uint32_t uid;
    std::uint32_t gid;
    std::uint32_t padding;
    std::uint64_t special_device;
    std::int64_t size;
    std::int64_t block_size;
    std::int64_t blocks_512;
    std::int64_t access_s, access_ns, modify_s, modify_ns, change_s, change_ns;
    std::int64_t unused[3];
};
static_assert(sizeof(Stat) == 144);

struct StatxTimestamp {
    std::int64_t seconds;
    std::uint32_t nanoseconds;
    std::int32_t reserved;
};

struct Statx {
    std::uint32_t mask, block_size;
    std::uint64_t attributes;
    std::uint32_t links, uid, gid;
    std::uint16_t mode, spare0;
    std::uint64_t inode, size, blocks_512, attributes_mask;
    StatxTimestamp access, birth, change, modify;
    std::uint32_t special_major, special_minor, device_major, device_minor;
    std::uint64_t mount_id;
    std::uint32_t direct_io_memory_alignment, direct_io_offset_alignment;
    std::uint64_t spare[12];
};
static_assert(sizeof(Statx) == 256);
inline constexpr std::uint32_t kStatxBasicStats = 0x7ff;

struct Dirent64Header {
    std::uint64_t inode;
    std::int64_t next_position;
    std::uint16_t record_bytes;
    std::uint8_t type;
    // the name follows, terminated by zero, the record padded to 8 bytes
} __attribute__((packed));
static_assert(sizeof(Dirent64Header) == 19);

struct DirentHeader {
    std::uint64_t inode;
    std::int64_t next_position;
    std::uint16_t record_bytes;
    // the name follows, terminated by zero; the type is the record's last byte
} __attribute__((packed));
static_assert(sizeof(DirentHeader) == 18);

// openat2(2).
struct OpenHow {
    std::uint64_t flags, mode, resolve;
};
enum ResolveFlags : std::uint64_t {
    kResolveNoXdev = 1,
    kResolveNoMagiclinks = 2,
    kResolveNoSymlinks = 4,
    kResolveBeneath = 8,
    kResolveInRoot = 0x10,
    kResolveCached = 0x20,
};

struct Statfs {
    std::int64_t type, block_size;
    std::uint64_t blocks, blocks_free, blocks_available, files, files_free;
    std::int32_t fsid[2];
    std::int64_t name_length, fragment_size, flags, spare[4];
};
static_assert(sizeof(Statfs) == 120);

inline constexpr std::uint64_t kPathMax = 4096;  // with the terminating zero
inline constexpr std::uint64_t kNameMax = 255;

}  // namespace kernel::abi
