// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/vfs/fs/hostfs/hostfs.h"

#include "services/vfs/fs/hostfs/host_inode.h"

namespace kernel::vfs::hostfs {

std::uint64_t hash_value(const HostIdentity& identity) {
    return combine_hashes(identity.device, identity.inode);
}

Result<RefPtr<HostFs>> HostFs::create(OwnPtr<platform::HostFile> root, const Options& options) {
    RefPtr<HostFs> filesystem = TRY(make_ref<HostFs>(options));
    filesystem->root_device_ = TRY(root->status()).device;
    filesystem->root_ = TRY(filesystem->inode_for(std::move(root)));
    return filesystem;
}

void HostFs::drop_tree() {
    // Written back already (MountNamespace::unmount); here locks may be held.
    Vector<RefPtr<HostInode>> dropped;
    dirty_.with([&](Vector<RefPtr<HostInode>>& dirty) { dirty.swap(dropped); });
    root_.reset();
}

Result<FileSystemStatus> HostFs::status() {
    return FileSystemStatus{.magic = kMagic, .id = device().minor};
}

// Names below one mount may lie on several devices of the host, whose inode numbers overlap.
std::uint64_t HostFs::number_of(const HostIdentity& identity) const {
    if (identity.device == root_device_) {
        return identity.inode;
    }
    constexpr std::uint64_t kHighBits = 0x0fff'ffff'0000'0000;
    return identity.inode ^ (mix_hash(identity.device) & kHighBits);
}

bool HostFs::hides(const platform::HostFileStatus& status) const {
    if (!options_.hide_unreadable || status.type == platform::HostFileType::Symlink) {
        return false;
    }
    const std::uint32_t needed = status.type == platform::HostFileType::Directory ? 05 : 04;
    return (status.permissions & needed) != needed;
}

Result<RefPtr<HostInode>> HostFs::inode_for(OwnPtr<platform::HostFile> file) {
    const platform::HostFileStatus status = TRY(file->status());
    if (root_ && hides(status)) {
        return Error::NotFound;
    }
    const HostIdentity identity{.device = status.device, .inode = status.inode};
    // An inode that nobody holds any more stays in the table until its destructor has run: it is passed over.
    const auto find_living = [&](Table& table) {
        HostInode* const found = table.find_if(hash_value(identity), [&](const HostInode& inode) {
            return inode.identity() == identity && inode.try_add_reference();
        });
        return found == nullptr ? RefPtr<HostInode>() : RefPtr<HostInode>::adopt(*found);
    };
    if (RefPtr<HostInode> existing = inodes_.with(find_living); existing) {
        return existing;
    }
    RefPtr<HostInode> fresh = TRY(make_ref<HostInode>(*this, std::move(file), status));
    return inodes_.with([&](Table& table) {
        if (RefPtr<HostInode> existing = find_living(table); existing) {
            return existing;
        }
        table.insert(*fresh);
        return fresh;
    });
}

void HostFs::forget(HostInode& inode) {
    inodes_.with([&](Table& table) {
        if (Table::is_linked(inode)) {
            table.remove(inode);
        }
    });
}

Result<> HostFs::remember_dirty(HostInode& inode) {
    return dirty_.with([&](Vector<RefPtr<HostInode>>& all) -> Result<> {
        for (const RefPtr<HostInode>& known : all) {
            if (known == &inode) {
                return {};
            }
        }
        return all.push_back(RefPtr<HostInode>(inode));
    });
}

Result<> HostFs::sync() {
    Vector<RefPtr<HostInode>> all;
    dirty_.with([&](Vector<RefPtr<HostInode>>& dirty) { all.swap(dirty); });
    Result<> result;
    for (const RefPtr<HostInode>& inode : all) {
        if (Result<> synced = inode->sync(); !synced) {
            result = synced;
        }
    }
    return result;
}

Result<RefPtr<FileSystem>> create(OwnPtr<platform::HostFile> root, const Options& options) {
    return TRY(HostFs::create(std::move(root), options));
}

Result<RefPtr<FileSystem>> open(std::string_view host_path, const Options& options) {
    return create(TRY(platform::open_host_root(host_path, options.writable)), options);
}

}  // namespace kernel::vfs::hostfs
