// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstdint>

// Structures of the Linux x86-64 ABI that several families of calls share.
namespace kernel::abi {

struct Timespec {
    std::int64_t seconds;
    std::int64_t nanoseconds;
};

struct Itimerspec {
    Timespec interval;
    Timespec value;
};

struct Timeval {
    std::int64_t seconds;
    std::int64_t microseconds;
};

struct Itimerval {
    Timeval interval;
    Timeval value;
};

struct Timezone {
    std::int32_t minutes_west;
    std::int32_t dst_time;
};

struct Iovec {
    std::uint64_t base;
    std::uint64_t length;
};

struct Utsname {
    char sysname[65];
    char nodename[65];
    char release[65];
    char version[65];
    char machine[65];
    char domainname[65];
};

struct Rlimit {
    std::uint64_t current;
    std::uint64_t maximum;
};
inline constexpr std::uint64_t kRlimInfinity = UINT64_MAX;

enum RlimitResource : unsigned {
    kRlimitCpu,
    kRlimitFsize,
    kRlimitData,
    kRlimitStack,
    kRlimitCore,
    kRlimitRss,
    kRlimitNproc,
    kRlimitNofile,
    kRlimitMemlock,
    kRlimitAs,
    kRlimitLocks,
    kRlimitSigpending,
    kRlimitMsgqueue,
    kRlimitNice,
    kRlimitRtprio,
    kRlimitRttime,
    kRlimitCount,
};

struct Rusage {
    Timeval user_time;
    Timeval system_time;
    std::int64_t max_rss_kib, ix_rss, id_rss, is_rss;
    std::int64_t minor_faults, major_faults, swaps, in_blocks, out_blocks, messages_sent, messages_received,
        signals_received, voluntary_switches, involuntary_switches;
};

struct Sysinfo {
    std::int64_t uptime_seconds;
    std::uint64_t loads[3];
    std::uint64_t total_ram, free_ram, shared_ram, buffer_ram, total_swap, free_swap;
    std::uint16_t processes;
    std::uint16_t padding;
    std::uint64_t total_high, free_high;
    std::uint32_t memory_unit;
};

struct Tms {
    std::int64_t user_ticks, system_ticks, children_user_ticks, children_system_ticks;
};

// adjtimex(2)
struct Timex {
    std::uint32_t modes;
    std::int32_t padding0;
    std::int64_t offset_us, frequency, max_error_us, estimated_error_us;
    std::int32_t status;
    std::int32_t padding1;
    std::int64_t constant, precision_us, tolerance;
    Timeval time;
    std::int64_t tick_us, pps_frequency, jitter;
    std::int32_t shift, padding2;
    std::int64_t stability, jitter_count, calibration_count, error_count, stability_count;
    std::int32_t tai, padding3[11];
};
static_assert(sizeof(Timex) == 208);
inline constexpr std::uint32_t kAdjOffsetSsRead = 0xa001;
inline constexpr std::int32_t kStaUnsync = 0x40;
inline constexpr std::int32_t kTimeError = 5;

struct Pollfd {
    std::int32_t fd;
    std::int16_t events;
    std::int16_t revents;
};

inline constexpr std::uint64_t kClockTicksPerSecond = 100;

}  // namespace kernel::abi
