// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include "lib/result.h"

namespace kernel::platform::hosted {

// Starts what guest processes are made from. Called once, on the main thread (the death signal of the children hangs on
// the thread that made them), after set_up_frames() and before the kernel process confines itself.
// Errors: NotSupported when this host cannot run guests (`kpio check` tells why), NoMemory, WouldBlock (process limit).
Result<> start_stub_platform();

// Kills every guest process and waits until none is left. Async-signal-safe, and harmless before the start.
void stop_stub_platform();

}  // namespace kernel::platform::hosted
