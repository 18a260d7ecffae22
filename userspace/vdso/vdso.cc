// SPDX-License-Identifier: MIT OR Apache-2.0
// The shared object that the kernel maps into every process, vdso(7): reads clocks without a system call. It runs as
// part of the program; nothing here is trusted by the kernel.
#include "abi/linux/vdso.h"

namespace {

using kernel::abi::VdsoTimePage;

constexpr int kClockRealtime = 0;
constexpr int kClockMonotonic = 1;
constexpr int kClockMonotonicRaw = 4;
constexpr int kClockRealtimeCoarse = 5;
constexpr int kClockMonotonicCoarse = 6;
constexpr int kClockBoottime = 7;
constexpr int kClockTai = 11;
constexpr long kNsPerSecond = 1'000'000'000;
constexpr long kNsPerMicrosecond = 1'000;
// The writer is another processor, which may have lost its own to somebody for a while.
constexpr int kMostSpins = 200;

struct Timespec {
    long seconds, nanoseconds;
};
struct Timeval {
    long seconds, microseconds;
};

constexpr long kSysGettimeofday = 96, kSysTime = 201, kSysClockGettime = 228, kSysClockGetres = 229, kSysGetcpu = 309;

long system_call(long number, unsigned long a, unsigned long b, unsigned long c = 0) {
    long result;
    // SAFETY: the Linux system call convention.
    asm volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return result;
}

template <class T>
unsigned long address(T* pointer) {
    return reinterpret_cast<unsigned long>(pointer);
}

unsigned long read_ticks() {
    unsigned low, high;
    // SAFETY: LFENCE keeps the counter from being read before what comes earlier in the program.
    asm volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high) : : "memory");
    return static_cast<unsigned long>(high) << 32 | low;
}

}  // namespace

// Right before this object, by the linker script.
extern "C" __attribute__((visibility("hidden"))) const VdsoTimePage kpio_time_page;

namespace {

enum class Base { Monotonic, Real };

// False when the kernel has to be asked.
bool read_clock(Base base, unsigned long& ns) {
    const volatile VdsoTimePage& page = kpio_time_page;
    for (int spin = 0; spin < kMostSpins; ++spin) {
        const unsigned sequence = __atomic_load_n(&page.sequence, __ATOMIC_ACQUIRE);
        if ((sequence & 1) != 0) {
            __builtin_ia32_pause();
            continue;
        }
        const unsigned long passed = read_ticks() - page.ticks;
        const unsigned long limit = page.limit_ticks;
        const unsigned long start = base == Base::Monotonic ? page.monotonic_ns : page.realtime_ns;
        const unsigned long multiplier = page.ns_per_tick;
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (__atomic_load_n(&page.sequence, __ATOMIC_RELAXED) != sequence) {
            continue;
        }
        if (passed >= limit) {
            return false;
        }
        ns = start + static_cast<unsigned long>((static_cast<unsigned __int128>(passed) * multiplier) >> 32);
        return true;
    }
    return false;
}

bool base_of(int clock, Base& base) {
    switch (clock) {
        case kClockRealtime:
        case kClockRealtimeCoarse:
        case kClockTai:
            base = Base::Real;
            return true;
        case kClockMonotonic:
        case kClockMonotonicRaw:
        case kClockMonotonicCoarse:
        case kClockBoottime:
            base = Base::Monotonic;
            return true;
        default:
            return false;
    }
}

}  // namespace

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT int __vdso_clock_gettime(int clock, Timespec* time) {
    Base base;
    unsigned long ns;
    if (!base_of(clock, base) || !read_clock(base, ns)) {
        return static_cast<int>(system_call(kSysClockGettime, static_cast<unsigned long>(clock), address(time)));
    }
    time->seconds = static_cast<long>(ns / kNsPerSecond);
    time->nanoseconds = static_cast<long>(ns % kNsPerSecond);
    return 0;
}

EXPORT int __vdso_gettimeofday(Timeval* time, void* zone) {
    unsigned long ns;
    if (zone != nullptr || time == nullptr || !read_clock(Base::Real, ns)) {
        return static_cast<int>(system_call(kSysGettimeofday, address(time), address(zone)));
    }
    time->seconds = static_cast<long>(ns / kNsPerSecond);
    time->microseconds = static_cast<long>(ns % kNsPerSecond) / kNsPerMicrosecond;
    return 0;
}

EXPORT long __vdso_time(long* time) {
    unsigned long ns;
    if (!read_clock(Base::Real, ns)) {
        return system_call(kSysTime, address(time), 0);
    }
    const long seconds = static_cast<long>(ns / kNsPerSecond);
    if (time != nullptr) {
        *time = seconds;
    }
    return seconds;
}

EXPORT int __vdso_clock_getres(int clock, Timespec* resolution) {
    return static_cast<int>(system_call(kSysClockGetres, static_cast<unsigned long>(clock), address(resolution)));
}

// The processor that user code runs on is the kernel's to say: where it is hosted, the hardware's number is another.
EXPORT long __vdso_getcpu(unsigned* cpu, unsigned* node, void*) {
    return system_call(kSysGetcpu, address(cpu), address(node));
}
