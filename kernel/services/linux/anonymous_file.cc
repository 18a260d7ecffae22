// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/anonymous_file.h"

#include "services/linux/anonymous_place.h"

namespace kernel::linux_abi {

vfs::Status status_of_unnamed(vfs::FileType type, std::uint32_t permissions, vfs::DeviceNumber device,
                              std::uint64_t inode_number, std::uint64_t birth_ns, const security::Credentials& owner) {
    vfs::Status status;
    status.type = type;
    status.permissions = permissions;
    status.user = owner.file_user();
    status.group = owner.file_group();
    status.links = 1;
    status.device = device;
    status.inode = inode_number;
    status.access_ns = status.modify_ns = status.change_ns = static_cast<std::int64_t>(birth_ns);
    return status;
}

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
