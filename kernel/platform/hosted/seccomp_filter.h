// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>

#include <linux/filter.h>

#include "platform/hosted/stub/layout.h"
#include "platform/hosted/stub_platform.h"

namespace kernel::platform::hosted {

// A classic BPF program for seccomp(2).
class Filter {
public:
    std::span<const sock_filter> instructions() const { return {instructions_.data(), length_}; }

private:
    friend class FilterBuilder;
    std::array<sock_filter, kMaxFilterLength> instructions_{};
    std::uint16_t length_ = 0;
};

// For guest threads. No call of a guest's is ever carried out by the host, except where the stub's own code makes it:
//   rt_sigreturn in the handler: a notification, so the kernel process decides; a guest that jumps there can at most
//     give its own thread other registers, another signal mask or another alternate stack;
//   sendmsg and close_range in the set-up of a thread: a guest thread has no descriptors, and no means to get one.
// All else is a trap or a notification, wherever in memory it comes from and by whatever door.
Filter make_guest_filter(Transport transport);

// For mappers: their set-up, their notification, and the three calls that change mappings, each at its own place only.
// Anything else kills the process.
Filter make_mapper_filter();

}  // namespace kernel::platform::hosted
