// SPDX-License-Identifier: MIT OR Apache-2.0
// memfd_create(2).
#include "lib/immortal.h"
#include "lib/string_format.h"
#include "services/linux/file_arguments.h"
#include "services/linux/syscalls.h"
#include "services/vfs/fs/tmpfs/tmpfs.h"
#include "services/vfs/mount.h"
#include "services/vfs/operations.h"

namespace kernel::linux_abi {
namespace {

enum MemfdFlags : std::uint32_t { kMfdCloexec = 1, kMfdAllowSealing = 2 };
constexpr std::size_t kMaxNameBytes = 249;  // with "memfd:" in front it is NAME_MAX

Immortal<MutexGuarded<RefPtr<vfs::Mount>, Rank::MountTree>> hidden_mount;

// A file system in no process's tree, bounded by the machine's memory alone, as on Linux.
Result<RefPtr<vfs::Mount>> mount_of_memory_files() {
    return hidden_mount->with([](RefPtr<vfs::Mount>& mount) -> Result<RefPtr<vfs::Mount>> {
        if (!mount) {
            vfs::tmpfs::Options options;
            options.budget = TRY(vfs::tmpfs::Budget::create(INT64_MAX));
            RefPtr<vfs::FileSystem> filesystem = TRY(vfs::tmpfs::create(options));
            mount = TRY(vfs::MountNamespace::create(std::move(filesystem), "tmpfs"))->root().mount;
        }
        return mount;
    });
}

Result<vfs::Path> make_memory_file(Task& task, std::string_view name, bool allow_sealing) {
    RefPtr<vfs::Mount> mount = TRY(mount_of_memory_files());
    const RefPtr<security::Credentials> credentials = task.credentials();
    RefPtr<vfs::Inode> inode = TRY(mount->root().inode()->create_unnamed(
        vfs::NewInode{.permissions = 0777, .user = credentials->file_user(), .group = credentials->file_group()}));
    if (allow_sealing) {
        inode->seals()->store(0, std::memory_order_release);
    }
    String shown;
    TRY(append_format(shown, "memfd:{}", name));
    RefPtr<vfs::Dentry> entry = TRY(vfs::dentries::insert(mount->root(), shown.view(), std::move(inode), 0, false));
    vfs::dentries::unlink(*entry);
    return vfs::Path(std::move(mount), std::move(entry));
}

}  // namespace

Result<std::int64_t> sys_memfd_create(Task& task, PathName name, Hex flags) {
    if ((flags & UINT32_MAX & ~std::uint64_t{kMfdCloexec | kMfdAllowSealing}) != 0) {
        return Error::InvalidArgument;
    }
    std::array<char, kMaxNameBytes + 1> text;
    const Result<std::size_t> length = task.space().copy_in_string(name, text);
    if (!length) {
        return length.error() == Error::NameTooLong ? Error::InvalidArgument : length.error();
    }
    const vfs::Path path =
        TRY(make_memory_file(task, std::string_view(text.data(), *length), (flags & kMfdAllowSealing) != 0));
    constexpr vfs::OpenFlags kFlags = vfs::OpenFlags::Read | vfs::OpenFlags::Write | vfs::OpenFlags::LargeFile;
    return insert_file(task, TRY(vfs::open_path(path, kFlags, task.credentials())), (flags & kMfdCloexec) != 0);
}

}  // namespace kernel::linux_abi
