// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/x86_64/descriptors.h"

#include "platform/x86_64/asm_layout.h"
#include "platform/x86_64/cpu_data.h"
#include "platform/x86_64/vectors.h"

extern "C" {
void x86_trap_stubs();  // the first of 256, one after the other
extern std::byte kpio_fatal_stacks[];
}

namespace kernel::platform::x86 {
namespace {

constexpr std::size_t kStubBytes = 16;
constexpr std::uint16_t kTaskSelector = 0x40;

// SDM vol. 3A, 6.14.1.
struct Gate {
    std::uint16_t offset_low = 0;
    std::uint16_t selector = 0;
    std::uint8_t interrupt_stack = 0;
    std::uint8_t attributes = 0;
    std::uint16_t offset_middle = 0;
    std::uint32_t offset_high = 0;
    std::uint32_t reserved = 0;
};
static_assert(sizeof(Gate) == 16);

constexpr std::uint8_t kInterruptGate = 0x8e;
constexpr std::uint8_t kInterruptGateForUser = 0xee;

struct [[gnu::packed]] TablePointer {
    std::uint16_t limit;
    std::uint64_t base;
};

alignas(4096) constinit std::array<Gate, 256> interrupt_table{};

std::uint64_t address_of(void (*code)()) {
    // SAFETY: the CPU wants addresses as numbers.
    return reinterpret_cast<std::uint64_t>(code);
}

std::uint64_t address_of(const volatile void* object) {
    // SAFETY: the CPU wants addresses as numbers.
    return reinterpret_cast<std::uint64_t>(object);
}

unsigned fatal_stack_of(unsigned vector) {
    switch (vector) {
        case kVectorDebug:
            return 1;
        case kVectorNmi:
            return 2;
        case kVectorDoubleFault:
            return 3;
        case kVectorMachineCheck:
            return 4;
        default:
            return 0;
    }
}

void fill_interrupt_table() {
    for (unsigned vector = 0; vector < interrupt_table.size(); ++vector) {
        const std::uint64_t stub = address_of(x86_trap_stubs) + vector * kStubBytes;
        const bool user_may =
            vector == kVectorBreakpoint || vector == kVectorOverflow || vector == kVectorLegacySyscall;
        interrupt_table[vector] = {
            .offset_low = static_cast<std::uint16_t>(stub),
            .selector = KPIO_SELECTOR_KERNEL_CODE,
            .interrupt_stack = static_cast<std::uint8_t>(fatal_stack_of(vector)),
            .attributes = user_may ? kInterruptGateForUser : kInterruptGate,
            .offset_middle = static_cast<std::uint16_t>(stub >> 16),
            .offset_high = static_cast<std::uint32_t>(stub >> 32),
        };
    }
}

// There is no 32-bit code segment, so that user code cannot leave 64-bit mode.
void fill_gdt(DescriptorTables& tables) {
    constexpr std::uint64_t kKernelCode = 0x00af'9b00'0000'ffff;
    constexpr std::uint64_t kKernelData = 0x00cf'9300'0000'ffff;
    constexpr std::uint64_t kUserData = 0x00cf'f300'0000'ffff;
    constexpr std::uint64_t kUserCode = 0x00af'fb00'0000'ffff;
    tables.gdt[KPIO_SELECTOR_KERNEL_CODE / 8] = kKernelCode;
    tables.gdt[KPIO_SELECTOR_KERNEL_DATA / 8] = kKernelData;
    tables.gdt[KPIO_SELECTOR_USER_DATA / 8] = kUserData;
    tables.gdt[KPIO_SELECTOR_USER_CODE / 8] = kUserCode;
    const std::uint64_t base = address_of(&tables.task_state);
    tables.gdt[kTaskSelector / 8] = (sizeof(TaskState) - 1) | ((base & 0xff'ffff) << 16) | (std::uint64_t{0x89} << 40) |
                                    ((base >> 24 & 0xff) << 56);
    tables.gdt[kTaskSelector / 8 + 1] = base >> 32;
}

// Leaves the pointer to CpuData under each stack, where trap_on_own_stack looks for it.
void fill_task_state(CpuData& cpu) {
    TaskState& task_state = cpu.descriptors.task_state;
    task_state.stack_of_ring[0] = address_of(cpu.trap_stack + sizeof cpu.trap_stack);
    task_state.io_map_offset = sizeof(TaskState);  // no ports for user code
    for (unsigned i = 0; i < kFatalStackCount; ++i) {
        std::byte* const top = kpio_fatal_stacks + (i + 1) * kFatalStackStride - 16;
        // SAFETY: the uppermost 16 bytes of the stack are kept for this word.
        *reinterpret_cast<CpuData**>(top) = &cpu;
        task_state.interrupt_stacks[i] = address_of(top);
    }
}

}  // namespace

void load_descriptor_tables(CpuData& cpu) {
    fill_interrupt_table();
    fill_gdt(cpu.descriptors);
    fill_task_state(cpu);
    const TablePointer gdt{sizeof cpu.descriptors.gdt - 1, address_of(&cpu.descriptors.gdt)};
    const TablePointer idt{sizeof interrupt_table - 1, address_of(&interrupt_table)};
    // SAFETY: the tables live as long as the CPU runs. CS keeps its selector, which means the same in the new table;
    // the data segments are null, which is valid in 64-bit mode; there is no LDT.
    asm volatile(
        "lgdt %0\n\t"
        "lidt %1\n\t"
        "ltr %w2\n\t"
        "lldt %w3\n\t"
        :
        : "m"(gdt), "m"(idt), "r"(kTaskSelector), "r"(0)
        : "memory");
}

}  // namespace kernel::platform::x86
