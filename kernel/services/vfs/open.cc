// SPDX-License-Identifier: MIT OR Apache-2.0
// open(2).
#include "lib/guarded.h"
#include "services/vfs/new_entry.h"
#include "services/vfs/operations.h"
#include "services/vfs/walk.h"
#include "services/vfs/watch.h"

namespace kernel::vfs {
namespace {

using security::Credentials;

// access(2) terms of what the flags want to do. O_TRUNC needs write permission even with O_RDONLY.
Wanted wanted_access(OpenFlags flags) {
    Wanted wanted = has(flags, OpenFlags::Read) ? Wanted::Read : Wanted::Nothing;
    if (has(flags, OpenFlags::Write) || has(flags, OpenFlags::Truncate)) {
        wanted = wanted | Wanted::Write;
    }
    return wanted;
}

Result<> check_open(const Path& path, OpenFlags flags, const Credentials& who) {
    Inode& inode = path.inode();
    switch (inode.type()) {
        case FileType::Symlink:
            return Error::SymlinkLoop;
        case FileType::Directory:
            if (has(wanted_access(flags), Wanted::Write) || has(flags, OpenFlags::Create)) {
                return Error::IsDirectory;
            }
            break;
        case FileType::CharacterDevice:
        case FileType::BlockDevice:
            if (has(path.mount->flags(), MountFlags::NoDevices)) {
                return Error::AccessDenied;
            }
            break;
        default:
            break;
    }
    TRY(check_permission(path, wanted_access(flags), who));
    if (has(flags, OpenFlags::NoAccessTime)) {
        TRY(check_owner(inode, who));
    }
    return {};
}

Result<> truncate_opened(Inode& inode, OpenFlags flags, const Credentials& who) {
    // With O_RDONLY|O_TRUNC nothing else counts as a writer.
    const bool count = !has(flags, OpenFlags::Write);
    if (count) {
        TRY(inode.begin_writing());
    }
    Result<> done;
    {
        const Turn::Holder turn(inode.write_turn());
        done = remove_set_id(inode, who);
        if (done) {
            inode.note_write();
            done = inode.resize(0);
        }
    }
    if (count) {
        inode.end_writing();
    }
    return done;
}

Result<> prepare(Inode& inode, OpenFlags flags) {
    if (!inode.is_regular() || !has(wanted_access(flags), Wanted::Write)) {
        return {};
    }
    if (!has(flags, OpenFlags::Truncate)) {
        return inode.prepare_change();
    }
    // What a program executes is not truncated.
    TRY(inode.begin_writing());
    const Result<> prepared = inode.prepare_truncation();
    inode.end_writing();
    return prepared;
}

enum class Checks : std::uint8_t { All, JustCreated };

Result<RefPtr<File>> open_found(const Path& path, OpenFlags flags, const RefPtr<Credentials>& credentials,
                                Checks checks) {
    Inode& inode = path.inode();
    if (has(flags, OpenFlags::Directory) && !inode.is_directory()) {
        return Error::NotDirectory;
    }
    OpenRequest request{.path = path, .flags = flags, .credentials = credentials};
    if (has(flags, OpenFlags::PathOnly)) {
        return open_inode(inode, std::move(request));
    }
    // O_TRUNC needs write permission even where it does nothing.
    if (checks == Checks::All) {
        TRY(check_open(path, flags, *credentials));
    }
    if (!inode.is_regular()) {
        flags = flags & ~OpenFlags::Truncate;
        request.flags = flags;
    }
    TRY(prepare(inode, flags));
    if (const Result<> prepared = inode.prepare_open(flags); !prepared) {
        if (prepared.error() == Error::StaleHandle) {
            // The name leads to another file by now.
            dentries::forget(*path.dentry);
        }
        return prepared.error();
    }
    RefPtr<File> file = TRY(open_inode(inode, std::move(request)));
    if (has(flags, OpenFlags::Truncate) && checks == Checks::All) {
        TRY(truncate_opened(inode, flags, *credentials));
        Watches::report(path, FileEvents::Modify);
    }
    return file;
}

// The last component is a name in walk.directory(): the path that it leads to, null when it is not there.
Result<Path> find_last(const Walk& walk) {
    RefPtr<Dentry> dentry = TRY(look_up(*walk.directory().dentry, walk.name()));
    if (dentry->is_negative()) {
        return Path();
    }
    return mounts::cross_down(Path(walk.directory().mount, std::move(dentry)));
}

// Linux's may_create_in_sticky with protected_fifos and protected_regular 0, proc_sys_fs(5): in a sticky directory that
// all may write to, O_CREAT does not take up other people's links, sockets and devices.
Result<> check_sticky_reuse(Inode& directory, Inode& found, const Credentials& who) {
    const Ownership parent = TRY(directory.ownership());
    const Ownership file = TRY(found.ownership());
    const bool concerned = file.type != FileType::Regular && file.type != FileType::Fifo &&
                           file.type != FileType::Directory && (parent.permissions & kSticky) != 0;
    if (!concerned || file.user == parent.user || file.user == who.file_user() || (parent.permissions & 02) == 0) {
        return {};
    }
    return Error::AccessDenied;
}

Result<RefPtr<File>> open_or_create(const WalkContext& context, std::string_view text, OpenFlags flags,
                                    std::uint32_t permissions, WalkFlags walk_flags) {
    Walk walk(context, walk_flags);
    TRY(walk.begin(text));
    const bool exclusive = has(flags, OpenFlags::Exclusive);
    while (true) {
        TRY(walk.to_last());
        if (walk.last() != LastComponent::Name) {
            return exclusive ? Error::Exists : Error::IsDirectory;
        }
        if (walk.trailing_slash()) {
            return Error::IsDirectory;
        }
        Path path = TRY(find_last(walk));
        if (!path) {
            TRY(check_creation(walk.directory(), *context.credentials));
            Result<RefPtr<Dentry>> created =
                create_entry(walk.directory(), walk.name(),
                             NewInode{.type = FileType::Regular, .permissions = permissions & kPermissionMask},
                             *context.credentials);
            if (created) {
                return open_found(Path(walk.directory().mount, std::move(*created)), flags, context.credentials,
                                  Checks::JustCreated);
            }
            if (created.error() != Error::Exists || exclusive) {
                return created.error();
            }
            // Somebody else was faster: take theirs.
            path = TRY(find_last(walk));
            if (!path) {
                return Error::NotFound;
            }
        }
        if (exclusive) {
            return Error::Exists;
        }
        if (path.inode().is_symlink()) {
            if (has(flags, OpenFlags::NoFollow)) {
                TRY(check_sticky_reuse(walk.directory().inode(), path.inode(), *context.credentials));
                return Error::SymlinkLoop;
            }
            if (TRY(walk.follow_last(path))) {
                continue;
            }
            path = walk.directory();
        } else {
            TRY(check_sticky_reuse(walk.directory().inode(), path.inode(), *context.credentials));
        }
        return open_found(path, flags, context.credentials, Checks::All);
    }
}

Result<RefPtr<File>> open_unnamed(const WalkContext& context, std::string_view path, OpenFlags flags,
                                  std::uint32_t permissions, WalkFlags walk) {
    const Path directory = TRY(resolve(context, path, walk | WalkFlags::Directory));
    const Path file = TRY(create_unnamed(directory, permissions, *context.credentials));
    if (!has(flags, OpenFlags::Exclusive)) {
        file.inode().mark_linkable();
    }
    flags = flags & ~(OpenFlags::Temporary | OpenFlags::Directory | OpenFlags::Create);
    return open_found(file, flags, context.credentials, Checks::JustCreated);
}

Result<RefPtr<File>> open_once(const WalkContext& context, std::string_view path, OpenFlags flags,
                               std::uint32_t permissions, WalkFlags walk) {
    if (has(flags, OpenFlags::PathOnly)) {
        flags = flags & (OpenFlags::PathOnly | OpenFlags::Directory | OpenFlags::NoFollow | OpenFlags::LargeFile);
    }
    if (has(flags, OpenFlags::Temporary)) {
        return open_unnamed(context, path, flags, permissions, walk);
    }
    if (has(flags, OpenFlags::Create)) {
        if (has(flags, OpenFlags::Directory)) {
            return Error::InvalidArgument;
        }
        return open_or_create(context, path, flags, permissions, walk);
    }
    if (has(flags, OpenFlags::NoFollow)) {
        walk = walk | WalkFlags::NoFollow;
    }
    if (has(flags, OpenFlags::Directory)) {
        walk = walk | WalkFlags::Directory;
    }
    return open_found(TRY(resolve(context, path, walk)), flags, context.credentials, Checks::All);
}

}  // namespace

Result<RefPtr<File>> open(const WalkContext& context, std::string_view path, OpenFlags flags, std::uint32_t permissions,
                          WalkFlags walk) {
    Result<RefPtr<File>> file = open_once(context, path, flags, permissions, walk);
    if (!file && file.error() == Error::StaleHandle) {
        // Cached names that have proved wrong are forgotten; with what is there now it is an ordinary open.
        file = open_once(context, path, flags, permissions, walk);
    }
    return file;
}

Result<RefPtr<File>> open_path(const Path& path, OpenFlags flags, const RefPtr<Credentials>& credentials) {
    return open_found(path, flags & ~(OpenFlags::Create | OpenFlags::Exclusive), credentials, Checks::All);
}

}  // namespace kernel::vfs
