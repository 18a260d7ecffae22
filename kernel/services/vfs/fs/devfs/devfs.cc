// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/vfs/fs/devfs/devfs.h"

#include "lib/guarded.h"
#include "lib/immortal.h"
#include "services/vfs/dentry.h"
#include "services/vfs/device_registry.h"
#include "services/vfs/fs/tmpfs/tmpfs.h"

namespace kernel::vfs::devfs {
namespace {

constexpr std::uint64_t kLimitBytes = 4 << 20;

Immortal<SpinGuarded<FileSystemUse, Rank::InodeStatus>> system_devfs;

RefPtr<FileSystem> existing() {
    return system_devfs->with([](FileSystemUse& use) { return use.reference(); });
}

// The directory that the name's last part goes to, made if need be, and that part.
struct Place {
    RefPtr<Inode> directory;
    std::string_view name;
};

Result<Place> find_place(RefPtr<Inode> root, std::string_view name) {
    const std::size_t slash = name.find('/');
    if (slash == name.npos) {
        return Place{.directory = std::move(root), .name = name};
    }
    const std::string_view folder = name.substr(0, slash);
    Result<RefPtr<Inode>> directory = root->lookup(folder);
    if (!directory) {
        directory = root->create(folder, NewInode{.type = FileType::Directory, .permissions = 0755});
    }
    return Place{.directory = TRY(std::move(directory)), .name = name.substr(slash + 1)};
}

Result<> add_node(FileSystem& filesystem, std::string_view name, const NewInode& request) {
    const Place place = TRY(find_place(filesystem.root(), name));
    LockGuard guard(place.directory->directory_lock());
    const RefPtr<Inode> node = TRY(place.directory->create(place.name, request));
    return {};
}

Result<> add_device(const DeviceDescription& device) {
    const RefPtr<FileSystem> filesystem = existing();
    if (!filesystem || device.name.empty()) {
        return {};
    }
    // Somebody may have looked for it in vain.
    const RefPtr<Dentry> root = TRY(filesystem->root_dentry());
    TRY(add_node(
        *filesystem, device.name,
        NewInode{
            .type = device.type, .permissions = device.permissions, .group = device.group, .device = device.number}));
    if (const RefPtr<Dentry> absent = dentries::find(*root, device.name); absent && absent->is_negative()) {
        dentries::forget(*absent);
    }
    return {};
}

Result<> fill(FileSystem& filesystem) {
    struct Link {
        std::string_view name;
        std::string_view target;
    };
    constexpr Link kLinks[] = {{"fd", "/proc/self/fd"},
                               {"stdin", "/proc/self/fd/0"},
                               {"stdout", "/proc/self/fd/1"},
                               {"stderr", "/proc/self/fd/2"}};
    for (const Link& link : kLinks) {
        TRY(add_node(filesystem, link.name,
                     NewInode{.type = FileType::Symlink, .permissions = 0777, .target = link.target}));
    }
    TRY(add_node(filesystem, "shm", NewInode{.type = FileType::Directory, .permissions = 01777}));
    TRY(add_node(filesystem, "pts", NewInode{.type = FileType::Directory, .permissions = 0755}));
    for (std::size_t index = 0;; ++index) {
        const Result<DeviceDescription> device = device_at(index);
        if (!device) {
            return {};
        }
        if (!device->name.empty()) {
            TRY(add_node(filesystem, device->name,
                         NewInode{.type = device->type,
                                  .permissions = device->permissions,
                                  .group = device->group,
                                  .device = device->number}));
        }
    }
}

}  // namespace

Result<RefPtr<FileSystem>> instance() {
    if (RefPtr<FileSystem> known = existing(); known) {
        return known;
    }
    RefPtr<tmpfs::Budget> budget = TRY(tmpfs::Budget::create(kLimitBytes));
    FileSystemUse fresh(
        TRY(tmpfs::create({.budget = std::move(budget), .permissions = 0755, .type_name = "devtmpfs"})));
    TRY(fill(*fresh));
    system_devfs->with([&](FileSystemUse& use) {
        if (!use.reference()) {
            use = std::move(fresh);
        }
    });
    set_device_observer(&add_device);
    return existing();
}

}  // namespace kernel::vfs::devfs
