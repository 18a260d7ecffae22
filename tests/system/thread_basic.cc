// SPDX-License-Identifier: MIT OR Apache-2.0
// Threads as C++ programs use them: many of them, thread-local data, joining, condition variables; and raw clone(2).
#include <asm/prctl.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "system/support/check.h"

namespace {

thread_local int initialised_tls = 17;
thread_local std::byte zero_tls[5000];

constexpr std::size_t kStack = 64 * 1024;

struct Stack {
    std::byte* base =
        static_cast<std::byte*>(mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    Stack() { REQUIRE(base != MAP_FAILED); }
    ~Stack() { munmap(base, kStack); }
    Stack(const Stack&) = delete;
    Stack& operator=(const Stack&) = delete;
    void* top() const { return base + kStack; }
};

// What a raw clone shares; the C library's thread-local data are not set up for it, so it calls the kernel directly.
constexpr int kThreadFlags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;

void wait_cleared(std::atomic<int>& word) {
    while (const int seen = word) {
        syscall(SYS_futex, &word, FUTEX_WAIT, seen, nullptr);
    }
}

}  // namespace

TEST(a_hundred_at_once) {
    std::atomic<int> arrived = 0;
    std::atomic<bool> leave = false;
    std::vector<std::thread> threads;
    std::vector<pid_t> ids(100);
    for (std::size_t i = 0; i < 100; ++i) {
        threads.emplace_back([&, i] {
            ids[i] = gettid();
            ++arrived;
            while (!leave) {
                sched_yield();
            }
        });
    }
    while (arrived < 100) {
        sched_yield();
    }
    leave = true;
    for (std::thread& thread : threads) {
        thread.join();
    }
    for (std::size_t i = 0; i < 100; ++i) {
        CHECK(ids[i] != getpid());
        for (std::size_t k = 0; k < i; ++k) {
            CHECK(ids[i] != ids[k]);
        }
    }
}

TEST(one_after_another) {
    int sum = 0;
    for (int i = 0; i < 500; ++i) {
        std::thread([&sum, i] { sum += i; }).join();
    }
    CHECK_EQ(sum, 499 * 500 / 2);
}

TEST(thread_local_data) {
    initialised_tls = 1;
    zero_tls[4999] = std::byte{1};
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
        threads.emplace_back([i] {
            CHECK_EQ(initialised_tls, 17);
            CHECK(zero_tls[4999] == std::byte{0});
            initialised_tls = i;
            zero_tls[4999] = static_cast<std::byte>(i);
            for (int k = 0; k < 50; ++k) {
                sched_yield();
                CHECK_EQ(initialised_tls, i);
                CHECK(zero_tls[4999] == static_cast<std::byte>(i));
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK_EQ(initialised_tls, 1);
}

TEST(locks_and_condition_variables) {
    std::mutex mutex;
    std::condition_variable filled;
    std::condition_variable emptied;
    std::vector<int> queue;
    long sum = 0;
    std::vector<std::thread> threads;
    for (int consumer = 0; consumer < 3; ++consumer) {
        threads.emplace_back([&] {
            while (true) {
                std::unique_lock lock(mutex);
                filled.wait(lock, [&] { return !queue.empty(); });
                const int item = queue.front();
                queue.erase(queue.begin());
                emptied.notify_one();
                if (item < 0) {
                    return;
                }
                sum += item;
            }
        });
    }
    const auto put = [&](int item) {
        std::unique_lock lock(mutex);
        emptied.wait(lock, [&] { return queue.size() < 4; });
        queue.push_back(item);
        filled.notify_one();
    };
    for (int i = 0; i < 3000; ++i) {
        put(i);
    }
    for (int consumer = 0; consumer < 3; ++consumer) {
        put(-1);
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK_EQ(sum, 2999L * 3000 / 2);
}

TEST(counting_under_a_mutex) {
    std::mutex mutex;
    long counter = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            for (int k = 0; k < 20'000; ++k) {
                const std::lock_guard lock(mutex);
                ++counter;
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK_EQ(counter, 80'000);
}

TEST(thread_identifiers_are_written_and_cleared) {
    const Stack stack;
    static std::atomic<int> parent_word;
    static std::atomic<int> child_word;
    static std::atomic<int> seen_pid;
    parent_word = 0;
    child_word = 0;
    static int (*const kBody)(void*) = [](void*) {
        seen_pid = static_cast<int>(syscall(SYS_getpid));
        CHECK_EQ(child_word.load(), static_cast<int>(syscall(SYS_gettid)));
        return 0;
    };
    child_word = 1;
    const int id =
        clone(kBody, stack.top(), kThreadFlags | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID,
              nullptr, &parent_word, nullptr, &child_word);
    REQUIRE(id > 0);
    CHECK_EQ(parent_word.load(), id);
    wait_cleared(child_word);
    CHECK_EQ(seen_pid.load(), getpid());
    CHECK_ERRNO(syscall(SYS_tgkill, getpid(), id, 0), ESRCH);
}

TEST(shared_memory_without_a_thread_group) {
    // CLONE_VM alone: a process of its own in the same memory.
    const Stack stack;
    static std::atomic<int> seen;
    seen = 0;
    const int child = clone(
        [](void*) {
            seen = static_cast<int>(syscall(SYS_getpid));
            return 9;
        },
        stack.top(), CLONE_VM | SIGCHLD, nullptr);
    REQUIRE(child > 0);
    CHECK_EXIT(check::wait_status(child), 9);
    CHECK_EQ(seen.load(), child);
}

TEST(shared_descriptors_and_directory) {
    const Stack stack;
    static int fds[2];
    const int child = clone(
        [](void*) {
            syscall(SYS_chdir, "/tmp");
            return syscall(SYS_pipe, fds) == 0 ? 0 : 1;
        },
        stack.top(), CLONE_VM | CLONE_FILES | CLONE_FS | SIGCHLD, nullptr);
    CHECK_EXIT(check::wait_status(child), 0);
    CHECK_EQ(write(fds[1], "x", 1), 1);
    char text[256];
    CHECK(getcwd(text, sizeof(text)) != nullptr && std::strcmp(text, "/tmp") == 0);
    close(fds[0]);
    close(fds[1]);
}

TEST(parent_of_the_parent) {
    const pid_t parent = getpid();
    CHECK_CHILD([&] {
        const long sibling = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, nullptr, nullptr, nullptr, 0);
        if (sibling == 0) {
            _exit(getppid() == parent ? 23 : 24);
        }
        CHECK_ERRNO(waitpid(static_cast<pid_t>(sibling), nullptr, 0), ECHILD);
    });
    int status;
    CHECK(waitpid(-1, &status, 0) > 0);
    CHECK_EXIT(status, 23);
}

TEST(clone_errors) {
    const auto raw = [](unsigned long flags) { return syscall(SYS_clone, flags, nullptr, nullptr, nullptr, 0); };
    CHECK_ERRNO(raw(CLONE_THREAD), EINVAL);
    CHECK_ERRNO(raw(CLONE_THREAD | CLONE_VM), EINVAL);
    CHECK_ERRNO(raw(CLONE_SIGHAND), EINVAL);
    CHECK_ERRNO(raw(CLONE_FS | CLONE_NEWNS), EINVAL);
    clone_args arguments{};
    arguments.exit_signal = SIGCHLD;
    const auto raw3 = [&](std::size_t size) { return syscall(SYS_clone3, &arguments, size); };
    CHECK_ERRNO(raw3(10), EINVAL);
    CHECK_ERRNO(raw3(5000), E2BIG);
    CHECK_ERRNO(syscall(SYS_clone3, 8, sizeof(arguments)), EFAULT);
    arguments.exit_signal = 65;
    CHECK_ERRNO(raw3(sizeof(arguments)), EINVAL);
    arguments.exit_signal = SIGCHLD;
    arguments.flags = CLONE_THREAD | CLONE_SIGHAND | CLONE_VM;
    CHECK_ERRNO(raw3(sizeof(arguments)), EINVAL);  // a thread has no exit signal
    arguments.flags = 0;
    arguments.stack = 0x10000;
    CHECK_ERRNO(raw3(sizeof(arguments)), EINVAL);  // a stack without a size
    arguments.stack = 0;
    arguments.stack_size = 4096;
    CHECK_ERRNO(raw3(sizeof(arguments)), EINVAL);
    arguments.stack_size = 0;
    const long child = raw3(sizeof(arguments));
    if (child == 0) {
        _exit(4);
    }
    CHECK_EXIT(check::wait_status(static_cast<pid_t>(child)), 4);
    arguments.flags = CLONE_CLEAR_SIGHAND;
    signal(SIGUSR1, [](int) {});
    const long cleared = raw3(sizeof(arguments));
    if (cleared == 0) {
        struct sigaction action;
        sigaction(SIGUSR1, nullptr, &action);
        _exit(action.sa_handler == SIG_DFL ? 0 : 1);
    }
    CHECK_EXIT(check::wait_status(static_cast<pid_t>(cleared)), 0);
}

TEST(segment_bases) {
    unsigned long base = 0;
    CHECK_OK(syscall(SYS_arch_prctl, ARCH_GET_FS, &base));
    unsigned long self;
    asm("mov %%fs:0, %0" : "=r"(self));
    CHECK_EQ(base, self);  // the C library's thread pointer points to itself
    static const std::uint64_t kMarks[2] = {0x1111, 0x2222};
    CHECK_OK(syscall(SYS_arch_prctl, ARCH_SET_GS, &kMarks));
    CHECK_OK(syscall(SYS_arch_prctl, ARCH_GET_GS, &base));
    CHECK_EQ(base, reinterpret_cast<unsigned long>(&kMarks));
    const auto through_gs = [] {
        std::uint64_t value;
        asm volatile("mov %%gs:8, %0" : "=r"(value));
        return value;
    };
    CHECK_EQ(through_gs(), 0x2222u);
    for (int i = 0; i < 50; ++i) {
        sched_yield();
    }
    CHECK_EQ(through_gs(), 0x2222u);
    CHECK_CHILD([&] { CHECK_EQ(through_gs(), 0x2222u); });
    std::thread([&] {
        unsigned long own;
        CHECK_OK(syscall(SYS_arch_prctl, ARCH_GET_GS, &own));
        CHECK_EQ(own, base);  // inherited, then its own
        CHECK_OK(syscall(SYS_arch_prctl, ARCH_SET_GS, 0));
    }).join();
    CHECK_EQ(through_gs(), 0x2222u);
    CHECK_OK(syscall(SYS_arch_prctl, ARCH_SET_GS, 0));
    CHECK_ERRNO(syscall(SYS_arch_prctl, ARCH_SET_FS, 1ul << 63), EPERM);
    CHECK_ERRNO(syscall(SYS_arch_prctl, ARCH_SET_GS, ~0ul), EPERM);
    CHECK_ERRNO(syscall(SYS_arch_prctl, ARCH_GET_FS, 8), EFAULT);
    CHECK_ERRNO(syscall(SYS_arch_prctl, 0x9999, 0), EINVAL);
}

TEST_MAIN()
