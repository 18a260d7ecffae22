// SPDX-License-Identifier: MIT OR Apache-2.0
// futex(2): wait, wake, bitsets, requeue, wake-op, timeouts, errors, between threads and between processes.
#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>
#include <time.h>

#include <atomic>
#include <cstdint>
#include <ctime>
#include <thread>
#include <vector>

#include "system/support/check.h"

namespace {

using Word = std::atomic<std::uint32_t>;

long futex(Word& word, int operation, std::uint32_t value, const timespec* timeout = nullptr, Word* second = nullptr,
           std::uint32_t value3 = 0) {
    return syscall(SYS_futex, &word, operation, value, timeout, second, value3);
}

long futex2(Word& word, int operation, std::uint32_t value, std::uint32_t value2, Word* second,
            std::uint32_t value3 = 0) {
    return syscall(SYS_futex, &word, operation, value, static_cast<std::uintptr_t>(value2), second, value3);
}

// Wakes until `count` waiters were woken, however late they come.
void wake_all(Word& word, int count, int operation = FUTEX_WAKE, std::uint32_t bits = ~0u) {
    while (count > 0) {
        const long woken = futex(word, operation, static_cast<std::uint32_t>(count), nullptr, nullptr, bits);
        REQUIRE(woken >= 0);
        count -= static_cast<int>(woken);
        sched_yield();
    }
}

constexpr timespec kNow{0, 0};
constexpr timespec kSoon{0, 2'000'000};

std::int64_t now_ns(clockid_t clock = CLOCK_MONOTONIC) {
    timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

timespec at(std::int64_t time_ns) {
    return {time_ns / 1'000'000'000, time_ns % 1'000'000'000};
}

}  // namespace

TEST(errors) {
    Word word = 5;
    auto* odd = reinterpret_cast<Word*>(reinterpret_cast<std::uintptr_t>(&word) + 1);
    CHECK_ERRNO(futex(word, FUTEX_WAIT, 4), EAGAIN);
    CHECK_ERRNO(futex(word, FUTEX_WAIT_BITSET, 4, nullptr, nullptr, ~0u), EAGAIN);
    CHECK_ERRNO(futex(word, FUTEX_WAIT_BITSET, 5, nullptr, nullptr, 0), EINVAL);
    CHECK_ERRNO(futex(word, FUTEX_WAKE_BITSET, 1, nullptr, nullptr, 0), EINVAL);
    CHECK_ERRNO(futex(*odd, FUTEX_WAIT, 4), EINVAL);
    CHECK_ERRNO(futex(*odd, FUTEX_WAKE, 1), EINVAL);
    CHECK_ERRNO(futex(word, 99, 1), ENOSYS);
    CHECK_ERRNO(syscall(SYS_futex, 8, FUTEX_WAIT, 0, nullptr), EFAULT);
    CHECK_ERRNO(syscall(SYS_futex, &word, FUTEX_WAIT, 5, 8), EFAULT);
    const timespec bad{0, 1'000'000'000};
    const timespec negative{-1, 0};
    CHECK_ERRNO(futex(word, FUTEX_WAIT, 5, &bad), EINVAL);
    CHECK_ERRNO(futex(word, FUTEX_WAIT, 5, &negative), EINVAL);
    CHECK_ERRNO(futex(word, FUTEX_WAIT, 5, &kNow), ETIMEDOUT);
    CHECK_ERRNO(futex2(word, FUTEX_CMP_REQUEUE, 1, 1, &word + 1, 4), EAGAIN);
    CHECK_ERRNO(futex2(word, FUTEX_CMP_REQUEUE, ~0u, 1, &word, 5), EINVAL);
    CHECK_EQ(futex(word, FUTEX_WAKE, 1), 0);
    CHECK_EQ(futex(word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1), 0);
    // A shared wake looks at the memory, a private one does not.
    CHECK_ERRNO(syscall(SYS_futex, 8, FUTEX_WAKE, 1), EFAULT);
}

TEST(timeouts) {
    Word word = 0;
    std::int64_t before = now_ns();
    CHECK_ERRNO(futex(word, FUTEX_WAIT_PRIVATE, 0, &kSoon), ETIMEDOUT);
    CHECK(now_ns() - before >= 2'000'000);
    // Absolute, by the monotonic clock, or by the real-time clock on request.
    before = now_ns();
    timespec until = at(before + 3'000'000);
    CHECK_ERRNO(futex(word, FUTEX_WAIT_BITSET, 0, &until, nullptr, ~0u), ETIMEDOUT);
    CHECK(now_ns() - before >= 3'000'000);
    before = now_ns(CLOCK_REALTIME);
    until = at(before + 3'000'000);
    CHECK_ERRNO(futex(word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &until, nullptr, ~0u), ETIMEDOUT);
    CHECK(now_ns(CLOCK_REALTIME) - before >= 3'000'000);
    until = at(1);
    CHECK_ERRNO(futex(word, FUTEX_WAIT_BITSET, 0, &until, nullptr, ~0u), ETIMEDOUT);
}

TEST(wakes_as_many_as_asked) {
    Word word = 0;
    std::atomic<int> awake = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 6; ++i) {
        threads.emplace_back([&] {
            CHECK_OK(futex(word, FUTEX_WAIT_PRIVATE, 0));
            ++awake;
        });
    }
    wake_all(word, 1, FUTEX_WAKE_PRIVATE);
    wake_all(word, 2, FUTEX_WAKE_PRIVATE);
    while (awake < 3) {
        sched_yield();
    }
    for (int i = 0; i < 20; ++i) {
        sched_yield();
    }
    CHECK_EQ(awake.load(), 3);
    wake_all(word, 3, FUTEX_WAKE_PRIVATE);
    for (std::thread& thread : threads) {
        thread.join();
    }
}

TEST(bitsets) {
    Word word = 0;
    std::atomic<int> first = 0;
    std::atomic<int> second = 0;
    std::thread one([&] {
        CHECK_OK(futex(word, FUTEX_WAIT_BITSET_PRIVATE, 0, nullptr, nullptr, 1));
        first = 1;
    });
    std::thread two([&] {
        CHECK_OK(futex(word, FUTEX_WAIT_BITSET_PRIVATE, 0, nullptr, nullptr, 2));
        second = 1;
    });
    wake_all(word, 1, FUTEX_WAKE_BITSET_PRIVATE, 2);
    two.join();
    CHECK_EQ(first.load(), 0);
    CHECK_EQ(futex(word, FUTEX_WAKE_BITSET_PRIVATE, 10, nullptr, nullptr, 4), 0);
    wake_all(word, 1, FUTEX_WAKE_BITSET_PRIVATE, 1);
    one.join();
}

TEST(requeueing) {
    Word words[2] = {0, 0};
    std::atomic<int> awake = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            CHECK_OK(futex(words[0], FUTEX_WAIT_PRIVATE, 0));
            ++awake;
        });
    }
    // Move all four; each call says how many it woke (none) and moved.
    for (long moved = 0; moved < 4;) {
        const long count = futex2(words[0], FUTEX_CMP_REQUEUE_PRIVATE, 0, 100, &words[1], 0);
        REQUIRE(count >= 0);
        moved += count;
        sched_yield();
    }
    // A waiter that Linux has woken for another reason waits again where it began, futex(2) "spurious wake-ups".
    usleep(20'000);
    CHECK(futex2(words[0], FUTEX_CMP_REQUEUE_PRIVATE, 0, 100, &words[1], 0) >= 0);
    CHECK_EQ(futex(words[0], FUTEX_WAKE_PRIVATE, 100), 0);
    CHECK_EQ(awake.load(), 0);
    CHECK_EQ(futex(words[1], FUTEX_WAKE_PRIVATE, 1), 1);
    // Back again: one is woken, two are moved.
    CHECK_EQ(futex2(words[1], FUTEX_REQUEUE_PRIVATE, 1, 100, &words[0]), 3);
    CHECK_EQ(futex(words[0], FUTEX_WAKE_PRIVATE, 100), 2);
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK_EQ(awake.load(), 4);
}

TEST(wake_op) {
    Word words[2] = {0, 7};
    std::thread first([&] { CHECK_OK(futex(words[0], FUTEX_WAIT_PRIVATE, 0)); });
    std::thread second([&] {
        // Waits while the word is 7 or what the operation makes of it.
        while (true) {
            const std::uint32_t seen = words[1];
            if (futex(words[1], FUTEX_WAIT_PRIVATE, seen) == 0) {
                break;
            }
        }
    });
    long woken = 0;
    while (woken < 2) {
        // words[1] += 3; the second word's waiters are woken if it was at least 7 (signed).
        const std::uint32_t before = words[1];
        const long count =
            futex2(words[0], FUTEX_WAKE_OP_PRIVATE, 1, 1, &words[1], FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_GE, 7));
        REQUIRE(count >= 0);
        CHECK_EQ(words[1].load(), before + 3);
        woken += count;
        sched_yield();
    }
    first.join();
    second.join();
    const auto apply = [&](int operation, std::uint32_t old, std::uint32_t argument) {
        words[1] = old;
        CHECK_EQ(futex2(words[0], FUTEX_WAKE_OP_PRIVATE, 1, 1, &words[1],
                        (static_cast<std::uint32_t>(operation) << 28) | (argument << 12)),
                 0);
        return words[1].load();
    };
    CHECK_EQ(apply(FUTEX_OP_SET, 1, 9), 9u);
    CHECK_EQ(apply(FUTEX_OP_OR, 5, 2), 7u);
    CHECK_EQ(apply(FUTEX_OP_ANDN, 7, 2), 5u);
    CHECK_EQ(apply(FUTEX_OP_XOR, 7, 2), 5u);
    CHECK_EQ(apply(FUTEX_OP_OR | FUTEX_OP_OPARG_SHIFT, 0, 4), 16u);
    CHECK_EQ(apply(FUTEX_OP_ADD, 5, 0xfff), 4u);  // the argument is signed
    CHECK_ERRNO(futex2(words[0], FUTEX_WAKE_OP_PRIVATE, 1, 1, &words[1], 7u << 28), ENOSYS);
}

TEST(between_processes) {
    auto* words = static_cast<Word*>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    const pid_t child = check::start_child([&] {
        for (std::uint32_t round = 0; round < 200; ++round) {
            while (words[0] != round + 1) {
                futex(words[0], FUTEX_WAIT, round);
            }
            words[1] = round + 1;
            futex(words[1], FUTEX_WAKE, 1);
        }
    });
    for (std::uint32_t round = 0; round < 200; ++round) {
        words[0] = round + 1;
        futex(words[0], FUTEX_WAKE, 1);
        while (words[1] != round + 1) {
            futex(words[1], FUTEX_WAIT, round);
        }
    }
    CHECK_EXIT(check::wait_status(child), 0);
    munmap(words, 4096);
}

TEST(shared_words_of_a_file_meet) {
    char path[] = "/tmp/kpio_futex_XXXXXX";
    const int fd = mkstemp(path);
    unlink(path);
    CHECK_OK(ftruncate(fd, 4096));
    auto* one = static_cast<Word*>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    auto* two = static_cast<Word*>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    CHECK(one != two);
    std::thread waiter([&] { CHECK_OK(futex(one[3], FUTEX_WAIT, 0)); });
    wake_all(two[3], 1);
    waiter.join();
    munmap(one, 4096);
    munmap(two, 4096);
    close(fd);
}

TEST(private_words_of_a_child_are_its_own) {
    Word word = 0;
    std::thread waiter([&] {
        while (word == 0) {
            futex(word, FUTEX_WAIT, 0);
        }
    });
    CHECK_CHILD([&] {
        for (int i = 0; i < 20; ++i) {
            CHECK_EQ(futex(word, FUTEX_WAKE, 100), 0);
        }
    });
    word = 1;
    futex(word, FUTEX_WAKE, 1);
    waiter.join();
}

TEST(no_wake_up_is_lost) {
    Word turn = 0;
    constexpr std::uint32_t kRounds = 5000;
    const auto play = [&](std::uint32_t parity) {
        for (std::uint32_t round = parity; round < kRounds; round += 2) {
            while (turn != round) {
                const std::uint32_t seen = turn;
                if (seen != round) {
                    futex(turn, FUTEX_WAIT_PRIVATE, seen);
                }
            }
            turn = round + 1;
            futex(turn, FUTEX_WAKE_PRIVATE, 1);
        }
    };
    std::thread other(play, 1);
    play(0);
    other.join();
    CHECK_EQ(turn.load(), kRounds);
}

TEST_MAIN()
