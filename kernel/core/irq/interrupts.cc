// SPDX-License-Identifier: MIT OR Apache-2.0
#include "core/irq/interrupts.h"

#include <array>
#include <atomic>
#include <bit>

#include "lib/assert.h"

namespace kernel::irq {
namespace {

struct Line {
    std::atomic<Handler> handler = nullptr;
    std::atomic<std::uint64_t> count = 0;
};

constinit std::array<Line, 32> lines;

Line& line_of(platform::Interrupts cause) {
    const auto bits = static_cast<std::uint32_t>(cause);
    KASSERT(std::has_single_bit(bits));
    return lines[static_cast<std::size_t>(std::countr_zero(bits))];
}

}  // namespace

void register_handler(platform::Interrupts cause, Handler handler) {
    Handler none = nullptr;
    KASSERT(line_of(cause).handler.compare_exchange_strong(none, handler));
}

void register_console_handler(Handler handler) {
    register_handler(platform::Interrupts::Console, handler);
}

void register_power_handler(Handler handler) {
    register_handler(platform::Interrupts::PowerRequest, handler);
}

void handle_interrupts(platform::Interrupts pending) {
    for (auto bits = static_cast<std::uint32_t>(pending); bits != 0; bits &= bits - 1) {
        Line& line = lines[static_cast<std::size_t>(std::countr_zero(bits))];
        line.count.fetch_add(1, std::memory_order_relaxed);
        if (const Handler handler = line.handler.load(std::memory_order_acquire); handler != nullptr) {
            handler();
        }
    }
}

std::uint64_t interrupt_count(platform::Interrupts cause) {
    return line_of(cause).count.load(std::memory_order_relaxed);
}

}  // namespace kernel::irq
