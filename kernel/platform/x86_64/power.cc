// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/power.h"

#include "lib/format.h"
#include "platform/x86_64/acpi.h"
#include "platform/x86_64/instructions.h"

namespace kernel::platform {
namespace {

constexpr std::uint16_t kDebugExitPort = 0xf4;     // -device isa-debug-exit,iobase=0xf4
constexpr std::uint16_t kDebugConsolePort = 0xe9;  // -debugcon
constexpr std::uint16_t kKeyboardControllerPort = 0x64;
constexpr std::uint8_t kPulseReset = 0xfe;

// QEMU's exit status has room for 7 bits of ours, so the whole status goes to the debug console first.
constexpr int kLargestPlainStatus = 126;
constexpr std::uint32_t kOtherStatus = 127;

void report_status(int status) {
    InlineFormatBuffer<32> line;
    format_to(line, "kpio-exit {}\n", status);
    for (const char character : line.view()) {
        x86::out8(kDebugConsolePort, static_cast<std::uint8_t>(character));
    }
}

// An empty interrupt table turns the next exception into a triple fault, which resets every PC.
[[noreturn]] void triple_fault() {
    struct [[gnu::packed]] {
        std::uint16_t limit = 0;
        std::uint64_t base = 0;
    } const empty;
    // SAFETY: never returns.
    asm volatile("lidt %0; ud2" : : "m"(empty) : "memory");
    x86::halt_forever();
}

}  // namespace

void power_off(int status) {
    report_status(status);
    const bool plain = status >= 0 && status <= kLargestPlainStatus;
    x86::out32(kDebugExitPort, plain ? static_cast<std::uint32_t>(status) : kOtherStatus);
    // Still here: no such device.
    x86::acpi_power_off();
    x86::out8(kKeyboardControllerPort, kPulseReset);
    triple_fault();
}

}  // namespace kernel::platform
