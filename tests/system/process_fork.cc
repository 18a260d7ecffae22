// SPDX-License-Identifier: MIT OR Apache-2.0
// fork(2): what the child gets its own copy of, what it shares, and what it starts without.
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/times.h>

#include <atomic>
#include <thread>

#include "system/support/check.h"

namespace {

int initialised = 1;
int zeroed;

constexpr std::size_t kPages = 64;
constexpr std::size_t kPage = 4096;

std::byte* map_anonymous(std::size_t bytes, int flags) {
    void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
    REQUIRE(at != MAP_FAILED);
    return static_cast<std::byte*>(at);
}

}  // namespace

TEST(identifiers) {
    const pid_t parent = getpid();
    int pipe_fds[2];
    REQUIRE(pipe(pipe_fds) == 0);
    const pid_t child = check::start_child([&] {
        CHECK_EQ(getppid(), parent);
        CHECK(getpid() != parent);
        CHECK_EQ(getpid(), gettid());
        CHECK_EQ(getpgrp(), getpgid(parent));
        CHECK_EQ(getsid(0), getsid(parent));
        const pid_t self = getpid();
        CHECK_EQ(write(pipe_fds[1], &self, sizeof(self)), sizeof(self));
    });
    pid_t told = 0;
    CHECK_EQ(read(pipe_fds[0], &told, sizeof(told)), sizeof(told));
    CHECK_EQ(told, child);
    CHECK_EXIT(check::wait_status(child), 0);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

TEST(memory_is_copied) {
    int on_stack = 3;
    int* on_heap = new int(4);
    CHECK_CHILD([&] {
        CHECK_EQ(initialised + zeroed + on_stack + *on_heap, 8);
        initialised = zeroed = on_stack = *on_heap = 100;
        CHECK_EQ(initialised + zeroed + on_stack + *on_heap, 400);
    });
    CHECK_EQ(initialised, 1);
    CHECK_EQ(zeroed, 0);
    CHECK_EQ(on_stack, 3);
    CHECK_EQ(*on_heap, 4);
    delete on_heap;
}

TEST(parent_writes_stay_with_the_parent) {
    std::byte* memory = map_anonymous(kPages * kPage, MAP_PRIVATE);
    for (std::size_t i = 0; i < kPages; ++i) {
        memory[i * kPage] = std::byte{1};
    }
    int go[2];
    REQUIRE(pipe(go) == 0);
    const pid_t child = check::start_child([&] {
        char token;
        CHECK_EQ(read(go[0], &token, 1), 1);
        for (std::size_t i = 0; i < kPages; ++i) {
            CHECK(memory[i * kPage] == std::byte{1});
        }
    });
    for (std::size_t i = 0; i < kPages; ++i) {
        memory[i * kPage] = std::byte{2};
    }
    CHECK_EQ(write(go[1], "g", 1), 1);
    CHECK_EXIT(check::wait_status(child), 0);
    munmap(memory, kPages * kPage);
    close(go[0]);
    close(go[1]);
}

TEST(grandchildren_copy_from_copies) {
    std::byte* memory = map_anonymous(kPages * kPage, MAP_PRIVATE);
    std::memset(memory, 1, kPages * kPage);
    CHECK_CHILD([&] {
        std::memset(memory, 2, kPages * kPage / 2);
        CHECK_CHILD([&] {
            CHECK(memory[0] == std::byte{2} && memory[kPages * kPage - 1] == std::byte{1});
            std::memset(memory, 3, kPages * kPage);
            CHECK_CHILD([&] {
                CHECK(memory[0] == std::byte{3} && memory[kPages * kPage - 1] == std::byte{3});
                std::memset(memory + kPage, 4, kPage);
            });
            CHECK(memory[kPage] == std::byte{3});
        });
        CHECK(memory[0] == std::byte{2} && memory[kPage] == std::byte{2});
        CHECK(memory[kPages * kPage - 1] == std::byte{1});
    });
    CHECK(memory[0] == std::byte{1} && memory[kPage] == std::byte{1});
    // The only owner again: writing must not need a copy to be right.
    std::memset(memory, 5, kPages * kPage);
    CHECK(memory[kPages * kPage - 1] == std::byte{5});
    munmap(memory, kPages * kPage);
}

TEST(untouched_memory_is_zero_in_both) {
    std::byte* memory = map_anonymous(kPages * kPage, MAP_PRIVATE);
    CHECK_CHILD([&] {
        for (std::size_t i = 0; i < kPages; ++i) {
            CHECK(memory[i * kPage] == std::byte{0});
            memory[i * kPage] = std::byte{7};
        }
    });
    for (std::size_t i = 0; i < kPages; ++i) {
        CHECK(memory[i * kPage] == std::byte{0});
    }
    munmap(memory, kPages * kPage);
}

TEST(shared_memory_is_shared) {
    std::byte* memory = map_anonymous(kPages * kPage, MAP_SHARED);
    memory[0] = std::byte{1};
    CHECK_CHILD([&] {
        CHECK(memory[0] == std::byte{1});
        memory[0] = std::byte{2};
        // First touched in the grandchild.
        CHECK_CHILD([&] { memory[5 * kPage] = std::byte{3}; });
        CHECK(memory[5 * kPage] == std::byte{3});
    });
    CHECK(memory[0] == std::byte{2});
    CHECK(memory[5 * kPage] == std::byte{3});
    munmap(memory, kPages * kPage);
}

TEST(descriptors_share_their_offset) {
    char path[] = "/tmp/kpio_fork_XXXXXX";
    const int fd = mkstemp(path);
    REQUIRE(fd >= 0);
    unlink(path);
    CHECK_EQ(write(fd, "0123456789", 10), 10);
    CHECK_EQ(lseek(fd, 2, SEEK_SET), 2);
    CHECK_CHILD([&] {
        char text[4];
        CHECK_EQ(read(fd, text, 4), 4);
        CHECK(std::memcmp(text, "2345", 4) == 0);
        close(fd);
    });
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 6);
    close(fd);
}

TEST(directory_and_mask_are_copied) {
    const mode_t mask = umask(027);
    CHECK_CHILD([&] {
        CHECK_EQ(umask(077), 027u);
        CHECK_OK(chdir("/tmp"));
    });
    CHECK_EQ(umask(mask), 027u);
    CHECK_CHILD([&] {
        CHECK_OK(chdir("/"));
        CHECK_CHILD([&] { CHECK_OK(chdir("/tmp")); });
        char text[64];
        CHECK(getcwd(text, sizeof(text)) != nullptr && std::strcmp(text, "/") == 0);
    });
}

TEST(signal_state) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    CHECK_OK(sigprocmask(SIG_BLOCK, &set, nullptr));
    signal(SIGUSR2, SIG_IGN);
    CHECK_OK(kill(getpid(), SIGUSR1));
    CHECK_CHILD([&] {
        // Masks and actions are inherited, pending signals are not.
        sigset_t seen;
        CHECK_OK(sigprocmask(SIG_BLOCK, nullptr, &seen));
        CHECK(sigismember(&seen, SIGUSR1) == 1);
        CHECK_OK(sigpending(&seen));
        CHECK(sigismember(&seen, SIGUSR1) == 0);
        struct sigaction action;
        CHECK_OK(sigaction(SIGUSR2, nullptr, &action));
        CHECK(action.sa_handler == SIG_IGN);
    });
    sigset_t seen;
    CHECK_OK(sigpending(&seen));
    CHECK(sigismember(&seen, SIGUSR1) == 1);
    signal(SIGUSR1, SIG_IGN);
    CHECK_OK(sigprocmask(SIG_UNBLOCK, &set, nullptr));
    signal(SIGUSR1, SIG_DFL);
    signal(SIGUSR2, SIG_DFL);
}

TEST(alarms_and_times_start_anew) {
    alarm(100);
    CHECK_CHILD([] {
        CHECK_EQ(alarm(0), 0u);
        tms times_now;
        times(&times_now);
        CHECK_EQ(times_now.tms_cutime, 0);
    });
    const unsigned left = alarm(0);
    CHECK(left > 90 && left <= 100);
}

TEST(only_the_calling_thread_is_in_the_child) {
    std::atomic<bool> stop = false;
    std::atomic<int> counter = 0;
    std::thread others[4];
    for (std::thread& other : others) {
        other = std::thread([&] {
            while (!stop) {
                ++counter;
                sched_yield();
            }
        });
    }
    while (counter < 100) {
        sched_yield();
    }
    CHECK_CHILD([&] {
        const int before = counter;
        for (int i = 0; i < 20; ++i) {
            sched_yield();
        }
        CHECK_EQ(counter.load(), before);
        CHECK_EQ(getpid(), gettid());
    });
    // From a thread that is not the first one.
    std::thread([] { CHECK_CHILD([] { CHECK_EQ(getpid(), gettid()); }); }).join();
    stop = true;
    for (std::thread& other : others) {
        other.join();
    }
}

TEST(many_children_at_once) {
    pid_t children[50];
    for (int i = 0; i < 50; ++i) {
        children[i] = fork();
        if (children[i] == 0) {
            _exit(i);
        }
        REQUIRE(children[i] > 0);
    }
    for (int i = 49; i >= 0; --i) {
        CHECK_EXIT(check::wait_status(children[i]), i);
    }
}

TEST(limit_of_processes) {
    if (getuid() == 0) {
        return;  // RLIMIT_NPROC does not bind root.
    }
    CHECK_CHILD([] {
        const rlimit limit{1, 1};
        CHECK_OK(setrlimit(RLIMIT_NPROC, &limit));
        CHECK_ERRNO(fork(), EAGAIN);
    });
}

TEST_MAIN()
