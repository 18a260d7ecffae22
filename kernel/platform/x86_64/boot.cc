// SPDX-License-Identifier: MIT OR Apache-2.0
// From the first C++ instruction to kernel_main.
#include <cstdint>

#include "platform/entry.h"
#include "platform/x86_64/boot_memory.h"
#include "platform/x86_64/calibration.h"
#include "platform/x86_64/clock_internal.h"
#include "platform/x86_64/cpu_data.h"
#include "platform/x86_64/cpu_features.h"
#include "platform/x86_64/entropy_internal.h"
#include "platform/x86_64/external_interrupts.h"
#include "platform/x86_64/kernel_map.h"
#include "platform/x86_64/local_apic.h"
#include "platform/x86_64/serial.h"
#include "platform/x86_64/xstate.h"

namespace kernel::platform::x86 {
namespace {

using Initialiser = void (*)();

}  // namespace

extern "C" {
extern const Initialiser kpio_init_array_begin[];
extern const Initialiser kpio_init_array_end[];

// Called by boot.S on the boot stack.
[[noreturn]] void kpio_boot(std::uint32_t start_info_physical) {
    serial_initialise();
    initialise_boot_cpu();
    detect_cpu_features();
    enable_cpu_features();
    initialise_xstate();
    read_start_info(start_info_physical);
    initialise_kernel_map();
    initialise_local_apic();
    begin_calibration();
    initialise_external_interrupts();
    serial_enable_interrupt();
    initialise_clock();
    initialise_entropy();
    for (const Initialiser* initialiser = kpio_init_array_begin; initialiser != kpio_init_array_end; ++initialiser) {
        (*initialiser)();
    }
    kernel_main();
}
}

}  // namespace kernel::platform::x86
