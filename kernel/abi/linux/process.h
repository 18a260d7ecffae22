// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstdint>

// clone(2), wait4(2), prctl(2), arch_prctl(2), futex(2), set_robust_list(2), clocks.
namespace kernel::abi {

enum CloneFlags : std::uint64_t {
    kCloneSignalMask = 0xff,
    kCloneVm = 0x100,
    kCloneFs = 0x200,
    kCloneFiles = 0x400,
    kCloneSighand = 0x800,
    kClonePidfd = 0x1000,
    kClonePtrace = 0x2000,
    kCloneVfork = 0x4000,
    kCloneParent = 0x8000,
    kCloneThread = 0x10000,
    kCloneNewns = 0x20000,
    kCloneSysvsem = 0x40000,
    kCloneSettls = 0x80000,
    kCloneParentSettid = 0x100000,
    kCloneChildCleartid = 0x200000,
    kCloneDetached = 0x400000,
    kCloneUntraced = 0x800000,
    kCloneChildSettid = 0x1000000,
    kCloneNewcgroup = 0x2000000,
    kCloneNewuts = 0x4000000,
    kCloneNewipc = 0x8000000,
    kCloneNewuser = 0x10000000,
    kCloneNewpid = 0x20000000,
    kCloneNewnet = 0x40000000,
    kCloneIo = 0x80000000,
    kCloneClearSighand = 0x100000000,
    kCloneIntoCgroup = 0x200000000,
};

struct CloneArgs {
    std::uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_bytes, tls, set_tid, set_tid_count,
        cgroup;
};
inline constexpr std::uint64_t kCloneArgsSizeVersion0 = 64;

enum WaitOptions : std::uint32_t {
    kWnohang = 1,
    kWuntraced = 2,
    kWstopped = 2,
    kWexited = 4,
    kWcontinued = 8,
    kWnowait = 0x01000000,
    kWnothread = 0x20000000,
    kWall = 0x40000000,
    kWclone = 0x80000000,
};
enum WaitIdType : std::uint32_t { kPAll = 0, kPPid = 1, kPPgid = 2, kPPidfd = 3 };

enum ArchPrctlCode : std::uint32_t {
    kArchSetGs = 0x1001,
    kArchSetFs = 0x1002,
    kArchGetFs = 0x1003,
    kArchGetGs = 0x1004
};

enum PrctlOption : std::uint32_t {
    kPrSetPdeathsig = 1,
    kPrGetPdeathsig = 2,
    kPrGetDumpable = 3,
    kPrSetDumpable = 4,
    kPrSetKeepcaps = 8,
    kPrSetName = 15,
    kPrGetName = 16,
    kPrGetSeccomp = 21,
    kPrCapbsetRead = 23,
    kPrSetNoNewPrivs = 38,
    kPrGetNoNewPrivs = 39,
    kPrSetVma = 0x53564d41,
};

enum FutexOperation : std::uint32_t {
    kFutexWait = 0,
    kFutexWake = 1,
    kFutexFd = 2,
    kFutexRequeue = 3,
    kFutexCmpRequeue = 4,
    kFutexWakeOp = 5,
    kFutexLockPi = 6,
    kFutexUnlockPi = 7,
    kFutexTrylockPi = 8,
    kFutexWaitBitset = 9,
    kFutexWakeBitset = 10,
    kFutexCommandMask = 0x7f,
    kFutexPrivateFlag = 128,
    kFutexClockRealtime = 256,
};
inline constexpr std::uint32_t kFutexBitsetMatchAny = 0xffffffff;
inline constexpr std::uint32_t kFutexWaiters = 0x80000000;
inline constexpr std::uint32_t kFutexOwnerDied = 0x40000000;
inline constexpr std::uint32_t kFutexTidMask = 0x3fffffff;

struct RobustListHead {
    std::uint64_t next;
    std::int64_t futex_offset;
    std::uint64_t pending;
};

// rseq(2).
struct RseqCpu {
    std::uint32_t cpu_start, cpu;
};
struct Rseq {
    RseqCpu cpu;
    std::uint64_t critical_section;
    std::uint32_t flags;
    std::uint32_t unused[3];
};
static_assert(sizeof(Rseq) == 32);
struct RseqSection {
    std::uint32_t version, flags;
    std::uint64_t start, bytes, abort_handler;
};

// capget(2).
struct CapabilityHeader {
    std::uint32_t version;
    std::int32_t pid;
};
struct CapabilityData {
    std::uint32_t effective, permitted, inheritable;
};

// sched(7), sched_setattr(2).
enum SchedPolicy : std::uint32_t {
    kSchedOther = 0,
    kSchedFifo = 1,
    kSchedRr = 2,
    kSchedBatch = 3,
    kSchedIdle = 5,
    kSchedDeadline = 6
};
inline constexpr std::uint32_t kSchedResetOnFork = 0x40000000;
enum SchedAttrFlags : std::uint64_t {
    kSchedFlagResetOnFork = 1,
    kSchedFlagReclaim = 2,
    kSchedFlagDlOverrun = 4,
    kSchedFlagKeepPolicy = 8,
    kSchedFlagKeepParams = 16,
    kSchedFlagUtilClamp = 0x60
};
struct SchedAttr {
    std::uint32_t size, policy;
    std::uint64_t flags;
    std::int32_t nice;
    std::uint32_t priority;
    std::uint64_t runtime, deadline, period;
    std::uint32_t util_min, util_max;
};
inline constexpr std::uint32_t kSchedAttrSizeVersion0 = 48;

enum ClockId : std::int32_t {
    kClockRealtime = 0,
    kClockMonotonic = 1,
    kClockProcessCputime = 2,
    kClockThreadCputime = 3,
    kClockMonotonicRaw = 4,
    kClockRealtimeCoarse = 5,
    kClockMonotonicCoarse = 6,
    kClockBoottime = 7,
    kClockRealtimeAlarm = 8,
    kClockBoottimeAlarm = 9,
    kClockTai = 11,
};
inline constexpr std::uint32_t kTimerAbstime = 1;

}  // namespace kernel::abi
