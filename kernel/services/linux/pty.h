// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include "lib/ref.h"
#include "lib/result.h"
#include "services/vfs/filesystem.h"

// Pseudo-terminals, pty(7): /dev/ptmx makes a pair, whose terminal is /dev/pts/N until the master is closed.
namespace kernel::linux_abi {

// Registers the devices. Once at boot.
Result<> initialize_pseudo_terminals();

// The one devpts of the system, for /dev/pts. Errors: NoMemory.
Result<RefPtr<vfs::FileSystem>> create_devpts();

}  // namespace kernel::linux_abi
