// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include "lib/ref.h"
#include "lib/result.h"
#include "main/boot_options.h"
#include "services/vfs/mount.h"
#include "services/vfs/path.h"

namespace kernel::main {

struct RootFileSystem {
    RefPtr<vfs::MountNamespace> mounts;
    vfs::Path root;
};

// The tree that the first program sees: a memory file system with the initramfs in it, the host's files where the
// options bind them, /dev, /proc and /tmp. A bind that cannot be made is reported in one line and ends the system.
Result<RootFileSystem> assemble_root(const BootOptions& options);

// Writes back everything that mounted file systems hold in memory. Before power-off.
void sync_file_systems();

}  // namespace kernel::main
