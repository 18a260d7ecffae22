// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

namespace kernel::platform::hosted {

// Gives the outer terminal back in the mode in which we found it. Async-signal-safe, harmless when nothing was changed.
void restore_terminal();

// Whether console output must end its lines with CR LF because the outer terminal is in raw mode.
bool terminal_is_raw();

// After the process was stopped and goes on: another program may have changed the mode meanwhile. Async-signal-safe.
void renew_terminal_mode();

// Finds out what the standard streams are. Before any other call of the console. ConsoleStream::Trace goes to the
// descriptor, with -1 to standard error.
void set_up_console(int trace_descriptor);

}  // namespace kernel::platform::hosted
