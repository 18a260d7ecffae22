// SPDX-License-Identifier: MIT OR Apache-2.0
// rseq(2): the CPU's number, and critical sections that are given up. The C library has registered each thread.
#include <sched.h>
#include <sys/rseq.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "system/support/scratch.h"

namespace {

using Area = struct rseq;

volatile Area* own_area() {
    return reinterpret_cast<volatile Area*>(static_cast<char*>(__builtin_thread_pointer()) + __rseq_offset);
}

// Stays in a critical section until *stop is set (0), or until it is given up (1).
[[gnu::noinline]] int stay(volatile Area* area, const std::atomic<int>* stop) {
    asm goto(
        ".pushsection rseq_sections, \"aw\"\n"
        ".balign 32\n"
        "3: .long 0, 0\n"
        ".quad 1f, 2f - 1f, 4f\n"
        ".popsection\n"
        "leaq 3b(%%rip), %%rax\n"
        "movq %%rax, 8(%[area])\n"
        "1: cmpl $0, (%[stop])\n"
        "jne 2f\n"
        "jmp 1b\n"
        "2:\n"
        ".pushsection rseq_aborts, \"ax\"\n"
        ".byte 0x0f, 0xb9, 0x3d\n"
        ".long 0x53053053\n"
        "4: jmp %l[given_up]\n"
        ".popsection\n"
        :
        : [area] "r"(area), [stop] "r"(stop)
        : "rax", "memory", "cc"
        : given_up);
    area->rseq_cs = 0;
    return 0;
given_up:
    return 1;
}

TEST(is_registered) {
    if (__rseq_size == 0) {
        check::skip("the C library has not registered the thread");
    }
    CHECK_EQ(own_area()->cpu_id, own_area()->cpu_id_start);
    CHECK(own_area()->cpu_id < 4096);
}

TEST(follows_the_cpu) {
    cpu_set_t all;
    CHECK_OK(sched_getaffinity(0, sizeof(all), &all));
    for (int round = 0; round < 20; ++round) {
        for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
            if (!CPU_ISSET(cpu, &all)) {
                continue;
            }
            cpu_set_t one;
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            CHECK_OK(sched_setaffinity(0, sizeof(one), &one));
            CHECK_EQ(own_area()->cpu_id, cpu);
            unsigned told = 0;
            CHECK_OK(syscall(SYS_getcpu, &told, nullptr, nullptr));
            CHECK_EQ(told, cpu);
        }
    }
    CHECK_OK(sched_setaffinity(0, sizeof(all), &all));
}

TEST(each_thread_has_its_own) {
    volatile Area* const mine = own_area();
    std::thread([&] {
        CHECK(own_area() != mine);
        CHECK(own_area()->cpu_id < 4096);
    }).join();
    CHECK_CHILD([&] {
        CHECK(own_area() == mine);
        cpu_set_t all;
        CHECK_OK(sched_getaffinity(0, sizeof(all), &all));
        unsigned told = 0;
        CHECK_OK(syscall(SYS_getcpu, &told, nullptr, nullptr));
        CHECK(CPU_ISSET(told, &all));
    });
}

TEST(preemption_gives_up) {
    cpu_set_t all;
    CHECK_OK(sched_getaffinity(0, sizeof(all), &all));
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(own_area()->cpu_id, &one);
    CHECK_OK(sched_setaffinity(0, sizeof(one), &one));
    std::atomic<bool> done = false;
    std::atomic<bool> runs = false;
    std::thread other([&] {  // on the same CPU
        runs = true;
        while (!done.load(std::memory_order_relaxed)) {
        }
    });
    const std::atomic<int> never = 0;
    CHECK_EQ(stay(own_area(), &never), 1);
    CHECK_EQ(own_area()->rseq_cs, 0u);
    CHECK(runs.load());
    done = true;
    other.join();
    CHECK_OK(sched_setaffinity(0, sizeof(all), &all));
}

std::atomic<int> handled = 0;

TEST(a_signal_gives_up) {
    struct sigaction action{};
    action.sa_handler = [](int) { handled = 1; };
    CHECK_OK(sigaction(SIGUSR1, &action, nullptr));
    const pthread_t self = pthread_self();
    std::thread sender([&] {
        usleep(20'000);
        pthread_kill(self, SIGUSR1);
    });
    // Not stopped by the handler: the section has been left when it runs. Preemption may be faster; then it is tried
    // again.
    const std::atomic<int> never = 0;
    while (handled.load() == 0) {
        CHECK_EQ(stay(own_area(), &never), 1);
    }
    sender.join();
    CHECK_EQ(stay(own_area(), &handled), 0);
}

TEST(registration) {
    CHECK_CHILD([] {
        const auto call = [](void* area, std::uint32_t length, int flags, std::uint32_t signature) {
            return syscall(SYS_rseq, area, length, flags, signature);
        };
        void* const area = const_cast<Area*>(own_area());
        CHECK_ERRNO(call(area, 32, 0, RSEQ_SIG), EBUSY);
        CHECK_ERRNO(call(area, 32, 0, 7), EPERM);
        CHECK_ERRNO(call(static_cast<char*>(area) + 32, 32, 0, RSEQ_SIG), EINVAL);
        CHECK_ERRNO(call(area, 32, RSEQ_FLAG_UNREGISTER, 7), EPERM);
        CHECK_OK(call(area, 32, RSEQ_FLAG_UNREGISTER, RSEQ_SIG));
        CHECK_EQ(own_area()->cpu_id, static_cast<std::uint32_t>(-1));
        CHECK_ERRNO(call(area, 32, RSEQ_FLAG_UNREGISTER, RSEQ_SIG), EINVAL);
        CHECK_ERRNO(call(static_cast<char*>(area) + 8, 32, 0, RSEQ_SIG), EINVAL);
        CHECK_ERRNO(call(area, 16, 0, RSEQ_SIG), EINVAL);
        CHECK_ERRNO(call(reinterpret_cast<void*>(0xffff'8000'0000'0000), 32, 0, RSEQ_SIG), EFAULT);
        CHECK_OK(call(area, 32, 0, RSEQ_SIG));
        CHECK(own_area()->cpu_id < 4096);
    });
}

TEST(a_wrong_section_is_fatal) {
    CHECK_SIGNALED(check::child_status([] {
                       alignas(32) static std::uint64_t section[4] = {0, 0x1000, 0x1000, 0x1010};
                       own_area()->rseq_cs = reinterpret_cast<std::uintptr_t>(section);
                       for (int i = 0; i < 1000; ++i) {
                           struct sigaction action{};
                           action.sa_handler = [](int) {};
                           sigaction(SIGUSR1, &action, nullptr);
                           raise(SIGUSR1);
                       }
                   }),
                   SIGSEGV);
}

}  // namespace

TEST_MAIN()
