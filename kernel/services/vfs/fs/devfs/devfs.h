// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include "lib/ref.h"
#include "lib/result.h"
#include "services/vfs/filesystem.h"

namespace kernel::vfs::devfs {

// Registers null, zero, full, random and urandom (mem(4), null(4), random(4)). Once, at boot. Errors: NoMemory.
Result<> register_memory_devices();

// The one devfs of the system, a tmpfs with a node for each registered device and the usual links to /proc. Errors:
// NoMemory.
Result<RefPtr<FileSystem>> instance();

}  // namespace kernel::vfs::devfs
