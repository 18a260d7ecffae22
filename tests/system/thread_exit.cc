// SPDX-License-Identifier: MIT OR Apache-2.0
// How threads and processes of several threads end: exit of one, of the first, exit_group, robust futexes, signals.
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

#include "system/support/check.h"

namespace {

// Threads that compute, sleep and call, for as long as the process lives.
void start_busy_threads(int count) {
    static std::atomic<int> running;
    running = 0;
    for (int i = 0; i < count; ++i) {
        std::thread([i] {
            ++running;
            while (i % 3 == 0) {
            }
            while (i % 3 == 1) {
                sched_yield();
            }
            pause();
        }).detach();
    }
    while (running < count) {
        sched_yield();
    }
}

}  // namespace

TEST(exit_group_ends_all) {
    for (int round = 0; round < 10; ++round) {
        CHECK_EXIT(check::child_status([] {
                       start_busy_threads(6);
                       _exit(21);
                   }),
                   21);
        CHECK_EXIT(check::child_status([] {
                       start_busy_threads(6);
                       std::thread([] { _exit(22); }).join();
                   }),
                   22);
    }
}

TEST(several_exit_at_once) {
    for (int round = 0; round < 10; ++round) {
        const int status = check::child_status([] {
            std::atomic<int> ready = 0;
            for (int i = 1; i <= 4; ++i) {
                std::thread([&ready, i] {
                    ++ready;
                    while (ready < 4) {
                    }
                    _exit(i);
                }).detach();
            }
            pause();
        });
        const bool one_of_them = WIFEXITED(status) && WEXITSTATUS(status) >= 1 && WEXITSTATUS(status) <= 4;
        CHECK_EQ(one_of_them ? "one of them" : check::show_status(status), std::string("one of them"));
    }
}

TEST(the_first_thread_may_end_first) {
    const int status = check::child_status([] {
        static std::atomic<bool> go;
        std::thread([] {
            while (!go) {
                sched_yield();
            }
            // Still the same process.
            CHECK_EQ(kill(getpid(), 0), 0);
            CHECK_CHILD([] {});
            _exit(31 + check::failures);
        }).detach();
        go = true;
        syscall(SYS_exit, 1);
    });
    CHECK_EXIT(status, 31);
}

TEST(the_last_threads_code_is_the_processs) {
    const int status = check::child_status([] {
        static std::atomic<int> first_lives;
        first_lives = 1;
        syscall(SYS_set_tid_address, &first_lives);
        std::thread([] {
            while (first_lives == 1) {
                syscall(SYS_futex, &first_lives, FUTEX_WAIT, 1, nullptr);
            }
            syscall(SYS_exit, 5);
        }).detach();
        syscall(SYS_exit, 6);
    });
    CHECK_EXIT(status, 5);
}

TEST(a_dead_first_thread_is_no_zombie_yet) {
    int release[2];
    REQUIRE(pipe(release) == 0);
    const pid_t child = fork();
    if (child == 0) {
        std::thread([&] {
            char token;
            (void)!read(release[0], &token, 1);
            _exit(0);
        }).detach();
        syscall(SYS_exit, 3);
    }
    for (int i = 0; i < 50; ++i) {
        CHECK_EQ(waitpid(child, nullptr, WNOHANG), 0);
        sched_yield();
    }
    CHECK_OK(kill(child, 0));
    CHECK_EQ(write(release[1], "x", 1), 1);
    CHECK_EXIT(check::wait_status(child), 0);
    close(release[0]);
    close(release[1]);
}

TEST(signals_go_to_a_thread_that_takes_them) {
    CHECK_CHILD([] {
        static std::atomic<int> receiver;
        static std::atomic<bool> stop;
        signal(SIGUSR1, [](int) { receiver = static_cast<int>(syscall(SYS_gettid)); });
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGUSR1);
        std::atomic<int> taker = 0;
        std::thread other([&] {
            taker = gettid();
            while (!stop) {
                sched_yield();
            }
        });
        while (taker == 0) {
            sched_yield();
        }
        CHECK_EQ(pthread_sigmask(SIG_BLOCK, &set, nullptr), 0);
        CHECK_OK(kill(getpid(), SIGUSR1));
        while (receiver == 0) {
            sched_yield();
        }
        CHECK_EQ(receiver.load(), taker.load());
        // To a thread of one's choice.
        receiver = 0;
        CHECK_OK(syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1));
        CHECK_EQ(receiver.load(), 0);
        CHECK_EQ(pthread_sigmask(SIG_UNBLOCK, &set, nullptr), 0);
        CHECK_EQ(receiver.load(), gettid());
        stop = true;
        other.join();
    });
}

TEST(masks_are_each_threads_own) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, &set, nullptr), 0);
    std::thread([&] {
        sigset_t seen;
        CHECK_EQ(pthread_sigmask(SIG_BLOCK, nullptr, &seen), 0);
        CHECK(sigismember(&seen, SIGUSR2) == 1);  // inherited
        CHECK_EQ(pthread_sigmask(SIG_UNBLOCK, &set, nullptr), 0);
    }).join();
    sigset_t seen;
    CHECK_EQ(pthread_sigmask(SIG_UNBLOCK, &set, &seen), 0);
    CHECK(sigismember(&seen, SIGUSR2) == 1);
}

TEST(robust_mutex) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    auto* mutex =
        static_cast<pthread_mutex_t*>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    pthread_mutex_init(mutex, &attributes);
    std::thread([&] { CHECK_EQ(pthread_mutex_lock(mutex), 0); }).join();
    CHECK_EQ(pthread_mutex_lock(mutex), EOWNERDEAD);
    CHECK_EQ(pthread_mutex_consistent(mutex), 0);
    CHECK_EQ(pthread_mutex_unlock(mutex), 0);
    // The owner is killed while another process waits.
    int locked[2];
    REQUIRE(pipe(locked) == 0);
    const pid_t owner = fork();
    if (owner == 0) {
        CHECK_EQ(pthread_mutex_lock(mutex), 0);
        CHECK_EQ(write(locked[1], "l", 1), 1);
        pause();
    }
    char token;
    CHECK_EQ(read(locked[0], &token, 1), 1);
    const pid_t waiter = check::start_child([&] {
        CHECK_EQ(write(locked[1], "w", 1), 1);
        CHECK_EQ(pthread_mutex_lock(mutex), EOWNERDEAD);
        CHECK_EQ(pthread_mutex_consistent(mutex), 0);
        CHECK_EQ(pthread_mutex_unlock(mutex), 0);
    });
    CHECK_EQ(read(locked[0], &token, 1), 1);
    CHECK_OK(kill(owner, SIGKILL));
    CHECK_SIGNALED(check::wait_status(owner), SIGKILL);
    CHECK_EXIT(check::wait_status(waiter), 0);
    CHECK_EQ(pthread_mutex_lock(mutex), 0);
    CHECK_EQ(pthread_mutex_unlock(mutex), 0);
    munmap(mutex, 4096);
    close(locked[0]);
    close(locked[1]);
}

TEST(robust_list_calls) {
    CHECK_ERRNO(syscall(SYS_set_robust_list, 0, 1), EINVAL);
    void* head = nullptr;
    std::size_t size = 0;
    CHECK_OK(syscall(SYS_get_robust_list, 0, &head, &size));
    CHECK(head != nullptr);
    CHECK_EQ(size, 24u);
    void* same = nullptr;
    CHECK_OK(syscall(SYS_get_robust_list, gettid(), &same, &size));
    CHECK(same == head);
    CHECK_ERRNO(syscall(SYS_get_robust_list, 4'000'000, &head, &size), ESRCH);
    CHECK_ERRNO(syscall(SYS_get_robust_list, 0, 8, &size), EFAULT);
    CHECK_EQ(syscall(SYS_set_tid_address, 0), gettid());
}

TEST(a_bad_robust_list_harms_nobody) {
    CHECK_CHILD([] {
        // A list that points to itself for ever, and one into nowhere.
        static std::uintptr_t ring[3];
        ring[0] = reinterpret_cast<std::uintptr_t>(&ring[1]);
        ring[1] = reinterpret_cast<std::uintptr_t>(&ring[1]);
        std::thread([] { CHECK_OK(syscall(SYS_set_robust_list, ring, 24)); }).join();
        std::thread([] { CHECK_OK(syscall(SYS_set_robust_list, 8, 24)); }).join();
        static std::uintptr_t wild[3] = {~0ul - 7, 12345, ~0ul};
        std::thread([] { CHECK_OK(syscall(SYS_set_robust_list, wild, 24)); }).join();
    });
}

TEST(creating_threads_while_the_process_dies) {
    for (int round = 0; round < 10; ++round) {
        const pid_t child = fork();
        if (child == 0) {
            std::thread([] {
                while (true) {
                    std::thread([] {}).join();
                }
            }).detach();
            while (true) {
                std::thread([] {}).detach();
                if (fork() == 0) {
                    _exit(0);
                }
                waitpid(-1, nullptr, 0);
            }
        }
        for (int i = 0; i < 30; ++i) {
            sched_yield();
        }
        CHECK_OK(kill(child, SIGKILL));
        CHECK_SIGNALED(check::wait_status(child), SIGKILL);
    }
}

TEST_MAIN()
