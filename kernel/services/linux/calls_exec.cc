// SPDX-License-Identifier: MIT OR Apache-2.0
// execve(2).
#include <algorithm>
#include <array>

#include "services/linux/exec.h"
#include "services/linux/file_arguments.h"
#include "services/linux/process.h"
#include "services/linux/syscalls.h"
#include "services/linux/task.h"

namespace kernel::linux_abi {
namespace {

// Strings of an argv-like array into a block; `total` counts both arrays' bytes.
Result<StringBlock> copy_strings(Task& task, VirtAddr array, std::uint64_t limit, std::uint64_t& total) {
    StringBlock block;
    if (array.is_null()) return block;
    Vector<char> text;
    TRY(text.resize(kPageSize));
    for (UserPtr<std::uint64_t> pointer{array};; pointer += 1) {
        const VirtAddr address{TRY(task.space().read_user(pointer))};
        if (address.is_null()) return block;
        Result<std::size_t> length = task.space().copy_in_string(address, text.span());
        while (!length && length.error() == Error::NameTooLong) {
            if (text.size() >= kMaxArgumentString) return Error::ArgumentListTooLong;
            TRY(text.resize(text.size() * 2));
            length = task.space().copy_in_string(address, text.span());
        }
        const std::size_t size = TRY(std::move(length));
        total += size + 1 + sizeof(std::uint64_t);
        if (total > limit) return Error::ArgumentListTooLong;
        TRY(block.add(std::string_view(text.data(), size)));
    }
}

}  // namespace

Result<std::int64_t> sys_execve(Task& task, PathName path, Address arguments, Address environment) {
    PathArgument name;
    TRY(name.read(task, path));
    constexpr std::uint64_t kStackShare = 4;
    const std::uint64_t limit =
        std::clamp(task.process().limit(abi::kRlimitStack).current / kStackShare, kMinArgumentBytes, kMaxArgumentBytes);
    std::uint64_t total = 0;
    ProgramArguments strings;
    strings.arguments = TRY(copy_strings(task, arguments, limit, total));
    strings.environment = TRY(copy_strings(task, environment, limit, total));
    RefPtr<vfs::File> file = TRY(open_program(task, task.fs().working_directory(), name.view()));
    TRY(execute(task, std::move(file), name.view(), std::move(strings)));
    return 0;
}

}  // namespace kernel::linux_abi
