// SPDX-License-Identifier: MIT OR Apache-2.0
#include "core/irq/interrupts.h"

#include <gtest/gtest.h>

namespace kernel::irq {
namespace {

using platform::Interrupts;

int console_calls = 0;
int power_calls = 0;

TEST(Interrupts, EachCauseGoesToItsHandler) {
    register_console_handler([] { ++console_calls; });
    register_power_handler([] { ++power_calls; });
    handle_interrupts(Interrupts::None);
    EXPECT_EQ(console_calls + power_calls, 0);
    handle_interrupts(Interrupts::Console);
    handle_interrupts(Interrupts::Console | Interrupts::PowerRequest | Interrupts::Timer);
    EXPECT_EQ(console_calls, 2);
    EXPECT_EQ(power_calls, 1);
    EXPECT_EQ(interrupt_count(Interrupts::Console), 2u);
    EXPECT_EQ(interrupt_count(Interrupts::Timer), 1u);  // without a handler, but counted
    EXPECT_EQ(interrupt_count(Interrupts::Reschedule), 0u);
}

TEST(InterruptsDeathTest, ASecondHandlerIsABug) {
    const auto none = [] {};
    EXPECT_DEATH(
        {
            register_handler(Interrupts::Reschedule, none);
            register_handler(Interrupts::Reschedule, none);
        },
        "");
}

}  // namespace
}  // namespace kernel::irq
