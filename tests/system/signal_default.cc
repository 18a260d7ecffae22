// SPDX-License-Identifier: MIT OR Apache-2.0
// Default actions, who may send signals to whom, and how whole thread groups stop, continue and die.
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>

#include <atomic>
#include <thread>

#include "system/support/check.h"

namespace {

constexpr uid_t kOther = 12345;
constexpr uid_t kAnother = 12346;

// A child under another user id that waits to be killed.
class OtherUser {
public:
    explicit OtherUser(uid_t uid) {
        int ready[2];
        REQUIRE(pipe(ready) == 0);
        pid_ = fork();
        if (pid_ == 0) {
            const bool changed = setresuid(uid, uid, uid) == 0;
            (void)!write(ready[1], changed ? "y" : "n", 1);
            while (true) {
                pause();
            }
        }
        char answer = 'n';
        (void)!read(ready[0], &answer, 1);
        CHECK_EQ(answer, 'y');
        close(ready[0]);
        close(ready[1]);
    }
    ~OtherUser() {
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
    }
    OtherUser(const OtherUser&) = delete;
    OtherUser& operator=(const OtherUser&) = delete;
    pid_t pid() const { return pid_; }

private:
    pid_t pid_;
};

}  // namespace

TEST(fatal_by_default) {
    const rlimit no_core{0, 0};
    CHECK_OK(setrlimit(RLIMIT_CORE, &no_core));
    for (const int number :
         {SIGHUP,  SIGINT,  SIGQUIT, SIGILL,  SIGTRAP, SIGABRT,   SIGBUS,  SIGFPE,  SIGKILL,   SIGUSR1,
          SIGSEGV, SIGUSR2, SIGPIPE, SIGALRM, SIGTERM, SIGSTKFLT, SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF,
          SIGIO,   SIGPWR,  SIGSYS,  32,      33,      34,        63,      64}) {
        CHECK_SIGNALED(check::child_status([&] {
                           // Whoever started the tests may have left signals ignored; the C library hides 32 and 33.
                           struct {
                               unsigned long handler = 0, flags = 0, restorer = 0, mask = 0;
                           } const action;
                           syscall(SYS_rt_sigaction, number, &action, nullptr, sizeof(unsigned long));
                           syscall(SYS_kill, getpid(), number);
                       }),
                       number);
    }
}

TEST(ignored_by_default) {
    CHECK_CHILD([] {
        for (const int number : {SIGCHLD, SIGURG, SIGWINCH, SIGCONT}) {
            CHECK_OK(raise(number));
        }
    });
}

TEST(ignored_on_request) {
    CHECK_CHILD([] {
        for (int number = 1; number <= 64; ++number) {
            // 32 and 33 are the C library's own.
            if (number != SIGKILL && number != SIGSTOP && number != 32 && number != 33) {
                signal(number, SIG_IGN);
                CHECK_OK(syscall(SYS_kill, getpid(), number));
            }
        }
    });
}

TEST(broken_pipe) {
    int fds[2];
    REQUIRE(pipe(fds) == 0);
    close(fds[0]);
    CHECK_SIGNALED(check::child_status([&] { (void)!write(fds[1], "x", 1); }), SIGPIPE);
    CHECK_CHILD([&] {
        signal(SIGPIPE, SIG_IGN);
        CHECK_ERRNO(write(fds[1], "x", 1), EPIPE);
    });
    close(fds[1]);
}

TEST(a_signal_kills_all_threads) {
    CHECK_SIGNALED(check::child_status([] {
                       std::atomic<int> running = 0;
                       for (int i = 0; i < 4; ++i) {
                           std::thread([&] {
                               ++running;
                               while (true) {
                                   if (running % 2 == 0) {
                                       sched_yield();
                                   }
                               }
                           }).detach();
                       }
                       while (running < 4) {
                           sched_yield();
                       }
                       std::thread([] { raise(SIGTERM); }).join();
                       pause();
                   }),
                   SIGTERM);
}

TEST(a_stop_stops_all_threads) {
    int progress[2];
    REQUIRE(pipe2(progress, O_NONBLOCK) == 0);
    const pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < 3; ++i) {
            std::thread([&] {
                while (true) {
                    (void)!write(progress[1], "p", 1);
                    sched_yield();
                }
            }).detach();
        }
        while (true) {
            pause();
        }
    }
    const auto drain = [&] {
        char block[4096];
        bool any = false;
        while (read(progress[0], block, sizeof(block)) > 0) {
            any = true;
        }
        return any;
    };
    while (!drain()) {
        sched_yield();
    }
    for (int round = 0; round < 5; ++round) {
        int status;
        CHECK_OK(kill(child, SIGSTOP));
        CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
        drain();
        for (int i = 0; i < 50; ++i) {
            sched_yield();
        }
        CHECK(!drain());
        CHECK_OK(kill(child, SIGCONT));
        while (!drain()) {
            sched_yield();
        }
    }
    CHECK_OK(kill(child, SIGKILL));
    CHECK_SIGNALED(check::wait_status(child), SIGKILL);
    close(progress[0]);
    close(progress[1]);
}

TEST(continue_and_stop_cancel_each_other) {
    CHECK_CHILD([] {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGTSTP);
        sigaddset(&set, SIGCONT);
        sigset_t pending;
        CHECK_OK(sigprocmask(SIG_BLOCK, &set, nullptr));
        CHECK_OK(kill(getpid(), SIGTSTP));
        CHECK_OK(sigpending(&pending));
        CHECK(sigismember(&pending, SIGTSTP) == 1);
        CHECK_OK(kill(getpid(), SIGCONT));
        CHECK_OK(sigpending(&pending));
        CHECK(sigismember(&pending, SIGTSTP) == 0 && sigismember(&pending, SIGCONT) == 1);
        CHECK_OK(kill(getpid(), SIGTSTP));
        CHECK_OK(sigpending(&pending));
        CHECK(sigismember(&pending, SIGTSTP) == 1 && sigismember(&pending, SIGCONT) == 0);
        CHECK_OK(kill(getpid(), SIGCONT));
    });
}

TEST(permission) {
    if (getuid() != 0) {
        CHECK_ERRNO(kill(1, SIGTERM), EPERM);
        return;
    }
    const OtherUser target(kOther);
    CHECK_OK(kill(target.pid(), 0));
    CHECK_CHILD([&] {
        CHECK_OK(setresuid(kAnother, kAnother, kAnother));
        CHECK_ERRNO(kill(target.pid(), 0), EPERM);
        CHECK_ERRNO(kill(target.pid(), SIGTERM), EPERM);
        CHECK_ERRNO(syscall(SYS_tgkill, target.pid(), target.pid(), SIGTERM), EPERM);
        CHECK_ERRNO(sigqueue(target.pid(), SIGTERM, {}), EPERM);
        // SIGCONT within the session is allowed.
        CHECK_OK(kill(target.pid(), SIGCONT));
        setsid();
        CHECK_ERRNO(kill(target.pid(), SIGCONT), EPERM);
    });
    // The sender's real or effective id must be the target's real or saved one.
    CHECK_CHILD([&] {
        CHECK_OK(setresuid(kAnother, kOther, kAnother));
        CHECK_OK(kill(target.pid(), 0));
    });
    CHECK_CHILD([&] {
        CHECK_OK(setresuid(kOther, kAnother, kAnother));
        CHECK_OK(kill(target.pid(), 0));
    });
    CHECK_CHILD([&] {
        CHECK_OK(setresuid(kAnother, kAnother, kOther));
        CHECK_ERRNO(kill(target.pid(), 0), EPERM);
    });
}

TEST(group_with_mixed_owners) {
    if (getuid() != 0) {
        return;
    }
    // One that may be signalled is enough; none is EPERM.
    CHECK_CHILD([] {
        CHECK_OK(setpgid(0, 0));
        const OtherUser target(kOther);
        CHECK_CHILD([] {
            CHECK_OK(setresuid(kOther, kOther, kOther));
            CHECK_OK(kill(0, 0));
        });
        const pid_t group = getpgrp();
        CHECK_CHILD([group] {
            CHECK_OK(setpgid(0, 0));
            CHECK_OK(setresuid(kAnother, kAnother, kAnother));
            CHECK_ERRNO(kill(-group, 0), EPERM);
        });
    });
}

TEST(an_alarm_ends_a_busy_loop) {
    CHECK_SIGNALED(check::child_status([] {
                       alarm(1);
                       while (true) {
                       }
                   }),
                   SIGALRM);
}

TEST_MAIN()
