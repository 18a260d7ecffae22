// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include "lib/ref.h"
#include "services/vfs/mount.h"

namespace kernel::linux_abi {

// The mounts that all processes see, until there are namespaces. Set once by main, before the first program runs; null
// before.
void set_mount_namespace(RefPtr<vfs::MountNamespace> mounts);
RefPtr<vfs::MountNamespace> mount_namespace();

}  // namespace kernel::linux_abi
