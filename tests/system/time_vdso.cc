// SPDX-License-Identifier: MIT OR Apache-2.0
// Clocks that programs read by themselves, vdso(7): they agree with the system calls and never go back.
#include <elf.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

#include <array>
#include <atomic>
#include <thread>

#include "system/support/check.h"

namespace {

constexpr long kSecond = 1'000'000'000;

long ns_of(const timespec& time) {
    return time.tv_sec * kSecond + time.tv_nsec;
}

long read_clock(clockid_t clock) {
    timespec time{};
    CHECK_OK(clock_gettime(clock, &time));
    return ns_of(time);
}

long ask_kernel(clockid_t clock) {
    timespec time{};
    CHECK_EQ(syscall(SYS_clock_gettime, clock, &time), 0);
    return ns_of(time);
}

}  // namespace

TEST(the_object_is_there) {
    const unsigned long address = getauxval(AT_SYSINFO_EHDR);
    REQUIRE(address != 0);
    const auto* header = reinterpret_cast<const Elf64_Ehdr*>(address);
    CHECK_EQ(std::memcmp(header->e_ident, ELFMAG, SELFMAG), 0);
    CHECK_EQ(header->e_type, ET_DYN);
    // Nobody changes the code that others run.
    CHECK_EQ(mprotect(reinterpret_cast<void*>(address), 4096, PROT_READ | PROT_EXEC), 0);
}

TEST(clocks_agree_with_the_kernel) {
    for (const clockid_t clock : {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_TAI}) {
        for (int i = 0; i < 20000; ++i) {
            const long before = ask_kernel(clock);
            const long between = read_clock(clock);
            const long after = ask_kernel(clock);
            if (before > between || between > after) {
                CHECK_EQ(std::to_string(clock) + " " + std::to_string(between - before),
                         std::to_string(after - before));
                break;
            }
        }
    }
}

TEST(time_never_goes_back) {
    // Over many renewals of what the clock is computed from, and between threads.
    std::atomic<long> latest = 0;
    std::atomic<long> backwards = 0;
    const auto watch = [&] {
        const long end = read_clock(CLOCK_MONOTONIC) + kSecond / 2;
        long now = 0;
        do {
            const long seen = latest.load();
            now = read_clock(CLOCK_MONOTONIC);
            backwards += now < seen ? 1 : 0;
            long expected = latest.load();
            while (expected < now && !latest.compare_exchange_weak(expected, now)) {
            }
        } while (now < end);
    };
    std::thread other(watch);
    watch();
    other.join();
    CHECK_EQ(backwards.load(), 0);
}

TEST(after_a_long_sleep_too) {
    const long before = read_clock(CLOCK_MONOTONIC);
    const timespec pause{0, 200'000'000};
    nanosleep(&pause, nullptr);
    CHECK(read_clock(CLOCK_MONOTONIC) - before >= 200'000'000);
    const long kernel = ask_kernel(CLOCK_REALTIME);
    CHECK(read_clock(CLOCK_REALTIME) >= kernel);
}

TEST(older_interfaces) {
    timeval time{};
    CHECK_OK(gettimeofday(&time, nullptr));
    const long seconds = ask_kernel(CLOCK_REALTIME) / kSecond;
    CHECK(time.tv_sec == seconds || time.tv_sec + 1 == seconds);
    CHECK(time.tv_usec >= 0 && time.tv_usec < 1'000'000);
    time_t stored = 0;
    const time_t now = ::time(&stored);
    CHECK_EQ(now, stored);
    CHECK(now >= time.tv_sec && now <= time.tv_sec + 2);
    unsigned cpu = 999;
    unsigned node = 999;
    CHECK_OK(getcpu(&cpu, &node));
    CHECK(cpu < 999 && node < 999);
}

TEST(a_child_and_its_program_have_it) {
    CHECK_EXIT(check::child_status([] {
                   CHECK(getauxval(AT_SYSINFO_EHDR) != 0);
                   const long before = read_clock(CLOCK_MONOTONIC);
                   CHECK(read_clock(CLOCK_MONOTONIC) >= before);
               }),
               0);
}

TEST(wrong_clocks_are_errors) {
    timespec time{};
    CHECK_EQ(clock_gettime(99, &time), -1);
    CHECK_EQ(errno, EINVAL);
}

TEST_MAIN()
