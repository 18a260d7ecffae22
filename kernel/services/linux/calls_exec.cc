// SPDX-License-Identifier: MIT OR Apache-2.0
// execve(2), execveat(2).
#include <algorithm>
#include <array>

#include "core/mm/io_buffer.h"
#include "lib/string_format.h"
#include "services/linux/exec.h"
#include "services/linux/file_arguments.h"
#include "services/linux/process.h"
#include "services/linux/syscalls.h"
#include "services/linux/task.h"
#include "services/vfs/permission.h"

namespace kernel::linux_abi {
namespace {

// Strings of an argv-like array into a block; `total` counts both arrays' bytes.
Result<StringBlock> copy_strings(Task& task, VirtAddr array, std::uint64_t limit, std::uint64_t& total) {
    StringBlock block;
    if (array.is_null()) {
        return block;
    }
    Vector<char> text;
    TRY(text.resize(kPageSize));
    for (UserPtr<std::uint64_t> pointer{array};; pointer += 1) {
        const VirtAddr address{TRY(task.space().read_user(pointer))};
        if (address.is_null()) {
            return block;
        }
        Result<std::size_t> length = task.space().copy_in_string(address, text.span());
        while (!length && length.error() == Error::NameTooLong) {
            if (text.size() >= kMaxArgumentString) {
                return Error::ArgumentListTooLong;
            }
            TRY(text.resize(text.size() * 2));
            length = task.space().copy_in_string(address, text.span());
        }
        const std::size_t size = TRY(std::move(length));
        total += size + 1 + sizeof(std::uint64_t);
        if (total > limit) {
            return Error::ArgumentListTooLong;
        }
        TRY(block.add(std::string_view(text.data(), size)));
    }
}

Result<ProgramArguments> read_arguments(Task& task, VirtAddr arguments, VirtAddr environment) {
    constexpr std::uint64_t kStackShare = 4;
    const std::uint64_t limit =
        std::clamp(task.process().limit(abi::kRlimitStack).current / kStackShare, kMinArgumentBytes, kMaxArgumentBytes);
    std::uint64_t total = 0;
    ProgramArguments strings;
    strings.arguments = TRY(copy_strings(task, arguments, limit, total));
    strings.environment = TRY(copy_strings(task, environment, limit, total));
    return strings;
}

// The program that a descriptor is, execveat(2) with AT_EMPTY_PATH.
Result<RefPtr<vfs::File>> open_described(Task& task, std::int32_t fd) {
    const RefPtr<vfs::File> described = TRY(any_file_of(task, fd));
    const vfs::Path place = described->path();
    if (!place || !place.inode().is_regular()) {
        return Error::AccessDenied;
    }
    const RefPtr<security::Credentials> credentials = task.credentials();
    TRY(vfs::check_permission(place, vfs::Wanted::Execute, *credentials));
    return vfs::open_inode(place.inode(), vfs::OpenRequest{place, vfs::OpenFlags::Read, credentials});
}

// How a script's interpreter finds it, execveat(2).
Result<String> name_of_described(std::int32_t fd, std::string_view path) {
    String name;
    TRY(append_format(name, "/dev/fd/{}{}{}", fd, path.empty() ? "" : "/", path));
    return name;
}

bool is_script(vfs::File& file) {
    std::array<std::byte, 2> head{};
    mm::IoBuffer buffer{std::span<std::byte>(head)};
    return file.read_at(buffer, 0).value_or(0) == head.size() && head[0] == std::byte{'#'} && head[1] == std::byte{'!'};
}

}  // namespace

Result<std::int64_t> sys_execve(Task& task, PathName path, Address arguments, Address environment) {
    PathArgument name;
    TRY(name.read(task, path));
    ProgramArguments strings = TRY(read_arguments(task, arguments, environment));
    RefPtr<vfs::File> file = TRY(open_program(task, task.fs().working_directory(), name.view()));
    TRY(execute(task, std::move(file), name.view(), std::move(strings)));
    return 0;
}

Result<std::int64_t> sys_execveat(Task& task, DirFd directory, PathName path, Address arguments, Address environment,
                                  AtFlagsArg flags) {
    const vfs::WalkFlags walk = TRY(walk_flags_of(flags, abi::kAtEmptyPath | abi::kAtSymlinkNofollow));
    PathArgument name;
    TRY(name.read(task, path));
    const bool described = name.view().empty() && has(walk, vfs::WalkFlags::EmptyPath) && directory != abi::kAtFdcwd;
    RefPtr<vfs::File> file;
    if (described) {
        file = TRY(open_described(task, directory));
    } else {
        const WalkScope scope = TRY(WalkScope::from(task, directory, name.view()));
        file = TRY(open_program(task, scope.context().start, name.view(), has(walk, vfs::WalkFlags::NoFollow)));
    }
    const bool relative = directory != abi::kAtFdcwd && !name.view().starts_with('/');
    // The interpreter could not open a descriptor that is closed before it runs.
    if (relative && is_script(*file) && has(TRY(task.handles().flags(directory)), object::HandleFlags::CloseOnExec)) {
        return Error::NotFound;
    }
    const String shown = relative ? TRY(name_of_described(directory, name.view())) : TRY(String::create(name.view()));
    ProgramArguments strings = TRY(read_arguments(task, arguments, environment));
    TRY(execute(task, std::move(file), shown.view(), std::move(strings)));
    return 0;
}

}  // namespace kernel::linux_abi
