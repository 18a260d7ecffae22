// SPDX-License-Identifier: MIT OR Apache-2.0
// rename(2), renameat2(2).
#include "lib/guarded.h"
#include "services/vfs/directory_locks.h"
#include "services/vfs/filesystem.h"
#include "services/vfs/operations.h"
#include "services/vfs/watch.h"

namespace kernel::vfs {
namespace {

using security::Credentials;

struct Renaming {
    const ParentWalk& from;
    const ParentWalk& to;
    RenameMode mode;
    const Credentials& who;
    RefPtr<Dentry> moved{};
    RefPtr<Dentry> target{};  // may be negative

    bool moves_directory() const { return moved->inode()->is_directory(); }
    bool exchanges() const { return mode == RenameMode::Exchange; }
    bool changes_parent() const { return from.directory.dentry != to.directory.dentry; }
    Inode* target_inode() const { return target->inode(); }
};

Result<> look_up_names(Renaming& renaming) {
    renaming.moved = TRY(look_up(*renaming.from.directory.dentry, renaming.from.name.view()));
    if (renaming.moved->is_negative()) {
        return Error::NotFound;
    }
    renaming.target = TRY(look_up(*renaming.to.directory.dentry, renaming.to.name.view()));
    if (renaming.mode == RenameMode::NoReplace && !renaming.target->is_negative()) {
        return Error::Exists;
    }
    if (renaming.exchanges()) {
        if (renaming.target->is_negative()) {
            return Error::NotFound;
        }
        if (!renaming.target_inode()->is_directory() && renaming.to.trailing_slash) {
            return Error::NotDirectory;
        }
    }
    // Unless a directory is moved, trailing slashes are wrong.
    if (!renaming.moves_directory() &&
        (renaming.from.trailing_slash || (!renaming.exchanges() && renaming.to.trailing_slash))) {
        return Error::NotDirectory;
    }
    return {};
}

// A directory cannot move below itself, and what is replaced or exchanged cannot contain the moved one.
Result<> check_ancestry(const Renaming& renaming) {
    if (dentries::is_within(*renaming.to.directory.dentry, *renaming.moved)) {
        return Error::InvalidArgument;
    }
    if (!renaming.target->is_negative() && dentries::is_within(*renaming.from.directory.dentry, *renaming.target)) {
        return renaming.exchanges() ? Error::InvalidArgument : Error::NotEmpty;
    }
    return {};
}

Result<> check_types(const Renaming& renaming) {
    if (renaming.target->is_negative() || renaming.exchanges()) {
        return {};
    }
    const bool target_is_directory = renaming.target_inode()->is_directory();
    if (renaming.moves_directory() && !target_is_directory) {
        return Error::NotDirectory;
    }
    return !renaming.moves_directory() && target_is_directory ? Error::IsDirectory : Result<>();
}

// In Linux's order (vfs_rename).
Result<> check_permissions(const Renaming& renaming) {
    Inode& from = renaming.from.directory.inode();
    Inode& to = renaming.to.directory.inode();
    TRY(check_removal(from, *renaming.moved->inode(), renaming.who));
    if (renaming.target->is_negative()) {
        TRY(check_permission(to, Wanted::Write | Wanted::Execute, renaming.who));
    } else {
        TRY(check_removal(to, *renaming.target_inode(), renaming.who));
    }
    TRY(check_types(renaming));
    // A directory that changes its parent has its ".." written.
    if (renaming.changes_parent()) {
        if (renaming.moves_directory()) {
            TRY(check_permission(*renaming.moved->inode(), Wanted::Write, renaming.who));
        }
        if (renaming.exchanges() && renaming.target_inode()->is_directory()) {
            TRY(check_permission(*renaming.target_inode(), Wanted::Write, renaming.who));
        }
    }
    return {};
}

Result<> prepare_inodes(const Renaming& renaming) {
    TRY(renaming.from.directory.inode().prepare_change());
    TRY(renaming.to.directory.inode().prepare_change());
    TRY(renaming.moved->inode()->prepare_change());
    if (renaming.exchanges()) {
        TRY(renaming.target_inode()->prepare_change());
    }
    return {};
}

// False: the names changed meanwhile.
Result<bool> rename_locked(const Renaming& renaming) {
    Inode& from = renaming.from.directory.inode();
    Inode& to = renaming.to.directory.inode();
    Inode* const target = renaming.target_inode();
    const bool replaces_directory = target != nullptr && target->is_directory() && !renaming.exchanges();
    const DirectoryLocks locks({&from, &to, replaces_directory ? target : nullptr});
    if (TRY(look_up_locked(*renaming.from.directory.dentry, renaming.from.name.view())) != renaming.moved ||
        TRY(look_up_locked(*renaming.to.directory.dentry, renaming.to.name.view()))->inode() != target) {
        return false;
    }
    TRY(check_ancestry(renaming));
    if (renaming.moved->is_mountpoint() || renaming.target->is_mountpoint()) {
        return Error::Busy;
    }
    if (to.is_dead()) {
        return Error::NotFound;
    }
    String name = TRY(dentries::prepare_name(renaming.to.name.view()));
    TRY(from.rename(renaming.from.name.view(), *renaming.moved->inode(), to, renaming.to.name.view(), target,
                    renaming.mode));
    if (renaming.exchanges()) {
        dentries::exchange(*renaming.moved, *renaming.target);
        return true;
    }
    if (replaces_directory) {
        target->mark_dead();
    }
    dentries::move(*renaming.moved, *renaming.to.directory.dentry, std::move(name), renaming.target.get());
    return true;
}

Result<bool> try_rename(Renaming& renaming) {
    TRY(look_up_names(renaming));
    TRY(check_ancestry(renaming));
    // Two names of one file: nothing happens.
    if (renaming.moved->inode() == renaming.target_inode()) {
        return true;
    }
    TRY(check_permissions(renaming));
    if (renaming.moved->is_mountpoint() || renaming.target->is_mountpoint()) {
        return Error::Busy;
    }
    TRY(prepare_inodes(renaming));
    if (!renaming.changes_parent()) {
        return rename_locked(renaming);
    }
    // Ancestry stands still while directories change parents one at a time.
    LockGuard guard(renaming.moved->inode()->filesystem().rename_lock());
    return rename_locked(renaming);
}

void report_move(const ParentWalk& from, const ParentWalk& to, Inode& moved) {
    const std::uint32_t cookie = Watches::next_cookie();
    Watches::report_name(from.directory.inode(), from.name.view(), moved, FileEvents::MovedFrom, cookie);
    Watches::report_name(to.directory.inode(), to.name.view(), moved, FileEvents::MovedTo, cookie);
}

void report_renaming(const Renaming& renaming) {
    if (renaming.moved->inode() == renaming.target_inode()) {
        return;
    }
    report_move(renaming.from, renaming.to, *renaming.moved->inode());
    if (renaming.exchanges()) {
        report_move(renaming.to, renaming.from, *renaming.target_inode());
        Watches::report_self(*renaming.target_inode(), FileEvents::MoveSelf);
    } else if (!renaming.target->is_negative()) {
        Watches::report_unlinked(*renaming.target_inode());
    }
    Watches::report_self(*renaming.moved->inode(), FileEvents::MoveSelf);
}

}  // namespace

Result<> rename(const WalkContext& from_context, std::string_view from, const WalkContext& to_context,
                std::string_view to, RenameMode mode) {
    const ParentWalk from_walk = TRY(resolve_parent(from_context, from));
    const ParentWalk to_walk = TRY(resolve_parent(to_context, to));
    if (from_walk.directory.mount != to_walk.directory.mount) {
        return Error::CrossDevice;
    }
    if (from_walk.last != LastComponent::Name) {
        return Error::Busy;
    }
    if (to_walk.last != LastComponent::Name) {
        return mode == RenameMode::NoReplace ? Error::Exists : Error::Busy;
    }
    TRY(from_walk.directory.mount->check_writable());
    while (true) {
        Renaming renaming{.from = from_walk, .to = to_walk, .mode = mode, .who = *from_context.credentials};
        if (TRY(try_rename(renaming))) {
            report_renaming(renaming);
            return {};
        }
    }
}

}  // namespace kernel::vfs
