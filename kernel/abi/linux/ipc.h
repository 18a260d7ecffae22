// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstdint>

// System V IPC, svipc(7): shmget(2), semget(2), msgget(2); structures of asm-generic and arch/x86/include/uapi/asm.
namespace kernel::abi {

enum IpcFlags : std::uint32_t { kIpcCreat = 01000, kIpcExcl = 02000, kIpcNowait = 04000 };
inline constexpr std::int32_t kIpcPrivate = 0;
enum IpcCommand : std::int32_t { kIpcRmid = 0, kIpcSet = 1, kIpcStat = 2, kIpcInfo = 3 };

struct IpcPerm {
    std::int32_t key;
    std::uint32_t uid, gid, creator_uid, creator_gid, mode;
    std::uint16_t sequence, padding0;
    std::uint32_t padding1;
    std::uint64_t unused[2];
};
static_assert(sizeof(IpcPerm) == 48);

enum ShmFlags : std::uint32_t {
    kShmRdonly = 010000,
    kShmRnd = 020000,
    kShmRemap = 040000,
    kShmExec = 0100000,
    kShmDest = 01000,    // in the mode: goes with the last attachment
    kShmLocked = 02000,  // in the mode
};
enum ShmCommand : std::int32_t { kShmLock = 11, kShmUnlock = 12, kShmStat = 13, kShmInfo = 14, kShmStatAny = 15 };
struct ShmidDs {
    IpcPerm perm;
    std::uint64_t bytes;
    std::int64_t attach_time, detach_time, change_time;
    std::int32_t creator_pid, last_pid;
    std::uint64_t attachments, unused[2];
};
static_assert(sizeof(ShmidDs) == 112);

enum SemCommand : std::int32_t {
    kSemGetpid = 11,
    kSemGetval = 12,
    kSemGetall = 13,
    kSemGetncnt = 14,
    kSemGetzcnt = 15,
    kSemSetval = 16,
    kSemSetall = 17,
    kSemStat = 18,
    kSemInfo = 19,
    kSemStatAny = 20,
};
inline constexpr std::uint16_t kSemUndo = 0x1000;
struct Sembuf {
    std::uint16_t number;
    std::int16_t change;
    std::uint16_t flags;
};
static_assert(sizeof(Sembuf) == 6);
struct SemidDs {
    IpcPerm perm;
    std::int64_t operation_time;
    std::uint64_t unused0;
    std::int64_t change_time;
    std::uint64_t unused1, semaphores, unused2[2];
};
static_assert(sizeof(SemidDs) == 104);

enum MsgFlags : std::uint32_t { kMsgNoerror = 010000, kMsgExcept = 020000, kMsgCopy = 040000 };
enum MsgCommand : std::int32_t { kMsgStat = 11, kMsgInfo = 12, kMsgStatAny = 13 };
struct MsqidDs {
    IpcPerm perm;
    std::int64_t send_time, receive_time, change_time;
    std::uint64_t bytes, messages, max_bytes;
    std::int32_t last_sender, last_receiver;
    std::uint64_t unused[2];
};
static_assert(sizeof(MsqidDs) == 120);

}  // namespace kernel::abi
