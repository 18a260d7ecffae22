// SPDX-License-Identifier: MIT OR Apache-2.0
// pidfd_open(2), pidfd_send_signal(2), pidfd_getfd(2), waitid(2) and clone(2) with descriptors of processes.
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <cstdint>
#include <thread>

#include "system/support/check.h"

namespace {

constexpr idtype_t kPidfdType = static_cast<idtype_t>(3);  // P_PIDFD

int pidfd_open(pid_t pid, unsigned flags = 0) {
    return static_cast<int>(syscall(SYS_pidfd_open, pid, flags));
}
int pidfd_send_signal(int fd, int signal, siginfo_t* info = nullptr, unsigned flags = 0) {
    return static_cast<int>(syscall(SYS_pidfd_send_signal, fd, signal, info, flags));
}
int pidfd_getfd(int fd, int target, unsigned flags = 0) {
    return static_cast<int>(syscall(SYS_pidfd_getfd, fd, target, flags));
}

pid_t sleeping_child() {
    return check::start_child([] { pause(); });
}

short ready(int fd, int timeout_ms = 0) {
    pollfd wanted{fd, POLLIN, 0};
    CHECK_OK(poll(&wanted, 1, timeout_ms));
    return wanted.revents;
}

TEST(becomes_readable_at_the_end) {
    const pid_t child = sleeping_child();
    const int fd = pidfd_open(child);
    CHECK_OK(fd);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(ready(fd), 0);
    const int epoll = epoll_create1(0);
    epoll_event event{};
    event.events = EPOLLIN;
    CHECK_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
    CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 0);
    CHECK_OK(pidfd_send_signal(fd, SIGKILL));
    CHECK_EQ(ready(fd, 10000), POLLIN);
    CHECK_EQ(epoll_wait(epoll, &event, 1, 10000), 1);
    siginfo_t info{};
    CHECK_OK(waitid(kPidfdType, static_cast<id_t>(fd), &info, WEXITED | WNOWAIT));
    CHECK_EQ(info.si_pid, child);
    CHECK_EQ(info.si_code, CLD_KILLED);
    CHECK_OK(pidfd_send_signal(fd, 0));  // a zombie can be signalled
    CHECK_OK(waitid(kPidfdType, static_cast<id_t>(fd), &info, WEXITED));
    CHECK_EQ(info.si_status, SIGKILL);
    CHECK_ERRNO(pidfd_send_signal(fd, 0), ESRCH);
    CHECK_ERRNO(waitid(kPidfdType, static_cast<id_t>(fd), &info, WEXITED), ECHILD);
    CHECK((ready(fd) & POLLIN) != 0);
    close(epoll);
    close(fd);
}

TEST(open_errors) {
    CHECK_ERRNO(pidfd_open(0), EINVAL);
    CHECK_ERRNO(pidfd_open(-1), EINVAL);
    CHECK_ERRNO(pidfd_open(getpid(), 1), EINVAL);
    CHECK_ERRNO(pidfd_open(4194303), ESRCH);
    const int self = pidfd_open(getpid(), O_NONBLOCK);
    CHECK_OK(self);
    CHECK((fcntl(self, F_GETFL) & O_NONBLOCK) != 0);
    char byte = 0;
    CHECK_ERRNO(read(self, &byte, 1), EINVAL);
    close(self);
}

TEST(signals_and_their_errors) {
    const int self = pidfd_open(getpid());
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    CHECK_OK(pidfd_send_signal(self, SIGUSR1));
    siginfo_t info{};
    CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR1);
    CHECK_EQ(info.si_code, SI_USER);
    CHECK_EQ(info.si_pid, getpid());
    siginfo_t sent{};
    sent.si_signo = SIGUSR1;
    sent.si_code = SI_QUEUE;
    sent.si_value.sival_int = 9;
    CHECK_OK(pidfd_send_signal(self, SIGUSR1, &sent));
    CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR1);
    CHECK_EQ(info.si_value.sival_int, 9);
    CHECK_ERRNO(pidfd_send_signal(self, SIGUSR2, &sent), EINVAL);
    CHECK_ERRNO(pidfd_send_signal(self, 99), EINVAL);
    CHECK_ERRNO(pidfd_send_signal(self, 0, nullptr, 8), EINVAL);
    CHECK_ERRNO(pidfd_send_signal(77, 0), EBADF);
    CHECK_ERRNO(pidfd_send_signal(STDOUT_FILENO, 0), EBADF);
    const pid_t child = sleeping_child();
    const int other = pidfd_open(child);
    sent.si_code = SI_USER;
    CHECK_ERRNO(pidfd_send_signal(other, SIGUSR1, &sent), EPERM);
    kill(child, SIGKILL);
    CHECK_SIGNALED(check::wait_status(child), SIGKILL);
    close(other);
    close(self);
}

TEST(takes_a_descriptor_from_a_process) {
    const int event = eventfd(0, EFD_NONBLOCK);
    const pid_t child = sleeping_child();
    const int process = pidfd_open(child);
    const int copy = pidfd_getfd(process, event);
    CHECK_OK(copy);
    CHECK_EQ(fcntl(copy, F_GETFD), FD_CLOEXEC);
    std::uint64_t value = 3;
    CHECK_EQ(write(copy, &value, 8), 8);
    CHECK_EQ(read(event, &value, 8), 8);
    CHECK_EQ(value, 3u);
    CHECK_ERRNO(pidfd_getfd(process, 77), EBADF);
    CHECK_ERRNO(pidfd_getfd(process, event, 1), EINVAL);
    CHECK_ERRNO(pidfd_getfd(event, event), EBADF);
    kill(child, SIGKILL);
    CHECK_SIGNALED(check::wait_status(child), SIGKILL);
    CHECK_ERRNO(pidfd_getfd(process, event), ESRCH);
    close(copy);
    close(process);
    close(event);
}

TEST(waitid_without_news) {
    const pid_t child = sleeping_child();
    const int fd = pidfd_open(child, O_NONBLOCK);
    siginfo_t info{};
    CHECK_ERRNO(waitid(kPidfdType, static_cast<id_t>(fd), &info, WEXITED), EAGAIN);
    CHECK_OK(waitid(kPidfdType, static_cast<id_t>(fd), &info, WEXITED | WNOHANG));
    CHECK_EQ(info.si_pid, 0);
    CHECK_ERRNO(waitid(kPidfdType, 77, &info, WEXITED), EBADF);
    CHECK_ERRNO(waitid(kPidfdType, STDOUT_FILENO, &info, WEXITED), EBADF);
    const int self = pidfd_open(getpid());
    CHECK_ERRNO(waitid(kPidfdType, static_cast<id_t>(self), &info, WEXITED), ECHILD);
    close(self);
    kill(child, SIGKILL);
    CHECK_SIGNALED(check::wait_status(child), SIGKILL);
    close(fd);
}

TEST(clone_gives_a_descriptor) {
    int fd = -1;
    clone_args arguments{};
    arguments.flags = CLONE_PIDFD;
    arguments.pidfd = reinterpret_cast<std::uint64_t>(&fd);
    arguments.exit_signal = SIGCHLD;
    const auto child = static_cast<pid_t>(syscall(SYS_clone3, &arguments, sizeof(arguments)));
    if (child == 0) {
        _exit(6);
    }
    CHECK(child > 0);
    CHECK(fd >= 0);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    siginfo_t info{};
    CHECK_OK(waitid(kPidfdType, static_cast<id_t>(fd), &info, WEXITED));
    CHECK_EQ(info.si_pid, child);
    CHECK_EQ(info.si_status, 6);
    close(fd);

    fd = -1;
    const auto legacy = static_cast<pid_t>(syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, nullptr, &fd, nullptr, 0));
    if (legacy == 0) {
        _exit(7);
    }
    CHECK(fd >= 0);
    CHECK_EXIT(check::wait_status(legacy), 7);
    close(fd);

    CHECK_ERRNO(
        static_cast<int>(syscall(SYS_clone, CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD, nullptr, &fd, nullptr, 0)),
        EINVAL);
    arguments.pidfd = 8;
    CHECK_ERRNO(static_cast<int>(syscall(SYS_clone3, &arguments, sizeof(arguments))), EFAULT);
    CHECK_ERRNO(waitpid(-1, nullptr, WNOHANG), ECHILD);
}

}  // namespace

TEST_MAIN()
