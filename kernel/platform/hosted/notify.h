// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <array>
#include <cstdint>

#include <linux/seccomp.h>

#include "platform/hosted/host_syscall.h"

namespace kernel::platform::hosted {

// What a host thread in a stub waits with: a system call that the host kernel does not carry out before we say so.
struct Notification {
    std::uint64_t id = 0;
    std::uint32_t thread = 0;  // host thread id; cannot be forged
    int number = 0;
    std::uint64_t instruction_pointer = 0;
    std::array<std::uint64_t, 6> arguments{};
};

// Whether a guest thread waits in its stub's handler, so that a frame tells its registers. If not, it is in a system
// call of its own.
bool is_from_handler(const Notification& notification);

enum class Arrival : std::uint8_t {
    Received,
    Interrupted,  // a pending interrupt of the vCPU ended the wait
    TimedOut,
    Gone,  // the thread is dead
};

// How long and for what a vCPU waits.
enum class Patience : std::uint8_t {
    Endless,    // for set-up and the mapper: short by construction
    UserMode,   // until an interrupt is pending on this vCPU
    AfterKick,  // for kKickLimitNs, whatever is pending
};
inline constexpr std::uint64_t kKickLimitNs = 10'000'000;

// The kernel process's end of one stub thread's seccomp filter. Closes its descriptor.
class Listener {
public:
    Listener() = default;
    explicit Listener(int descriptor);
    Listener(Listener&& other) noexcept;
    Listener& operator=(Listener&& other) noexcept;
    ~Listener();

    bool is_open() const { return descriptor_ >= 0; }

    // Blocks the host thread.
    Arrival receive(Notification& notification, Patience patience);

    // Lets the thread's system call return a value, or be carried out. False when the thread does not wait any more:
    // it was killed, or a signal made it come again.
    bool answer(std::uint64_t id, std::int64_t value);
    bool let_continue(std::uint64_t id);

    // Whether no thread uses the filter any more.
    bool is_gone() const;

private:
    bool send(std::uint64_t id, std::int64_t value, std::uint32_t flags);
    HostResult receive_once(seccomp_notif& raw, Patience patience);

    int descriptor_ = -1;
};

// Host kernels before 6.11 leave a receiver asleep when the thread it waits for dies. Asked once at start.
void set_poll_before_receive(bool poll);

}  // namespace kernel::platform::hosted
