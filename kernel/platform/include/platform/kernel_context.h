// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstddef>

#include "lib/result.h"

namespace kernel::platform {

inline constexpr std::size_t kKernelStackBytes = 32 * 1024;

// The saved state of a kernel thread that does not run: callee-saved registers lie on its stack.
struct KernelContext {
    void* stack_pointer = nullptr;
};

// A kernel stack with a guard page below it. Errors: NoMemory.
class KernelStack {
public:
    static Result<KernelStack> create();
    KernelStack() = default;
    KernelStack(KernelStack&& other) noexcept;
    KernelStack& operator=(KernelStack&& other) noexcept;
    ~KernelStack();
    std::byte* top() const { return top_; }

private:
    std::byte* top_ = nullptr;
};

using KernelEntry = void (*)(void* argument);

// Prepares a context that calls entry(argument) on the stack when first switched to. entry never returns.
void prepare_kernel_context(KernelContext& context, KernelStack& stack, KernelEntry entry, void* argument);

// Saves the running context in `from` and goes on in `to`. Returns when somebody switches back to `from`, perhaps on
// another CPU.
void switch_kernel_context(KernelContext& from, KernelContext& to);

}  // namespace kernel::platform
