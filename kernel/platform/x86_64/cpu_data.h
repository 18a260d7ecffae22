// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "platform/clock.h"
#include "platform/cpu.h"
#include "platform/user_context.h"
#include "platform/x86_64/asm_layout.h"
#include "platform/x86_64/descriptors.h"

namespace kernel::platform::x86 {

class X86UserContext;

// All that belongs to one CPU. The first members are known to trap_entry.S.
struct CpuData {
    CpuData* self = nullptr;
    std::uint64_t kernel_stack_pointer = 0;  // where x86_enter_user left the callee-saved registers
    Registers* user_registers = nullptr;
    std::uint64_t scratch = 0;
    std::uint64_t trap_vector = 0;
    std::uint64_t trap_error = 0;

    CpuLocal local;
    std::uint32_t pending = 0;  // Interrupts; touched with interrupts off, by this CPU only

    // The context whose vector state and segment bases this CPU's registers hold. live: memory is older than the
    // registers, so they must be saved before anything else is loaded.
    std::uint64_t loaded_context_id = 0;
    X86UserContext* live_context = nullptr;

    std::uint64_t root_table = 0;  // physical; what CR3 holds

    std::uint64_t deadline_ns = kNoDeadline;  // of set_timer
    std::uint64_t armed_ns = kNoDeadline;     // when the hardware will fire

    DescriptorTables descriptors;
    // Traps from user mode push seven words here; the entry code takes them off before anything else can be pushed.
    alignas(16) std::byte trap_stack[512] = {};
};

static_assert(offsetof(CpuData, self) == KPIO_CPU_SELF);
static_assert(offsetof(CpuData, kernel_stack_pointer) == KPIO_CPU_KERNEL_RSP);
static_assert(offsetof(CpuData, user_registers) == KPIO_CPU_USER_REGISTERS);
static_assert(offsetof(CpuData, scratch) == KPIO_CPU_SCRATCH);
static_assert(offsetof(CpuData, trap_vector) == KPIO_CPU_TRAP_VECTOR);
static_assert(offsetof(CpuData, trap_error) == KPIO_CPU_TRAP_ERROR);
static_assert(offsetof(Registers, r15) == KPIO_REG_R15 && offsetof(Registers, rbp) == KPIO_REG_RBP);
static_assert(offsetof(Registers, rax) == KPIO_REG_RAX && offsetof(Registers, rdi) == KPIO_REG_RDI);
static_assert(offsetof(Registers, rip) == KPIO_REG_RIP && offsetof(Registers, rsp) == KPIO_REG_RSP);

// The CPU that executes the caller.
inline CpuData& cpu_data() {
    CpuData* self;
    // SAFETY: while kernel code runs, GS points to this CPU's CpuData, whose first word is its own address. volatile:
    // after a switch the same code may run on another CPU.
    asm volatile("movq %%gs:0, %0" : "=r"(self));
    return *self;
}

inline void raise_interrupt(CpuData& cpu, Interrupts cause) {
    cpu.pending |= static_cast<std::uint32_t>(cause);
}

// The boot CPU's data, as this_cpu(): points GS to it, loads its descriptor tables, sets up system calls.
void initialise_boot_cpu();

}  // namespace kernel::platform::x86
