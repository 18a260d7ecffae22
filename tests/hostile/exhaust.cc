// SPDX-License-Identifier: MIT OR Apache-2.0
// Attack (e): exhaust WHAT: takes all there is of one resource, then checks that it comes back.
#include <fcntl.h>

#include <string>
#include <string_view>

#include "hostile/support/attack.h"

namespace {

[[noreturn]] void wait_for_ever() {
    while (true) {
        pause();
    }
}

void memory() {
    // Until an error or death.
    while (true) {
        std::byte* at = attack::map(1 << 20);
        for (std::size_t offset = 0; offset < 1 << 20; offset += attack::kPage) {
            at[offset] = std::byte{1};
        }
    }
}

void shared_memory_of_many() {
    for (int i = 0; i < 8; ++i) {
        if (fork() == 0) {
            memory();
        }
    }
    memory();
}

void files() {
    static char block[65536];
    std::memset(block, 1, sizeof(block));
    for (int i = 0;; ++i) {
        const std::string path = "/tmp/exhaust." + std::to_string(getpid()) + "." + std::to_string(i);
        const int fd = open(path.c_str(), O_WRONLY | O_CREAT, 0600);
        unlink(path.c_str());
        if (fd < 0) {
            _exit(0);
        }
        for (int count = 0; count < 256; ++count) {
            if (write(fd, block, sizeof(block)) <= 0) {
                _exit(0);
            }
        }
    }
}

void fork_bomb() {
    while (true) {
        if (fork() < 0) {
            // The limit: stay, so that it is held.
            sched_yield();
        }
    }
}

void threads() {
    for (int count = 0;; ++count) {
        std::byte* stack = attack::map(16 * attack::kPage);
        static constexpr int kFlags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
        const int id = clone([](void*) -> int { wait_for_ever(); }, stack + 16 * attack::kPage, kFlags, nullptr);
        if (id < 0) {
            if (count < 10) {
                attack::fail("clone");
            }
            wait_for_ever();
        }
    }
}

void descriptors_and_pipes() {
    static char block[65536];
    while (true) {
        int fds[2];
        if (pipe2(fds, O_NONBLOCK) != 0) {
            break;
        }
        while (write(fds[1], block, sizeof(block)) > 0) {
        }
    }
    // All children hold them, too.
    for (int i = 0; i < 50; ++i) {
        if (fork() == 0) {
            wait_for_ever();
        }
    }
    wait_for_ever();
}

// Never comes back, which the compiler must not see.
int (*volatile next_step)(int);

int recurse(int depth) {
    volatile char block[4096];
    block[0] = static_cast<char>(depth);
    return next_step(depth + 1) + block[0];
}

void signals() {
    sigset_t set;
    sigfillset(&set);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    for (int i = 0; i < 5'000'000; ++i) {
        if (sigqueue(getpid(), SIGRTMIN, {.sival_int = i}) != 0) {
            break;
        }
    }
}

void mappings() {
    for (int i = 0; i < 3'000'000; ++i) {
        if (mmap(nullptr, attack::kPage, (i & 1) != 0 ? PROT_READ : PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
            MAP_FAILED) {
            break;
        }
    }
}

struct Kind {
    std::string_view name;
    void (*run)();
};

constexpr Kind kKinds[] = {
    {"memory", memory},
    {"memory_of_many", shared_memory_of_many},
    {"files", files},
    {"fork_bomb", fork_bomb},
    {"threads", threads},
    {"pipes", descriptors_and_pipes},
    {"stack",
     [] {
         next_step = recurse;
         recurse(0);
     }},
    {"signals", signals},
    {"mappings", mappings},
};

}  // namespace

int main(int argument_count, char** arguments) {
    attack::require_kpio();
    const std::string_view wanted = argument_count > 1 ? arguments[1] : "";
    for (const Kind& kind : kKinds) {
        if (wanted.empty() || wanted == kind.name) {
            attack::Outcome outcome;
            for (int round = 0; round < 2; ++round) {
                attack::attempt(outcome, kind.run, 1500);
                // What was killed may still be going: it has a moment to give back what it held.
                for (int patience = 0; patience < 200; ++patience) {
                    const pid_t child = fork();
                    if (child == 0) {
                        _exit(0);
                    }
                    if (child > 0 && waitpid(child, nullptr, 0) == child) {
                        break;
                    }
                    const timespec pause{0, 10'000'000};
                    nanosleep(&pause, nullptr);
                }
                attack::check_alive();
            }
            attack::report(std::string(kind.name).c_str(), outcome);
        }
    }
    return 0;
}
