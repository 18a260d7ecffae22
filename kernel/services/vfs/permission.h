// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstdint>

#include "lib/result.h"
#include "services/security/credentials.h"
#include "services/vfs/inode.h"
#include "services/vfs/mount.h"

namespace kernel::vfs {

// access(2); the values are R_OK, W_OK, X_OK.
enum class Wanted : std::uint8_t { Nothing = 0, Execute = 1, Write = 2, Read = 4 };
constexpr Wanted operator|(Wanted a, Wanted b) {
    return static_cast<Wanted>(static_cast<std::uint8_t>(a) | static_cast<std::uint8_t>(b));
}
constexpr bool has(Wanted set, Wanted bit) {
    return (static_cast<std::uint8_t>(set) & static_cast<std::uint8_t>(bit)) != 0;
}

// Permission bits and capabilities(7), without regard to the mount. Errors: AccessDenied.
Result<> check_permission(const Ownership& file, Wanted wanted, const security::Credentials& who);
Result<> check_permission(Inode& inode, Wanted wanted, const security::Credentials& who);
// With the mount: writing to anything but devices, FIFOs and sockets on a read-only one is ReadOnly; execution of
// regular files on a no-execute one is AccessDenied.
Result<> check_permission(const Path& path, Wanted wanted, const security::Credentials& who);
// Owner, or CAP_FOWNER. Errors: NotPermitted.
Result<> check_owner(Inode& inode, const security::Credentials& who);
// May `who` remove or replace `victim` in the directory: write and search permission, the sticky bit. Errors:
// AccessDenied, NotPermitted.
Result<> check_removal(Inode& directory, Inode& victim, const security::Credentials& who);

// What chown and writing by others take away from an executable's permissions: the set-user-ID bit, and the
// set-group-ID bit where it means execution or `who` is not in the group, chown(2).
std::uint32_t without_set_id(const Ownership& file, const security::Credentials& who);
// Does that before a write by somebody without CAP_FSETID.
Result<> remove_set_id(Inode& inode, const security::Credentials& who);

}  // namespace kernel::vfs
