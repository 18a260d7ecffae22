// SPDX-License-Identifier: MIT OR Apache-2.0
#include "kpio/seccomp_trial.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cerrno>
#include <csignal>
#include <cstddef>

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#endif

namespace kpio {
namespace {

// Numbers that no system call has.
constexpr unsigned kNotifiedCall = 0x7777;
constexpr unsigned kTrappedCall = 0x7778;
constexpr long kAnswer = 4711;

constexpr int kStatusAnswered = 1;
constexpr int kStatusTrapped = 2;

volatile sig_atomic_t trapped = 0;

long install_filter() {
    sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kNotifiedCall, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kTrappedCall, 2, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
    };
    const sock_fprog program{.len = sizeof code / sizeof code[0], .filter = code};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

struct Report {
    int error;
    int listener;
};

[[noreturn]] void run_child(int reports) {
    struct sigaction action{};
    action.sa_handler = [](int) { trapped = 1; };
    sigaction(SIGSYS, &action, nullptr);
    const long listener = install_filter();
    const Report report{.error = listener < 0 ? errno : 0, .listener = static_cast<int>(listener)};
    if (write(reports, &report, sizeof report) != sizeof report || listener < 0) {
        _exit(0);
    }
    int status = 0;
    status |= syscall(kNotifiedCall) == kAnswer ? kStatusAnswered : 0;
    syscall(kTrappedCall);
    status |= trapped != 0 ? kStatusTrapped : 0;
    _exit(status);
}

// Answers the child's one notification. False when none comes within a second.
bool answer(int listener) {
    pollfd entry{.fd = listener, .events = POLLIN, .revents = 0};
    seccomp_notif notification{};
    if (poll(&entry, 1, 1000) != 1 || ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &notification) != 0) {
        return false;
    }
    seccomp_notif_resp response{.id = notification.id, .val = kAnswer, .error = 0, .flags = 0};
    return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response) == 0;
}

}  // namespace

SeccompTrial try_seccomp() {
    SeccompTrial trial;
    int pipes[2];
    if (pipe2(pipes, O_CLOEXEC) != 0) {
        trial.listener_error = errno;
        return trial;
    }
    const pid_t child = fork();
    if (child == 0) {
        run_child(pipes[1]);
    }
    close(pipes[1]);
    Report report{.error = child < 0 ? errno : EPERM, .listener = -1};
    if (child > 0) {
        static_cast<void>(read(pipes[0], &report, sizeof report) == sizeof report);
    }
    close(pipes[0]);
    trial.listener_error = report.error;
    if (child > 0 && report.error == 0) {
        const auto handle = static_cast<int>(syscall(SYS_pidfd_open, child, 0));
        const auto listener = static_cast<int>(syscall(SYS_pidfd_getfd, handle, report.listener, 0));
        trial.listener_error = listener < 0 ? errno : 0;
        constexpr unsigned long kSynchronousWakeUp = 1;
        trial.synchronous = ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, kSynchronousWakeUp) == 0;
        if (listener < 0 || !answer(listener)) {
            kill(child, SIGKILL);
        }
        close(listener);
        close(handle);
    }
    int status = 0;
    if (child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status)) {
        trial.answered = (WEXITSTATUS(status) & kStatusAnswered) != 0;
        trial.trapped = (WEXITSTATUS(status) & kStatusTrapped) != 0;
    }
    return trial;
}

}  // namespace kpio
