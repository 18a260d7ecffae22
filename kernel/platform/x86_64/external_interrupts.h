// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

namespace kernel::platform::x86 {

// Silences the old PIC and routes the serial port through the I/O APIC to this CPU.
void initialise_external_interrupts();

}  // namespace kernel::platform::x86
