// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/vfs/filesystem.h"

#include "lib/guarded.h"
#include "lib/immortal.h"
#include "lib/vector.h"
#include "services/vfs/dentry.h"

namespace kernel::vfs {
namespace {

constinit std::atomic<std::uint32_t> next_minor = 1;

Immortal<MutexGuarded<Vector<FileSystemType>, Rank::MountTree>> types;

}  // namespace

FileSystem::FileSystem() : device_{.major = 0, .minor = next_minor.fetch_add(1, std::memory_order_relaxed)} {}

FileSystem::~FileSystem() = default;

Result<RefPtr<Dentry>> FileSystem::root_dentry() {
    const auto current = [](RefPtr<Dentry>& dentry) { return dentry; };
    if (RefPtr<Dentry> existing = root_dentry_.with(current); existing) {
        return existing;
    }
    RefPtr<Dentry> fresh = TRY(dentries::create_root(root()));
    return root_dentry_.with([&](RefPtr<Dentry>& dentry) {
        if (!dentry) {
            dentry = fresh;
        }
        return dentry;
    });
}

void FileSystem::mount_removed() {
    if (mounts_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
        RefPtr<Dentry> root;
        root_dentry_.with([&](RefPtr<Dentry>& dentry) { dentry.swap(root); });
        dentries::forget_filesystem(*this);
        drop_tree();
    }
}

Result<> register_filesystem(const FileSystemType& type) {
    return types->with([&](Vector<FileSystemType>& all) -> Result<> {
        for (const FileSystemType& known : all) {
            if (known.name == type.name) {
                return Error::Exists;
            }
        }
        return all.push_back(type);
    });
}

Result<FileSystemType> find_filesystem(std::string_view name) {
    return types->with([&](Vector<FileSystemType>& all) -> Result<FileSystemType> {
        for (const FileSystemType& known : all) {
            if (known.name == name) {
                return known;
            }
        }
        return Error::NotSupportedByDevice;
    });
}

Result<FileSystemType> filesystem_at(std::size_t index) {
    return types->with([&](Vector<FileSystemType>& all) -> Result<FileSystemType> {
        if (index >= all.size()) {
            return Error::NotFound;
        }
        return all[index];
    });
}

}  // namespace kernel::vfs
