// SPDX-License-Identifier: MIT OR Apache-2.0
// Registers across handlers: general, x87, SSE, AVX and AVX-512 state survives, and handlers start with a clean state.
#include <cpuid.h>
#include <fenv.h>
#include <immintrin.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <time.h>
#include <ucontext.h>

#include <atomic>
#include <cstdint>
#include <thread>

#include "system/support/check.h"

namespace {

std::atomic<int> delivered;

__attribute__((target("avx512f"))) void spoil_avx512() {
    asm volatile(
        "vpternlogd $255, %%zmm0, %%zmm0, %%zmm0\n\tvmovdqa64 %%zmm0, %%zmm5\n\tvmovdqa64 %%zmm0, %%zmm31\n\t"
        "kxnorw %%k1, %%k1, %%k1\n\tkxnorw %%k7, %%k7, %%k7" ::
            : "xmm0", "xmm5", "memory");
}

__attribute__((target("avx"))) void spoil_avx() {
    asm volatile(
        "vxorps %%ymm0, %%ymm0, %%ymm0\n\tvmovaps %%ymm0, %%ymm1\n\tvmovaps %%ymm0, %%ymm7\n\t"
        "vmovaps %%ymm0, %%ymm15" ::
            : "xmm0", "xmm1", "xmm7", "xmm15", "memory");
}

void spoil(int) {
    ++delivered;
    // The direction flag and the x87 stack are clean at the entry of a function.
    std::uint64_t flags;
    asm volatile("pushfq\n\tpop %0" : "=r"(flags));
    CHECK_EQ(flags & 0x400, 0u);
    asm volatile("fninit\n\tfldpi\n\tfldpi\n\tfldpi" ::: "st");
    std::uint32_t mxcsr = 0x7f80;
    asm volatile("ldmxcsr %0" ::"m"(mxcsr));
    if (__builtin_cpu_supports("avx512f")) {
        spoil_avx512();
    } else if (__builtin_cpu_supports("avx")) {
        spoil_avx();
    }
    asm volatile("fninit" ::: "st");
}

void install(void (*handler)(int), int flags = 0) {
    struct sigaction action{};
    action.sa_handler = handler;
    action.sa_flags = flags;
    CHECK_OK(sigaction(SIGUSR1, &action, nullptr));
}

struct alignas(64) Registers {
    std::uint8_t vectors[4][64];
    std::uint64_t masks[2];
};

// Loads known values, lets `interrupt` happen, and says whether they are still there.
__attribute__((target("avx512f"))) bool hold_avx512(const Registers& in, pid_t process, int tid) {
    Registers out{};
    asm volatile(
        "vmovdqa64 (%1), %%zmm0\n\tvmovdqa64 64(%1), %%zmm5\n\tvmovdqa64 128(%1), %%zmm15\n\t"
        "vmovdqa64 192(%1), %%zmm31\n\tkmovw 256(%1), %%k1\n\tkmovw 264(%1), %%k7\n\t"
        "mov %[nr], %%eax\n\tmov %[pid], %%edi\n\tmov %[tid], %%esi\n\tmov %[sig], %%edx\n\tsyscall\n\t"
        "vmovdqa64 %%zmm0, (%0)\n\tvmovdqa64 %%zmm5, 64(%0)\n\tvmovdqa64 %%zmm15, 128(%0)\n\t"
        "vmovdqa64 %%zmm31, 192(%0)\n\tkmovw %%k1, 256(%0)\n\tkmovw %%k7, 264(%0)"
        :
        : "r"(&out), "r"(&in), [nr] "i"(SYS_tgkill), [pid] "r"(process), [tid] "r"(tid), [sig] "i"(SIGUSR1)
        : "rax", "rdi", "rsi", "rdx", "rcx", "r11", "xmm0", "xmm5", "xmm15", "memory");
    return std::memcmp(in.vectors, out.vectors, sizeof(in.vectors)) == 0 && in.masks[0] == out.masks[0] &&
           in.masks[1] == out.masks[1];
}

__attribute__((target("avx"))) bool hold_avx(const Registers& in, pid_t process, int tid) {
    Registers out{};
    asm volatile(
        "vmovdqa (%1), %%ymm0\n\tvmovdqa 64(%1), %%ymm5\n\tvmovdqa 128(%1), %%ymm7\n\tvmovdqa 192(%1), %%ymm15\n\t"
        "mov %[nr], %%eax\n\tmov %[pid], %%edi\n\tmov %[tid], %%esi\n\tmov %[sig], %%edx\n\tsyscall\n\t"
        "vmovdqa %%ymm0, (%0)\n\tvmovdqa %%ymm5, 64(%0)\n\tvmovdqa %%ymm7, 128(%0)\n\tvmovdqa %%ymm15, 192(%0)"
        :
        : "r"(&out), "r"(&in), [nr] "i"(SYS_tgkill), [pid] "r"(process), [tid] "r"(tid), [sig] "i"(SIGUSR1)
        : "rax", "rdi", "rsi", "rdx", "rcx", "r11", "xmm0", "xmm5", "xmm7", "xmm15", "memory");
    for (int i = 0; i < 4; ++i) {
        if (std::memcmp(in.vectors[i], out.vectors[i], 32) != 0) {
            return false;
        }
    }
    return true;
}

Registers pattern() {
    Registers values{};
    for (std::size_t i = 0; i < sizeof(values.vectors); ++i) {
        values.vectors[i / 64][i % 64] = static_cast<std::uint8_t>(i * 7 + 1);
    }
    values.masks[0] = 0xa5a5;
    values.masks[1] = 0x1234;
    return values;
}

}  // namespace

TEST(vectors_across_a_handler) {
    install(spoil);
    const Registers values = pattern();
    for (int i = 0; i < 100; ++i) {
        if (__builtin_cpu_supports("avx512f")) {
            CHECK(hold_avx512(values, getpid(), gettid()));
        } else if (__builtin_cpu_supports("avx")) {
            CHECK(hold_avx(values, getpid(), gettid()));
        }
    }
}

TEST(x87_and_control_words_across_a_handler) {
    install(spoil);
    long double result = 0;
    std::uint16_t control = 0x0c7f;  // round to zero, extended precision off
    std::uint16_t seen_control = 0;
    std::uint32_t mxcsr = 0x1f80 | 0x6000;
    std::uint32_t seen_mxcsr = 0;
    asm volatile(
        "fninit\n\tfldcw %[control]\n\tldmxcsr %[mxcsr]\n\tfldl2e\n\t"
        "mov %[nr], %%eax\n\tmov %[pid], %%edi\n\tmov %[tid], %%esi\n\tmov %[sig], %%edx\n\tsyscall\n\t"
        "fstpt %[result]\n\tfnstcw %[seen]\n\tstmxcsr %[seen_mxcsr]\n\tfninit"
        : [result] "=m"(result), [seen] "=m"(seen_control), [seen_mxcsr] "=m"(seen_mxcsr)
        : [control] "m"(control), [mxcsr] "m"(mxcsr), [nr] "i"(SYS_tgkill), [pid] "r"(getpid()), [tid] "r"(gettid()),
          [sig] "i"(SIGUSR1)
        : "rax", "rdi", "rsi", "rdx", "rcx", "r11", "memory");
    const std::uint32_t standard = 0x1f80;
    asm volatile("ldmxcsr %0" ::"m"(standard));
    CHECK(result > 1.4426L && result < 1.4427L);
    CHECK_EQ(seen_control, control);
    CHECK_EQ(seen_mxcsr & 0xffc0, mxcsr & 0xffc0);
}

TEST(general_registers_across_a_handler) {
    install(spoil);
    std::uint64_t sum = 0;
    asm volatile(
        "mov $3, %%rbx\n\tmov $5, %%rbp\n\tmov $7, %%r8\n\tmov $11, %%r9\n\tmov $13, %%r10\n\tmov $17, %%r12\n\t"
        "mov $19, %%r13\n\tmov $23, %%r14\n\tmov $29, %%r15\n\t"
        "mov %[nr], %%eax\n\tsyscall\n\t"
        "lea (%%rbx, %%rbp), %%rax\n\tadd %%r8, %%rax\n\tadd %%r9, %%rax\n\tadd %%r10, %%rax\n\tadd %%r12, %%rax\n\t"
        "add %%r13, %%rax\n\tadd %%r14, %%rax\n\tadd %%r15, %%rax\n\tadd %%rdx, %%rax\n\tadd %%rsi, %%rax\n\t"
        "sub %%rdi, %%rax"
        : "=a"(sum)
        : "D"(getpid()), "S"(gettid()), "d"(SIGUSR1), [nr] "i"(SYS_tgkill)
        : "rbx", "rbp", "rcx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory");
    CHECK_EQ(sum, 127u + SIGUSR1 + static_cast<unsigned>(gettid()) - static_cast<unsigned>(getpid()));
}

TEST(the_frame_holds_the_vectors) {
    struct sigaction action{};
    action.sa_flags = SA_SIGINFO;
    action.sa_sigaction = [](int, siginfo_t*, void* context) {
        auto* state = reinterpret_cast<std::uint8_t*>(static_cast<ucontext_t*>(context)->uc_mcontext.fpregs);
        // FXSAVE layout: xmm0 at 160.
        CHECK_EQ(state[160], 0x11);
        state[160] = 0x77;
    };
    CHECK_OK(sigaction(SIGTRAP, &action, nullptr));
    std::uint32_t low = 0;
    asm volatile("movd %1, %%xmm0\n\tint3\n\tmovd %%xmm0, %0" : "=r"(low) : "r"(0x22110011) : "xmm0", "memory");
    CHECK_EQ(low, 0x22110077u);
}

TEST(the_direction_flag_is_cleared_and_restored) {
    install(spoil);
    std::uint64_t flags = 0;
    asm volatile("std\n\tmov %[nr], %%eax\n\tsyscall\n\tpushfq\n\tpop %0\n\tcld"
                 : "=r"(flags)
                 : "D"(getpid()), "S"(gettid()), "d"(SIGUSR1), [nr] "i"(SYS_tgkill)
                 : "rax", "rcx", "r11", "memory");
    CHECK_EQ(flags & 0x400, 0x400u);
}

// Asynchronous signals at any instruction: a long sum in vector registers comes out right.
TEST(computing_under_fire) {
    install(spoil, SA_RESTART);
    delivered = 0;
    std::atomic<bool> stop = false;
    const pthread_t target = pthread_self();
    std::thread sender([&] {
        while (!stop) {
            pthread_kill(target, SIGUSR1);
            sched_yield();
        }
    });
    double sum = 0;
    double expected = 0;
    timespec start;
    clock_gettime(CLOCK_MONOTONIC, &start);
    timespec now = start;
    while (delivered < 20 && now.tv_sec - start.tv_sec < 5) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        double lanes[8] = {1, 2, 3, 4, 5, 6, 7, 8};
        for (int i = 0; i < 2000; ++i) {
            for (double& lane : lanes) {
                lane = lane * 1.0 + 0.5;
            }
        }
        for (const double lane : lanes) {
            sum += lane;
        }
        expected += 36 + 8 * 1000;
    }
    stop = true;
    sender.join();
    CHECK(sum == expected);
    CHECK(delivered > 0);
}

TEST(fork_keeps_the_vectors) {
    double value = 0;
    long pid = 0;
    asm volatile(
        "mov $0x3ff8000000000000, %%rax\n\tmovq %%rax, %%xmm9\n\tmov %[nr], %%eax\n\tsyscall\n\tmovsd %%xmm9, %0"
        : "=m"(value), "=&a"(pid)
        : [nr] "i"(SYS_fork)
        : "rcx", "r11", "xmm9", "memory");
    if (pid == 0) {
        _exit(value == 1.5 ? 0 : 1);
    }
    CHECK(value == 1.5);
    CHECK_EXIT(check::wait_status(static_cast<pid_t>(pid)), 0);
}

TEST_MAIN()
