// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/kernel_context.h"

#include <sys/mman.h>
#include <array>
#include <cstdint>
#include <utility>

#include "lib/guarded.h"

extern "C" {
void kpio_switch_stack(void** save, void* load);
void kpio_kernel_thread_start();
}

namespace kernel::platform {
namespace {

constexpr std::size_t kGuardBytes = kPageSize;

// Stacks of threads that have ended, kept because mapping one costs two system calls and its first page faults.
struct FreeStacks {
    std::array<std::byte*, 32> tops{};
    std::size_t count = 0;
};
SpinGuarded<FreeStacks, Rank::Platform> free_stacks;

std::byte* take_free_stack() {
    return free_stacks.with(
        [](FreeStacks& free) -> std::byte* { return free.count == 0 ? nullptr : free.tops[--free.count]; });
}

std::byte* map_stack() {
    void* base = mmap(nullptr, kGuardBytes + kKernelStackBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) {
        return nullptr;
    }
    if (mprotect(base, kGuardBytes, PROT_NONE) != 0) {
        munmap(base, kGuardBytes + kKernelStackBytes);
        return nullptr;
    }
    return static_cast<std::byte*>(base) + kGuardBytes + kKernelStackBytes;
}

void release_stack(std::byte* top) {
    const bool kept = free_stacks.with([top](FreeStacks& free) {
        if (free.count == free.tops.size()) {
            return false;
        }
        free.tops[free.count++] = top;
        return true;
    });
    if (!kept) {
        munmap(top - kKernelStackBytes - kGuardBytes, kKernelStackBytes + kGuardBytes);
    }
}

}  // namespace

Result<KernelStack> KernelStack::create() {
    std::byte* top = take_free_stack();
    if (top == nullptr) {
        top = map_stack();
    }
    if (top == nullptr) {
        return std::unexpected(Error::NoMemory);
    }
    KernelStack stack;
    stack.top_ = top;
    return stack;
}

KernelStack::KernelStack(KernelStack&& other) noexcept : top_(std::exchange(other.top_, nullptr)) {}

KernelStack& KernelStack::operator=(KernelStack&& other) noexcept {
    if (this != &other) {
        if (top_ != nullptr) {
            release_stack(top_);
        }
        top_ = std::exchange(other.top_, nullptr);
    }
    return *this;
}

KernelStack::~KernelStack() {
    if (top_ != nullptr) {
        release_stack(top_);
    }
}

void prepare_kernel_context(KernelContext& context, KernelStack& stack, KernelEntry entry, void* argument) {
    // What kpio_switch_stack pops, in this order; above it two words, so that the stack is aligned when the start code
    // calls.
    struct InitialFrame {
        std::uint64_t r15, r14, r13;
        void* r12;
        KernelEntry rbx;
        std::uint64_t rbp;
        void (*return_address)();
        std::uint64_t padding[2];
    };
    // SAFETY: the topmost bytes of a stack that nobody runs on, aligned to 8.
    auto* frame = reinterpret_cast<InitialFrame*>(stack.top() - sizeof(InitialFrame));
    *frame = InitialFrame{.r15 = 0,
                          .r14 = 0,
                          .r13 = 0,
                          .r12 = argument,
                          .rbx = entry,
                          .rbp = 0,
                          .return_address = kpio_kernel_thread_start,
                          .padding = {}};
    context.stack_pointer = frame;
}

void switch_kernel_context(KernelContext& from, KernelContext& to) {
    kpio_switch_stack(&from.stack_pointer, to.stack_pointer);
}

}  // namespace kernel::platform
