// SPDX-License-Identifier: MIT OR Apache-2.0
// Clocks, sleeping, alarms and CPU time.
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>

#include <atomic>
#include <cstdint>
#include <thread>

#include "system/support/check.h"

namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

std::int64_t now_ns(clockid_t clock) {
    timespec time{-1, -1};
    CHECK_OK(clock_gettime(clock, &time));
    CHECK(time.tv_nsec >= 0 && time.tv_nsec < kSecond);
    return time.tv_sec * kSecond + time.tv_nsec;
}

std::int64_t raw_now_ns(clockid_t clock) {
    timespec time{-1, -1};
    CHECK_OK(syscall(SYS_clock_gettime, clock, &time));
    return time.tv_sec * kSecond + time.tv_nsec;
}

void burn() {
    volatile unsigned sum = 0;
    for (unsigned i = 0; i < 20'000'000; ++i) {
        sum = sum + i;
    }
}

}  // namespace

TEST(clocks_do_not_run_backwards) {
    for (const clockid_t clock : {CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME,
                                  CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID}) {
        std::int64_t last = 0;
        for (int i = 0; i < 1000; ++i) {
            const std::int64_t now = i % 2 == 0 ? now_ns(clock) : raw_now_ns(clock);
            CHECK(now >= last);
            last = now;
        }
    }
}

TEST(threads_agree_on_the_time) {
    std::atomic<std::int64_t> published = 0;
    std::atomic<bool> stop = false;
    std::thread writer([&] {
        while (!stop) {
            published = now_ns(CLOCK_MONOTONIC);
        }
    });
    for (int i = 0; i < 2000; ++i) {
        const std::int64_t seen = published;
        CHECK(now_ns(CLOCK_MONOTONIC) >= seen);
    }
    stop = true;
    writer.join();
}

TEST(real_time) {
    const std::int64_t clock = now_ns(CLOCK_REALTIME);
    CHECK(clock > 1'600'000'000 * kSecond);
    timeval value;
    CHECK_OK(gettimeofday(&value, nullptr));
    CHECK(value.tv_sec * kSecond + value.tv_usec * 1000 - clock / 1000 * 1000 >= 0);
    std::int64_t stored = 0;
    const long returned = syscall(SYS_time, &stored);
    CHECK_EQ(returned, stored);
    CHECK(returned >= clock / kSecond && returned <= clock / kSecond + 10);
    CHECK_ERRNO(syscall(SYS_gettimeofday, 8, nullptr), EFAULT);
    CHECK_ERRNO(syscall(SYS_time, 8), EFAULT);
}

TEST(clock_errors) {
    timespec time;
    CHECK_ERRNO(syscall(SYS_clock_gettime, 999, &time), EINVAL);
    CHECK_ERRNO(syscall(SYS_clock_getres, 999, &time), EINVAL);
    CHECK_ERRNO(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, 8), EFAULT);
    CHECK_ERRNO(syscall(SYS_clock_getres, CLOCK_MONOTONIC, 8), EFAULT);
    CHECK_OK(syscall(SYS_clock_getres, CLOCK_MONOTONIC, nullptr));
    CHECK_OK(clock_getres(CLOCK_MONOTONIC, &time));
    CHECK(time.tv_sec == 0 && time.tv_nsec >= 1 && time.tv_nsec <= 10'000'000);
}

TEST(sleeping_long_enough) {
    for (const std::int64_t length : {0L, 1L, 1'000L, 1'000'000L, 20'000'000L}) {
        const timespec request{0, length};
        const std::int64_t before = now_ns(CLOCK_MONOTONIC);
        CHECK_OK(nanosleep(&request, nullptr));
        CHECK(now_ns(CLOCK_MONOTONIC) - before >= length);
    }
    for (const clockid_t clock : {CLOCK_MONOTONIC, CLOCK_REALTIME, CLOCK_BOOTTIME}) {
        const std::int64_t until = now_ns(clock) + 3'000'000;
        const timespec request{until / kSecond, until % kSecond};
        CHECK_EQ(clock_nanosleep(clock, TIMER_ABSTIME, &request, nullptr), 0);
        CHECK(now_ns(clock) >= until);
        const timespec past{1, 0};
        CHECK_EQ(clock_nanosleep(clock, TIMER_ABSTIME, &past, nullptr), 0);
    }
}

TEST(sleeping_errors) {
    const timespec zero{0, 0};
    const timespec too_many{0, kSecond};
    const timespec negative{-1, 0};
    CHECK_ERRNO(nanosleep(&too_many, nullptr), EINVAL);
    CHECK_ERRNO(nanosleep(&negative, nullptr), EINVAL);
    CHECK_ERRNO(syscall(SYS_nanosleep, 8, nullptr), EFAULT);
    CHECK_ERRNO(syscall(SYS_clock_nanosleep, 999, 0, &zero, nullptr), EINVAL);
    CHECK_ERRNO(syscall(SYS_clock_nanosleep, CLOCK_THREAD_CPUTIME_ID, 0, &zero, nullptr), EOPNOTSUPP);
    CHECK_ERRNO(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &negative, nullptr), EINVAL);
    CHECK_ERRNO(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, 8, nullptr), EFAULT);
}

TEST(sleepers_wake_in_order) {
    std::atomic<int> order = 0;
    int seen[4] = {};
    std::thread threads[4];
    const std::int64_t start = now_ns(CLOCK_MONOTONIC);
    for (int i = 3; i >= 0; --i) {
        threads[i] = std::thread([&, i] {
            const std::int64_t until = start + (i + 1) * 30'000'000L;
            const timespec request{until / kSecond, until % kSecond};
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &request, nullptr);
            seen[i] = ++order;
            CHECK(now_ns(CLOCK_MONOTONIC) >= until);
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK_EQ(order.load(), 4);
}

TEST(cpu_time) {
    const std::int64_t before = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    const std::int64_t thread_before = now_ns(CLOCK_THREAD_CPUTIME_ID);
    const clock_t ticks_before = [] {
        tms times_now;
        CHECK(times(&times_now) != -1);
        return times_now.tms_utime + times_now.tms_stime;
    }();
    burn();
    const std::int64_t used = now_ns(CLOCK_PROCESS_CPUTIME_ID) - before;
    CHECK(used > 1'000'000);
    CHECK(now_ns(CLOCK_THREAD_CPUTIME_ID) - thread_before > 1'000'000);
    rusage usage;
    CHECK_OK(getrusage(RUSAGE_SELF, &usage));
    CHECK((usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * kSecond +
              (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000 >=
          used - 50'000'000);
    tms times_now;
    CHECK(times(&times_now) != -1);
    CHECK(times_now.tms_utime + times_now.tms_stime >= ticks_before);
    CHECK_ERRNO(syscall(SYS_times, 8), EFAULT);
    // Sleeping costs none.
    const std::int64_t idle_before = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    const timespec request{0, 50'000'000};
    nanosleep(&request, nullptr);
    CHECK(now_ns(CLOCK_PROCESS_CPUTIME_ID) - idle_before < 40'000'000);
}

TEST(alarms) {
    static std::atomic<int> rung;
    rung = 0;
    signal(SIGALRM, [](int) { ++rung; });
    CHECK_EQ(alarm(10), 0u);
    CHECK_EQ(alarm(20), 10u);
    CHECK_EQ(alarm(0), 20u);
    CHECK_EQ(alarm(0), 0u);
    const std::int64_t before = now_ns(CLOCK_MONOTONIC);
    alarm(1);
    pause();
    const std::int64_t passed = now_ns(CLOCK_MONOTONIC) - before;
    CHECK_EQ(rung.load(), 1);
    CHECK(passed >= kSecond - 1'000'000);
    CHECK_EQ(alarm(0), 0u);
    signal(SIGALRM, SIG_DFL);
}

TEST_MAIN()
