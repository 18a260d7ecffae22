// SPDX-License-Identifier: MIT OR Apache-2.0
// timerfd_create(2).
#include <poll.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>

#include <chrono>
#include <cstdint>

#include "system/support/check.h"

namespace {

using Clock = std::chrono::steady_clock;

long long milliseconds_since(Clock::time_point start) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start).count();
}

itimerspec spec(long value_ms, long interval_ms = 0) {
    constexpr long kNanoseconds = 1'000'000;
    return {{interval_ms / 1000, interval_ms % 1000 * kNanoseconds}, {value_ms / 1000, value_ms % 1000 * kNanoseconds}};
}

std::uint64_t take(int fd) {
    std::uint64_t ticks = 0;
    CHECK_EQ(read(fd, &ticks, sizeof(ticks)), 8);
    return ticks;
}

TEST(fires_once) {
    const int fd = timerfd_create(CLOCK_MONOTONIC, 0);
    CHECK_OK(fd);
    const auto start = Clock::now();
    const itimerspec wanted = spec(30);
    CHECK_OK(timerfd_settime(fd, 0, &wanted, nullptr));
    CHECK_EQ(take(fd), 1u);
    CHECK(milliseconds_since(start) >= 30);
    itimerspec now{};
    CHECK_OK(timerfd_gettime(fd, &now));
    CHECK_EQ(now.it_value.tv_sec, 0);
    CHECK_EQ(now.it_value.tv_nsec, 0);
    close(fd);
}

TEST(fires_periodically_and_counts) {
    const int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    const itimerspec wanted = spec(10, 10);
    CHECK_OK(timerfd_settime(fd, 0, &wanted, nullptr));
    std::uint64_t ticks = 0;
    CHECK_ERRNO(read(fd, &ticks, sizeof(ticks)), EAGAIN);
    usleep(55000);
    ticks = take(fd);
    CHECK(ticks >= 5);
    pollfd ready{fd, POLLIN, 0};
    CHECK_EQ(poll(&ready, 1, 1000), 1);
    CHECK_EQ(ready.revents, POLLIN);
    itimerspec now{};
    CHECK_OK(timerfd_gettime(fd, &now));
    CHECK_EQ(now.it_interval.tv_nsec, 10'000'000);
    CHECK(now.it_value.tv_nsec > 0 && now.it_value.tv_nsec <= 10'000'000);
    close(fd);
}

TEST(setting_again_tells_what_was_left) {
    const int fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK);
    const itimerspec first = spec(50000, 7000);
    itimerspec old = spec(1, 1);
    CHECK_OK(timerfd_settime(fd, 0, &first, &old));
    CHECK_EQ(old.it_value.tv_sec + old.it_value.tv_nsec + old.it_interval.tv_sec + old.it_interval.tv_nsec, 0);
    const itimerspec off{};
    CHECK_OK(timerfd_settime(fd, 0, &off, &old));
    CHECK(old.it_value.tv_sec >= 48 && old.it_value.tv_sec <= 50);
    CHECK_EQ(old.it_interval.tv_sec, 7);
    pollfd ready{fd, POLLIN, 0};
    CHECK_EQ(poll(&ready, 1, 20), 0);
    close(fd);
}

TEST(setting_forgets_what_was_not_read) {
    const int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    const itimerspec soon = spec(1);
    CHECK_OK(timerfd_settime(fd, 0, &soon, nullptr));
    usleep(10000);
    const itimerspec late = spec(60000);
    CHECK_OK(timerfd_settime(fd, 0, &late, nullptr));
    std::uint64_t ticks = 0;
    CHECK_ERRNO(read(fd, &ticks, sizeof(ticks)), EAGAIN);
    close(fd);
}

TEST(absolute_moments) {
    for (const clockid_t clock : {CLOCK_REALTIME, CLOCK_MONOTONIC}) {
        const int fd = timerfd_create(clock, 0);
        timespec now{};
        clock_gettime(clock, &now);
        itimerspec wanted{{0, 0}, now};
        wanted.it_value.tv_nsec += 30'000'000;
        if (wanted.it_value.tv_nsec >= 1'000'000'000) {
            wanted.it_value.tv_nsec -= 1'000'000'000;
            ++wanted.it_value.tv_sec;
        }
        const auto start = Clock::now();
        CHECK_OK(timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &wanted, nullptr));
        CHECK_EQ(take(fd), 1u);
        const long long waited = milliseconds_since(start);
        CHECK(waited >= 20);
        // A moment that has passed is over at once.
        wanted.it_value = now;
        CHECK_OK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &wanted, nullptr));
        CHECK_EQ(take(fd), 1u);
        close(fd);
    }
}

TEST(past_periods_are_counted) {
    const int fd = timerfd_create(CLOCK_REALTIME, 0);
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    itimerspec wanted{{0, 1'000'000}, now};
    wanted.it_value.tv_sec -= 1;
    CHECK_OK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &wanted, nullptr));
    CHECK(take(fd) >= 1000);
    close(fd);
}

TEST(wakes_epoll) {
    const int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    const int epoll = epoll_create1(0);
    epoll_event event{};
    event.events = EPOLLIN;
    CHECK_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
    const itimerspec wanted = spec(20);
    CHECK_OK(timerfd_settime(fd, 0, &wanted, nullptr));
    CHECK_EQ(epoll_wait(epoll, &event, 1, 5000), 1);
    CHECK_EQ(take(fd), 1u);
    CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 0);
    close(fd);
    close(epoll);
}

TEST(errors) {
    CHECK_ERRNO(timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0), EINVAL);
    CHECK_ERRNO(timerfd_create(99, 0), EINVAL);
    CHECK_ERRNO(timerfd_create(CLOCK_MONOTONIC, 1), EINVAL);
    const int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    itimerspec wanted = spec(1);
    CHECK_ERRNO(timerfd_settime(fd, 4, &wanted, nullptr), EINVAL);
    wanted.it_value.tv_nsec = 1'000'000'000;
    CHECK_ERRNO(timerfd_settime(fd, 0, &wanted, nullptr), EINVAL);
    wanted = spec(1, 1);
    wanted.it_interval.tv_nsec = -1;
    CHECK_ERRNO(timerfd_settime(fd, 0, &wanted, nullptr), EINVAL);
    itimerspec* const bad = reinterpret_cast<itimerspec*>(8);
    CHECK_ERRNO(timerfd_settime(fd, 0, bad, nullptr), EFAULT);
    wanted = spec(60000);
    CHECK_ERRNO(timerfd_settime(fd, 0, &wanted, bad), EFAULT);
    CHECK_ERRNO(timerfd_gettime(fd, bad), EFAULT);
    int ends[2];
    CHECK_OK(pipe(ends));
    CHECK_ERRNO(timerfd_settime(ends[0], 0, &wanted, nullptr), EINVAL);
    CHECK_ERRNO(timerfd_gettime(ends[0], &wanted), EINVAL);
    CHECK_ERRNO(timerfd_gettime(77, &wanted), EBADF);
    char small[7];
    CHECK_ERRNO(read(fd, small, sizeof(small)), EINVAL);
    std::uint64_t value = 1;
    CHECK_ERRNO(write(fd, &value, sizeof(value)), EINVAL);
    close(ends[0]);
    close(ends[1]);
    close(fd);
}

}  // namespace

TEST_MAIN()
