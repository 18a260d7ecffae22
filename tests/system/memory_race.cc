// SPDX-License-Identifier: MIT OR Apache-2.0
// Threads and processes that map, unmap, protect, fault and fork at once. Values are checked at the end of each round.
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>

#include <atomic>
#include <csetjmp>
#include <cstdint>
#include <thread>

#include "system/support/check.h"

namespace {

constexpr std::size_t kPage = 4096;
constexpr int kAnonymous = MAP_PRIVATE | MAP_ANONYMOUS;

std::byte* map(std::size_t bytes, int flags = kAnonymous) {
    void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
    REQUIRE(at != MAP_FAILED);
    return static_cast<std::byte*>(at);
}

thread_local sigjmp_buf back;

void catch_faults() {
    struct sigaction action{};
    action.sa_handler = [](int) { siglongjmp(back, 1); };
    CHECK_OK(sigaction(SIGSEGV, &action, nullptr));
}

}  // namespace

TEST(two_threads_touch_the_same_pages) {
    constexpr std::size_t kBytes = 8 << 20;
    for (int round = 0; round < 4; ++round) {
        std::byte* area = map(kBytes);
        const auto touch = [area](std::size_t offset) {
            for (std::size_t at = 0; at < kBytes; at += kPage) {
                const auto value = static_cast<std::uint32_t>(at / kPage + 1);
                std::memcpy(area + at + offset, &value, sizeof(value));
            }
        };
        std::thread other(touch, 0);
        touch(2048);
        other.join();
        bool right = true;
        for (std::size_t at = 0; at < kBytes; at += kPage) {
            std::uint32_t first;
            std::uint32_t second;
            std::memcpy(&first, area + at, sizeof(first));
            std::memcpy(&second, area + at + 2048, sizeof(second));
            right = right && first == at / kPage + 1 && second == first;
        }
        CHECK(right);
        munmap(area, kBytes);
    }
}

TEST(unmapping_while_another_thread_writes) {
    catch_faults();
    constexpr std::size_t kBytes = 64 * kPage;
    std::byte* area = map(kBytes);
    std::atomic<bool> stop = false;
    std::atomic<unsigned> faults = 0;
    std::thread writer([&] {
        volatile unsigned position = 0;
        while (!stop) {
            if (sigsetjmp(back, 1) != 0) {
                ++faults;
                sched_yield();
            }
            for (int i = 0; i < 64; ++i) {
                position = (position + 1) % 64;
                static_cast<volatile std::byte*>(area)[position * kPage] = std::byte{1};
            }
        }
    });
    for (int round = 0; round < 300 || faults == 0; ++round) {
        CHECK_OK(munmap(area, kBytes));
        if (round % 16 == 7) {
            sched_yield();  // on one CPU the writer would hardly ever meet the hole
        }
        // Never replaced by something else in between: the address was this thread's.
        CHECK(mmap(area, kBytes, PROT_READ | PROT_WRITE, kAnonymous | MAP_FIXED, -1, 0) == area);
        if (round % 3 == 0) {
            CHECK_OK(mprotect(area, kBytes, PROT_READ));
            CHECK_OK(mprotect(area, kBytes, PROT_READ | PROT_WRITE));
        }
        if (round % 16 == 15) {
            sched_yield();
        }
    }
    stop = true;
    writer.join();
    CHECK(faults > 0);
    munmap(area, kBytes);
}

TEST(after_unmapping_nobody_reads_old_frames) {
    // What one thread unmaps may become another's memory at once: its contents must not be seen through old mappings.
    constexpr std::size_t kBytes = 16 * kPage;
    std::atomic<bool> stop = false;
    std::atomic<unsigned> foreign = 0;
    const auto churn = [&](std::byte mark) {
        while (!stop) {
            std::byte* area = map(kBytes);
            for (std::size_t at = 0; at < kBytes; at += kPage) {
                if (area[at] != std::byte{0} || area[at + kPage - 1] != std::byte{0}) {
                    ++foreign;
                }
                area[at] = mark;
                area[at + kPage - 1] = mark;
            }
            for (std::size_t at = 0; at < kBytes; at += kPage) {
                if (area[at] != mark || area[at + kPage - 1] != mark) {
                    ++foreign;
                }
            }
            munmap(area, kBytes);
        }
    };
    std::thread first(churn, std::byte{1});
    std::thread second(churn, std::byte{2});
    for (int i = 0; i < 200; ++i) {
        std::byte* area = map(kBytes);
        if (area[0] != std::byte{0}) {
            ++foreign;
        }
        std::memset(area, 3, kBytes);
        munmap(area, kBytes);
    }
    stop = true;
    first.join();
    second.join();
    CHECK_EQ(foreign.load(), 0u);
}

TEST(forking_while_a_thread_writes) {
    // The writer raises all counters of the area in order: a child must see counters that never rise again behind a
    // lower one.
    constexpr std::size_t kPages = 32;
    auto* counters = reinterpret_cast<std::atomic<std::uint64_t>*>(map(kPages * kPage));
    const auto at = [counters](std::size_t page) -> std::atomic<std::uint64_t>& {
        return counters[page * kPage / sizeof(std::uint64_t)];
    };
    std::atomic<bool> stop = false;
    std::thread writer([&] {
        while (!stop) {
            for (std::size_t page = 0; page < kPages; ++page) {
                at(page).fetch_add(1);
            }
        }
    });
    for (int i = 0; i < 20; ++i) {
        CHECK_CHILD([&] {
            const std::uint64_t first = at(0);
            for (std::size_t page = 1; page < kPages; ++page) {
                CHECK(at(page) == first || at(page) == first - 1);
                CHECK(at(page) <= at(page - 1));
            }
            // A child's page does not change any more.
            const std::uint64_t before = at(kPages - 1);
            for (int k = 0; k < 20; ++k) {
                sched_yield();
            }
            CHECK_EQ(at(kPages - 1).load(), before);
        });
    }
    stop = true;
    writer.join();
    CHECK_EQ(at(0).load(), at(kPages - 1).load());
    munmap(counters, kPages * kPage);
}

TEST(signals_during_faults) {
    struct sigaction action{};
    static std::atomic<int> delivered;
    delivered = 0;
    action.sa_handler = [](int) { ++delivered; };
    action.sa_flags = SA_RESTART;
    CHECK_OK(sigaction(SIGUSR1, &action, nullptr));
    const pthread_t target = pthread_self();
    std::atomic<bool> stop = false;
    std::thread sender([&] {
        while (!stop) {
            pthread_kill(target, SIGUSR1);
            sched_yield();
        }
    });
    bool right = true;
    for (int round = 0; round < 20 || (round < 1000 && delivered < 10); ++round) {
        constexpr std::size_t kBytes = 1 << 20;
        std::byte* area = map(kBytes);
        for (std::size_t offset = 0; offset < kBytes; offset += kPage) {
            area[offset] = static_cast<std::byte>(offset / kPage);
        }
        for (std::size_t offset = 0; offset < kBytes; offset += kPage) {
            right = right && area[offset] == static_cast<std::byte>(offset / kPage);
        }
        CHECK_OK(munmap(area, kBytes));
    }
    CHECK(right);
    stop = true;
    sender.join();
    CHECK(delivered > 0);
}

TEST(shared_counters_of_processes) {
    auto* counter = reinterpret_cast<std::atomic<std::uint32_t>*>(map(kPage, MAP_SHARED | MAP_ANONYMOUS));
    pid_t children[4];
    for (pid_t& child : children) {
        child = check::start_child([&] {
            for (int i = 0; i < 100'000; ++i) {
                counter->fetch_add(1, std::memory_order_relaxed);
            }
        });
    }
    for (const pid_t child : children) {
        CHECK_EXIT(check::wait_status(child), 0);
    }
    CHECK_EQ(counter->load(), 400'000u);
    munmap(counter, kPage);
}

TEST_MAIN()
