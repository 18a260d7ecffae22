// SPDX-License-Identifier: MIT OR Apache-2.0
#include "main/root_file_system.h"

#include <algorithm>
#include <array>

#include "core/mm/frame_allocator.h"
#include "lib/log.h"
#include "platform/boot.h"
#include "services/linux/mounts.h"
#include "services/linux/procfs.h"
#include "services/linux/pty.h"
#include "services/linux/sysfs.h"
#include "services/vfs/fs/devfs/devfs.h"
#include "services/vfs/fs/hostfs/hostfs.h"
#include "services/vfs/fs/initramfs/initramfs.h"
#include "services/vfs/fs/overlay/overlay.h"
#include "services/vfs/fs/tmpfs/tmpfs.h"
#include "services/vfs/operations.h"

namespace kernel::main {
namespace {

using vfs::MountFlags;

constexpr std::uint32_t kDirectoryPermissions = 0755;

// Makes things in the fresh tree with all rights.
class TreeBuilder {
public:
    // The budget is what all layers in memory may use together.
    TreeBuilder(RefPtr<vfs::MountNamespace> mounts, RefPtr<security::Credentials> credentials,
                RefPtr<vfs::tmpfs::Budget> layer_budget)
        : mounts_(std::move(mounts)), credentials_(std::move(credentials)), layer_budget_(std::move(layer_budget)) {}

    vfs::MountNamespace& mounts() { return *mounts_; }
    const RefPtr<vfs::tmpfs::Budget>& layer_budget() const { return layer_budget_; }
    // The root changes when something is mounted on it.
    vfs::WalkContext context() {
        root_ = mounts_->root();
        return {root_, root_, credentials_};
    }

    // The directory and those above it.
    Result<> make_directories(std::string_view path, std::uint32_t permissions = kDirectoryPermissions) {
        for (std::size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
            const bool last = slash == std::string_view::npos;
            const Result<> made =
                vfs::make_directory(context(), path.substr(0, slash), last ? permissions : kDirectoryPermissions);
            if (!made && made.error() != Error::Exists) {
                return made;
            }
            if (last) {
                return {};
            }
        }
    }

    Result<vfs::Path> at(std::string_view path) { return vfs::resolve(context(), path); }

private:
    RefPtr<vfs::MountNamespace> mounts_;
    RefPtr<security::Credentials> credentials_;
    RefPtr<vfs::tmpfs::Budget> layer_budget_;
    vfs::Path root_;
};

struct EmptyDirectory {
    std::string_view path;
    std::uint32_t permissions;
};
constexpr EmptyDirectory kSkeleton[] = {
    {"/dev", 0755}, {"/proc", 0555},     {"/sys", 0555},  {"/tmp", 01777},
    {"/run", 0755}, {"/var/tmp", 01777}, {"/root", 0700}, {"/home", 0755},
};

Result<> make_skeleton(TreeBuilder& tree) {
    for (const EmptyDirectory& directory : kSkeleton) {
        TRY(tree.make_directories(directory.path, directory.permissions));
        TRY(vfs::change_permissions(TRY(tree.at(directory.path)), directory.permissions, *tree.context().credentials));
    }
    return {};
}

std::string_view parent_of(std::string_view path) {
    return path.substr(0, path.rfind('/'));
}

Result<> make_link(TreeBuilder& tree, const Link& link) {
    if (const std::string_view parent = parent_of(link.guest_path); !parent.empty()) {
        TRY(tree.make_directories(parent));
    }
    const Result<> made = vfs::make_symlink(tree.context(), link.target, link.guest_path);
    if (!made && made.error() != Error::Exists) {
        return made;
    }
    return {};
}

Result<RefPtr<vfs::FileSystem>> open_bind(const Bind& bind, RefPtr<vfs::tmpfs::Budget> layer_budget) {
    vfs::hostfs::Options options;
    options.writable = bind.access == BindAccess::ReadWrite;
    options.hide_unreadable = bind.hide_unreadable;
    RefPtr<vfs::FileSystem> host = TRY(vfs::hostfs::open(bind.host_path, options));
    if (bind.access != BindAccess::Layered) {
        return host;
    }
    const std::array lowers{std::move(host)};
    return vfs::overlay::create(lowers, std::move(layer_budget));
}

// A file or directory at the bind's path for the mount to cover.
Result<> make_mountpoint(TreeBuilder& tree, std::string_view path, bool is_directory) {
    if (path == "/") {
        return {};
    }
    if (is_directory) {
        return tree.make_directories(path);
    }
    if (const std::string_view parent = parent_of(path); !parent.empty()) {
        TRY(tree.make_directories(parent));
    }
    const Result<RefPtr<vfs::File>> made =
        vfs::open(tree.context(), path, vfs::OpenFlags::Write | vfs::OpenFlags::Create, kDirectoryPermissions);
    if (!made && made.error() != Error::ReadOnly && made.error() != Error::Exists) {
        return made.error();
    }
    return {};
}

Result<> mount_bind(TreeBuilder& tree, const Bind& bind) {
    RefPtr<vfs::FileSystem> filesystem = TRY(open_bind(bind, tree.layer_budget()));
    TRY(make_mountpoint(tree, bind.guest_path, filesystem->root()->is_directory()));
    const MountFlags flags = bind.access == BindAccess::ReadOnly ? MountFlags::ReadOnly : MountFlags::None;
    const RefPtr<vfs::Mount> mount =
        TRY(tree.mounts().mount(std::move(filesystem), TRY(tree.at(bind.guest_path)), bind.host_path, flags));
    return {};
}

Result<> mount_binds(TreeBuilder& tree, std::span<const Bind> binds) {
    for (const Bind& bind : binds) {
        const Result<> mounted = mount_bind(tree, bind);
        if (mounted || (bind.optional && mounted.error() == Error::NotFound)) {
            continue;
        }
        log_error("cannot bind {} at {}: {}", bind.host_path, bind.guest_path, error_text(mounted.error()));
        return mounted;
    }
    return {};
}

Result<> mount_at(TreeBuilder& tree, std::string_view path, RefPtr<vfs::FileSystem> filesystem,
                  std::string_view source) {
    TRY(tree.make_directories(path));
    const RefPtr<vfs::Mount> mount = TRY(tree.mounts().mount(std::move(filesystem), TRY(tree.at(path)), source,
                                                             MountFlags::NoExecute | MountFlags::NoSetId));
    return {};
}

// After the binds: what the kernel makes itself lies over what the host has there.
Result<> mount_own(TreeBuilder& tree) {
    TRY(vfs::devfs::register_memory_devices());
    TRY(mount_at(tree, "/dev", TRY(vfs::devfs::instance()), "devtmpfs"));
    TRY(mount_at(tree, "/dev/pts", TRY(linux_abi::create_devpts()), "devpts"));
    TRY(mount_at(tree, "/proc", TRY(linux_abi::create_procfs()), "proc"));
    return mount_at(tree, "/sys", TRY(linux_abi::create_sysfs()), "sysfs");
}

Result<> unpack_initramfs(vfs::Path& root) {
    const std::span<const std::byte> archive = platform::initramfs();
    if (archive.empty()) {
        return {};
    }
    TRY(vfs::initramfs::unpack(archive, root.inode()));
    return {};
}

RefPtr<vfs::MountNamespace> all_mounts;

// A cached name costs about 1.5 KiB: at most a tenth of a small machine's memory.
void bound_name_cache(std::uint64_t memory_bytes) {
    constexpr std::uint64_t kBytesPerName = 16 * 1024, kMostNames = 16'384;
    vfs::dentries::set_limit(std::min(kMostNames, memory_bytes / kBytesPerName));
}

}  // namespace

Result<RootFileSystem> assemble_root(const BootOptions& options) {
    vfs::tmpfs::Options root_options;
    const std::uint64_t memory_bytes = mm::frame_statistics(platform::FrameZone::User).total * kPageSize;
    // Files alone must not take what programs need to run (Linux: tmpfs(5), the default of `size`).
    bound_name_cache(memory_bytes);
    root_options.budget = TRY(vfs::tmpfs::Budget::create(memory_bytes / 2));
    root_options.permissions = kDirectoryPermissions;
    RootFileSystem result;
    result.mounts = TRY(vfs::MountNamespace::create(TRY(vfs::tmpfs::create(root_options)), "rootfs"));
    TreeBuilder tree(result.mounts, TRY(security::Credentials::create_root()), root_options.budget);
    vfs::Path bottom = result.mounts->root();
    TRY(unpack_initramfs(bottom));
    const bool whole_root = !options.binds.empty() && options.binds.front().guest_path == "/";
    if (whole_root) {
        TRY(mount_binds(tree, options.binds.first(1)));
    }
    if (!whole_root) {
        TRY(make_skeleton(tree));
    }
    for (const Link& link : options.links) {
        TRY(make_link(tree, link));
    }
    for (const std::string_view directory : options.directories) {
        TRY(tree.make_directories(directory));
    }
    TRY(mount_binds(tree, options.binds.subspan(whole_root ? 1 : 0)));
    TRY(mount_own(tree));
    linux_abi::set_mount_namespace(result.mounts);
    all_mounts = result.mounts;
    result.root = result.mounts->root();
    return result;
}

void sync_file_systems() {
    if (!all_mounts) {
        return;
    }
    for (std::size_t i = 0;; ++i) {
        const Result<vfs::MountDescription> mount = all_mounts->describe(i);
        if (!mount) {
            return;
        }
        if (const Result<> synced = mount->mount->filesystem().sync(); !synced) {
            log_error("writing back {}: {}", mount->mount->source(), error_text(synced.error()));
        }
    }
}

}  // namespace kernel::main
