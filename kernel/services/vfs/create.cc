// SPDX-License-Identifier: MIT OR Apache-2.0
// mkdir(2), mknod(2), symlink(2), link(2).
#include "lib/guarded.h"
#include "lib/string_format.h"
#include "services/vfs/filesystem.h"
#include "services/vfs/new_entry.h"
#include "services/vfs/operations.h"
#include "services/vfs/watch.h"

namespace kernel::vfs {

using security::Capability;
using security::Credentials;

Result<> check_creation(const Path& directory, const Credentials& who) {
    TRY(directory.mount->check_writable());
    TRY(check_permission(directory.inode(), Wanted::Write | Wanted::Execute, who));
    return directory.inode().prepare_change();
}

namespace {

// inode(7), "set-group-ID bit": entries of such a directory get its group, directories also the bit.
Result<> fill_in_owner(NewInode& request, Inode& directory, const Credentials& who) {
    const Ownership parent = TRY(directory.ownership());
    request.user = who.file_user();
    request.group = who.file_group();
    if ((parent.permissions & kSetGroupId) == 0) {
        return {};
    }
    request.group = parent.group;
    if (request.type == FileType::Directory) {
        request.permissions |= kSetGroupId;
    } else if ((request.permissions & (kSetGroupId | kGroupExecute)) == (kSetGroupId | kGroupExecute) &&
               !who.in_group(parent.group) && !who.capable(Capability::FileSetId)) {
        request.permissions &= ~kSetGroupId;
    }
    return {};
}

// The place of a new name, with the errors that come before those of the directory's permissions.
Result<ParentWalk> find_new_name(const WalkContext& context, std::string_view path, bool directory) {
    ParentWalk walk = TRY(resolve_parent(context, path));
    if (walk.last != LastComponent::Name) {
        return Error::Exists;
    }
    const RefPtr<Dentry> there = TRY(look_up(*walk.directory.dentry, walk.name.view()));
    if (!there->is_negative()) {
        return Error::Exists;
    }
    if (walk.trailing_slash && !directory) {
        return Error::NotFound;
    }
    return walk;
}

Result<RefPtr<Dentry>> create_named(const WalkContext& context, std::string_view path, const NewInode& request) {
    const ParentWalk walk = TRY(find_new_name(context, path, request.type == FileType::Directory));
    TRY(check_creation(walk.directory, *context.credentials));
    return create_entry(walk.directory, walk.name.view(), request, *context.credentials);
}

// proc_sys_fs(5), protected_hardlinks: a link to somebody else's file only if one may read and write it and it gives
// nobody rights.
Result<> check_link_source(Inode& inode, const Credentials& who) {
    if (check_owner(inode, who)) {
        return {};
    }
    const Ownership file = TRY(inode.ownership());
    const bool gives_rights = (file.permissions & kSetUserId) != 0 ||
                              (file.permissions & (kSetGroupId | kGroupExecute)) == (kSetGroupId | kGroupExecute);
    if (!inode.is_regular() || gives_rights || !check_permission(file, Wanted::Read | Wanted::Write, who)) {
        return Error::NotPermitted;
    }
    return {};
}

}  // namespace

Result<RefPtr<Dentry>> create_entry(const Path& directory, std::string_view name, NewInode request,
                                    const Credentials& who) {
    Inode& parent = directory.inode();
    TRY(fill_in_owner(request, parent, who));
    LockGuard guard(parent.directory_lock());
    if (parent.is_dead()) {
        return Error::NotFound;
    }
    if (!TRY(look_up_locked(*directory.dentry, name))->is_negative()) {
        return Error::Exists;
    }
    RefPtr<Dentry> entry = TRY(dentries::prepare(*directory.dentry, name));
    RefPtr<Inode> inode = TRY(parent.create(name, request));
    dentries::complete(*entry, std::move(inode));
    Watches::report_name(parent, name, *entry->inode(), FileEvents::Create);
    return entry;
}

Result<Path> create_unnamed(const Path& directory, std::uint32_t permissions, const Credentials& who) {
    Inode& parent = directory.inode();
    TRY(check_creation(directory, who));
    NewInode request{.type = FileType::Regular, .permissions = permissions & kPermissionMask};
    TRY(fill_in_owner(request, parent, who));
    RefPtr<Inode> inode = TRY(parent.create_unnamed(request));
    String name;
    TRY(append_format(name, "#{}", TRY(inode->status()).inode));
    RefPtr<Dentry> entry = TRY(dentries::insert(*directory.dentry, name.view(), std::move(inode), 0, false));
    dentries::unlink(*entry);
    return Path(directory.mount, std::move(entry));
}

Result<> make_directory(const WalkContext& context, std::string_view path, std::uint32_t permissions) {
    // mkdir(2): no set-id bits from the caller, the sticky bit counts.
    const NewInode request{.type = FileType::Directory, .permissions = permissions & (0777 | kSticky)};
    const RefPtr<Dentry> created = TRY(create_named(context, path, request));
    return {};
}

Result<> make_node(const WalkContext& context, std::string_view path, FileType type, std::uint32_t permissions,
                   DeviceNumber device) {
    if (type == FileType::Directory) {
        return Error::NotPermitted;
    }
    if (type == FileType::Symlink || type == FileType::Unknown) {
        return Error::InvalidArgument;
    }
    const bool is_device = type == FileType::CharacterDevice || type == FileType::BlockDevice;
    const ParentWalk walk = TRY(find_new_name(context, path, false));
    TRY(check_creation(walk.directory, *context.credentials));
    if (is_device && !context.credentials->capable(Capability::MakeNode)) {
        return Error::NotPermitted;
    }
    const NewInode request{
        .type = type, .permissions = permissions & kPermissionMask, .device = is_device ? device : DeviceNumber{}};
    const RefPtr<Dentry> created = TRY(create_entry(walk.directory, walk.name.view(), request, *context.credentials));
    return {};
}

Result<Path> make_socket(const WalkContext& context, std::string_view path, std::uint32_t permissions) {
    const ParentWalk walk = TRY(find_new_name(context, path, false));
    TRY(check_creation(walk.directory, *context.credentials));
    RefPtr<Dentry> entry =
        TRY(create_entry(walk.directory, walk.name.view(),
                         NewInode{.type = FileType::Socket, .permissions = permissions & 0777}, *context.credentials));
    return Path(walk.directory.mount, std::move(entry));
}

Result<> make_symlink(const WalkContext& context, std::string_view target, std::string_view path) {
    if (target.empty()) {
        return Error::NotFound;
    }
    if (target.size() >= kMaxPathBytes) {
        return Error::NameTooLong;
    }
    const NewInode request{.type = FileType::Symlink, .permissions = 0777, .target = target};
    const RefPtr<Dentry> created = TRY(create_named(context, path, request));
    return {};
}

Result<> make_link(const WalkContext& from_context, std::string_view from, const WalkContext& to_context,
                   std::string_view to, WalkFlags walk_flags) {
    const Path existing = TRY(resolve(from_context, from, walk_flags));
    const ParentWalk walk = TRY(find_new_name(to_context, to, false));
    TRY(walk.directory.mount->check_writable());
    if (walk.directory.mount != existing.mount) {
        return Error::CrossDevice;
    }
    Inode& inode = existing.inode();
    TRY(check_link_source(inode, *from_context.credentials));
    TRY(check_permission(walk.directory.inode(), Wanted::Write | Wanted::Execute, *to_context.credentials));
    if (inode.is_directory()) {
        return Error::NotPermitted;
    }
    TRY(walk.directory.inode().prepare_change());
    TRY(inode.prepare_change());

    Inode& parent = walk.directory.inode();
    LockGuard guard(parent.directory_lock());
    if (parent.is_dead()) {
        return Error::NotFound;
    }
    if (!TRY(look_up_locked(*walk.directory.dentry, walk.name.view()))->is_negative()) {
        return Error::Exists;
    }
    if (!inode.is_linkable() && TRY(inode.status()).links == 0) {
        return Error::NotFound;
    }
    const RefPtr<Dentry> entry = TRY(dentries::prepare(*walk.directory.dentry, walk.name.view()));
    TRY(parent.link(walk.name.view(), inode));
    dentries::complete(*entry, RefPtr<Inode>(inode));
    Watches::report_self(inode, FileEvents::Attributes);
    Watches::report_name(parent, walk.name.view(), inode, FileEvents::Create);
    return {};
}

}  // namespace kernel::vfs
