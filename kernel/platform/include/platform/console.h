// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstddef>
#include <optional>
#include <span>

#include "lib/result.h"

namespace kernel::platform {

// The boot console: the hosted process's standard streams, or the serial line.
enum class ConsoleStream : unsigned char {
    Output,
    Error,
    Trace,  // where --trace writes: a host file, or the same as Error
};

// Writes what it can without blocking for long and returns the count; 0 < n <= size unless the other side is gone (Io).
Result<std::size_t> console_write(ConsoleStream stream, std::span<const std::byte> bytes);

// Takes input that is waiting, never blocks. 0 means end of input; WouldBlock means none yet: Interrupts::Console is
// raised when there is some.
Result<std::size_t> console_read(std::span<std::byte> bytes);

struct ConsoleSize {
    unsigned short rows;
    unsigned short columns;
};

// What the console's streams are attached to. For a stream that is no terminal the kernel gives programs a plain
// stream, not a tty.
struct ConsoleKind {
    bool input_is_terminal;
    bool output_is_terminal;
    bool error_is_terminal;
};
ConsoleKind console_kind();

std::optional<ConsoleSize> console_size();

// Puts the outer terminal into raw mode (the kernel's own line discipline works on it) and back. No effect without one.
void console_set_raw(bool raw);

}  // namespace kernel::platform
