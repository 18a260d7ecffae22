// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>

namespace kernel {

// Tells the CPU that this is a waiting loop.
inline void cpu_relax() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __builtin_arm_yield();
#endif
}

// The bare test-and-test-and-set lock under Spinlock and WaitList: no rank, no checks. Everything else uses Spinlock.
// Kernel code is never preempted and takes no interrupts, so there is nothing to disable.
class SpinFlag {
public:
    void lock() {
        while (!try_lock()) {
            do {
                cpu_relax();
            } while (taken_.load(std::memory_order_relaxed) != 0);
        }
    }
    [[nodiscard]] bool try_lock() { return taken_.exchange(1, std::memory_order_acquire) == 0; }
    void unlock() { taken_.store(0, std::memory_order_release); }
    bool is_locked() const { return taken_.load(std::memory_order_relaxed) != 0; }

private:
    std::atomic<std::uint32_t> taken_ = 0;
};

}  // namespace kernel
