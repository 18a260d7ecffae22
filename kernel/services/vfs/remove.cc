// SPDX-License-Identifier: MIT OR Apache-2.0
// unlink(2), rmdir(2).
#include "lib/guarded.h"
#include "services/vfs/directory_locks.h"
#include "services/vfs/operations.h"
#include "services/vfs/watch.h"

namespace kernel::vfs {
namespace {

using security::Credentials;

// What a last component means that names no entry, for rmdir: "." EINVAL, ".." ENOTEMPTY, "/" EBUSY.
Error special_directory_error(LastComponent last) {
    switch (last) {
        case LastComponent::Dot:
            return Error::InvalidArgument;
        case LastComponent::DotDot:
            return Error::NotEmpty;
        case LastComponent::Name:
        case LastComponent::Root:
            break;
    }
    return Error::Busy;
}

// The entry's checks, in Linux's order (may_delete).
Result<> check_victim(const Path& directory, const Dentry& victim, bool remove_directory, const Credentials& who) {
    TRY(check_removal(directory.inode(), *victim.inode(), who));
    if (remove_directory && !victim.inode()->is_directory()) {
        return Error::NotDirectory;
    }
    if (!remove_directory && victim.inode()->is_directory()) {
        return Error::IsDirectory;
    }
    return victim.is_mountpoint() ? Error::Busy : Result<>();
}

// With the locks held: is this still the entry of that name?
Result<bool> still_there(const Path& directory, std::string_view name, const Dentry& expected) {
    return TRY(look_up_locked(*directory.dentry, name)) == &expected;
}

Result<bool> remove_entry(const ParentWalk& walk, Dentry& victim, bool is_directory) {
    Inode& parent = walk.directory.inode();
    const DirectoryLocks locks({&parent, is_directory ? victim.inode() : nullptr, nullptr});
    if (!TRY(still_there(walk.directory, walk.name.view(), victim))) {
        return false;
    }
    if (victim.is_mountpoint()) {
        return Error::Busy;
    }
    TRY(parent.unlink(walk.name.view(), *victim.inode()));
    if (is_directory) {
        victim.inode()->mark_dead();
    }
    dentries::unlink(victim);
    return true;
}

Result<> remove(const WalkContext& context, const ParentWalk& walk, bool is_directory) {
    const Credentials& who = *context.credentials;
    while (true) {
        const RefPtr<Dentry> victim = TRY(look_up(*walk.directory.dentry, walk.name.view()));
        if (victim->is_negative()) {
            return Error::NotFound;
        }
        if (!is_directory && walk.trailing_slash) {
            return victim->inode()->is_directory() ? Error::IsDirectory : Error::NotDirectory;
        }
        TRY(check_victim(walk.directory, *victim, is_directory, who));
        TRY(walk.directory.inode().prepare_change());
        if (TRY(remove_entry(walk, *victim, is_directory))) {
            Watches::report_unlinked(*victim->inode());
            Watches::report_name(walk.directory.inode(), walk.name.view(), *victim->inode(), FileEvents::Delete);
            return {};
        }
    }
}

}  // namespace

Result<> unlink(const WalkContext& context, std::string_view path) {
    const ParentWalk walk = TRY(resolve_parent(context, path));
    if (walk.last != LastComponent::Name) {
        return Error::IsDirectory;
    }
    TRY(walk.directory.mount->check_writable());
    return remove(context, walk, false);
}

Result<> remove_directory(const WalkContext& context, std::string_view path) {
    const ParentWalk walk = TRY(resolve_parent(context, path));
    if (walk.last != LastComponent::Name) {
        return special_directory_error(walk.last);
    }
    TRY(walk.directory.mount->check_writable());
    return remove(context, walk, true);
}

}  // namespace kernel::vfs
