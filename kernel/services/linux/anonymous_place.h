// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include "lib/ref.h"
#include "lib/result.h"
#include "services/vfs/file.h"
#include "services/vfs/path.h"
#include "services/vfs/status.h"

namespace kernel::linux_abi {

// How a file without a name is opened again through the link in /proc/PID/fd.
class Reopener : public RefCounted {
public:
    virtual Result<RefPtr<vfs::File>> open(vfs::OpenRequest&& request) = 0;
};

// For files that can be looked at there but not opened: ENXIO.
class UnopenedAgain final : public Reopener {
public:
    Result<RefPtr<vfs::File>> open(vfs::OpenRequest&&) override { return Error::NoDevice; }
};

// A place for such a file, made for each use. `status` is what fstat(2) says of it and what permissions are checked
// against. Errors: NoMemory.
Result<vfs::Path> make_anonymous_place(const vfs::Status& status, RefPtr<Reopener> reopener);

}  // namespace kernel::linux_abi
