// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

namespace kernel::platform::hosted {

// The exit status when the kernel itself fails.
inline constexpr int kStatusKernelFailure = 125;

// Ends everything at once: guests, terminal mode, process. Async-signal-safe.
[[noreturn]] void end_process(int status);

// SIGTERM, SIGHUP and SIGINT become Interrupts::PowerRequest (a third one ends the process), SIGPIPE is ignored,
// faults of the kernel itself are reported.
void set_up_signals();

// Whether such a signal has come.
bool end_was_requested();

}  // namespace kernel::platform::hosted
