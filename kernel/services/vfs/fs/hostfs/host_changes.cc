// SPDX-License-Identifier: MIT OR Apache-2.0
// What changes the host; reached only where it was bound read-write.
#include "services/vfs/fs/hostfs/host_inode.h"

namespace kernel::vfs::hostfs {

Result<> HostInode::check_writable() const {
    return hostfs().host_options().writable ? Result<>() : Error::ReadOnly;
}

Result<RefPtr<Inode>> HostInode::create(std::string_view name, const NewInode& request) {
    TRY(check_writable());
    OwnPtr<platform::HostFile> file;
    switch (request.type) {
        case FileType::Regular:
            file = TRY(file_->create_file(name, request.permissions));
            break;
        case FileType::Directory:
            TRY(file_->make_directory(name, request.permissions));
            break;
        case FileType::Symlink:
            TRY(file_->make_symlink(name, request.target));
            break;
        default:
            // Device nodes, FIFOs and sockets would be the host's, too.
            return Error::NotPermitted;
    }
    if (!file) {
        file = TRY(file_->lookup(name));
    }
    TRY(note_own_change());
    return TRY(hostfs().inode_for(std::move(file)));
}

Result<> HostInode::link(std::string_view name, Inode& existing) {
    TRY(check_writable());
    HostInode& inode = static_cast<HostInode&>(existing);
    TRY(file_->link(name, *inode.file_));
    TRY(note_own_change());
    return inode.note_own_change();
}

Result<> HostInode::unlink(std::string_view name, Inode& victim) {
    TRY(check_writable());
    TRY(file_->unlink(name, victim.is_directory()));
    // The victim may be gone altogether.
    static_cast<void>(static_cast<HostInode&>(victim).note_own_change());
    return note_own_change();
}

Result<> HostInode::rename(std::string_view name, Inode& moved, Inode& new_parent, std::string_view new_name, Inode*,
                           RenameMode mode) {
    TRY(check_writable());
    // renameat2(2): RENAME_NOREPLACE, RENAME_EXCHANGE.
    const std::uint32_t flags = mode == RenameMode::NoReplace ? 1 : (mode == RenameMode::Exchange ? 2 : 0);
    HostInode& destination = static_cast<HostInode&>(new_parent);
    TRY(file_->rename(name, *destination.file_, new_name, flags));
    TRY(note_own_change());
    TRY(destination.note_own_change());
    static_cast<void>(static_cast<HostInode&>(moved).note_own_change());
    return {};
}

Result<> HostInode::change_status(const StatusChange& change) {
    TRY(check_writable());
    const Status before = TRY(status());
    // Owners of host files are the host's business; asking for what is so already is no change.
    if ((change.user && *change.user != before.user) || (change.group && *change.group != before.group)) {
        return Error::NotPermitted;
    }
    if (change.permissions && *change.permissions != before.permissions) {
        TRY(file_->set_permissions(*change.permissions));
    }
    if (change.access_ns || change.modify_ns) {
        TRY(file_->set_times(change.access_ns.value_or(before.access_ns), change.modify_ns.value_or(before.modify_ns)));
    }
    return note_own_change();
}

Result<> HostInode::resize(std::uint64_t bytes) {
    TRY(check_writable());
    if (!is_regular()) {
        return Inode::resize(bytes);
    }
    if (bytes > kMaxFileBytes) {
        return Error::FileTooLarge;
    }
    const RefPtr<mm::MemoryObject> object = TRY(memory_object());
    TRY(file_->truncate(bytes));
    object->resize(bytes);
    return note_own_change();
}

}  // namespace kernel::vfs::hostfs
