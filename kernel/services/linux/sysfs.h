// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include "lib/result.h"
#include "services/vfs/filesystem.h"

namespace kernel::linux_abi {

// Makes "sysfs" known to mount(2). Call once at boot. Errors: NoMemory.
Result<> register_sysfs();
// sysfs(5), as far as programs ask it about processors and memory. Errors: NoMemory.
Result<RefPtr<vfs::FileSystem>> create_sysfs();

}  // namespace kernel::linux_abi
