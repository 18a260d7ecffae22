// SPDX-License-Identifier: MIT OR Apache-2.0
// wait4(2) and waitid(2): selection, options, status words, errors.
#include <signal.h>
#include <sys/resource.h>

#include <thread>

#include "system/support/check.h"

namespace {

pid_t child_exiting(int code) {
    const pid_t child = fork();
    if (child == 0) {
        _exit(code);
    }
    REQUIRE(child > 0);
    return child;
}

pid_t child_pausing() {
    const pid_t child = fork();
    if (child == 0) {
        while (true) {
            pause();
        }
    }
    REQUIRE(child > 0);
    return child;
}

void kill_and_reap(pid_t child) {
    CHECK_OK(kill(child, SIGKILL));
    CHECK_SIGNALED(check::wait_status(child), SIGKILL);
}

long wait4_raw(pid_t pid, int* status, unsigned options) {
    return syscall(SYS_wait4, pid, status, options, nullptr);
}

long waitid_raw(int type, pid_t id, siginfo_t* info, int options) {
    return syscall(SYS_waitid, type, id, info, options, nullptr);
}

}  // namespace

TEST(without_children) {
    CHECK_CHILD([] {
        int status;
        CHECK_ERRNO(wait4_raw(-1, &status, 0), ECHILD);
        CHECK_ERRNO(wait4_raw(-1, &status, WNOHANG), ECHILD);
        CHECK_ERRNO(wait4_raw(getppid(), &status, 0), ECHILD);
        CHECK_ERRNO(wait4_raw(getpid(), &status, 0), ECHILD);
        siginfo_t info;
        CHECK_ERRNO(waitid_raw(P_ALL, 0, &info, WEXITED), ECHILD);
        CHECK_ERRNO(waitid_raw(P_ALL, 0, &info, WEXITED | WNOHANG), ECHILD);
        CHECK_ERRNO(waitid_raw(P_PID, getppid(), &info, WEXITED), ECHILD);
    });
}

TEST(bad_arguments) {
    const pid_t child = child_pausing();
    int status;
    CHECK_ERRNO(wait4_raw(-1, &status, 0x10000), EINVAL);
    CHECK_ERRNO(wait4_raw(-1, &status, WEXITED), EINVAL);
    CHECK_ERRNO(wait4_raw(-1, &status, WNOWAIT), EINVAL);
    CHECK_ERRNO(wait4_raw(-0x7fffffff - 1, &status, 0), ESRCH);
    siginfo_t info;
    CHECK_ERRNO(waitid_raw(P_ALL, 0, &info, 0), EINVAL);
    CHECK_ERRNO(waitid_raw(P_ALL, 0, &info, WNOHANG), EINVAL);
    CHECK_ERRNO(waitid_raw(P_ALL, 0, &info, WEXITED | 0x10000), EINVAL);
    CHECK_ERRNO(waitid_raw(99, 0, &info, WEXITED), EINVAL);
    CHECK_ERRNO(waitid_raw(P_PID, 0, &info, WEXITED), EINVAL);
    CHECK_ERRNO(waitid_raw(P_PID, -1, &info, WEXITED), EINVAL);
    CHECK_ERRNO(waitid_raw(P_PGID, -1, &info, WEXITED), EINVAL);
    kill_and_reap(child);
}

TEST(bad_pointers) {
    int* bad = reinterpret_cast<int*>(8);
    pid_t child = child_exiting(3);
    CHECK_ERRNO(wait4_raw(child, bad, 0), EFAULT);
    // The child was reaped before the status was written.
    CHECK_ERRNO(wait4_raw(child, nullptr, 0), ECHILD);
    child = child_exiting(3);
    CHECK_ERRNO(waitid_raw(P_PID, child, reinterpret_cast<siginfo_t*>(bad), WEXITED), EFAULT);
    while (wait4_raw(-1, nullptr, 0) > 0) {
    }
    child = child_exiting(4);
    CHECK_EQ(wait4_raw(child, nullptr, 0), child);
    child = child_exiting(4);
    CHECK_EQ(waitid_raw(P_PID, child, nullptr, WEXITED), 0);
}

TEST(status_words) {
    int status = -1;
    CHECK(wait4_raw(child_exiting(0), &status, 0) > 0);
    CHECK_EQ(status, 0);
    CHECK(wait4_raw(child_exiting(255), &status, 0) > 0);
    CHECK_EQ(status, 0xff00);
    // Only the low 8 bits of the code count.
    CHECK(wait4_raw(child_exiting(0x1234), &status, 0) > 0);
    CHECK_EQ(status, 0x3400);
    const pid_t child = child_pausing();
    CHECK_OK(kill(child, SIGTERM));
    CHECK_EQ(wait4_raw(child, &status, 0), child);
    CHECK_EQ(status, SIGTERM);
}

TEST(no_hang) {
    const pid_t child = child_pausing();
    int status = 77;
    CHECK_EQ(wait4_raw(child, &status, WNOHANG), 0);
    CHECK_EQ(status, 77);
    siginfo_t info;
    std::memset(&info, 0x55, sizeof(info));
    CHECK_EQ(waitid_raw(P_PID, child, &info, WEXITED | WNOHANG), 0);
    CHECK_EQ(info.si_signo, 0);
    CHECK_EQ(info.si_pid, 0);
    kill_and_reap(child);
}

TEST(siginfo_of_an_exit) {
    const pid_t child = child_exiting(42);
    siginfo_t info;
    std::memset(&info, 0x55, sizeof(info));
    CHECK_EQ(waitid_raw(P_PID, child, &info, WEXITED | WNOWAIT), 0);
    CHECK_EQ(info.si_signo, SIGCHLD);
    CHECK_EQ(info.si_errno, 0);
    CHECK_EQ(info.si_code, CLD_EXITED);
    CHECK_EQ(info.si_pid, child);
    CHECK_EQ(info.si_uid, getuid());
    CHECK_EQ(info.si_status, 42);
    // WNOWAIT left it there, as often as one likes.
    CHECK_EQ(waitid_raw(P_PID, child, &info, WEXITED | WNOWAIT), 0);
    CHECK_EQ(waitid_raw(P_PID, child, &info, WEXITED), 0);
    CHECK_ERRNO(waitid_raw(P_PID, child, &info, WEXITED), ECHILD);
}

TEST(siginfo_of_a_death) {
    const pid_t child = child_pausing();
    CHECK_OK(kill(child, SIGUSR1));
    siginfo_t info{};
    CHECK_EQ(waitid_raw(P_PID, child, &info, WEXITED), 0);
    CHECK_EQ(info.si_code, CLD_KILLED);
    CHECK_EQ(info.si_status, SIGUSR1);
}

TEST(stop_and_continue) {
    const pid_t child = child_pausing();
    CHECK_OK(kill(child, SIGSTOP));
    int status = 0;
    CHECK_EQ(wait4_raw(child, &status, WUNTRACED), child);
    CHECK(WIFSTOPPED(status));
    CHECK_EQ(status, 0x7f | (SIGSTOP << 8));
    // Each stop is reported once.
    CHECK_EQ(wait4_raw(child, &status, WUNTRACED | WNOHANG), 0);
    CHECK_OK(kill(child, SIGCONT));
    CHECK_EQ(wait4_raw(child, &status, WCONTINUED), child);
    CHECK(WIFCONTINUED(status));
    CHECK_EQ(status, 0xffff);
    CHECK_EQ(wait4_raw(child, &status, WCONTINUED | WNOHANG), 0);
    // In a group of its own, which has a parent in its session: an orphaned group would ignore the signal.
    CHECK_OK(setpgid(child, child));
    CHECK_OK(kill(child, SIGTSTP));
    siginfo_t info{};
    CHECK_EQ(waitid_raw(P_PID, child, &info, WSTOPPED | WNOWAIT), 0);
    CHECK_EQ(info.si_code, CLD_STOPPED);
    CHECK_EQ(info.si_status, SIGTSTP);
    CHECK_EQ(waitid_raw(P_PID, child, &info, WSTOPPED), 0);
    CHECK_OK(kill(child, SIGCONT));
    CHECK_EQ(waitid_raw(P_PID, child, &info, WCONTINUED), 0);
    CHECK_EQ(info.si_code, CLD_CONTINUED);
    CHECK_EQ(info.si_status, SIGCONT);
    kill_and_reap(child);
}

TEST(a_stopped_child_can_be_killed) {
    const pid_t child = child_pausing();
    CHECK_OK(kill(child, SIGSTOP));
    int status = 0;
    CHECK_EQ(wait4_raw(child, &status, WUNTRACED), child);
    // It stays pending while the process is stopped.
    CHECK_OK(kill(child, SIGUSR1));
    CHECK_EQ(wait4_raw(child, &status, WNOHANG), 0);
    kill_and_reap(child);
}

TEST(by_process_group) {
    const pid_t own_group = child_exiting(1);
    const pid_t other = fork();
    if (other == 0) {
        pause();
        _exit(0);
    }
    CHECK_OK(setpgid(other, other));
    int status;
    CHECK_EQ(wait4_raw(0, &status, 0), own_group);
    CHECK_ERRNO(wait4_raw(0, &status, 0), ECHILD);
    CHECK_EQ(wait4_raw(-other, &status, WNOHANG), 0);
    siginfo_t info;
    CHECK_EQ(waitid_raw(P_PGID, other, &info, WEXITED | WNOHANG), 0);
    // P_PGID 0 is the caller's group (Linux 5.4).
    CHECK_ERRNO(waitid_raw(P_PGID, 0, &info, WEXITED), ECHILD);
    CHECK_OK(kill(other, SIGKILL));
    CHECK_EQ(wait4_raw(-other, &status, 0), other);
    CHECK_SIGNALED(status, SIGKILL);
}

TEST(children_of_other_threads) {
    pid_t child = 0;
    int status = 0;
    std::thread([&] { child = child_exiting(9); }).join();
    // The forking thread is gone; the child is the process's.
    CHECK_ERRNO(wait4_raw(-1, &status, __WCLONE), ECHILD);
    CHECK_EQ(wait4_raw(child, &status, __WALL), child);
    CHECK_EXIT(status, 9);
    std::thread([&] {
        child = child_exiting(9);
        std::thread([&] { CHECK_ERRNO(wait4_raw(child, nullptr, __WNOTHREAD), ECHILD); }).join();
        CHECK_EQ(wait4_raw(child, nullptr, __WNOTHREAD), child);
    }).join();
}

TEST(resource_usage) {
    const pid_t child = fork();
    if (child == 0) {
        volatile unsigned sum = 0;
        for (unsigned i = 0; i < 30'000'000; ++i) {
            sum = sum + i;
        }
        _exit(0);
    }
    rusage usage;
    std::memset(&usage, 0x55, sizeof(usage));
    int status;
    CHECK_EQ(wait4(child, &status, 0, &usage), child);
    const long child_us = usage.ru_utime.tv_sec * 1'000'000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
    CHECK(child_us > 1000 && child_us < 60'000'000);
    rusage all;
    CHECK_OK(getrusage(RUSAGE_CHILDREN, &all));
    CHECK(all.ru_utime.tv_sec * 1'000'000 + all.ru_utime.tv_usec + all.ru_stime.tv_usec >= child_us);
    CHECK_ERRNO(getrusage(77, &all), EINVAL);
    CHECK_ERRNO(syscall(SYS_getrusage, RUSAGE_SELF, 8), EFAULT);
}

TEST_MAIN()
