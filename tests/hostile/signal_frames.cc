// SPDX-License-Identifier: MIT OR Apache-2.0
// Attack (g): forged signal frames, through the guest's own sigreturn and through the stub's.
#include <ucontext.h>

#include <functional>
#include <initializer_list>

#include "hostile/support/attack.h"

namespace {

struct Frame {
    ucontext_t context;
    siginfo_t info;
    alignas(64) std::byte state[4096];
};

alignas(64) Frame frame;
std::byte* own_stack;

[[noreturn]] void spin() {
    while (true) {
    }
}

[[noreturn]] void call_on() {
    // With whatever state the frame gave: a call must still be the guest's.
    syscall(SYS_getppid);
    _exit(3);
}

// A frame that would continue in `call_on`.
void make_frame() {
    std::memset(&frame, 0, sizeof(frame));
    getcontext(&frame.context);
    auto& registers = frame.context.uc_mcontext.gregs;
    registers[REG_RIP] = reinterpret_cast<greg_t>(&call_on);
    registers[REG_RSP] = reinterpret_cast<greg_t>(own_stack + 8 * attack::kPage - 8);
    registers[REG_EFL] = 0x202;
    registers[REG_CSGSFS] = 0x33 | (0x2bll << 48);
    frame.context.uc_mcontext.fpregs = nullptr;
    frame.context.uc_flags = 0;
}

// The frame is what rsp points to when the handler has returned to its restorer.
[[noreturn]] void sigreturn(const void* at) {
    asm volatile("mov %0, %%rsp\n\tmov $15, %%eax\n\tsyscall\n\tud2" ::"r"(at) : "memory");
    __builtin_unreachable();
}

void with_frame(attack::Outcome& outcome, const std::function<void()>& change, int limit_ms = 60) {
    attack::attempt(
        outcome,
        [&] {
            make_frame();
            change();
            sigreturn(&frame.context);
        },
        limit_ms);
}

greg_t& reg(int index) {
    return frame.context.uc_mcontext.gregs[index];
}

void set_state(std::uint32_t mxcsr, std::uint64_t features, std::uint32_t magic, std::uint32_t size) {
    std::memset(frame.state, 0, sizeof(frame.state));
    frame.context.uc_mcontext.fpregs = reinterpret_cast<fpregset_t>(frame.state);
    frame.context.uc_flags = 1;
    std::memcpy(frame.state + 24, &mxcsr, 4);
    std::memcpy(frame.state + 464, &magic, 4);
    std::memcpy(frame.state + 468, &size, 4);
    std::memcpy(frame.state + 472, &features, 8);
    std::memcpy(frame.state + 480, &size, 4);
    std::memcpy(frame.state + 512, &features, 8);
}

// Runs in 32-bit code: int 0x80, sysenter or a loop, at an address that fits.
greg_t low_code(const char* bytes, std::size_t count) {
    auto* low = static_cast<std::byte*>(mmap(reinterpret_cast<void*>(0x30000000), attack::kPage,
                                             PROT_READ | PROT_WRITE | PROT_EXEC,
                                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
    if (low == MAP_FAILED) {
        attack::fail("mmap");
    }
    std::memcpy(low, bytes, count);
    return reinterpret_cast<greg_t>(low);
}

// The host's own frame layout, written into the page where the host puts frames of this process's threads, then the
// stub's sigreturn instruction.
void through_the_stub(attack::Outcome& outcome, std::uint64_t slot, const std::function<void()>& change) {
    attack::attempt(
        outcome,
        [&] {
            make_frame();
            change();
            const std::uint64_t at = KPIO_STUB_FRAMES + slot * 4096 + 256;
            std::memcpy(reinterpret_cast<void*>(at), &frame.context, sizeof(frame.context));
            asm volatile("mov %0, %%rsp\n\tmov $15, %%eax\n\tjmp *%1" ::"r"(at),
                         "r"(std::uint64_t{KPIO_STUB_CODE + KPIO_NOTIFY_RETURN - 2})
                         : "memory");
            __builtin_unreachable();
        },
        100);
}

}  // namespace

int main() {
    attack::require_kpio();
    own_stack = attack::map(16 * attack::kPage);
    attack::Outcome outcome;

    // All signals masked, then busy for ever: SIGKILL must still end it.
    with_frame(outcome, [] {
        std::memset(&frame.context.uc_sigmask, 0xff, sizeof(frame.context.uc_sigmask));
        reg(REG_RIP) = reinterpret_cast<greg_t>(&spin);
    });
    if (outcome.hung != 1) {
        attack::fail("the masked loop did not run");
    }
    for (const std::uint64_t bits : {0x100ull, 0x400ull, 0x40000ull, 0x3000ull, 0x4000ull, 0x10000ull, 0x20000ull,
                                     0x80000ull, 0x100000ull, 0x200000ull, 0ull, ~0ull}) {
        with_frame(outcome, [=] { reg(REG_EFL) = static_cast<greg_t>(bits); });
    }
    for (const std::uint64_t address : std::initializer_list<std::uint64_t>{
             0x8000'0000'0000u, 0x8000'0000'0000'0000u, ~0u, 0xffff'8000'0000'0000u, 0x7fff'ffff'f000u, 0u,
             KPIO_STUB_CODE, KPIO_STUB_CONTROL, KPIO_STUB_FRAMES}) {
        with_frame(outcome, [=] { reg(REG_RIP) = static_cast<greg_t>(address); });
        with_frame(outcome, [=] { reg(REG_RSP) = static_cast<greg_t>(address); });
        with_frame(outcome, [=] { frame.context.uc_mcontext.fpregs = reinterpret_cast<fpregset_t>(address); });
        with_frame(outcome, [=] { frame.context.uc_stack = {reinterpret_cast<void*>(address), 0, 65536}; });
        attack::attempt(outcome, [=] { sigreturn(reinterpret_cast<void*>(address)); });
    }
    for (const std::uint64_t selectors :
         {0x10ull, 0x23ull, 0x08ull, 0xffffull, 0x33ull | (0x18ull << 48), 0x23ull | (0x2bull << 48), 0x0ull,
          0x33ull | (0x23ull << 16), 0x7ull | (0xfull << 48)}) {
        with_frame(outcome, [=] { reg(REG_CSGSFS) = static_cast<greg_t>(selectors); });
    }
    attack::report("flags, addresses and selectors", outcome);

    outcome = {};
    for (const char* code :
         {"\xcd\x80\xf4\xf4", "\x0f\x34\xf4\xf4", "\x0f\x05\xf4\xf4", "\xeb\xfe\xf4\xf4", "\x0f\x0b\xf4\xf4"}) {
        with_frame(outcome, [=] {
            reg(REG_RIP) = low_code(code, 4);
            reg(REG_RSP) = 0x30000f00;
            reg(REG_CSGSFS) = 0x23 | (0x2bll << 48);
            reg(REG_RBX) = attack::kMagic & 0xffff'ffff;
            reg(REG_RAX) = SYS_close;
        });
    }
    attack::report("32-bit code segment", outcome);

    outcome = {};
    constexpr std::uint32_t kMagic1 = 0x46505853;
    for (const std::uint32_t mxcsr : {0x1f80u, 0xffffffffu, 0x0u, 0x10000u}) {
        for (const std::uint64_t features : {0ull, 7ull, ~0ull, 1ull << 62, 1ull << 9, 1ull << 17}) {
            for (const std::uint32_t size : {0u, 512u, 576u, 832u, 4096u, 0xffffffffu}) {
                with_frame(outcome, [=] { set_state(mxcsr, features, kMagic1, size); }, 30);
            }
        }
        with_frame(outcome, [=] { set_state(mxcsr, 0, 0, 0); });
    }
    with_frame(outcome, [] {
        set_state(0x1f80, 7, kMagic1, 832);
        auto* misaligned = frame.state + 8;
        frame.context.uc_mcontext.fpregs = reinterpret_cast<fpregset_t>(misaligned);
    });
    with_frame(outcome, [] { frame.context.uc_flags = ~0ul; });
    attack::report("register state", outcome);

    outcome = {};
    for (std::uint64_t slot = 0; slot < 4; ++slot) {
        through_the_stub(outcome, slot, [] {});
        through_the_stub(outcome, slot, [] {
            std::memset(&frame.context.uc_sigmask, 0xff, sizeof(frame.context.uc_sigmask));
            reg(REG_RIP) = reinterpret_cast<greg_t>(&spin);
        });
        through_the_stub(outcome, slot, [] { reg(REG_EFL) = 0x40502; });
        through_the_stub(outcome, slot,
                         [] { frame.context.uc_stack = {reinterpret_cast<void*>(8), 0x7fffffff, ~0ul}; });
        through_the_stub(outcome, slot, [] { frame.context.uc_mcontext.fpregs = reinterpret_cast<fpregset_t>(8); });
        through_the_stub(outcome, slot, [] { reg(REG_CSGSFS) = 0x23 | (0x2bll << 48); });
        through_the_stub(outcome, slot, [] {
            reg(REG_RIP) = static_cast<greg_t>(KPIO_STUB_CODE + KPIO_MAPPER_OPERATION_RETURN - 2);
            reg(REG_RAX) = SYS_mmap;
            reg(REG_RDI) = static_cast<greg_t>(attack::kMagic);
        });
    }
    attack::report("frames through the stub's sigreturn", outcome);
    attack::check_alive();
    return 0;
}
