// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include "lib/result.h"
#include "services/linux/pipe.h"
#include "services/vfs/path.h"
#include "services/vfs/status.h"

namespace kernel::linux_abi {

// A place for a pipe without a name, so that it can be opened again through /proc/PID/fd. Made for each use; the pipe
// does not need it. `status` is what fstat(2) says of the pipe. Errors: NoMemory.
Result<vfs::Path> make_pipe_place(RefPtr<Pipe> pipe, const vfs::Status& status);

}  // namespace kernel::linux_abi
