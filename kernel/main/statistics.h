// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

namespace kernel::main {

// The moment at which the first program is about to run, for the boot time.
void note_first_program();

// Boot time, calls by count and time, faults, memory, calls that are missing: for people, to the trace stream.
void print_statistics();

}  // namespace kernel::main
