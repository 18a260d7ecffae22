// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <array>
#include <cstdint>

namespace kernel::platform::x86 {

struct CpuData;

// Task-state segment in 64-bit mode: SDM vol. 3A, 8.7.
struct [[gnu::packed]] TaskState {
    std::uint32_t reserved0 = 0;
    std::array<std::uint64_t, 3> stack_of_ring{};
    std::uint64_t reserved1 = 0;
    std::array<std::uint64_t, 7> interrupt_stacks{};
    std::uint64_t reserved2 = 0;
    std::uint16_t reserved3 = 0;
    std::uint16_t io_map_offset = 0;
};
static_assert(sizeof(TaskState) == 104);

struct DescriptorTables {
    std::array<std::uint64_t, 10> gdt{};
    alignas(8) TaskState task_state{};
};

// Fills and loads GDT, TSS and IDT for this CPU.
void load_descriptor_tables(CpuData& cpu);

// Stacks of the vectors that may arrive where no other stack can be trusted.
inline constexpr unsigned kFatalStackCount = 4;
inline constexpr std::uint64_t kFatalStackBytes = 8192;
inline constexpr std::uint64_t kFatalStackStride = 4096 + kFatalStackBytes;  // a guard page is below each

}  // namespace kernel::platform::x86
