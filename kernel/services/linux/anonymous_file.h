// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <string_view>

#include "services/vfs/file.h"

namespace kernel::linux_abi {

// What fstat(2) tells of a pipe or a socket: the type, permissions, device, number and time of birth that it has, and
// the owner who made it.
vfs::Status status_of_unnamed(vfs::FileType type, std::uint32_t permissions, vfs::DeviceNumber device,
                              std::uint64_t inode_number, std::uint64_t birth_ns, const security::Credentials& owner);

// Base of files that are made by a call of their own and have neither a name nor bytes at positions: eventfd, epoll …
class AnonymousFile : public vfs::File {
public:
    bool is_pollable() const override { return true; }
    std::string_view label() const override { return label_; }
    const void* class_tag() const override { return class_tag_; }
    Result<vfs::Status> status() override;
    Result<> sync(bool) override { return Error::InvalidArgument; }
    // They are not opened a second time.
    Result<vfs::Path> link_path() override;
    // As Linux's noop_llseek.
    Result<std::uint64_t> seek(std::int64_t, vfs::SeekFrom) override { return 0; }

protected:
    // Both live for ever.
    AnonymousFile(vfs::OpenRequest&& request, std::string_view label, const void* class_tag)
        : File(std::move(request)), label_(label), class_tag_(class_tag) {}
    ~AnonymousFile() override = default;
    bool is_stream() const override { return true; }

private:
    const std::string_view label_;
    const void* const class_tag_;
};

// A reader of fixed-size records gets as many as fit; at least one must. Errors: InvalidArgument.
inline Result<> check_record_room(std::uint64_t room_bytes, std::uint64_t record_bytes) {
    if (room_bytes < record_bytes) {
        return Error::InvalidArgument;
    }
    return {};
}

}  // namespace kernel::linux_abi
