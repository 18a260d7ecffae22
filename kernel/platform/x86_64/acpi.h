// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

namespace kernel::platform::x86 {

// Enters sleep state S5 in the way that the FADT describes. Returns when there is no ACPI or it does not work.
void acpi_power_off();

}  // namespace kernel::platform::x86
