// SPDX-License-Identifier: MIT OR Apache-2.0
// Changes of names in the upper layer. What may fail for want of memory comes before the first visible step; the steps
// behind it only swap entries that are there.
#include "lib/scope_guard.h"
#include "services/vfs/fs/overlay/overlay_inode.h"

namespace kernel::vfs::overlay {
namespace {

constexpr std::byte kYes[] = {std::byte{'y'}};

Result<RefPtr<Inode>> entry_of(Inode& directory, std::string_view name) {
    Result<RefPtr<Inode>> found = directory.lookup(name);
    if (!found && found.error() == Error::NotFound) {
        return RefPtr<Inode>();
    }
    return found;
}

}  // namespace

Result<RefPtr<Inode>> OverlayInode::create(std::string_view name, const NewInode& request) {
    OverlayFs& filesystem = overlay();
    const RefPtr<Inode> directory = upper();
    const RefPtr<Inode> there = TRY(entry_of(*directory, name));
    if (there && !is_whiteout(*there)) {
        return Error::Exists;
    }
    const FixedString<24> work_name = filesystem.unique_name();
    const RefPtr<Inode> made = TRY(filesystem.work().create(work_name.view(), request));
    ScopeGuard undo([&] { static_cast<void>(filesystem.work().unlink(work_name.view(), *made)); });
    if (there && made->is_directory()) {
        TRY(made->set_attribute(kOpaque, kYes, AttributeMode::Set));
    }
    RefPtr<OverlayInode> inode = TRY(filesystem.inode_for(made, {}, RefPtr<OverlayInode>(*this), name));
    TRY(filesystem.put(work_name.view(), *made, *directory, name, there.get()));
    undo.dismiss();
    return RefPtr<Inode>(std::move(inode));
}

Result<> OverlayInode::link(std::string_view name, Inode& existing) {
    OverlayFs& filesystem = overlay();
    const RefPtr<Inode> directory = upper();
    const RefPtr<Inode> inode = static_cast<OverlayInode&>(existing).upper();
    const RefPtr<Inode> there = TRY(entry_of(*directory, name));
    if (!there) {
        return directory->link(name, *inode);
    }
    if (!is_whiteout(*there)) {
        return Error::Exists;
    }
    const FixedString<24> work_name = filesystem.unique_name();
    TRY(filesystem.work().link(work_name.view(), *inode));
    return filesystem.put(work_name.view(), *inode, *directory, name, there.get());
}

Result<> OverlayInode::unlink(std::string_view name, Inode& victim) {
    OverlayFs& filesystem = overlay();
    OverlayInode& removed = static_cast<OverlayInode&>(victim);
    if (removed.is_directory() && !TRY(removed.is_merged_empty())) {
        return Error::NotEmpty;
    }
    const RefPtr<Inode> directory = upper();
    const RefPtr<Inode> there = removed.upper();
    if (!TRY(has_lower(name))) {
        TRY(OverlayFs::remove(*directory, name, *there));
    } else {
        const FixedString<24> work_name = filesystem.unique_name();
        const RefPtr<Inode> whiteout = TRY(filesystem.make_whiteout(work_name.view()));
        ScopeGuard undo([&] { static_cast<void>(filesystem.work().unlink(work_name.view(), *whiteout)); });
        TRY(filesystem.put(work_name.view(), *whiteout, *directory, name, there.get()));
        undo.dismiss();
    }
    removed.nameless_.store(true, std::memory_order_relaxed);
    return {};
}

Result<> OverlayInode::rename(std::string_view name, Inode& moved, Inode& new_parent, std::string_view new_name,
                              Inode* target, RenameMode mode) {
    OverlayInode& source = static_cast<OverlayInode&>(moved);
    OverlayInode& destination = static_cast<OverlayInode&>(new_parent);
    OverlayInode* const replaced = static_cast<OverlayInode*>(target);
    if (source.is_directory()) {
        TRY(source.mark_moved());
    }
    if (mode == RenameMode::Exchange) {
        if (replaced->is_directory()) {
            TRY(replaced->mark_moved());
        }
        return upper()->rename(name, *source.upper(), *destination.upper(), new_name, replaced->upper().get(), mode);
    }
    if (replaced != nullptr && replaced->is_directory() && !TRY(replaced->is_merged_empty())) {
        return Error::NotEmpty;
    }
    if (TRY(has_lower(name))) {
        TRY(rename_leaving_whiteout(name, source, destination, new_name));
    } else {
        TRY(rename_plain(name, source, destination, new_name));
    }
    if (replaced != nullptr) {
        replaced->nameless_.store(true, std::memory_order_relaxed);
    }
    return {};
}

// No lower layer has the old name.
Result<> OverlayInode::rename_plain(std::string_view name, OverlayInode& moved, OverlayInode& new_parent,
                                    std::string_view new_name) {
    const RefPtr<Inode> from = upper();
    const RefPtr<Inode> to = new_parent.upper();
    const RefPtr<Inode> source = moved.upper();
    const RefPtr<Inode> there = TRY(entry_of(*to, new_name));
    if (!there) {
        return from->rename(name, *source, *to, new_name, nullptr, RenameMode::NoReplace);
    }
    // A whiteout or what the new name was until now; it may be of another kind.
    TRY(from->rename(name, *source, *to, new_name, there.get(), RenameMode::Exchange));
    return OverlayFs::remove(*from, name, *there);
}

// The old name gets a whiteout: the one that was at the new name, or a new one.
Result<> OverlayInode::rename_leaving_whiteout(std::string_view name, OverlayInode& moved, OverlayInode& new_parent,
                                               std::string_view new_name) {
    OverlayFs& filesystem = overlay();
    const RefPtr<Inode> from = upper();
    const RefPtr<Inode> to = new_parent.upper();
    const RefPtr<Inode> source = moved.upper();
    const RefPtr<Inode> there = TRY(entry_of(*to, new_name));
    if (there && is_whiteout(*there)) {
        return from->rename(name, *source, *to, new_name, there.get(), RenameMode::Exchange);
    }
    const FixedString<24> work_name = filesystem.unique_name();
    const RefPtr<Inode> whiteout = TRY(filesystem.make_whiteout(work_name.view()));
    ScopeGuard undo([&] { static_cast<void>(filesystem.work().unlink(work_name.view(), *whiteout)); });
    if (!there) {
        // For a moment the new name is hidden from below, as it will be.
        TRY(filesystem.put(work_name.view(), *whiteout, *to, new_name, nullptr));
        undo.dismiss();
        return from->rename(name, *source, *to, new_name, whiteout.get(), RenameMode::Exchange);
    }
    TRY(from->rename(name, *source, *to, new_name, there.get(), RenameMode::Exchange));
    undo.dismiss();
    return filesystem.put(work_name.view(), *whiteout, *from, name, there.get());
}

}  // namespace kernel::vfs::overlay
