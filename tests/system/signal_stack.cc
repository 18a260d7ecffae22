// SPDX-License-Identifier: MIT OR Apache-2.0
// sigaltstack(2), the frame a handler gets, and what it may change in it.
#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <ucontext.h>

#include <csetjmp>
#include <cstdint>

#include "system/support/check.h"

namespace {

constexpr std::size_t kStackSize = 64 * 1024;
alignas(16) std::byte alternate[kStackSize];
std::uintptr_t handler_stack;
stack_t stack_in_handler;
stack_t stack_in_frame;

bool on_alternate(std::uintptr_t address) {
    const auto base = reinterpret_cast<std::uintptr_t>(alternate);
    return address >= base && address < base + kStackSize;
}

void note_stack(int, siginfo_t*, void* context) {
    int here;
    handler_stack = reinterpret_cast<std::uintptr_t>(&here);
    CHECK_OK(sigaltstack(nullptr, &stack_in_handler));
    stack_in_frame = static_cast<ucontext_t*>(context)->uc_stack;
}

void install(int number, void (*handler)(int, siginfo_t*, void*), int flags) {
    struct sigaction action{};
    action.sa_sigaction = handler;
    action.sa_flags = SA_SIGINFO | flags;
    CHECK_OK(sigaction(number, &action, nullptr));
}

void use_alternate(unsigned flags = 0) {
    const stack_t stack{.ss_sp = alternate, .ss_flags = static_cast<int>(flags), .ss_size = kStackSize};
    CHECK_OK(sigaltstack(&stack, nullptr));
}

void use_none() {
    const stack_t stack{.ss_sp = nullptr, .ss_flags = SS_DISABLE, .ss_size = 0};
    CHECK_OK(sigaltstack(&stack, nullptr));
}

constexpr unsigned kAutoDisarm = 1u << 31;  // SS_AUTODISARM

}  // namespace

TEST(disabled_at_first) {
    stack_t stack;
    CHECK_OK(sigaltstack(nullptr, &stack));
    CHECK_EQ(stack.ss_flags, SS_DISABLE);
    CHECK(stack.ss_sp == nullptr);
    CHECK_EQ(stack.ss_size, 0u);
}

TEST(set_and_used_only_with_onstack) {
    use_alternate();
    stack_t stack;
    CHECK_OK(sigaltstack(nullptr, &stack));
    CHECK_EQ(stack.ss_flags, 0);
    CHECK(stack.ss_sp == alternate);
    CHECK_EQ(stack.ss_size, kStackSize);
    install(SIGUSR1, note_stack, 0);
    raise(SIGUSR1);
    CHECK(!on_alternate(handler_stack));
    CHECK_EQ(stack_in_handler.ss_flags, 0);
    install(SIGUSR1, note_stack, SA_ONSTACK);
    raise(SIGUSR1);
    CHECK(on_alternate(handler_stack));
    CHECK_EQ(stack_in_handler.ss_flags, SS_ONSTACK);
    CHECK(stack_in_frame.ss_sp == alternate);
    CHECK_EQ(stack_in_frame.ss_size, kStackSize);
    CHECK_OK(sigaltstack(nullptr, &stack));
    CHECK_EQ(stack.ss_flags, 0);
    use_none();
}

TEST(nested_handlers_share_it) {
    use_alternate();
    static std::uintptr_t outer;
    install(SIGUSR2, note_stack, SA_ONSTACK);
    install(
        SIGUSR1,
        [](int, siginfo_t*, void*) {
            int here;
            outer = reinterpret_cast<std::uintptr_t>(&here);
            raise(SIGUSR2);
        },
        SA_ONSTACK);
    raise(SIGUSR1);
    CHECK(on_alternate(outer) && on_alternate(handler_stack));
    CHECK(handler_stack < outer);  // continues below, does not start again at the top
    use_none();
}

TEST(not_changed_while_in_use) {
    use_alternate();
    install(
        SIGUSR1,
        [](int, siginfo_t*, void*) {
            const stack_t stack{.ss_sp = alternate, .ss_flags = 0, .ss_size = kStackSize / 2};
            CHECK_ERRNO(sigaltstack(&stack, nullptr), EPERM);
        },
        SA_ONSTACK);
    raise(SIGUSR1);
    use_none();
}

TEST(autodisarm) {
    use_alternate(kAutoDisarm);
    stack_t stack;
    CHECK_OK(sigaltstack(nullptr, &stack));
    CHECK_EQ(static_cast<unsigned>(stack.ss_flags), kAutoDisarm);
    install(SIGUSR1, note_stack, SA_ONSTACK);
    raise(SIGUSR1);
    CHECK(on_alternate(handler_stack));
    CHECK_EQ(stack_in_handler.ss_flags, SS_DISABLE);
    CHECK_OK(sigaltstack(nullptr, &stack));
    CHECK(stack.ss_sp == alternate);
    CHECK_EQ(static_cast<unsigned>(stack.ss_flags), kAutoDisarm);
    use_none();
}

TEST(wrong_arguments) {
    stack_t stack{.ss_sp = alternate, .ss_flags = 0, .ss_size = 1024};
    CHECK_ERRNO(sigaltstack(&stack, nullptr), ENOMEM);
    stack.ss_size = kStackSize;
    stack.ss_flags = 64;
    CHECK_ERRNO(sigaltstack(&stack, nullptr), EINVAL);
    CHECK_ERRNO(syscall(SYS_sigaltstack, 8, nullptr), EFAULT);
    CHECK_ERRNO(syscall(SYS_sigaltstack, nullptr, 8), EFAULT);
    CHECK_OK(sigaltstack(nullptr, nullptr));
}

TEST(fork_keeps_it) {
    use_alternate();
    CHECK_CHILD([] {
        stack_t stack;
        CHECK_OK(sigaltstack(nullptr, &stack));
        CHECK(stack.ss_sp == alternate);
        install(SIGUSR1, note_stack, SA_ONSTACK);
        raise(SIGUSR1);
        CHECK(on_alternate(handler_stack));
    });
    use_none();
}

TEST(stack_overflow_is_survived) {
    CHECK_CHILD([] {
        use_alternate();
        static sigjmp_buf back;
        install(SIGSEGV, [](int, siginfo_t*, void*) { siglongjmp(back, 1); }, SA_ONSTACK);
        static int (*volatile recurse)(int);
        recurse = [](int depth) {
            volatile char block[4096];
            block[0] = static_cast<char>(depth);
            return recurse(depth + 1) + block[0];
        };
        const rlimit limit{1 << 20, RLIM_INFINITY};
        CHECK_OK(setrlimit(RLIMIT_STACK, &limit));
        if (sigsetjmp(back, 1) == 0) {
            recurse(0);
            CHECK(false);
        }
    });
}

TEST(no_room_for_the_frame) {
    // Neither a usable stack nor an alternate one: the process dies, whatever it handles.
    CHECK_SIGNALED(check::child_status([] {
                       static std::byte* low;
                       low =
                           static_cast<std::byte*>(mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
                       install(SIGUSR1, note_stack, SA_ONSTACK);
                       install(SIGSEGV, note_stack, SA_ONSTACK);
                       const stack_t stack{.ss_sp = low, .ss_flags = 0, .ss_size = 4096};
                       CHECK_OK(sigaltstack(&stack, nullptr));
                       raise(SIGUSR1);
                   }),
                   SIGSEGV);
}

TEST(frame_is_aligned_and_clear_of_the_red_zone) {
    install(
        SIGUSR1,
        [](int, siginfo_t* info, void* context) {
            const auto* frame = static_cast<ucontext_t*>(context);
            const auto at = reinterpret_cast<std::uintptr_t>(frame);
            // rsp is 8 below a multiple of 16 at a function's entry; the return address lies there, then the context.
            CHECK_EQ((at - 8) % 16, 8u);
            const auto interrupted = static_cast<std::uintptr_t>(frame->uc_mcontext.gregs[REG_RSP]);
            const auto saved_state = reinterpret_cast<std::uintptr_t>(frame->uc_mcontext.fpregs);
            CHECK_EQ(saved_state % 64, 0u);
            CHECK(reinterpret_cast<std::uintptr_t>(info) > at && saved_state > at);
            CHECK(saved_state + 512 <= interrupted - 128);
            CHECK(__builtin_cpu_supports("xsave") == 0 || (frame->uc_flags & 1) == 1);  // UC_FP_XSTATE
        },
        0);
    raise(SIGUSR1);
}

TEST(a_handler_changes_registers) {
    install(
        SIGTRAP,
        [](int, siginfo_t*, void* context) {
            auto& registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
            registers[REG_RAX] = 0x1122334455667788;
            registers[REG_R15] = registers[REG_R14] + 1;
            registers[REG_EFL] |= 1;  // carry
        },
        0);
    std::uint64_t a = 0;
    std::uint64_t b = 0;
    std::uint8_t carry = 0;
    asm volatile("mov $41, %%r14\n\tclc\n\tint3\n\tsetc %2\n\tmov %%rax, %0\n\tmov %%r15, %1"
                 : "=&r"(a), "=&r"(b), "=&r"(carry)
                 :
                 : "rax", "r14", "r15", "cc", "memory");
    CHECK_EQ(a, 0x1122334455667788u);
    CHECK_EQ(b, 42u);
    CHECK_EQ(carry, 1);
}

TEST(a_handler_changes_the_mask) {
    install(
        SIGUSR1,
        [](int, siginfo_t*, void* context) {
            auto* frame = static_cast<ucontext_t*>(context);
            CHECK(sigismember(&frame->uc_sigmask, SIGUSR1) == 0);
            sigaddset(&frame->uc_sigmask, SIGTERM);
            sigaddset(&frame->uc_sigmask, SIGKILL);
        },
        0);
    raise(SIGUSR1);
    sigset_t set;
    CHECK_OK(sigprocmask(SIG_BLOCK, nullptr, &set));
    CHECK(sigismember(&set, SIGTERM) == 1);
    CHECK(sigismember(&set, SIGKILL) == 0);
    CHECK(sigismember(&set, SIGUSR1) == 0);
    sigemptyset(&set);
    CHECK_OK(sigprocmask(SIG_SETMASK, &set, nullptr));
}

TEST(minimum_size_is_told) {
    const unsigned long minimum = getauxval(AT_MINSIGSTKSZ);
    CHECK(minimum >= 1024 && minimum < 64 * 1024);
}

TEST_MAIN()
