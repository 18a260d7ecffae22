// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include "lib/result.h"
#include "services/linux/pipe.h"
#include "services/vfs/device_registry.h"
#include "services/vfs/file.h"

namespace kernel::linux_abi {

struct PipeEnds {
    RefPtr<vfs::File> read_end;
    RefPtr<vfs::File> write_end;
};
// pipe(2). Errors: NoMemory.
Result<PipeEnds> make_pipe(const RefPtr<security::Credentials>& credentials, vfs::OpenFlags flags);

// The pipe behind an open file, or null.
inline Pipe* pipe_of(vfs::File& file) {
    return static_cast<Pipe*>(file.pipe());
}

// What opening a FIFO does, fifo(7); for vfs::set_fifo_opener. May block. Errors: NoDevice (write only, non-blocking,
// no reader), Interrupted, NoMemory.
Result<RefPtr<vfs::File>> open_fifo(vfs::Inode& node, vfs::OpenRequest&& request);

}  // namespace kernel::linux_abi
