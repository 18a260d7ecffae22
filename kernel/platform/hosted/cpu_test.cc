// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/cpu.h"

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <semaphore>
#include <thread>

#include "platform/hosted/host_clock.h"
#include "platform/hosted/vcpu.h"

namespace kernel::platform::hosted {
namespace {

constexpr std::uint64_t kMillisecond = 1'000'000;

std::atomic<unsigned> requested = 0;  // rounds that CPU 1 shall interrupt CPU 0 in

// CPU 1: sends an interrupt for each round, at a moment that wanders over the waiter's path into its wait.
void second_cpu(unsigned) {
    unsigned done = 0;
    std::uint32_t random = 1;
    for (;;) {
        while (requested.load() == done) {
            idle_until_interrupt();
            static_cast<void>(take_interrupts());
        }
        random = random * 1664525u + 1013904223u;
        for (unsigned i = 0; i < (random >> 24); ++i) {
            spin_pause();
        }
        ++done;
        send_ipi(0);
    }
}

// A listener on which no notification ever comes, as of a guest that computes for ever.
int silent_listener() {
    static int listener = -1;
    if (listener >= 0) {
        return listener;
    }
    static std::binary_semaphore ready{0};
    std::thread([] {
        sock_filter code[] = {
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x7777, 0, 1),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        const sock_fprog program{.len = 4, .filter = code};
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, nullptr);
        listener =
            static_cast<int>(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
        ready.release();
        for (;;) {
            pause();
        }
    }).detach();
    ready.acquire();
    return listener;
}

class CpuTest : public testing::Test {
protected:
    static void SetUpTestSuite() {
        set_up_clock();
        set_up_boot_cpu(2);
        ASSERT_TRUE(start_secondary_cpus(second_cpu).has_value());
    }
    void SetUp() override {
        if (silent_listener() < 0) {
            GTEST_SKIP() << "no user notification here";
        }
    }
    long wait_in_user() {
        seccomp_notif notification{};
        return wait_in_user_mode(silent_listener(), SECCOMP_IOCTL_NOTIF_RECV, &notification);
    }
    void ask_second_cpu() {
        requested.fetch_add(1);
        send_ipi(1);
    }
};

TEST_F(CpuTest, CountsAndNamesItself) {
    EXPECT_EQ(cpu_count(), 2u);
    EXPECT_EQ(this_cpu().index, 0u);
    EXPECT_EQ(vcpu_thread_id(), gettid());
}

TEST_F(CpuTest, InterruptToItselfEndsTheNextWait) {
    send_ipi(0);
    EXPECT_TRUE(interrupt_pending());
    EXPECT_EQ(wait_in_user(), -EINTR);
    idle_until_interrupt();
    EXPECT_EQ(take_interrupts(), Interrupts::Reschedule);
    EXPECT_EQ(take_interrupts(), Interrupts::None);
}

TEST_F(CpuTest, NoInterruptIsLostInUserMode) {
    for (int i = 0; i < 3000; ++i) {
        ask_second_cpu();
        ASSERT_EQ(wait_in_user(), -EINTR);
        ASSERT_EQ(take_interrupts(), Interrupts::Reschedule);
    }
}

TEST_F(CpuTest, NoInterruptIsLostInIdle) {
    for (int i = 0; i < 3000; ++i) {
        ask_second_cpu();
        idle_until_interrupt();
        ASSERT_EQ(take_interrupts(), Interrupts::Reschedule);
    }
}

TEST_F(CpuTest, TimerEndsUserModeAndIdle) {
    for (const bool idle : {false, true}) {
        const std::uint64_t start = monotonic_ns();
        set_timer(start + 5 * kMillisecond);
        if (idle) {
            idle_until_interrupt();
        } else {
            EXPECT_EQ(wait_in_user(), -EINTR);
        }
        EXPECT_EQ(take_interrupts(), Interrupts::Timer);
        EXPECT_GE(monotonic_ns(), start + 5 * kMillisecond);
    }
}

TEST_F(CpuTest, TimerInThePastFiresAtOnce) {
    set_timer(0);
    EXPECT_EQ(wait_in_user(), -EINTR);
    EXPECT_EQ(take_interrupts(), Interrupts::Timer);
    set_timer(0);
    idle_until_interrupt();
    EXPECT_EQ(take_interrupts(), Interrupts::Timer);
}

TEST_F(CpuTest, LaterDeadlineReplacesAnArmedOne) {
    const std::uint64_t start = monotonic_ns();
    set_timer(start + 2 * kMillisecond);
    send_ipi(0);
    EXPECT_EQ(wait_in_user(), -EINTR);  // armed
    EXPECT_EQ(take_interrupts(), Interrupts::Reschedule);
    set_timer(start + 20 * kMillisecond);
    EXPECT_EQ(wait_in_user(), -EINTR);
    EXPECT_EQ(take_interrupts(), Interrupts::Timer);
    EXPECT_GE(monotonic_ns(), start + 20 * kMillisecond);
}

TEST_F(CpuTest, DisarmedTimerStaysSilent) {
    set_timer(monotonic_ns() + kMillisecond);
    set_timer(kNoDeadline);
    ask_second_cpu();
    EXPECT_EQ(wait_in_user(), -EINTR);
    EXPECT_EQ(take_interrupts(), Interrupts::Reschedule);
}

TEST_F(CpuTest, KickedGuestGetsItsTimeAndNoMore) {
    seccomp_notif notification{};
    send_ipi(0);
    const std::uint64_t start = monotonic_ns();
    EXPECT_EQ(wait_for_kicked_guest(silent_listener(), SECCOMP_IOCTL_NOTIF_RECV, &notification, 5 * kMillisecond),
              -ETIME);
    EXPECT_GE(monotonic_ns(), start + 5 * kMillisecond);
    EXPECT_EQ(take_interrupts(), Interrupts::Reschedule);
}

}  // namespace
}  // namespace kernel::platform::hosted
