// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/cpu.h"

#include <utility>

#include "platform/x86_64/clock_internal.h"
#include "platform/x86_64/cpu_data.h"
#include "platform/x86_64/instructions.h"
#include "platform/x86_64/layout.h"
#include "platform/x86_64/local_apic.h"
#include "platform/x86_64/serial.h"
#include "platform/x86_64/vectors.h"

extern "C" {
void x86_syscall_entry();
void x86_compat_syscall_entry();
}

namespace kernel::platform::x86 {
namespace {

constinit CpuData boot_cpu;

std::uint64_t entry_address(void (*entry)()) {
    // SAFETY: an MSR wants the address as a number.
    return reinterpret_cast<std::uint64_t>(entry);
}

// SYSCALL and SYSRET take selectors from STAR: kernel code and stack from bits 47:32, user stack and code from 63:48
// plus 8 and 16 (AMD APM vol. 2, 6.1.1). All flags that a user may set are cleared on the way in.
void enable_system_calls() {
    constexpr std::uint64_t kUserBase = KPIO_SELECTOR_USER_DATA - 8;
    static_assert(kUserBase + 16 == KPIO_SELECTOR_USER_CODE);
    write_msr(kMsrStar, kUserBase << 48 | std::uint64_t{KPIO_SELECTOR_KERNEL_CODE} << 32);
    write_msr(kMsrLstar, entry_address(x86_syscall_entry));
    write_msr(kMsrCstar, entry_address(x86_compat_syscall_entry));
    write_msr(kMsrSyscallMask, kFlagsOfUser | kFlagInterrupt | 0x3000);
}

}  // namespace

void initialise_boot_cpu() {
    boot_cpu.self = &boot_cpu;
    write_msr(kMsrGsBase, address_value(&boot_cpu));
    write_msr(kMsrKernelGsBase, 0);
    load_descriptor_tables(boot_cpu);
    enable_system_calls();
    boot_cpu.root_table = read_cr3();
}

void handle_interrupt(unsigned vector) {
    CpuData& cpu = cpu_data();
    switch (vector) {
        case kVectorTimer:
            end_of_interrupt();
            handle_timer_interrupt(cpu);
            break;
        case kVectorSerial:
            end_of_interrupt();
            if (serial_receive()) {
                raise_interrupt(cpu, Interrupts::Console);
            }
            break;
        case kVectorReschedule:
            end_of_interrupt();
            raise_interrupt(cpu, Interrupts::Reschedule);
            break;
        default:  // spurious ones are not acknowledged (SDM vol. 3A, 11.9)
            break;
    }
}

}  // namespace kernel::platform::x86

namespace kernel::platform {

unsigned cpu_count() {
    return 1;
}

CpuLocal& this_cpu() {
    return x86::cpu_data().local;
}

Result<> start_secondary_cpus(CpuEntry) {
    return {};
}

void send_ipi(unsigned cpu_index) {
    if (cpu_index == this_cpu().index) {
        x86::raise_interrupt(x86::cpu_data(), Interrupts::Reschedule);
    }
}

Interrupts take_interrupts() {
    return static_cast<Interrupts>(std::exchange(x86::cpu_data().pending, 0));
}

void idle_until_interrupt() {
    const volatile std::uint32_t& pending = x86::cpu_data().pending;
    while (pending == 0) {
        // SAFETY: STI takes effect after the next instruction, so that no interrupt slips in before HLT. Handlers use
        // the current stack and keep all registers.
        asm volatile("sti; hlt; cli" : : : "memory");
    }
}

void spin_pause() {
    __builtin_ia32_pause();
}

}  // namespace kernel::platform
