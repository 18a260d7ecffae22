// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/kernel_context.h"

#include <array>
#include <bit>
#include <utility>

#include "lib/assert.h"
#include "lib/guarded.h"
#include "platform/x86_64/cpu_data.h"
#include "platform/x86_64/kernel_map.h"
#include "platform/x86_64/layout.h"
#include "platform/x86_64/user_context_impl.h"

extern "C" {
void x86_switch_stack(void** from, void* to);
void x86_start_kernel_thread();
}

namespace kernel::platform {
namespace {

using namespace x86;

// The lower half of a slot is never mapped: running off a stack faults.
constexpr std::uint64_t kSlotBytes = 2 * kKernelStackBytes;
constexpr std::size_t kSlots = kStackWindowBytes / kSlotBytes;
constexpr std::uint64_t kStackPages = kKernelStackBytes / kPageSize;
static_assert(kLargePageBytes % kSlotBytes == 0);

// Unused stacks that keep their frames, so that a thread that comes and goes costs no page-table work.
constexpr std::size_t kMaxCachedStacks = 16;

class StackSlots {
public:
    bool take_cached(std::size_t& slot) {
        if (cached_count_ == 0) {
            return false;
        }
        slot = cached_[--cached_count_];
        return true;
    }
    bool put_cached(std::size_t slot) {
        if (cached_count_ == cached_.size()) {
            return false;
        }
        cached_[cached_count_++] = slot;
        return true;
    }
    Result<std::size_t> take_unmapped() {
        for (std::size_t i = 0; i < used_.size(); ++i) {
            const std::size_t word = (first_word_ + i) % used_.size();
            const auto bit = static_cast<unsigned>(std::countr_one(used_[word]));
            const std::size_t slot = word * 64 + bit;
            if (bit < 64 && slot < kSlots) {
                used_[word] |= std::uint64_t{1} << bit;
                first_word_ = word;
                return slot;
            }
        }
        return Error::NoMemory;
    }
    void put_unmapped(std::size_t slot) {
        used_[slot / 64] &= ~(std::uint64_t{1} << slot % 64);
        first_word_ = slot / 64;
    }

private:
    std::array<std::uint64_t, (kSlots + 63) / 64> used_{};
    std::array<std::size_t, kMaxCachedStacks> cached_{};
    std::size_t cached_count_ = 0;
    std::size_t first_word_ = 0;
};

constinit SpinGuarded<StackSlots, Rank::Platform> stack_slots;

constexpr std::uint64_t stack_begin(std::size_t slot) {
    return kStackWindowBase + slot * kSlotBytes + kKernelStackBytes;
}

std::byte* stack_top(std::size_t slot) {
    // SAFETY: the end of a mapped stack.
    return reinterpret_cast<std::byte*>(stack_begin(slot) + kKernelStackBytes);
}

std::size_t slot_of_top(const std::byte* top) {
    return (address_value(top) - kStackWindowBase) / kSlotBytes - 1;
}

}  // namespace

Result<KernelStack> KernelStack::create() {
    KernelStack stack;
    std::size_t slot = 0;
    if (!stack_slots.with([&](StackSlots& slots) { return slots.take_cached(slot); })) {
        slot = TRY(stack_slots.with([](StackSlots& slots) { return slots.take_unmapped(); }));
        const auto mapped = map_stack_pages(stack_begin(slot), kStackPages);
        if (!mapped) {
            stack_slots.with([&](StackSlots& slots) { slots.put_unmapped(slot); });
            return mapped.error();
        }
    }
    stack.top_ = stack_top(slot);
    return stack;
}

KernelStack::KernelStack(KernelStack&& other) noexcept : top_(std::exchange(other.top_, nullptr)) {}

KernelStack& KernelStack::operator=(KernelStack&& other) noexcept {
    std::swap(top_, other.top_);
    return *this;
}

KernelStack::~KernelStack() {
    if (top_ == nullptr) {
        return;
    }
    const std::size_t slot = slot_of_top(top_);
    if (stack_slots.with([&](StackSlots& slots) { return slots.put_cached(slot); })) {
        return;
    }
    unmap_stack_pages(stack_begin(slot), kStackPages);
    stack_slots.with([&](StackSlots& slots) { slots.put_unmapped(slot); });
}

// The words that x86_switch_stack pops: r15, r14, r13, r12, rbx, rbp, return address; above them zeros that end a
// backtrace.
void prepare_kernel_context(KernelContext& context, KernelStack& stack, KernelEntry entry, void* argument) {
    constexpr std::size_t kWords = 10;
    // SAFETY: the stack is mapped and nobody uses it yet; entry and argument travel in r14 and r15.
    auto* const words = reinterpret_cast<std::uint64_t*>(stack.top()) - kWords;
    for (std::size_t i = 0; i < kWords; ++i) {
        words[i] = 0;
    }
    // SAFETY: code addresses as x86_switch_stack pops them.
    words[0] = address_value(argument);
    words[1] = reinterpret_cast<std::uint64_t>(entry);
    words[6] = reinterpret_cast<std::uint64_t>(&x86_start_kernel_thread);
    context.stack_pointer = words;
}

void switch_kernel_context(KernelContext& from, KernelContext& to) {
    save_live_user_state(cpu_data());
    x86_switch_stack(&from.stack_pointer, to.stack_pointer);
}

}  // namespace kernel::platform
