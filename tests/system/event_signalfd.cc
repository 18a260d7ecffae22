// SPDX-License-Identifier: MIT OR Apache-2.0
// signalfd(2).
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

#include <thread>

#include "system/support/check.h"

namespace {

sigset_t set_of(std::initializer_list<int> signals) {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : signals) {
        sigaddset(&set, signal);
    }
    return set;
}

int blocked_signalfd(std::initializer_list<int> signals, int flags = 0) {
    const sigset_t set = set_of(signals);
    REQUIRE(sigprocmask(SIG_BLOCK, &set, nullptr) == 0);
    const int fd = signalfd(-1, &set, flags);
    REQUIRE(fd >= 0);
    return fd;
}

TEST(reads_what_is_pending) {
    const int fd = blocked_signalfd({SIGUSR1, SIGUSR2}, SFD_NONBLOCK);
    signalfd_siginfo info[3] = {};
    CHECK_ERRNO(read(fd, info, sizeof(info)), EAGAIN);
    kill(getpid(), SIGUSR2);
    kill(getpid(), SIGUSR1);
    pollfd ready{fd, POLLIN, 0};
    CHECK_EQ(poll(&ready, 1, 0), 1);
    CHECK_EQ(ready.revents, POLLIN);
    CHECK_EQ(read(fd, info, sizeof(info)), static_cast<ssize_t>(2 * sizeof(info[0])));
    CHECK_EQ(info[0].ssi_signo, static_cast<unsigned>(SIGUSR1));
    CHECK_EQ(info[1].ssi_signo, static_cast<unsigned>(SIGUSR2));
    CHECK_EQ(info[0].ssi_code, SI_USER);
    CHECK_EQ(info[0].ssi_pid, static_cast<unsigned>(getpid()));
    CHECK_EQ(info[0].ssi_uid, getuid());
    CHECK_EQ(poll(&ready, 1, 0), 0);
    close(fd);
}

TEST(carries_values_and_child_details) {
    const int fd = blocked_signalfd({SIGRTMIN + 3, SIGCHLD}, SFD_NONBLOCK | SFD_CLOEXEC);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    sigval value{};
    value.sival_int = 42;
    CHECK_OK(sigqueue(getpid(), SIGRTMIN + 3, value));
    signalfd_siginfo info{};
    CHECK_EQ(read(fd, &info, sizeof(info)), static_cast<ssize_t>(sizeof(info)));
    CHECK_EQ(info.ssi_code, SI_QUEUE);
    CHECK_EQ(info.ssi_int, 42);
    const pid_t child = fork();
    if (child == 0) {
        _exit(5);
    }
    pollfd ready{fd, POLLIN, 0};
    CHECK_EQ(poll(&ready, 1, 10000), 1);
    CHECK_EQ(read(fd, &info, sizeof(info)), static_cast<ssize_t>(sizeof(info)));
    CHECK_EQ(info.ssi_signo, static_cast<unsigned>(SIGCHLD));
    CHECK_EQ(info.ssi_code, CLD_EXITED);
    CHECK_EQ(info.ssi_pid, static_cast<unsigned>(child));
    CHECK_EQ(info.ssi_status, 5);
    CHECK_EXIT(check::wait_status(child), 5);
    close(fd);
}

TEST(waits_for_a_signal) {
    const int fd = blocked_signalfd({SIGUSR1});
    const pid_t self = getpid();
    const pid_t child = check::start_child([self] {
        usleep(30000);
        kill(self, SIGUSR1);
    });
    signalfd_siginfo info{};
    CHECK_EQ(read(fd, &info, sizeof(info)), static_cast<ssize_t>(sizeof(info)));
    CHECK_EQ(info.ssi_pid, static_cast<unsigned>(child));
    CHECK_EXIT(check::wait_status(child), 0);
    close(fd);
}

TEST(wakes_epoll) {
    const int fd = blocked_signalfd({SIGUSR1});
    const int epoll = epoll_create1(0);
    epoll_event event{};
    event.events = EPOLLIN;
    CHECK_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
    std::thread sender([] {
        usleep(30000);
        kill(getpid(), SIGUSR1);
    });
    CHECK_EQ(epoll_wait(epoll, &event, 1, 10000), 1);
    sender.join();
    signalfd_siginfo info{};
    CHECK_EQ(read(fd, &info, sizeof(info)), static_cast<ssize_t>(sizeof(info)));
    close(fd);
    close(epoll);
}

// The set outlives the process whose signals it watched.
TEST(an_epoll_set_that_a_child_filled) {
    const int epoll = epoll_create1(0);
    const int fd = blocked_signalfd({SIGUSR1});
    CHECK_CHILD([&] {
        epoll_event event{};
        event.events = EPOLLIN;
        CHECK_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
        CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 0);
    });
    epoll_event event{};
    CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 0);
    close(fd);
    CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 0);
    close(epoll);
}

TEST(changes_its_mask) {
    const int fd = blocked_signalfd({SIGUSR1}, SFD_NONBLOCK);
    const sigset_t other = set_of({SIGUSR2});
    sigprocmask(SIG_BLOCK, &other, nullptr);
    CHECK_EQ(signalfd(fd, &other, 0), fd);
    kill(getpid(), SIGUSR1);
    signalfd_siginfo info{};
    CHECK_ERRNO(read(fd, &info, sizeof(info)), EAGAIN);
    kill(getpid(), SIGUSR2);
    CHECK_EQ(read(fd, &info, sizeof(info)), static_cast<ssize_t>(sizeof(info)));
    CHECK_EQ(info.ssi_signo, static_cast<unsigned>(SIGUSR2));
    const sigset_t first = set_of({SIGUSR1});
    CHECK_EQ(signalfd(fd, &first, 0), fd);
    CHECK_EQ(read(fd, &info, sizeof(info)), static_cast<ssize_t>(sizeof(info)));
    close(fd);
}

// Signals for one thread are read by that thread alone.
TEST(signals_of_another_thread) {
    const int fd = blocked_signalfd({SIGUSR1}, SFD_NONBLOCK);
    pthread_kill(pthread_self(), SIGUSR1);
    std::thread other([fd] {
        signalfd_siginfo info{};
        CHECK_ERRNO(read(fd, &info, sizeof(info)), EAGAIN);
    });
    other.join();
    signalfd_siginfo info{};
    CHECK_EQ(read(fd, &info, sizeof(info)), static_cast<ssize_t>(sizeof(info)));
    CHECK_EQ(info.ssi_code, SI_TKILL);
    close(fd);
}

TEST(errors) {
    const sigset_t set = set_of({SIGUSR1});
    CHECK_ERRNO(static_cast<int>(syscall(SYS_signalfd4, -1, &set, 7, 0)), EINVAL);
    CHECK_ERRNO(static_cast<int>(syscall(SYS_signalfd4, -1, &set, 8, 1)), EINVAL);
    CHECK_ERRNO(static_cast<int>(syscall(SYS_signalfd4, -1, 8, 8, 0)), EFAULT);
    CHECK_ERRNO(signalfd(77, &set, 0), EBADF);
    int ends[2];
    CHECK_OK(pipe(ends));
    CHECK_ERRNO(signalfd(ends[0], &set, 0), EINVAL);
    close(ends[0]);
    close(ends[1]);
    const int fd = static_cast<int>(syscall(SYS_signalfd, -1, &set, 8));
    CHECK_OK(fd);
    char small[100];
    CHECK_ERRNO(read(fd, small, sizeof(small)), EINVAL);
    CHECK_ERRNO(write(fd, small, sizeof(small)), EINVAL);
    close(fd);
}

}  // namespace

TEST_MAIN()
