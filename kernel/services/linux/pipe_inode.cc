// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/pipe_inode.h"

#include <utility>

#include "lib/guarded.h"
#include "lib/immortal.h"
#include "services/vfs/mount.h"
#include "services/vfs/pseudofs.h"

namespace kernel::linux_abi {
namespace {

// A FIFO that is the pipe: opening it is what fifo(7) says.
class PipeInode final : public vfs::Inode {
public:
    PipeInode(vfs::FileSystem& filesystem, const vfs::Status& status)
        : Inode(filesystem, vfs::FileType::Fifo), status_(status) {}

    Result<vfs::Status> status() override { return status_; }

private:
    const vfs::Status status_;
};

constexpr vfs::pseudofs::Entry kRoot{
    .name = {}, .type = vfs::FileType::Directory, .permissions = 0500, .children = {}, .dynamic = nullptr};

Immortal<MutexGuarded<RefPtr<vfs::Mount>, Rank::MountTree>> pipe_mount;

// In no process's tree.
Result<RefPtr<vfs::Mount>> mount_of_pipes() {
    constexpr std::uint64_t kPipefsMagic = 0x50495045;
    if (RefPtr<vfs::Mount> mount = pipe_mount->with([](RefPtr<vfs::Mount>& current) { return current; })) {
        return mount;
    }
    RefPtr<vfs::FileSystem> filesystem = TRY(vfs::pseudofs::create("pipefs", kPipefsMagic, kRoot));
    RefPtr<vfs::MountNamespace> tree = TRY(vfs::MountNamespace::create(std::move(filesystem), "pipefs"));
    RefPtr<vfs::Mount> fresh = tree->root().mount;
    return pipe_mount->with([&](RefPtr<vfs::Mount>& current) {
        if (!current) {
            current = fresh;
        }
        return current;
    });
}

}  // namespace

Result<vfs::Path> make_pipe_place(RefPtr<Pipe> pipe, const vfs::Status& status) {
    RefPtr<vfs::Mount> mount = TRY(mount_of_pipes());
    RefPtr<PipeInode> inode = TRY(make_ref<PipeInode>(mount->filesystem(), status));
    (void)inode->attach(std::move(pipe));
    RefPtr<vfs::Dentry> dentry = TRY(vfs::dentries::create_root(std::move(inode)));
    return vfs::Path(std::move(mount), std::move(dentry));
}

}  // namespace kernel::linux_abi
