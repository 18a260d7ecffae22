// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/x86_64/panic.h"

#include "lib/assert.h"
#include "lib/format.h"
#include "platform/power.h"
#include "platform/x86_64/instructions.h"
#include "platform/x86_64/layout.h"
#include "platform/x86_64/serial.h"

extern "C" {
extern std::byte kpio_image_begin[];
extern std::byte kpio_text_end[];
}

namespace kernel::platform::x86 {
namespace {

constexpr unsigned kMaxFrames = 32;

constinit bool panicking = false;

template <class... Args>
void print(FormatString<Args...> format, const Args&... args) {
    InlineFormatBuffer<256> line;
    format_to(line, format, args...);
    serial_write(line.view());
}

bool is_text(std::uint64_t address) {
    return address >= address_value(kpio_image_begin) && address < address_value(kpio_text_end);
}

// Follows the chain of saved frame pointers: [rbp] = caller's rbp, [rbp + 8] = return address. `low` is the stack
// pointer: frames of one stack lie above it, within its size.
void print_backtrace(std::uint64_t rip, std::uint64_t rbp, std::uint64_t low) {
    constexpr std::uint64_t kMaxStackBytes = 64 * 1024;
    print("backtrace (addr2line -e kpio.elf):");
    print(" {:#x}", rip);
    const std::uint64_t high = low + kMaxStackBytes;
    for (unsigned i = 0; i < kMaxFrames && rbp % 8 == 0 && rbp >= low && rbp < high; ++i) {
        // SAFETY: the address is on the stack that `low` is on; if it is not mapped we fault, and the second panic
        // stops.
        const auto* const words = reinterpret_cast<const std::uint64_t*>(rbp);
        if (!is_text(words[1])) {
            break;
        }
        print(" {:#x}", words[1]);
        if (words[0] <= rbp) {
            break;
        }
        rbp = words[0];
    }
    print("\n");
}

// A panic inside a panic says only that.
void enter_panic(const char* message) {
    // SAFETY: no interrupt may disturb the output.
    asm volatile("cli" : : : "memory");
    if (panicking) {
        serial_write("\nkpio: panic while panicking: ");
        serial_write(message);
        serial_write("\n");
        power_off(kPanicStatus);
    }
    panicking = true;
    print("\nkpio: panic: {}\n", message);
}

}  // namespace

void panic_with_frame(const char* message, const KernelTrapFrame& frame) {
    enter_panic(message);
    print("vector {} error {:#x} cr2 {:#x} cr3 {:#x}\n", frame.vector, frame.error_code, read_cr2(), read_cr3());
    print("rip {:#x} cs {:#x} rflags {:#x} rsp {:#x} ss {:#x}\n", frame.rip, frame.cs, frame.rflags, frame.rsp,
          frame.ss);
    print("rax {:#x} rbx {:#x} rcx {:#x} rdx {:#x}\n", frame.rax, frame.rbx, frame.rcx, frame.rdx);
    print("rsi {:#x} rdi {:#x} rbp {:#x} r8 {:#x}\n", frame.rsi, frame.rdi, frame.rbp, frame.r8);
    print("r9 {:#x} r10 {:#x} r11 {:#x} r12 {:#x}\n", frame.r9, frame.r10, frame.r11, frame.r12);
    print("r13 {:#x} r14 {:#x} r15 {:#x}\n", frame.r13, frame.r14, frame.r15);
    print_backtrace(frame.rip, frame.rbp, frame.rsp);
    power_off(kPanicStatus);
}

}  // namespace kernel::platform::x86

namespace kernel {

void panic(const char* message) {
    using namespace platform::x86;
    enter_panic(message);
    const std::uint64_t frame = address_value(__builtin_frame_address(0));
    print_backtrace(address_value(__builtin_return_address(0)), frame, frame);
    platform::power_off(kPanicStatus);
}

}  // namespace kernel
