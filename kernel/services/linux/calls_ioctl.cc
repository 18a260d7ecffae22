// SPDX-License-Identifier: MIT OR Apache-2.0
// ioctl(2): what every file answers the same way; the rest is asked of the file.
#include "abi/linux/tty.h"
#include "services/linux/file_arguments.h"
#include "services/linux/syscalls.h"

namespace kernel::linux_abi {
namespace {

Result<> set_flag(Task& task, vfs::File& file, VirtAddr argument, vfs::OpenFlags flag) {
    const auto on = TRY(task.space().read_user(UserPtr<std::int32_t>{argument}));
    file.change_flags(on != 0 ? flag : vfs::OpenFlags::None, flag);
    return {};
}

Result<> put_bytes_ahead(Task& task, vfs::File& file, VirtAddr argument) {
    const std::uint64_t size = TRY(file.status()).size_bytes;
    const auto ahead = static_cast<std::int32_t>(static_cast<std::int64_t>(size - file.position()));
    return task.space().write_user(UserPtr<std::int32_t>{argument}, ahead);
}

}  // namespace

Result<std::int64_t> sys_ioctl(Task& task, Fd fd, IoctlArg request, Address argument) {
    const RefPtr<vfs::File> file = TRY(file_of(task, fd));
    switch (request) {
        case abi::kFioclex:
            TRY(task.handles().set_flags(fd, object::HandleFlags::CloseOnExec));
            return 0;
        case abi::kFionclex:
            TRY(task.handles().set_flags(fd, object::HandleFlags::None));
            return 0;
        case abi::kFionbio:
            TRY(set_flag(task, *file, argument, vfs::OpenFlags::NonBlocking));
            return 0;
        case abi::kFioasync:
            TRY(set_flag(task, *file, argument, vfs::OpenFlags::Async));
            return 0;
        case abi::kFionread:
            if (file->inode() != nullptr && file->inode()->is_regular()) {
                TRY(put_bytes_ahead(task, *file, argument));
                return 0;
            }
            break;
        default:
            break;
    }
    vfs::Ioctl call{.command = request, .argument = argument.value.value, .space = task.space()};
    const Result<std::uint64_t> result = file->ioctl(call);
    if (!result) {
        return restartable(result.error());
    }
    return static_cast<std::int64_t>(*result);
}

}  // namespace kernel::linux_abi
