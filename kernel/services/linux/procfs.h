// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include "lib/result.h"
#include "services/vfs/filesystem.h"

namespace kernel::linux_abi {

// Makes "proc" known to mount(2). Call once at boot. Errors: NoMemory.
Result<> register_procfs();
// proc(5): tables over what the process tree and the kernel's parts know. Errors: NoMemory.
Result<RefPtr<vfs::FileSystem>> create_procfs();

}  // namespace kernel::linux_abi
