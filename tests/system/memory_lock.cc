// SPDX-License-Identifier: MIT OR Apache-2.0
// mincore(2), mlock(2), membarrier(2), process_vm_readv(2), kcmp(2).
#include <linux/kcmp.h>
#include <linux/membarrier.h>
#include <sys/resource.h>
#include <sys/uio.h>

#include <atomic>
#include <thread>

#include "system/support/scratch.h"

namespace {

using scratch::bad_address;
constexpr std::size_t kPage = 4096;

char* map(std::size_t pages, int protection = PROT_READ | PROT_WRITE) {
    void* const at = mmap(nullptr, pages * kPage, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(at != MAP_FAILED);
    return static_cast<char*>(at);
}

TEST(mincore_tells) {
    char* const at = map(400);
    CHECK_OK(madvise(at, 400 * kPage, MADV_NOHUGEPAGE));
    at[0] = 1;
    at[300 * kPage] = 1;
    unsigned char states[400];
    CHECK_OK(mincore(at, 400 * kPage, states));
    CHECK_EQ(states[0] & 1, 1);
    CHECK_EQ(states[300] & 1, 1);
    CHECK_EQ(states[399] & 1, 0);
    CHECK_OK(mincore(at, 1, states));
    CHECK_ERRNO(mincore(at + 1, kPage, states), EINVAL);
    CHECK_ERRNO(mincore(at, kPage, reinterpret_cast<unsigned char*>(bad_address())), EFAULT);
    CHECK_OK(munmap(at + kPage, kPage));
    CHECK_ERRNO(mincore(at, 2 * kPage, states), ENOMEM);
    CHECK_OK(munmap(at, 400 * kPage));
}

TEST(mlock_brings_in) {
    char* const at = map(20);
    unsigned char states[20];
    CHECK_OK(mlock(at + 5, 3 * kPage));
    CHECK_OK(mincore(at, 20 * kPage, states));
    CHECK_EQ(states[0] & states[1] & states[2] & states[3] & 1, 1);
    CHECK_OK(munlock(at, 4 * kPage));
    CHECK_OK(mlock2(at, 20 * kPage, MLOCK_ONFAULT));
    CHECK_ERRNO(mlock2(at, kPage, 8), EINVAL);
    CHECK_OK(mlock2(at, 20 * kPage, 0));
    CHECK_OK(munlock(at, 20 * kPage));
    CHECK_OK(munmap(at + kPage, kPage));
    CHECK_ERRNO(mlock(at, 3 * kPage), ENOMEM);
    CHECK_ERRNO(munlock(at, 3 * kPage), ENOMEM);
    CHECK_ERRNO(mlock(at, SIZE_MAX - 10 * kPage), EINVAL);
    CHECK_OK(mlock(at, SIZE_MAX - 100));  // rounded to nothing
    CHECK_OK(munmap(at, 20 * kPage));
    CHECK_OK(mlockall(MCL_CURRENT));
    CHECK_OK(munlockall());
    CHECK_ERRNO(mlockall(0), EINVAL);
    CHECK_ERRNO(mlockall(64), EINVAL);
    CHECK_ERRNO(mlockall(MCL_ONFAULT), EINVAL);
}

TEST(mlock_limit) {
    CHECK_EQ(scratch::as_other_user([] {
                 char* const at = map(20);
                 const rlimit limit{4 * kPage, 4 * kPage};
                 CHECK_OK(setrlimit(RLIMIT_MEMLOCK, &limit));
                 CHECK_OK(mlock(at, 4 * kPage));
                 CHECK_ERRNO(mlock(at, 5 * kPage), ENOMEM);
                 const rlimit nothing{0, 0};
                 CHECK_OK(setrlimit(RLIMIT_MEMLOCK, &nothing));
                 CHECK_ERRNO(mlock(at, kPage), EPERM);
                 CHECK_ERRNO(mlockall(MCL_CURRENT), EPERM);
             }),
             0);
}

long barrier(int command, unsigned flags = 0) {
    return syscall(SYS_membarrier, command, flags, 0);
}

// Dekker's algorithm with a compiler barrier on one side and membarrier on the other.
TEST(membarrier_orders) {
    const long known = barrier(MEMBARRIER_CMD_QUERY);
    CHECK((known & MEMBARRIER_CMD_PRIVATE_EXPEDITED) != 0);
    CHECK_ERRNO(barrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED), EPERM);
    CHECK_OK(barrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED));
    CHECK_OK(barrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED));
    std::atomic<int> round{0}, done{0};
    std::atomic<int> x{0}, y{0}, seen{0};
    constexpr int kRounds = 200;
    std::thread fast([&] {
        for (int i = 1; i <= kRounds; ++i) {
            while (round.load(std::memory_order_relaxed) != i) {
            }
            x.store(i, std::memory_order_relaxed);
            std::atomic_signal_fence(std::memory_order_seq_cst);
            seen.store(y.load(std::memory_order_relaxed), std::memory_order_relaxed);
            done.store(i, std::memory_order_release);
        }
    });
    bool violated = false;
    for (int i = 1; i <= kRounds; ++i) {
        round.store(i, std::memory_order_release);
        y.store(i, std::memory_order_relaxed);
        CHECK_OK(barrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED));
        const int x_seen = x.load(std::memory_order_relaxed);
        while (done.load(std::memory_order_acquire) != i) {
            sched_yield();
        }
        violated = violated || (x_seen != i && seen.load(std::memory_order_relaxed) != i);
    }
    fast.join();
    CHECK(!violated);
    CHECK_OK(barrier(MEMBARRIER_CMD_GLOBAL));
    CHECK_ERRNO(barrier(1 << 20), EINVAL);
    CHECK_ERRNO(barrier(MEMBARRIER_CMD_QUERY, 1), EINVAL);
}

TEST(process_memory) {
    char* const shared =
        static_cast<char*>(mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    char* const own = map(3);
    std::strcpy(own, "parent");
    std::strcpy(own + kPage, "second");
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    const pid_t child = check::start_child([&] {
        std::strcpy(own, "child");
        shared[0] = 1;
        char c;
        close(ends[1]);
        (void)!read(ends[0], &c, 1);
        CHECK_EQ(std::string(own), "poked");
    });
    while (*static_cast<volatile char*>(shared) == 0) {
        usleep(1000);
    }
    char text[20]{};
    char more[20]{};
    const iovec local[] = {{text, 6}, {more, 7}};
    const iovec remote[] = {{own, 6}, {own + kPage, 7}};
    CHECK_EQ(process_vm_readv(child, local, 2, remote, 2, 0), 13);
    CHECK_EQ(std::string(text), "child");
    CHECK_EQ(std::string(more), "second");
    CHECK_OK(munmap(own + 2 * kPage, kPage));
    char poke[] = "poked";
    const iovec from{poke, 6};
    CHECK_EQ(process_vm_writev(child, &from, 1, remote, 1, 0), 6);
    const iovec nowhere{bad_address(), 6};
    CHECK_ERRNO(process_vm_readv(child, local, 1, &nowhere, 1, 0), EFAULT);
    CHECK_ERRNO(process_vm_readv(child, local, 1, remote, 1, 1), EINVAL);
    CHECK_ERRNO(process_vm_readv(0x3fffffff, local, 1, remote, 1, 0), ESRCH);
    CHECK_EQ(process_vm_readv(child, local, 0, remote, 1, 0), 0);
    CHECK_EQ(scratch::as_other_user([&] { CHECK_ERRNO(process_vm_readv(child, local, 1, remote, 1, 0), EPERM); }), 0);
    close(ends[0]);
    close(ends[1]);
    CHECK_EXIT(check::wait_status(child), 0);
}

TEST(kcmp_compares) {
    const pid_t self = getpid();
    const int copy = dup(1);
    const int other = open("/dev/null", O_RDONLY);
    const auto compare = [&](pid_t with, int type, int a = 0, int b = 0) {
        return syscall(SYS_kcmp, self, with, type, a, b);
    };
    CHECK_EQ(compare(self, KCMP_FILE, 1, copy), 0);
    const long order = compare(self, KCMP_FILE, 1, other);
    CHECK(order == 1 || order == 2);
    CHECK_EQ(compare(self, KCMP_FILE, other, 1), 3 - order);
    CHECK_EQ(compare(self, KCMP_VM), 0);
    CHECK_ERRNO(compare(self, KCMP_FILE, 1, 1000), EBADF);
    CHECK_ERRNO(compare(self, 77), EINVAL);
    CHECK_ERRNO(compare(0x3fffffff, KCMP_VM), ESRCH);
    CHECK_CHILD([&] {
        CHECK_EQ(syscall(SYS_kcmp, self, getpid(), KCMP_FILE, 1, 1), 0);
        CHECK(syscall(SYS_kcmp, self, getpid(), KCMP_VM, 0, 0) > 0);
    });
}

}  // namespace

TEST_MAIN()
