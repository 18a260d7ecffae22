// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/anonymous_file.h"

#include "services/linux/anonymous_place.h"

namespace kernel::linux_abi {

// As Linux's one inode for all of them looks: no type, owned by user 0.
Result<vfs::Status> AnonymousFile::status() {
    constexpr vfs::DeviceNumber kDevice{.major = 0, .minor = 0xfffe};
    vfs::Status status;
    status.permissions = 0600;
    status.links = 1;
    status.device = kDevice;
    status.inode = 1;
    return status;
}

Result<vfs::Path> AnonymousFile::link_path() {
    return make_anonymous_place(TRY(status()), TRY(make_ref<UnopenedAgain>()));
}

}  // namespace kernel::linux_abi
