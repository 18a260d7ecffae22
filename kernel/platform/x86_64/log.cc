// SPDX-License-Identifier: MIT OR Apache-2.0
#include "lib/log.h"

#include "platform/x86_64/serial.h"

namespace kernel {

// Terminals on the other end of the line want a carriage return.
void log_write(std::string_view line) {
    if (!line.ends_with('\n')) {
        platform::x86::serial_write(line);
        return;
    }
    line.remove_suffix(1);
    platform::x86::serial_write(line);
    platform::x86::serial_write(std::string_view("\r\n"));
}

}  // namespace kernel
