// SPDX-License-Identifier: MIT OR Apache-2.0
// setpgid(2), setsid(2), getpgid(2), getsid(2), signals to groups, and orphaned process groups.
#include <signal.h>

#include "system/support/check.h"

namespace {

// A child that ends when it is sent a byte.
struct Waiting {
    pid_t pid;
    int release;
};

Waiting start_waiting() {
    int fds[2];
    REQUIRE(pipe2(fds, O_CLOEXEC) == 0);
    const pid_t child = fork();
    if (child == 0) {
        close(fds[1]);
        char token;
        _exit(read(fds[0], &token, 1) == 1 ? 0 : 1);
    }
    close(fds[0]);
    return {child, fds[1]};
}

void release(const Waiting& waiting) {
    CHECK_EQ(write(waiting.release, "e", 1), 1);
    close(waiting.release);
}

void finish(const Waiting& waiting) {
    release(waiting);
    CHECK_EXIT(check::wait_status(waiting.pid), 0);
}

constexpr pid_t kNobody = 4'000'000;  // above every pid_max used here

}  // namespace

TEST(queries) {
    CHECK_EQ(getpgid(0), getpgrp());
    CHECK_EQ(getpgid(getpid()), getpgrp());
    CHECK_EQ(getsid(getpid()), getsid(0));
    CHECK_ERRNO(getpgid(kNobody), ESRCH);
    CHECK_ERRNO(getsid(kNobody), ESRCH);
    CHECK_ERRNO(getpgid(-1), ESRCH);
}

TEST(set_group) {
    const Waiting child = start_waiting();
    CHECK_OK(setpgid(child.pid, 0));
    CHECK_EQ(getpgid(child.pid), child.pid);
    CHECK_EQ(getsid(child.pid), getsid(0));
    const Waiting second = start_waiting();
    CHECK_OK(setpgid(second.pid, child.pid));
    CHECK_EQ(getpgid(second.pid), child.pid);
    CHECK_OK(setpgid(second.pid, getpgrp()));
    CHECK_EQ(getpgid(second.pid), getpgrp());
    CHECK_ERRNO(setpgid(child.pid, -1), EINVAL);
    CHECK_ERRNO(setpgid(kNobody, 0), ESRCH);
    CHECK_ERRNO(setpgid(getppid(), 0), ESRCH);
    // A group that does not exist in this session.
    CHECK_ERRNO(setpgid(second.pid, kNobody), EPERM);
    finish(second);
    finish(child);
    CHECK_ERRNO(getpgid(child.pid), ESRCH);
}

TEST(a_group_outlives_its_leader) {
    const Waiting leader = start_waiting();
    CHECK_OK(setpgid(leader.pid, leader.pid));
    const Waiting member = start_waiting();
    CHECK_OK(setpgid(member.pid, leader.pid));
    release(leader);
    siginfo_t info;
    CHECK_OK(waitid(P_PID, static_cast<id_t>(leader.pid), &info, WEXITED | WNOWAIT));
    CHECK_EQ(getpgid(leader.pid), leader.pid);  // a zombie still has its group
    CHECK_EXIT(check::wait_status(leader.pid), 0);
    CHECK_EQ(getpgid(member.pid), leader.pid);
    CHECK_OK(kill(-leader.pid, 0));
    finish(member);
    CHECK_ERRNO(kill(-leader.pid, 0), ESRCH);
}

TEST(new_session) {
    CHECK_CHILD([] {
        const pid_t old_session = getsid(0);
        CHECK_EQ(setsid(), getpid());
        CHECK_EQ(getsid(0), getpid());
        CHECK_EQ(getpgrp(), getpid());
        CHECK(old_session != getsid(0));
        CHECK_ERRNO(setsid(), EPERM);
        // A session leader may not change its group.
        CHECK_ERRNO(setpgid(0, 0), EPERM);
        CHECK_ERRNO(setpgid(0, getppid()), EPERM);
        CHECK_ERRNO(setpgid(kNobody, kNobody), ESRCH);
    });
    CHECK_CHILD([] {
        CHECK_OK(setpgid(0, 0));
        CHECK_ERRNO(setsid(), EPERM);  // a group leader
    });
}

TEST(child_in_another_session) {
    int ready[2];
    REQUIRE(pipe(ready) == 0);
    const pid_t child = check::start_child([&] {
        CHECK_EQ(setsid(), getpid());
        CHECK_EQ(write(ready[1], "r", 1), 1);
        pause();
    });
    char token;
    CHECK_EQ(read(ready[0], &token, 1), 1);
    CHECK_ERRNO(setpgid(child, 0), EPERM);
    CHECK_ERRNO(setpgid(child, getpgrp()), EPERM);
    CHECK_ERRNO(setpgid(0, child), EPERM);
    CHECK_EQ(getsid(child), child);
    CHECK_OK(kill(child, SIGKILL));
    CHECK_SIGNALED(check::wait_status(child), SIGKILL);
    close(ready[0]);
    close(ready[1]);
}

ROLE(wait_for_end) {
    char token;
    return read(std::atoi(arguments[0]), &token, 1) == 0 ? 0 : 1;
}

TEST(not_after_the_child_executed) {
    int fds[2];
    REQUIRE(pipe(fds) == 0);
    int executed[2];
    REQUIRE(pipe2(executed, O_CLOEXEC) == 0);
    const pid_t child = fork();
    if (child == 0) {
        close(fds[1]);
        const std::string fd = std::to_string(fds[0]);
        execl(check::program_path, check::program_path, "--role", "wait_for_end", fd.c_str(), nullptr);
        _exit(127);
    }
    close(executed[1]);
    char token;
    CHECK_EQ(read(executed[0], &token, 1), 0);  // closed by the execution
    CHECK_ERRNO(setpgid(child, 0), EACCES);
    close(fds[1]);
    CHECK_EXIT(check::wait_status(child), 0);
    close(fds[0]);
    close(executed[0]);
}

TEST(signal_to_a_group) {
    int ready[2];
    REQUIRE(pipe(ready) == 0);
    CHECK_CHILD([&] {
        CHECK_OK(setpgid(0, 0));
        pid_t members[3];
        for (pid_t& member : members) {
            member = fork();
            if (member == 0) {
                pause();
                _exit(0);
            }
        }
        signal(SIGTERM, SIG_IGN);
        CHECK_OK(kill(0, SIGTERM));
        for (const pid_t member : members) {
            CHECK_SIGNALED(check::wait_status(member), SIGTERM);
        }
    });
    close(ready[0]);
    close(ready[1]);
}

// The grandchild is alone in a group; its parent's end orphans that group.
void orphan_a_group(bool stopped, bool expect_hangup) {
    int out[2];
    int hold[2];
    REQUIRE(pipe(out) == 0);
    REQUIRE(pipe(hold) == 0);
    const pid_t parent = fork();
    if (parent == 0) {
        const pid_t member = fork();
        if (member == 0) {
            close(hold[1]);
            static int report;
            report = out[1];
            struct sigaction action{};
            action.sa_handler = [](int signal) {
                const char text = signal == SIGHUP ? 'H' : 'C';
                (void)!write(report, &text, 1);
            };
            sigaction(SIGHUP, &action, nullptr);
            sigaction(SIGCONT, &action, nullptr);
            setpgid(0, 0);
            (void)!write(out[1], "r", 1);
            char token;
            while (read(hold[0], &token, 1) < 0) {
            }
            _exit(0);
        }
        close(hold[1]);
        char token;
        (void)!read(out[0], &token, 1);
        if (stopped) {
            int status;
            kill(member, SIGSTOP);
            waitpid(member, &status, WUNTRACED);
        }
        _exit(0);
    }
    CHECK_EXIT(check::wait_status(parent), 0);
    close(out[1]);
    close(hold[0]);
    std::string seen;
    char letter;
    if (expect_hangup) {
        for (int i = 0; i < 2 && read(out[0], &letter, 1) == 1; ++i) {
            seen += letter;
        }
    }
    close(hold[1]);
    while (read(out[0], &letter, 1) == 1) {
        seen += letter;
    }
    if (expect_hangup) {
        CHECK(seen == "HC" || seen == "CH");
    } else {
        CHECK_EQ(seen, std::string());
    }
    close(out[0]);
}

TEST(an_orphaned_group_with_stopped_members_is_hung_up) {
    orphan_a_group(true, true);
}

TEST(an_orphaned_group_that_runs_is_left_alone) {
    orphan_a_group(false, false);
}

TEST(stop_signals_of_the_terminal_do_not_stop_an_orphaned_group) {
    CHECK_CHILD([] {
        // The leader of a session is in an orphaned group.
        setsid();
        for (const int number : {SIGTSTP, SIGTTIN, SIGTTOU}) {
            CHECK_OK(raise(number));
        }
    });
}

TEST_MAIN()
