// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstdint>

namespace kernel::security {

// capabilities(7); the numbers are those of the Linux ABI.
enum class Capability : std::uint8_t {
    Chown = 0,
    DacOverride = 1,
    DacReadSearch = 2,
    FileOwner = 3,
    FileSetId = 4,
    Kill = 5,
    SetGid = 6,
    SetUid = 7,
    SetCapabilities = 8,
    LinuxImmutable = 9,
    NetBindService = 10,
    NetBroadcast = 11,
    NetAdmin = 12,
    NetRaw = 13,
    IpcLock = 14,
    IpcOwner = 15,
    SysModule = 16,
    SysRawIo = 17,
    SysChroot = 18,
    SysPtrace = 19,
    SysAccounting = 20,
    SysAdmin = 21,
    SysBoot = 22,
    SysNice = 23,
    SysResource = 24,
    SysTime = 25,
    SysTtyConfig = 26,
    MakeNode = 27,
    Lease = 28,
    AuditWrite = 29,
    AuditControl = 30,
    SetFileCapabilities = 31,
    MacOverride = 32,
    MacAdmin = 33,
    Syslog = 34,
    WakeAlarm = 35,
    BlockSuspend = 36,
    AuditRead = 37,
    PerformanceMonitoring = 38,
    Bpf = 39,
    CheckpointRestore = 40,
};

inline constexpr unsigned kCapabilityCount = 41;

struct CapabilitySet {
    std::uint64_t bits = 0;

    static constexpr CapabilitySet all() { return {(std::uint64_t{1} << kCapabilityCount) - 1}; }
    static constexpr std::uint64_t bit(Capability capability) {
        return std::uint64_t{1} << static_cast<unsigned>(capability);
    }
    constexpr bool has(Capability capability) const { return (bits & bit(capability)) != 0; }
    constexpr void add(Capability capability) { bits |= bit(capability); }
    constexpr void remove(Capability capability) { bits &= ~bit(capability); }
    constexpr bool operator==(const CapabilitySet&) const = default;
};

}  // namespace kernel::security
