// SPDX-License-Identifier: MIT OR Apache-2.0
// Attack (b): jumps to every byte of the stub's code with chosen registers, from one thread and from several at once.
#include <initializer_list>
#include <thread>

#include "hostile/support/attack.h"

namespace {

// All general registers and where to go.
struct Registers {
    std::uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp, r8, r9, r10, r11, r12, r13, r14, r15;
};

thread_local Registers registers_storage;

[[noreturn]] void jump(std::uint64_t to, const Registers& registers) {
    registers_storage = registers;
    // The target lies below the new stack's top, out of the way of all registers.
    auto* slot = reinterpret_cast<std::uint64_t*>(registers.rsp) - 1;
    *slot = to;
    const Registers* from = &registers_storage;
    asm volatile(
        "mov %0, %%rax\n\t"
        "mov 8(%%rax), %%rbx\n\tmov 16(%%rax), %%rcx\n\tmov 24(%%rax), %%rdx\n\tmov 32(%%rax), %%rsi\n\t"
        "mov 40(%%rax), %%rdi\n\tmov 48(%%rax), %%rbp\n\tmov 56(%%rax), %%rsp\n\tmov 64(%%rax), %%r8\n\t"
        "mov 72(%%rax), %%r9\n\tmov 80(%%rax), %%r10\n\tmov 88(%%rax), %%r11\n\tmov 96(%%rax), %%r12\n\t"
        "mov 104(%%rax), %%r13\n\tmov 112(%%rax), %%r14\n\tmov 120(%%rax), %%r15\n\tmov (%%rax), %%rax\n\t"
        "jmp *-8(%%rsp)" ::"r"(from)
        : "memory");
    __builtin_unreachable();
}

std::byte* forged;     // a page that looks like the stub's control page
std::byte* own_stack;  // a valid stack

// A control page with operations and messages of the attacker's choice.
void forge_control_page() {
    using Operation = kernel::platform::hosted::MapperOperation;
    using kernel::platform::hosted::StubControl;
    auto* control = reinterpret_cast<StubControl*>(forged);
    control->command_sequence = 7;
    control->command_slot = 3;
    for (Operation& operation : control->operations) {
        operation = {SYS_mmap, {attack::kMagic & ~0xffful, 4096, 7, MAP_SHARED | MAP_FIXED, 1, 0}, 0};
    }
    control->operations[1].number = SYS_openat;
    control->thread_message = {attack::kMagic, 0, 0, 0, 0, 0, 0};
}

Registers with(std::uint64_t number) {
    Registers registers{};
    registers.rax = number;
    registers.rdi = attack::kMagic;
    registers.rsi = reinterpret_cast<std::uint64_t>(forged);
    registers.rdx = 7;
    registers.rbx = registers.rbp = reinterpret_cast<std::uint64_t>(forged);
    registers.r12 = reinterpret_cast<std::uint64_t>(forged);
    registers.r14 = 40;
    registers.rsp = reinterpret_cast<std::uint64_t>(own_stack) + 8 * attack::kPage;
    return registers;
}

}  // namespace

int main() {
    attack::require_kpio();
    forged = attack::map(attack::kPage);
    own_stack = attack::map(16 * attack::kPage);
    forge_control_page();
    constexpr std::uint64_t kCodeBytes = 0x340;
    attack::Outcome outcome;
    for (std::uint64_t offset = 0; offset < kCodeBytes; ++offset) {
        for (const long number : {SYS_mmap, SYS_openat}) {
            attack::attempt(
                outcome, [&] { jump(KPIO_STUB_CODE + offset, with(static_cast<std::uint64_t>(number))); }, 20);
        }
    }
    attack::report("jumps with a forged control page", outcome);

    // Each call at each place that lets one through.
    outcome = {};
    for (const unsigned place : std::initializer_list<unsigned>{
             KPIO_NOTIFY_RETURN, KPIO_THREAD_SEND_RETURN, KPIO_THREAD_CLOSE_RETURN, KPIO_MAPPER_SEND_RETURN,
             KPIO_MAPPER_CLOSE_RETURN, KPIO_MAPPER_CLOSE_SOCKET_RETURN, KPIO_MAPPER_NOTIFY_RETURN,
             KPIO_MAPPER_OPERATION_RETURN}) {
        for (std::uint64_t number = 0; number < 460; number += 3) {
            // What is let through at a place is harmless there, and is tried without the mark below.
            if ((place == KPIO_THREAD_SEND_RETURN && number == SYS_sendmsg) ||
                (place == KPIO_THREAD_CLOSE_RETURN && number == SYS_close_range)) {
                continue;
            }
            attack::attempt(outcome, [&] { jump(KPIO_STUB_CODE + place - 2, with(number)); }, 20);
        }
    }
    attack::report("every call at every place", outcome);

    // The calls that are let through: there is no descriptor to send to and none to close.
    outcome = {};
    for (std::uint64_t descriptor = 0; descriptor < 64; ++descriptor) {
        attack::attempt(
            outcome,
            [&] {
                Registers registers = with(SYS_sendmsg);
                registers.rdi = descriptor;
                jump(KPIO_STUB_CODE + KPIO_THREAD_SEND_RETURN - 2, registers);
            },
            20);
        attack::attempt(
            outcome,
            [&] {
                Registers registers = with(SYS_close_range);
                registers.rdi = descriptor;
                registers.rsi = descriptor;
                registers.rdx = 0;
                jump(KPIO_STUB_CODE + KPIO_THREAD_CLOSE_RETURN - 2, registers);
            },
            20);
    }
    attack::report("the calls that are let through", outcome);

    // Stack pointers into the frame pages of all threads, so that the handler's code takes other threads' slots.
    outcome = {};
    for (const std::uint64_t offset : {0x0ul, 0xful, 0x10ul, 0x15ul, 0x30ul, 0x44ul}) {
        for (std::uint64_t slot = 0; slot < 8; ++slot) {
            attack::attempt(
                outcome,
                [&] {
                    Registers registers = with(SYS_rt_sigreturn);
                    registers.rsp = KPIO_STUB_FRAMES + slot * 4096 + 2048;
                    jump(KPIO_STUB_CODE + offset, registers);
                },
                20);
        }
    }
    attack::report("stack pointers into signal frames", outcome);

    // Several threads of one process, at the same and at different places.
    outcome = {};
    for (std::uint64_t offset = 0; offset < kCodeBytes; offset += 5) {
        attack::attempt(
            outcome,
            [&] {
                std::thread threads[3];
                for (std::size_t i = 0; i < 3; ++i) {
                    threads[i] = std::thread([&, i] {
                        Registers registers = with(i == 0 ? SYS_mmap : SYS_rt_sigreturn);
                        registers.rsp = reinterpret_cast<std::uint64_t>(own_stack) + (4 + 4 * i) * attack::kPage;
                        jump(KPIO_STUB_CODE + (offset + i * 0x40) % kCodeBytes, registers);
                    });
                }
                for (std::thread& thread : threads) {
                    thread.join();
                }
            },
            40);
    }
    attack::report("several threads", outcome);
    attack::check_alive();
    return 0;
}
