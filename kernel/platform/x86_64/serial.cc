// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/x86_64/serial.h"

#include <array>

#include "lib/bytes.h"
#include "platform/x86_64/cpu_features.h"
#include "platform/x86_64/instructions.h"

namespace kernel::platform::x86 {
namespace {

constexpr std::uint16_t kPort = 0x3f8;
constexpr std::uint16_t kData = kPort;
constexpr std::uint16_t kInterruptEnable = kPort + 1;
constexpr std::uint16_t kFifoControl = kPort + 2;
constexpr std::uint16_t kLineControl = kPort + 3;
constexpr std::uint16_t kModemControl = kPort + 4;
constexpr std::uint16_t kLineStatus = kPort + 5;
constexpr std::uint16_t kScratch = kPort + 7;

constexpr std::uint8_t kInputReady = 0x01;
constexpr std::uint8_t kTransmitterEmpty = 0x20;
constexpr std::size_t kFifoBytes = 16;
// Longer than 16 characters take at 300 baud: a transmitter that is silent for so long is broken.
constexpr unsigned kMaxPolls = 1'000'000;

struct InputRing {
    std::array<std::byte, 1024> bytes{};
    std::size_t head = 0;  // free-running; of the next byte to take
    std::size_t tail = 0;  // of the next byte to put

    std::size_t used() const { return tail - head; }
    bool full() const { return used() == bytes.size(); }
};

constinit InputRing input;
constinit bool present = false;
constinit std::size_t transmit_bytes = 1;  // that the empty transmitter takes at once
constinit bool interrupt_wanted = false;
constinit bool throttled = false;  // the device's interrupt is off because the ring was full

void wait_for_transmitter() {
    for (unsigned i = 0; i < kMaxPolls && (in8(kLineStatus) & kTransmitterEmpty) == 0; ++i) {
    }
}

}  // namespace

void serial_initialise() {
    out8(kScratch, 0xa5);
    present = in8(kScratch) == 0xa5;
    if (!present) {
        return;
    }
    out8(kInterruptEnable, 0);
    out8(kLineControl, 0x80);  // divisor latch
    out8(kData, 1);            // 115200 baud
    out8(kInterruptEnable, 0);
    out8(kLineControl, 0x03);   // 8n1
    out8(kModemControl, 0x0b);  // DTR, RTS, OUT2 (which lets interrupts through)
}

void serial_enable_interrupt() {
    interrupt_wanted = present;
    if (!present) {
        return;
    }
    // Switching FIFOs on empties them. An emulated port holds the first byte of piped input by now and supplies the
    // next as soon as that is read, and never loses one without FIFOs; a real line needs them.
    if (!cpu_features().hypervisor) {
        out8(kFifoControl, 0x07);  // on and empty; interrupt at the first byte, so that no input waits for more
        transmit_bytes = kFifoBytes;
    }
    out8(kInterruptEnable, 1);
}

void serial_write(std::span<const std::byte> bytes) {
    if (!present) {
        return;
    }
    while (!bytes.empty()) {
        wait_for_transmitter();
        const auto chunk = bytes.first(bytes.size() < transmit_bytes ? bytes.size() : transmit_bytes);
        for (const std::byte byte : chunk) {
            out8(kData, static_cast<std::uint8_t>(byte));
        }
        bytes = bytes.subspan(chunk.size());
    }
}

void serial_write(std::string_view text) {
    serial_write(as_bytes(text));
}

bool serial_receive() {
    if (!present) {
        return false;
    }
    while (!input.full() && (in8(kLineStatus) & kInputReady) != 0) {
        input.bytes[input.tail++ % input.bytes.size()] = static_cast<std::byte>(in8(kData));
    }
    if (input.full() && !throttled) {
        // The device's FIFO fills up next and then the sender waits.
        throttled = true;
        out8(kInterruptEnable, 0);
    }
    return input.used() != 0;
}

std::size_t serial_read(std::span<std::byte> bytes) {
    serial_receive();
    std::size_t count = 0;
    while (count < bytes.size() && input.used() != 0) {
        bytes[count++] = input.bytes[input.head++ % input.bytes.size()];
    }
    if (throttled && !input.full()) {
        throttled = false;
        if (interrupt_wanted) {
            out8(kInterruptEnable, 1);
        }
    }
    return count;
}

}  // namespace kernel::platform::x86
