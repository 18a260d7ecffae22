// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include "lib/result.h"

namespace kernel::linux_abi {

// Everything of the personality that must exist before the first process: the process tree with its reaper, the
// console, devices, FIFOs, the contents of /proc. Once, from a thread.
Result<> initialize_services(unsigned max_tasks);

}  // namespace kernel::linux_abi
