// SPDX-License-Identifier: MIT OR Apache-2.0
// pipe(2), pipe2(2).
#include "services/linux/file_arguments.h"
#include "services/linux/pipe_file.h"
#include "services/linux/syscalls.h"

namespace kernel::linux_abi {
namespace {

Result<std::int64_t> make_pipe_for(Task& task, UserPtr<FdPair> fds, std::uint32_t flags) {
    if ((flags & ~std::uint32_t{abi::kOCloexec | abi::kONonblock}) != 0) {
        return Error::InvalidArgument;
    }
    const bool close_on_exec = (flags & abi::kOCloexec) != 0;
    const vfs::OpenFlags open_flags =
        (flags & abi::kONonblock) != 0 ? vfs::OpenFlags::NonBlocking : vfs::OpenFlags::None;
    PipeEnds ends = TRY(make_pipe(task.credentials(), open_flags));
    ReservedHandle read_handle(task, TRY(ReservedHandle::reserve(task)));
    ReservedHandle write_handle(task, TRY(ReservedHandle::reserve(task)));
    TRY(task.space().write_user(fds, FdPair{read_handle.fd(), write_handle.fd()}));
    read_handle.install(std::move(ends.read_end), close_on_exec);
    write_handle.install(std::move(ends.write_end), close_on_exec);
    return 0;
}

}  // namespace

Result<std::int64_t> sys_pipe(Task& task, OutStruct<FdPair> fds) {
    return make_pipe_for(task, fds, 0);
}

Result<std::int64_t> sys_pipe2(Task& task, OutStruct<FdPair> fds, OpenFlagsArg flags) {
    return make_pipe_for(task, fds, flags);
}

}  // namespace kernel::linux_abi
