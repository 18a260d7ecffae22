// SPDX-License-Identifier: MIT OR Apache-2.0
// SIGCHLD: its siginfo, SA_NOCLDWAIT, SA_NOCLDSTOP, ignoring it; PR_SET_PDEATHSIG; reparenting.
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <time.h>

#include "system/support/check.h"

namespace {

sigset_t child_set() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    return set;
}

void set_action(void (*handler)(int), int flags) {
    struct sigaction action{};
    action.sa_handler = handler;
    action.sa_flags = flags;
    CHECK_OK(sigaction(SIGCHLD, &action, nullptr));
}

// Blocks SIGCHLD with a handler installed, so that sigtimedwait sees each.
class Collector {
public:
    explicit Collector(int flags = 0) {
        const sigset_t set = child_set();
        CHECK_OK(sigprocmask(SIG_BLOCK, &set, nullptr));
        set_action([](int) {}, flags);
    }
    ~Collector() {
        set_action(SIG_DFL, 0);
        const sigset_t set = child_set();
        sigprocmask(SIG_UNBLOCK, &set, nullptr);
    }
    Collector(const Collector&) = delete;
    Collector& operator=(const Collector&) = delete;

    siginfo_t next() const {
        const sigset_t set = child_set();
        const timespec limit{30, 0};
        siginfo_t info{};
        CHECK_EQ(sigtimedwait(&set, &info, &limit), SIGCHLD);
        return info;
    }
    bool empty() const {
        const sigset_t set = child_set();
        const timespec now{0, 0};
        return sigtimedwait(&set, nullptr, &now) == -1 && errno == EAGAIN;
    }
};

pid_t pausing_child() {
    const pid_t child = fork();
    if (child == 0) {
        while (true) {
            pause();
        }
    }
    return child;
}

}  // namespace

TEST(siginfo) {
    const Collector collector;
    pid_t child = check::start_child([] { _exit(7); });
    siginfo_t info = collector.next();
    CHECK_EQ(info.si_signo, SIGCHLD);
    CHECK_EQ(info.si_code, CLD_EXITED);
    CHECK_EQ(info.si_pid, child);
    CHECK_EQ(info.si_uid, getuid());
    CHECK_EQ(info.si_status, 7);
    CHECK_EXIT(check::wait_status(child), 7);
    child = pausing_child();
    CHECK_OK(kill(child, SIGSTOP));
    info = collector.next();
    CHECK_EQ(info.si_code, CLD_STOPPED);
    CHECK_EQ(info.si_status, SIGSTOP);
    CHECK_OK(kill(child, SIGCONT));
    info = collector.next();
    CHECK_EQ(info.si_code, CLD_CONTINUED);
    CHECK_EQ(info.si_status, SIGCONT);
    CHECK_OK(kill(child, SIGKILL));
    info = collector.next();
    CHECK_EQ(info.si_code, CLD_KILLED);
    CHECK_EQ(info.si_status, SIGKILL);
    CHECK_EQ(info.si_pid, child);
    CHECK_SIGNALED(check::wait_status(child), SIGKILL);
}

TEST(nocldstop) {
    const Collector collector(SA_NOCLDSTOP);
    const pid_t child = pausing_child();
    int status;
    CHECK_OK(kill(child, SIGSTOP));
    CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
    CHECK_OK(kill(child, SIGCONT));
    CHECK_EQ(waitpid(child, &status, WCONTINUED), child);
    CHECK(collector.empty());
    CHECK_OK(kill(child, SIGKILL));
    CHECK_SIGNALED(check::wait_status(child), SIGKILL);
    CHECK_EQ(collector.next().si_code, CLD_KILLED);
}

TEST(no_zombies_when_ignored) {
    for (const bool by_flag : {false, true}) {
        set_action(by_flag ? SIG_DFL : SIG_IGN, by_flag ? SA_NOCLDWAIT : 0);
        const pid_t child = check::start_child([] {});
        // Waits until the last child has ended, then fails.
        CHECK_ERRNO(waitpid(child, nullptr, 0), ECHILD);
        CHECK_ERRNO(kill(child, 0), ESRCH);
        const pid_t first = check::start_child([] {});
        const pid_t second = check::start_child([] {});
        CHECK_ERRNO(waitpid(-1, nullptr, 0), ECHILD);
        CHECK_ERRNO(kill(first, 0), ESRCH);
        CHECK_ERRNO(kill(second, 0), ESRCH);
    }
    set_action(SIG_DFL, 0);
}

TEST(nocldwait_with_a_handler_still_signals) {
    const Collector collector(SA_NOCLDWAIT);
    const pid_t child = check::start_child([] { _exit(3); });
    const siginfo_t info = collector.next();
    CHECK_EQ(info.si_pid, child);
    CHECK_EQ(info.si_status, 3);
    CHECK_ERRNO(waitpid(child, nullptr, 0), ECHILD);
}

TEST(orphans_get_a_new_parent) {
    int out[2];
    REQUIRE(pipe(out) == 0);
    const pid_t child = check::start_child([&] {
        const pid_t middle = getpid();
        if (fork() == 0) {
            while (getppid() == middle) {
                sched_yield();
            }
            const pid_t parent = getppid();
            (void)!write(out[1], &parent, sizeof(parent));
            _exit(0);
        }
    });
    CHECK_EXIT(check::wait_status(child), 0);
    pid_t parent = 0;
    CHECK_EQ(read(out[0], &parent, sizeof(parent)), sizeof(parent));
    CHECK(parent > 0 && parent != child && parent != getpid());
    close(out[0]);
    close(out[1]);
}

TEST(death_of_the_parent) {
    int number = 0;
    CHECK_OK(prctl(PR_GET_PDEATHSIG, &number));
    CHECK_EQ(number, 0);
    CHECK_ERRNO(prctl(PR_SET_PDEATHSIG, 65), EINVAL);
    int out[2];
    REQUIRE(pipe(out) == 0);
    const pid_t child = check::start_child([&] {
        int ready[2];
        REQUIRE(pipe(ready) == 0);
        if (fork() == 0) {
            const sigset_t set = [] {
                sigset_t usr;
                sigemptyset(&usr);
                sigaddset(&usr, SIGUSR1);
                return usr;
            }();
            CHECK_OK(sigprocmask(SIG_BLOCK, &set, nullptr));
            CHECK_OK(prctl(PR_SET_PDEATHSIG, SIGUSR1));
            (void)!write(ready[1], "r", 1);
            siginfo_t info{};
            const timespec limit{30, 0};
            const int seen = sigtimedwait(&set, &info, &limit);
            (void)!write(out[1], &seen, sizeof(seen));
            _exit(0);
        }
        char token;
        CHECK_EQ(read(ready[0], &token, 1), 1);
    });
    CHECK_EXIT(check::wait_status(child), 0);
    CHECK_EQ(read(out[0], &number, sizeof(number)), sizeof(number));
    CHECK_EQ(number, SIGUSR1);
    close(out[0]);
    close(out[1]);
}

TEST(a_clone_with_another_signal) {
    // A child whose exit signal is not SIGCHLD is waited for with __WCLONE or __WALL only.
    const long child = syscall(SYS_clone, 0, nullptr, nullptr, nullptr, 0);
    if (child == 0) {
        _exit(5);
    }
    REQUIRE(child > 0);
    const auto pid = static_cast<pid_t>(child);
    CHECK_ERRNO(waitpid(pid, nullptr, 0), ECHILD);
    int status;
    CHECK_EQ(waitpid(pid, &status, static_cast<int>(__WCLONE)), pid);
    CHECK_EXIT(status, 5);
}

TEST_MAIN()
