// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstdint>

// eventfd(2), epoll_ctl(2), timerfd_create(2), signalfd(2), pidfd_open(2).
namespace kernel::abi {

enum EventFdFlags : std::uint32_t { kEfdSemaphore = 1, kEfdNonblock = 04000, kEfdCloexec = 02000000 };

enum EpollOperation : std::uint32_t { kEpollCtlAdd = 1, kEpollCtlDel = 2, kEpollCtlMod = 3 };
enum EpollFlags : std::uint32_t {
    kEpollCloexec = 02000000,
    kEpollin = 0x1,
    kEpollout = 0x4,
    kEpollerr = 0x8,
    kEpollhup = 0x10,
    kEpollExclusive = 1u << 28,
    kEpollWakeup = 1u << 29,
    kEpollOneshot = 1u << 30,
    kEpollEdge = 1u << 31,
};

struct EpollEvent {
    std::uint32_t events;
    std::uint64_t data;
} __attribute__((packed));
static_assert(sizeof(EpollEvent) == 12);

enum TimerFdFlags : std::uint32_t {
    kTfdTimerAbstime = 1,
    kTfdTimerCancelOnSet = 2,
    kTfdNonblock = 04000,
    kTfdCloexec = 02000000,
};

enum SignalFdFlags : std::uint32_t { kSfdNonblock = 04000, kSfdCloexec = 02000000 };

struct SignalfdSiginfo {
    std::uint32_t signal;
    std::int32_t error, code;
    std::uint32_t pid, uid;
    std::int32_t fd;
    std::uint32_t timer, band, overrun, trap_number;
    std::int32_t status, value_int;
    std::uint64_t value_pointer, utime, stime, address;
    std::uint16_t address_lsb, padding2;
    std::int32_t syscall;
    std::uint64_t call_address;
    std::uint32_t architecture;
    std::uint8_t padding[28];
};
static_assert(sizeof(SignalfdSiginfo) == 128);

enum PidfdFlags : std::uint32_t { kPidfdThread = 0200, kPidfdNonblock = 04000 };
enum PidfdSignalFlags : std::uint32_t { kPidfdSignalThread = 1, kPidfdSignalGroup = 2, kPidfdSignalProcessGroup = 4 };

}  // namespace kernel::abi
