// SPDX-License-Identifier: MIT OR Apache-2.0
// vfork(2) and CLONE_VFORK: memory is shared and the parent waits until the child executes or ends.
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>

#include <atomic>
#include <thread>

#include "system/support/check.h"

namespace {

std::atomic<int> shared;
std::atomic<int> signals;

// Not inlined, so that the child does not write into its caller's frame.
template <class Function>
__attribute__((noinline)) int vfork_status(Function function) {
    const pid_t child = vfork();
    if (child == 0) {
        _exit(function());
    }
    REQUIRE(child > 0);
    return check::wait_status(child);
}

}  // namespace

ROLE(nothing) {
    return 12;
}

TEST(memory_is_shared_and_the_parent_waits) {
    shared = 1;
    CHECK_EXIT(vfork_status([] {
                   for (int i = 0; i < 100; ++i) {
                       syscall(SYS_sched_yield);
                   }
                   shared = shared + 1;
                   return 3;
               }),
               3);
    CHECK_EQ(shared.load(), 2);
    for (int i = 0; i < 50; ++i) {
        vfork_status([] {
            ++shared;
            return 0;
        });
    }
    CHECK_EQ(shared.load(), 52);
}

TEST(the_parent_goes_on_at_exec) {
    static const char* arguments[] = {nullptr, "--role", "nothing", nullptr};
    arguments[0] = check::program_path;
    shared = 0;
    const int status = vfork_status([] {
        shared = 7;
        syscall(SYS_execve, "/missing", arguments, environ);
        shared = shared + 1;  // failed: still in the parent's memory
        syscall(SYS_execve, arguments[0], arguments, environ);
        return 127;
    });
    CHECK_EXIT(status, 12);
    CHECK_EQ(shared.load(), 8);
}

TEST(descriptors_are_the_childs_own) {
    int fds[2];
    REQUIRE(pipe(fds) == 0);
    static int closed;
    closed = fds[1];
    vfork_status([] {
        syscall(SYS_close, closed);
        return 0;
    });
    CHECK_EQ(write(fds[1], "x", 1), 1);
    close(fds[0]);
    close(fds[1]);
}

TEST(a_killed_child_releases_the_parent) {
    CHECK_SIGNALED(vfork_status([] {
                       syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
                       return 1;
                   }),
                   SIGKILL);
}

TEST(other_threads_go_on) {
    std::atomic<bool> stop = false;
    static std::atomic<unsigned> progress;
    std::thread worker([&] {
        while (!stop) {
            ++progress;
            sched_yield();
        }
    });
    CHECK_EXIT(vfork_status([] {
                   const unsigned before = progress;
                   while (progress - before < 20) {
                       syscall(SYS_sched_yield);
                   }
                   return 5;
               }),
               5);
    stop = true;
    worker.join();
}

TEST(signals_wait_for_the_child) {
    static pid_t parent;
    parent = getpid();
    signals = 0;
    shared = 0;
    signal(SIGUSR1, [](int) {
        if (getpid() == parent) {
            shared = signals.load();
        }
        ++signals;
    });
    // The handler runs in the parent only after the child's end.
    CHECK_EXIT(vfork_status([] {
                   syscall(SYS_kill, parent, SIGUSR1);
                   for (int i = 0; i < 50; ++i) {
                       syscall(SYS_sched_yield);
                   }
                   signals = 100;
                   return 0;
               }),
               0);
    CHECK_EQ(signals.load(), 101);
    CHECK_EQ(shared.load(), 100);
}

TEST(the_parent_can_be_killed_meanwhile) {
    int fds[2];
    REQUIRE(pipe(fds) == 0);
    const pid_t parent = fork();
    if (parent == 0) {
        const pid_t child = vfork();
        if (child == 0) {
            const auto self = static_cast<int>(syscall(SYS_getpid));
            (void)!write(fds[1], &self, sizeof(self));
            syscall(SYS_pause);
            _exit(0);
        }
        _exit(1);
    }
    int child = 0;
    CHECK_EQ(read(fds[0], &child, sizeof(child)), sizeof(child));
    CHECK_OK(kill(parent, SIGKILL));
    CHECK_SIGNALED(check::wait_status(parent), SIGKILL);
    CHECK_OK(kill(child, SIGKILL));
    close(fds[0]);
    close(fds[1]);
}

TEST(shared_memory_without_waiting_for_it) {
    // CLONE_VFORK without CLONE_VM: a copy, but the parent waits.
    shared = 1;
    int fds[2];
    REQUIRE(pipe2(fds, O_NONBLOCK) == 0);
    const long child = syscall(SYS_clone, CLONE_VFORK | SIGCHLD, nullptr, nullptr, nullptr, 0);
    if (child == 0) {
        shared = 2;
        for (int i = 0; i < 100; ++i) {
            sched_yield();
        }
        (void)!write(fds[1], "d", 1);
        _exit(0);
    }
    char token = 0;
    CHECK_EQ(read(fds[0], &token, 1), 1);  // was written before clone returned
    CHECK_EQ(shared.load(), 1);
    CHECK_EXIT(check::wait_status(static_cast<pid_t>(child)), 0);
    close(fds[0]);
    close(fds[1]);
}

TEST_MAIN()
