// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/vfs/permission.h"

#include "services/vfs/path.h"

namespace kernel::vfs {

using security::Capability;
using security::Credentials;

namespace {

std::uint32_t granted_bits(const Ownership& file, const Credentials& who) {
    if (file.user == who.file_user()) {
        return (file.permissions >> 6) & 7;
    }
    return who.in_group(file.group) ? (file.permissions >> 3) & 7 : file.permissions & 7;
}

// capabilities(7): CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH.
bool capability_grants(const Ownership& file, Wanted wanted, const Credentials& who) {
    const bool writes = has(wanted, Wanted::Write);
    if (file.type == FileType::Directory) {
        return who.capable(Capability::DacOverride) || (!writes && who.capable(Capability::DacReadSearch));
    }
    const bool executes = has(wanted, Wanted::Execute);
    if (who.capable(Capability::DacOverride) && (!executes || (file.permissions & kAnyExecute) != 0)) {
        return true;
    }
    return !writes && !executes && who.capable(Capability::DacReadSearch);
}

}  // namespace

Result<> check_permission(const Ownership& file, Wanted wanted, const Credentials& who) {
    const auto needed = static_cast<std::uint32_t>(wanted);
    if ((granted_bits(file, who) & needed) == needed || capability_grants(file, wanted, who)) {
        return {};
    }
    return Error::AccessDenied;
}

Result<> check_permission(Inode& inode, Wanted wanted, const Credentials& who) {
    return check_permission(TRY(inode.ownership()), wanted, who);
}

Result<> check_permission(const Path& path, Wanted wanted, const Credentials& who) {
    const FileType type = path.inode().type();
    const bool has_contents = type == FileType::Regular || type == FileType::Directory || type == FileType::Symlink;
    if (has(wanted, Wanted::Write) && has_contents && path.mount->is_read_only()) {
        return Error::ReadOnly;
    }
    if (has(wanted, Wanted::Execute) && type == FileType::Regular && has(path.mount->flags(), MountFlags::NoExecute)) {
        return Error::AccessDenied;
    }
    return check_permission(path.inode(), wanted, who);
}

Result<> check_owner(Inode& inode, const Credentials& who) {
    const Ownership file = TRY(inode.ownership());
    if (file.user == who.file_user() || who.capable(Capability::FileOwner)) {
        return {};
    }
    return Error::NotPermitted;
}

Result<> check_removal(Inode& directory, Inode& victim, const Credentials& who) {
    const Ownership parent = TRY(directory.ownership());
    TRY(check_permission(parent, Wanted::Write | Wanted::Execute, who));
    if ((parent.permissions & kSticky) == 0 || parent.user == who.file_user()) {
        return {};
    }
    return check_owner(victim, who);
}

std::uint32_t without_set_id(const Ownership& file, const Credentials& who) {
    std::uint32_t permissions = file.permissions & ~kSetUserId;
    if ((permissions & kGroupExecute) != 0 || (!who.in_group(file.group) && !who.capable(Capability::FileSetId))) {
        permissions &= ~kSetGroupId;
    }
    return permissions;
}

Result<> remove_set_id(Inode& inode, const Credentials& who) {
    if (who.capable(Capability::FileSetId) || !inode.is_regular()) {
        return {};
    }
    const Ownership file = TRY(inode.ownership());
    const std::uint32_t permissions = without_set_id(file, who);
    return permissions == file.permissions ? Result<>() : inode.change_status(StatusChange{.permissions = permissions});
}

}  // namespace kernel::vfs
