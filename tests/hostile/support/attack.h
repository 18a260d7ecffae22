// SPDX-License-Identifier: MIT OR Apache-2.0
// What the attack programs share. An attack is a try in a child process: it may fail with an error, kill the child, or
// hang it (it is killed then); it ends with kFound if it got what it must not get; it must not get a system call of the
// host carried out. Tries that could do so carry kMagic as first argument, which is looked for from outside
// (host_watch.cc).
#pragma once

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "kernel/platform/hosted/stub/layout.h"

namespace attack {

inline constexpr std::uint64_t kMagic = 0x1dead0042;
// The status of a try that got what it must not get, which no try ends with by chance.
inline constexpr int kFound = 113;
inline constexpr std::size_t kPage = 4096;

// These programs are meant for KPIO alone: on Linux some tries would do harm.
inline void require_kpio() {
    utsname name;
    if (uname(&name) != 0 || std::strstr(name.release, "kpio") == nullptr) {
        std::fprintf(stderr, "not in KPIO\n");
        _exit(77);
    }
}

[[noreturn]] inline void fail(const char* what) {
    std::fprintf(stderr, "attack: %s: %s\n", what, std::strerror(errno));
    _exit(kFound);
}

inline std::int64_t now_ms() {
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000 + time.tv_nsec / 1'000'000;
}

struct Outcome {
    int ended = 0;
    int killed_by_signal = 0;
    int hung = 0;
};

// Waits for the child, or kills it after `limit_ms`. The kill must work: a child that survives it is a failure.
inline void collect(pid_t child, Outcome& outcome, int limit_ms) {
    const std::int64_t until = now_ms() + limit_ms;
    int status = 0;
    pid_t ended = 0;
    for (int round = 0; (ended = waitpid(child, &status, WNOHANG)) == 0 && now_ms() < until; ++round) {
        if (round < 200) {
            sched_yield();
        } else {
            const timespec pause{0, 500'000};
            nanosleep(&pause, nullptr);
        }
    }
    if (ended == 0) {
        ++outcome.hung;
        kill(child, SIGKILL);
        const std::int64_t last = now_ms() + 30'000;
        while (waitpid(child, &status, WNOHANG) == 0) {
            if (now_ms() > last) {
                kill(-child, SIGKILL);
                fail("a child survives SIGKILL");
            }
            const timespec pause{0, 500'000};
            nanosleep(&pause, nullptr);
        }
    } else if (ended < 0) {
        fail("waitpid");
    } else if (WIFSIGNALED(status)) {
        ++outcome.killed_by_signal;
    } else if (WIFEXITED(status) && WEXITSTATUS(status) == kFound) {
        fail("a try found something");
    } else {
        ++outcome.ended;
    }
}

// Runs the try in a child of its own group, so that what it starts dies with it.
template <class Function>
void attempt(Outcome& outcome, Function function, int limit_ms = 100) {
    const pid_t child = fork();
    if (child < 0) {
        fail("fork");
    }
    if (child == 0) {
        setpgid(0, 0);
        function();
        _exit(0);
    }
    collect(child, outcome, limit_ms);
    kill(-child, SIGKILL);
    while (waitpid(-1, nullptr, WNOHANG) > 0) {
    }
}

inline void report(const char* name, const Outcome& outcome) {
    std::printf("%s: %d ended, %d killed by a signal, %d hung and were killed\n", name, outcome.ended,
                outcome.killed_by_signal, outcome.hung);
    std::fflush(stdout);
}

// Fails unless the basic calls still work in this process.
inline void check_alive() {
    static const pid_t kSelf = getpid();
    if (syscall(SYS_getpid) != kSelf) {
        fail("getpid");
    }
    const pid_t child = fork();
    if (child == 0) {
        _exit(21);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 21) {
        fail("fork and wait");
    }
}

inline std::byte* map(std::size_t bytes, int protection = PROT_READ | PROT_WRITE) {
    void* at = mmap(nullptr, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) {
        fail("mmap");
    }
    return static_cast<std::byte*>(at);
}

}  // namespace attack
