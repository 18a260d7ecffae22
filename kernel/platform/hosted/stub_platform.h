// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <string_view>

#include "lib/result.h"

namespace kernel::platform::hosted {

// Starts the zygote, from which guest processes are forked. Needs guest_memory() (set_up_frames). To be called from the
// process's main thread, which must live as long as the process: the zygote dies with the thread that started it.
// Errors: NotSupported (the host lacks FSGSBASE, seccomp notifications or executable memfds, or forbids them),
// NoMemory. start_failure_text() then tells which.
Result<> start_stub_platform();
std::string_view start_failure_text();

// Kills all guest processes and returns when they are gone. Idempotent; for power_off.
void stop_stub_platform();

// How guests reach the kernel on this host: "seccomp-trap" or "seccomp-notify".
std::string_view transport_name();

}  // namespace kernel::platform::hosted
