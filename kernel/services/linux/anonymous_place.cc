// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/anonymous_place.h"

#include <utility>

#include "lib/guarded.h"
#include "lib/immortal.h"
#include "services/vfs/mount.h"
#include "services/vfs/pseudofs.h"

namespace kernel::linux_abi {
namespace {

class AnonymousInode final : public vfs::Inode {
public:
    AnonymousInode(vfs::FileSystem& filesystem, const vfs::Status& status, RefPtr<Reopener> reopener)
        : Inode(filesystem, status.type), status_(status), reopener_(std::move(reopener)) {}

    Result<vfs::Status> status() override { return status_; }
    Result<RefPtr<vfs::File>> open(vfs::OpenRequest&& request) override { return reopener_->open(std::move(request)); }

private:
    const vfs::Status status_;
    const RefPtr<Reopener> reopener_;
};

constexpr vfs::pseudofs::Entry kRoot{
    .name = {}, .type = vfs::FileType::Directory, .permissions = 0500, .children = {}, .dynamic = nullptr};

Immortal<MutexGuarded<RefPtr<vfs::Mount>, Rank::MountTree>> anonymous_mount;

// In no process's tree.
Result<RefPtr<vfs::Mount>> mount_of_the_nameless() {
    constexpr std::uint64_t kPipefsMagic = 0x50495045;
    if (RefPtr<vfs::Mount> mount = anonymous_mount->with([](RefPtr<vfs::Mount>& current) { return current; })) {
        return mount;
    }
    RefPtr<vfs::FileSystem> filesystem = TRY(vfs::pseudofs::create("pipefs", kPipefsMagic, kRoot));
    RefPtr<vfs::MountNamespace> tree = TRY(vfs::MountNamespace::create(std::move(filesystem), "pipefs"));
    RefPtr<vfs::Mount> fresh = tree->root().mount;
    return anonymous_mount->with([&](RefPtr<vfs::Mount>& current) {
        if (!current) {
            current = fresh;
        }
        return current;
    });
}

}  // namespace

Result<vfs::Path> make_anonymous_place(const vfs::Status& status, RefPtr<Reopener> reopener) {
    RefPtr<vfs::Mount> mount = TRY(mount_of_the_nameless());
    RefPtr<AnonymousInode> inode = TRY(make_ref<AnonymousInode>(mount->filesystem(), status, std::move(reopener)));
    RefPtr<vfs::Dentry> dentry = TRY(vfs::dentries::create_root(std::move(inode)));
    return vfs::Path(std::move(mount), std::move(dentry));
}

}  // namespace kernel::linux_abi
