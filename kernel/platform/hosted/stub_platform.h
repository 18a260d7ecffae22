// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <string_view>

#include "lib/result.h"

namespace kernel::platform::hosted {

// How system calls of guests reach the kernel process.
enum class Transport : unsigned char {
    Trap,    // every one raises SIGSYS, so its frame has all registers
    Notify,  // ordinary ones are seccomp notifications themselves; registers are fetched when asked for
};

// Starts the zygote, from which guest processes are forked. Needs guest_memory() (set_up_frames). To be called from the
// process's main thread, which must live as long as the process: the zygote dies with the thread that started it.
// Errors: NotSupported (the host lacks FSGSBASE, seccomp notifications or executable memfds, or forbids them),
// NoMemory. start_failure_text() then tells which.
// Takes the best transport that the host's kernel does well, up to `best`.
Result<> start_stub_platform(Transport best = Transport::Notify);
std::string_view start_failure_text();

// Kills all guest processes and returns when they are gone. Idempotent; for power_off.
void stop_stub_platform();

Transport active_transport();
// How guests reach the kernel on this host: "seccomp-trap" or "seccomp-notify".
std::string_view transport_name();

}  // namespace kernel::platform::hosted
