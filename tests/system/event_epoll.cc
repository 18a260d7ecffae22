// SPDX-License-Identifier: MIT OR Apache-2.0
// epoll(7): states, modes, nesting, files that go away, waiting.
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <climits>
#include <cstdint>
#include <thread>

#include "system/support/check.h"

namespace {

using Clock = std::chrono::steady_clock;

long long milliseconds_since(Clock::time_point start) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start).count();
}

int add(int epoll, int fd, std::uint32_t events, std::uint64_t data = 0) {
    epoll_event wanted{};
    wanted.events = events;
    wanted.data.u64 = data;
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &wanted);
}

int modify(int epoll, int fd, std::uint32_t events, std::uint64_t data = 0) {
    epoll_event wanted{};
    wanted.events = events;
    wanted.data.u64 = data;
    return epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &wanted);
}

// The events of the one file that is ready; 0: none.
std::uint32_t one(int epoll, int timeout_ms = 0) {
    epoll_event found[4] = {};
    const int count = epoll_wait(epoll, found, 4, timeout_ms);
    CHECK(count == 0 || count == 1);
    return count == 1 ? found[0].events : 0;
}

struct Pipe {
    Pipe() { REQUIRE(pipe2(ends, O_NONBLOCK) == 0); }
    ~Pipe() {
        close_reader();
        close_writer();
    }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    void close_reader() { close_end(0); }
    void close_writer() { close_end(1); }
    void put(char byte = 'x') const { CHECK_EQ(write(ends[1], &byte, 1), 1); }
    void take() const {
        char byte = 0;
        CHECK_EQ(read(ends[0], &byte, 1), 1);
    }
    int reader() const { return ends[0]; }
    int writer() const { return ends[1]; }
    int ends[2] = {-1, -1};

private:
    void close_end(int which) {
        if (ends[which] >= 0) {
            close(ends[which]);
            ends[which] = -1;
        }
    }
};

struct Epoll {
    Epoll() : fd(epoll_create1(EPOLL_CLOEXEC)) { REQUIRE(fd >= 0); }
    ~Epoll() { close(fd); }
    Epoll(const Epoll&) = delete;
    Epoll& operator=(const Epoll&) = delete;
    operator int() const { return fd; }
    int fd;
};

TEST(creation) {
    CHECK_ERRNO(epoll_create(0), EINVAL);
    CHECK_ERRNO(epoll_create1(1), EINVAL);
    const int plain = epoll_create(1);
    CHECK_OK(plain);
    CHECK_EQ(fcntl(plain, F_GETFD), 0);
    char target[64] = {};
    CHECK_OK(readlink(("/proc/self/fd/" + std::to_string(plain)).c_str(), target, sizeof(target) - 1));
    CHECK_EQ(std::string_view(target), "anon_inode:[eventpoll]");
    char byte = 0;
    CHECK_ERRNO(read(plain, &byte, 1), EINVAL);
    close(plain);
    const Epoll epoll;
    CHECK_EQ(fcntl(epoll, F_GETFD), FD_CLOEXEC);
}

TEST(level_triggered) {
    const Epoll epoll;
    const Pipe pipe;
    CHECK_OK(add(epoll, pipe.reader(), EPOLLIN, 7));
    CHECK_EQ(one(epoll), 0u);
    pipe.put();
    epoll_event found{};
    for (int i = 0; i < 3; ++i) {
        CHECK_EQ(epoll_wait(epoll, &found, 1, 0), 1);
        CHECK_EQ(found.data.u64, 7u);
        CHECK_EQ(static_cast<std::uint32_t>(found.events), static_cast<std::uint32_t>(EPOLLIN));
    }
    pipe.take();
    CHECK_EQ(one(epoll), 0u);
}

TEST(edge_triggered) {
    const Epoll epoll;
    const Pipe pipe;
    CHECK_OK(add(epoll, pipe.reader(), EPOLLIN | EPOLLET));
    pipe.put();
    CHECK_EQ(one(epoll), static_cast<std::uint32_t>(EPOLLIN));
    CHECK_EQ(one(epoll), 0u);
    pipe.put();
    CHECK_EQ(one(epoll), static_cast<std::uint32_t>(EPOLLIN));
    pipe.take();
    CHECK_EQ(one(epoll), 0u);
    CHECK_OK(modify(epoll, pipe.reader(), EPOLLIN | EPOLLET));
    CHECK_EQ(one(epoll), static_cast<std::uint32_t>(EPOLLIN));
    CHECK_EQ(one(epoll), 0u);
}

TEST(edge_is_there_when_added) {
    const Epoll epoll;
    const Pipe pipe;
    pipe.put();
    CHECK_OK(add(epoll, pipe.reader(), EPOLLIN | EPOLLET));
    CHECK_EQ(one(epoll), static_cast<std::uint32_t>(EPOLLIN));
    CHECK_EQ(one(epoll), 0u);
}

TEST(edges_of_one_kind_do_not_report_the_other) {
    const Epoll epoll;
    const int event = eventfd(1, EFD_NONBLOCK);
    CHECK_OK(add(epoll, event, EPOLLIN | EPOLLET));
    CHECK_EQ(one(epoll), static_cast<std::uint32_t>(EPOLLIN));
    // A read makes room for writers, which nobody asked about, and the counter is not zero meanwhile.
    std::uint64_t value = 5;
    CHECK_EQ(read(event, &value, 8), 8);
    CHECK_EQ(one(epoll), 0u);
    value = 1;
    CHECK_EQ(write(event, &value, 8), 8);
    CHECK_EQ(one(epoll), static_cast<std::uint32_t>(EPOLLIN));
    close(event);
}

TEST(one_shot) {
    const Epoll epoll;
    const Pipe pipe;
    CHECK_OK(add(epoll, pipe.reader(), EPOLLIN | EPOLLONESHOT));
    pipe.put();
    CHECK_EQ(one(epoll), static_cast<std::uint32_t>(EPOLLIN));
    pipe.put();
    CHECK_EQ(one(epoll), 0u);
    CHECK_OK(modify(epoll, pipe.reader(), EPOLLIN | EPOLLONESHOT));
    CHECK_EQ(one(epoll), static_cast<std::uint32_t>(EPOLLIN));
    CHECK_EQ(one(epoll), 0u);
}

TEST(error_and_hang_up_need_not_be_asked_for) {
    const Epoll epoll;
    Pipe pipe;
    CHECK_OK(add(epoll, pipe.reader(), 0));
    CHECK_EQ(one(epoll), 0u);
    pipe.close_writer();
    CHECK_EQ(one(epoll), static_cast<std::uint32_t>(EPOLLHUP));
    const Epoll other;
    Pipe broken;
    CHECK_OK(add(other, broken.writer(), EPOLLOUT));
    CHECK_EQ(one(other), static_cast<std::uint32_t>(EPOLLOUT));
    broken.close_reader();
    CHECK_EQ(one(other), static_cast<std::uint32_t>(EPOLLOUT | EPOLLERR));
}

TEST(changes_interest_and_data) {
    const Epoll epoll;
    const int event = eventfd(1, EFD_NONBLOCK);
    CHECK_OK(add(epoll, event, EPOLLIN, 1));
    CHECK_OK(modify(epoll, event, EPOLLIN | EPOLLOUT, 2));
    epoll_event found{};
    CHECK_EQ(epoll_wait(epoll, &found, 1, 0), 1);
    CHECK_EQ(found.data.u64, 2u);
    CHECK_EQ(static_cast<std::uint32_t>(found.events), static_cast<std::uint32_t>(EPOLLIN | EPOLLOUT));
    CHECK_OK(modify(epoll, event, 0, 3));
    CHECK_EQ(epoll_wait(epoll, &found, 1, 0), 0);
    CHECK_OK(epoll_ctl(epoll, EPOLL_CTL_DEL, event, nullptr));
    CHECK_ERRNO(epoll_ctl(epoll, EPOLL_CTL_DEL, event, nullptr), ENOENT);
    CHECK_ERRNO(modify(epoll, event, EPOLLIN), ENOENT);
    close(event);
}

TEST(errors_of_ctl) {
    const Epoll epoll;
    const Pipe pipe;
    CHECK_OK(add(epoll, pipe.reader(), EPOLLIN));
    CHECK_ERRNO(add(epoll, pipe.reader(), EPOLLIN), EEXIST);
    CHECK_ERRNO(add(epoll, epoll, EPOLLIN), EINVAL);
    CHECK_ERRNO(add(pipe.reader(), pipe.writer(), EPOLLIN), EINVAL);
    CHECK_ERRNO(add(epoll, 77, EPOLLIN), EBADF);
    CHECK_ERRNO(add(77, pipe.reader(), EPOLLIN), EBADF);
    epoll_event wanted{};
    CHECK_ERRNO(epoll_ctl(epoll, 9, pipe.writer(), &wanted), EINVAL);
    epoll_event* const bad = reinterpret_cast<epoll_event*>(8);
    CHECK_ERRNO(epoll_ctl(epoll, EPOLL_CTL_ADD, pipe.writer(), bad), EFAULT);
    const int file = open("/proc/self/exe", O_RDONLY);
    CHECK_ERRNO(add(epoll, file, EPOLLIN), EPERM);
    close(file);
    const int directory = open("/", O_RDONLY | O_DIRECTORY);
    CHECK_ERRNO(add(epoll, directory, EPOLLIN), EPERM);
    close(directory);
}

TEST(errors_of_wait) {
    const Epoll epoll;
    const Pipe pipe;
    epoll_event found{};
    CHECK_ERRNO(epoll_wait(epoll, &found, 0, 0), EINVAL);
    CHECK_ERRNO(epoll_wait(epoll, &found, -1, 0), EINVAL);
    CHECK_ERRNO(static_cast<int>(syscall(SYS_epoll_wait, static_cast<int>(epoll), &found, INT_MAX, 0)), EINVAL);
    CHECK_ERRNO(epoll_wait(77, &found, 1, 0), EBADF);
    CHECK_ERRNO(epoll_wait(pipe.reader(), &found, 1, 0), EINVAL);
    epoll_event* const bad = reinterpret_cast<epoll_event*>(8);
    CHECK_OK(add(epoll, pipe.writer(), EPOLLOUT));
    CHECK_ERRNO(epoll_wait(epoll, bad, 1, 0), EFAULT);
    CHECK_EQ(one(epoll), static_cast<std::uint32_t>(EPOLLOUT));  // nothing was lost
    sigset_t none;
    sigemptyset(&none);
    CHECK_ERRNO(static_cast<int>(syscall(SYS_epoll_pwait, static_cast<int>(epoll), &found, 1, 0, &none, 7)), EINVAL);
    CHECK_ERRNO(static_cast<int>(syscall(SYS_epoll_pwait, static_cast<int>(epoll), &found, 1, 0, bad, 8)), EFAULT);
    timespec time{0, -1};
    CHECK_ERRNO(static_cast<int>(syscall(SYS_epoll_pwait2, static_cast<int>(epoll), &found, 1, &time, nullptr, 8)),
                EINVAL);
    CHECK_ERRNO(static_cast<int>(syscall(SYS_epoll_pwait2, static_cast<int>(epoll), &found, 1, bad, nullptr, 8)),
                EFAULT);
}

TEST(takes_turns_when_there_is_little_room) {
    const Epoll epoll;
    const Pipe pipes[5];
    for (std::uint64_t i = 0; i < 5; ++i) {
        pipes[i].put();
        CHECK_OK(add(epoll, pipes[i].reader(), EPOLLIN, i));
    }
    std::array<int, 5> seen{};
    for (int i = 0; i < 5; ++i) {
        epoll_event found[2] = {};
        CHECK_EQ(epoll_wait(epoll, found, 2, 0), 2);
        ++seen[found[0].data.u64];
        ++seen[found[1].data.u64];
    }
    CHECK(std::ranges::all_of(seen, [](int count) { return count == 2; }));
    epoll_event all[8] = {};
    CHECK_EQ(epoll_wait(epoll, all, 8, 0), 5);
}

TEST(closing_the_last_descriptor_removes_a_file) {
    const Epoll epoll;
    Pipe pipe;
    pipe.put();
    CHECK_OK(add(epoll, pipe.reader(), EPOLLIN));
    const int copy = dup(pipe.reader());
    pipe.close_reader();
    CHECK_EQ(one(epoll), static_cast<std::uint32_t>(EPOLLIN));  // the description is still open
    close(copy);
    CHECK_EQ(one(epoll), 0u);
    // The number may be used again for something else.
    const int other = eventfd(1, 0);
    CHECK_OK(add(epoll, other, EPOLLIN));
    CHECK_EQ(one(epoll), static_cast<std::uint32_t>(EPOLLIN));
    close(other);
}

TEST(one_description_under_two_numbers) {
    const Epoll epoll;
    const int event = eventfd(1, 0);
    const int copy = dup(event);
    CHECK_OK(add(epoll, event, EPOLLIN, 1));
    CHECK_OK(add(epoll, copy, EPOLLIN, 2));
    epoll_event found[3] = {};
    CHECK_EQ(epoll_wait(epoll, found, 3, 0), 2);
    CHECK_EQ(found[0].data.u64 + found[1].data.u64, 3u);
    close(event);
    close(copy);
    CHECK_EQ(epoll_wait(epoll, found, 3, 0), 0);
}

TEST(a_set_lives_on_in_a_child) {
    const Epoll epoll;
    const Pipe pipe;
    CHECK_OK(add(epoll, pipe.reader(), EPOLLIN));
    CHECK_CHILD([&] {
        pipe.put();
        CHECK_EQ(one(epoll), static_cast<std::uint32_t>(EPOLLIN));
    });
    CHECK_EQ(one(epoll), static_cast<std::uint32_t>(EPOLLIN));
}

TEST(waits_and_times_out) {
    const Epoll epoll;
    const Pipe pipe;
    CHECK_OK(add(epoll, pipe.reader(), EPOLLIN));
    const auto start = Clock::now();
    CHECK_EQ(one(epoll, 50), 0u);
    CHECK(milliseconds_since(start) >= 50);
    std::thread writer([&] {
        usleep(20000);
        pipe.put();
    });
    CHECK_EQ(one(epoll, 10000), static_cast<std::uint32_t>(EPOLLIN));
    writer.join();
    pipe.take();
    const timespec time{0, 30'000'000};
    epoll_event found{};
    const auto again = Clock::now();
    CHECK_EQ(static_cast<int>(syscall(SYS_epoll_pwait2, static_cast<int>(epoll), &found, 1, &time, nullptr, 8)), 0);
    CHECK(milliseconds_since(again) >= 30);
}

TEST(a_file_added_while_somebody_waits) {
    const Epoll epoll;
    const int event = eventfd(1, 0);
    std::thread adder([&] {
        usleep(20000);
        CHECK_OK(add(epoll, event, EPOLLIN));
    });
    CHECK_EQ(one(epoll, 10000), static_cast<std::uint32_t>(EPOLLIN));
    adder.join();
    close(event);
}

TEST(poll_and_select_see_the_set) {
    const Epoll epoll;
    const Pipe pipe;
    CHECK_OK(add(epoll, pipe.reader(), EPOLLIN));
    pollfd wanted{epoll, POLLIN | POLLOUT, 0};
    CHECK_EQ(poll(&wanted, 1, 0), 0);
    pipe.put();
    CHECK_EQ(poll(&wanted, 1, 0), 1);
    CHECK_EQ(wanted.revents, POLLIN);
    pipe.take();
    CHECK_EQ(poll(&wanted, 1, 0), 0);
    std::thread writer([&] {
        usleep(20000);
        pipe.put();
    });
    CHECK_EQ(poll(&wanted, 1, 10000), 1);
    writer.join();
}

TEST(nested_sets) {
    const Epoll inner;
    const Epoll middle;
    const Epoll outer;
    const Pipe pipe;
    CHECK_OK(add(inner, pipe.reader(), EPOLLIN));
    CHECK_OK(add(middle, inner, EPOLLIN));
    CHECK_OK(add(outer, middle, EPOLLIN));
    CHECK_EQ(one(outer), 0u);
    std::thread writer([&] {
        usleep(20000);
        pipe.put();
    });
    CHECK_EQ(one(outer, 10000), static_cast<std::uint32_t>(EPOLLIN));
    writer.join();
    CHECK_EQ(one(middle), static_cast<std::uint32_t>(EPOLLIN));
    CHECK_EQ(one(inner), static_cast<std::uint32_t>(EPOLLIN));
    pipe.take();
    CHECK_EQ(one(outer), 0u);
    pipe.put();
    CHECK_EQ(one(outer), static_cast<std::uint32_t>(EPOLLIN));
    CHECK_OK(epoll_ctl(middle, EPOLL_CTL_DEL, inner, nullptr));
    CHECK_EQ(one(outer), 0u);
}

TEST(nesting_has_limits) {
    {
        const Epoll a;
        const Epoll b;
        const Epoll c;
        CHECK_OK(add(a, b, EPOLLIN));
        CHECK_ERRNO(add(b, a, EPOLLIN), ELOOP);
        CHECK_OK(add(b, c, EPOLLIN));
        CHECK_ERRNO(add(c, a, EPOLLIN), ELOOP);
        CHECK_OK(epoll_ctl(b, EPOLL_CTL_DEL, c, nullptr));
        CHECK_OK(add(c, a, EPOLLIN));
    }
    const Epoll chain[8];
    int depth = 0;
    while (depth < 7 && add(chain[depth + 1], chain[depth], EPOLLIN) == 0) {
        ++depth;
    }
    CHECK(depth == 4 || depth == 5);
    CHECK_EQ(errno, ELOOP);
}

TEST(exclusive_wakes_at_least_one) {
    const Epoll first;
    const Epoll second;
    const Pipe pipe;
    CHECK_OK(add(first, pipe.reader(), EPOLLIN | EPOLLEXCLUSIVE));
    CHECK_OK(add(second, pipe.reader(), EPOLLIN | EPOLLEXCLUSIVE));
    CHECK_ERRNO(modify(first, pipe.reader(), EPOLLIN), EINVAL);
    CHECK_ERRNO(modify(first, pipe.reader(), EPOLLIN | EPOLLEXCLUSIVE), EINVAL);
    CHECK_ERRNO(add(second, pipe.writer(), EPOLLOUT | EPOLLEXCLUSIVE | EPOLLONESHOT), EINVAL);
    CHECK_ERRNO(add(second, first, EPOLLIN | EPOLLEXCLUSIVE), EINVAL);
    std::atomic<int> woken = 0;
    std::thread waiters[2];
    const Epoll* sets[2] = {&first, &second};
    for (int i = 0; i < 2; ++i) {
        waiters[i] = std::thread([&, i] {
            if (one(*sets[i], 300) != 0) {
                ++woken;
            }
        });
    }
    usleep(50000);
    pipe.put();
    for (std::thread& waiter : waiters) {
        waiter.join();
    }
    CHECK(woken >= 1);
}

TEST(several_waiters_share_the_work) {
    const Epoll epoll;
    const Pipe pipes[4];
    for (std::uint64_t i = 0; i < 4; ++i) {
        CHECK_OK(add(epoll, pipes[i].reader(), EPOLLIN | EPOLLET, i));
    }
    std::atomic<int> seen[4] = {};
    std::thread waiters[4];
    for (std::thread& waiter : waiters) {
        waiter = std::thread([&] {
            epoll_event found{};
            CHECK_EQ(epoll_wait(epoll, &found, 1, 10000), 1);
            ++seen[found.data.u64];
        });
    }
    usleep(20000);
    for (const Pipe& pipe : pipes) {
        pipe.put();
    }
    for (std::thread& waiter : waiters) {
        waiter.join();
    }
    for (const std::atomic<int>& count : seen) {
        CHECK_EQ(count.load(), 1);
    }
}

std::atomic<int> signals = 0;
void on_signal(int) {
    ++signals;
}

TEST(a_signal_ends_the_wait_whatever_the_action_says) {
    const Epoll epoll;
    struct sigaction action{};
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    sigaction(SIGALRM, &action, nullptr);
    epoll_event found{};
    signals = 0;
    ualarm(20000, 0);
    CHECK_ERRNO(epoll_wait(epoll, &found, 1, 5000), EINTR);
    CHECK_EQ(signals.load(), 1);
}

TEST(an_ignored_signal_does_not) {
    const Epoll epoll;
    const auto start = Clock::now();
    signal(SIGALRM, SIG_IGN);
    epoll_event found{};
    ualarm(20000, 0);
    CHECK_EQ(epoll_wait(epoll, &found, 1, 80), 0);
    CHECK(milliseconds_since(start) >= 80);
    signal(SIGALRM, SIG_DFL);
}

TEST(mask_for_the_length_of_the_wait) {
    const Epoll epoll;
    struct sigaction action{};
    action.sa_handler = on_signal;
    sigaction(SIGUSR1, &action, nullptr);
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(SIG_BLOCK, &blocked, nullptr);
    signals = 0;
    raise(SIGUSR1);
    CHECK_EQ(signals.load(), 0);
    epoll_event found{};
    CHECK_EQ(epoll_wait(epoll, &found, 1, 10), 0);
    sigset_t none;
    sigemptyset(&none);
    CHECK_ERRNO(epoll_pwait(epoll, &found, 1, 5000, &none), EINTR);
    CHECK_EQ(signals.load(), 1);
    sigset_t now;
    sigprocmask(SIG_SETMASK, nullptr, &now);
    CHECK(sigismember(&now, SIGUSR1) == 1);
    sigprocmask(SIG_UNBLOCK, &blocked, nullptr);
}

// Files are added, changed and closed by several threads while others wait.
TEST(changes_from_several_threads) {
    const Epoll epoll;
    std::atomic<bool> stop = false;
    std::thread waiters[2];
    for (std::thread& waiter : waiters) {
        waiter = std::thread([&] {
            epoll_event found[8];
            while (!stop) {
                (void)epoll_wait(epoll, found, 8, 1);
            }
        });
    }
    std::thread changers[2];
    for (std::thread& changer : changers) {
        changer = std::thread([&] {
            for (int i = 0; i < 300; ++i) {
                const int event = eventfd(0, EFD_NONBLOCK);
                CHECK_OK(add(epoll, event, EPOLLIN | (i % 2 == 0 ? EPOLLET : 0u)));
                const std::uint64_t value = 1;
                CHECK_EQ(write(event, &value, 8), 8);
                if (i % 3 == 0) {
                    CHECK_OK(modify(epoll, event, EPOLLIN | EPOLLOUT));
                }
                if (i % 5 == 0) {
                    CHECK_OK(epoll_ctl(epoll, EPOLL_CTL_DEL, event, nullptr));
                }
                close(event);
            }
        });
    }
    for (std::thread& changer : changers) {
        changer.join();
    }
    stop = true;
    for (std::thread& waiter : waiters) {
        waiter.join();
    }
    epoll_event found{};
    CHECK_EQ(epoll_wait(epoll, &found, 1, 0), 0);
}

}  // namespace

TEST_MAIN()
