// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/kernel_context.h"

#include <gtest/gtest.h>
#include <cstdint>

namespace kernel::platform {
namespace {

struct PingPong {
    KernelContext main;
    KernelContext thread;
    int rounds = 0;
    bool aligned = false;
};

void run(void* argument) {
    auto& state = *static_cast<PingPong*>(argument);
    alignas(16) volatile char probe = 0;
    state.aligned = reinterpret_cast<std::uintptr_t>(&probe) % 16 == 0;
    for (;;) {
        ++state.rounds;
        switch_kernel_context(state.thread, state.main);
    }
}

TEST(KernelContext, SwitchesBackAndForthOnItsOwnStack) {
    Result<KernelStack> stack = KernelStack::create();
    ASSERT_TRUE(stack.has_value());
    PingPong state;
    prepare_kernel_context(state.thread, *stack, run, &state);
    for (int i = 1; i <= 1000; ++i) {
        switch_kernel_context(state.main, state.thread);
        ASSERT_EQ(state.rounds, i);
    }
    EXPECT_TRUE(state.aligned);
}

TEST(KernelContext, StacksAreReused) {
    std::byte* top = nullptr;
    {
        Result<KernelStack> stack = KernelStack::create();
        ASSERT_TRUE(stack.has_value());
        top = stack->top();
    }
    Result<KernelStack> again = KernelStack::create();
    ASSERT_TRUE(again.has_value());
    EXPECT_EQ(again->top(), top);
}

TEST(KernelContextDeathTest, OverflowHitsTheGuardPage) {
    Result<KernelStack> stack = KernelStack::create();
    ASSERT_TRUE(stack.has_value());
    volatile std::byte* below = stack->top() - kKernelStackBytes - 1;
    EXPECT_DEATH(*below = std::byte{1}, "");
}

}  // namespace
}  // namespace kernel::platform
