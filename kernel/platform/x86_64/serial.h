// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstddef>
#include <span>
#include <string_view>

// The first serial port: a 16550A at I/O port 0x3f8 (National Semiconductor PC16550D data sheet).
namespace kernel::platform::x86 {

// Sets 115200 8n1; interrupts stay off until serial_enable_interrupt.
void serial_initialise();

// Asks for an interrupt when there is input. The interrupt's route must be set up, the CPU's features known.
void serial_enable_interrupt();

// Waits for the transmitter as long as the text needs. Does nothing when there is no port.
void serial_write(std::string_view text);
void serial_write(std::span<const std::byte> bytes);

// Moves input from the device into memory; asks the device to stop interrupting when the memory is full. Tells whether
// any input is waiting.
bool serial_receive();

// Takes input; 0 when none is waiting.
std::size_t serial_read(std::span<std::byte> bytes);

}  // namespace kernel::platform::x86
