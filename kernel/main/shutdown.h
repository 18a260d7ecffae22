// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include "main/boot_options.h"

namespace kernel::main {

// Ends everything: writes back what files still hold in memory, prints the statistics that were asked for, gives the
// terminal back, powers off. From any thread; of several calls the first one counts.
[[noreturn]] void shut_down(int status);

// The status that a shell would report for a wait status word.
int exit_status_of(int wait_status);

}  // namespace kernel::main
