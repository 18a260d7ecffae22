// SPDX-License-Identifier: MIT OR Apache-2.0
// Writes an initramfs: a cpio archive in the "newc" format (Linux: Documentation/driver-api/early-userspace/
// buffer-format.rst), from a list in the format of Linux's gen_init_cpio.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace initramfs {

class Archive {
public:
    // Paths are absolute in the guest. Everything belongs to root and has the time 0, so that the same input gives
    // the same bytes. Folders come before what is in them.
    void add_folder(std::string_view path, std::uint32_t permissions);
    void add_file(std::string_view path, std::uint32_t permissions, std::string_view content);
    void add_symlink(std::string_view path, std::string_view target);

    // The whole archive with its trailer. Nothing can be added afterwards.
    std::string finish() &&;

private:
    void add(std::string_view path, std::uint32_t mode, std::string_view content);
    void pad();

    std::string bytes_;
    std::uint32_t next_inode_ = 1;
};

// Adds what a list says; its lines are
//     dir PATH MODE [UID GID] · file PATH HOSTPATH MODE [UID GID] · slink PATH TARGET [MODE UID GID] · # comment
// Throws std::runtime_error with the line's number for a line that is wrong or a file that cannot be read.
void add_list(Archive& archive, std::string_view list);

}  // namespace initramfs
