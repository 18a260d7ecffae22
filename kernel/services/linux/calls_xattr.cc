// SPDX-License-Identifier: MIT OR Apache-2.0
// Extended attributes: setxattr(2), getxattr(2), listxattr(2), removexattr(2), each by path, by path without following,
// by descriptor.
#include <algorithm>

#include "lib/vector.h"
#include "services/linux/file_arguments.h"
#include "services/linux/syscalls.h"
#include "services/linux/task.h"
#include "services/vfs/operations.h"

namespace kernel::linux_abi {
namespace {

constexpr std::uint64_t kMaxValueBytes = 64 * 1024;  // XATTR_SIZE_MAX; lists have the same bound
constexpr std::uint64_t kCreate = 1;
constexpr std::uint64_t kReplace = 2;

// An attribute's name, at most XATTR_NAME_MAX bytes. Errors: OutOfRange (empty or too long), BadAddress.
class AttributeName {
public:
    Result<> read(Task& task, VirtAddr address) {
        const Result<std::size_t> length = task.space().copy_in_string(address, text_);
        if (!length) {
            return length.error() == Error::NameTooLong ? Error::OutOfRange : length.error();
        }
        if (*length == 0) {
            return Error::OutOfRange;
        }
        size_ = *length;
        return {};
    }
    std::string_view view() const { return {text_.data(), size_}; }

private:
    std::array<char, 256> text_;
    std::size_t size_ = 0;
};

Result<vfs::Path> place_of(Task& task, PathName path, vfs::WalkFlags flags) {
    PathArgument text;
    TRY(text.read(task, path));
    const WalkScope scope(task);
    return vfs::resolve(scope.context(), text.view(), flags);
}

Result<vfs::Path> place_of(Task& task, Fd fd) {
    return TRY(file_of(task, fd))->path();
}

Result<std::int64_t> set(Task& task, const vfs::Path& place, PathName name, VirtAddr value, std::uint64_t size,
                         std::uint64_t flags) {
    if ((flags & ~(kCreate | kReplace)) != 0 || flags == (kCreate | kReplace)) {
        return Error::InvalidArgument;
    }
    AttributeName attribute;
    TRY(attribute.read(task, name));
    if (size > kMaxValueBytes) {
        return Error::ArgumentListTooLong;
    }
    Vector<std::byte> bytes;
    TRY(bytes.resize(size));
    TRY(task.space().copy_in(bytes.span(), value));
    const vfs::AttributeMode mode = flags == kCreate    ? vfs::AttributeMode::Create
                                    : flags == kReplace ? vfs::AttributeMode::Replace
                                                        : vfs::AttributeMode::Set;
    if (!place) {
        return Error::NotSupported;
    }
    TRY(vfs::set_attribute(place, attribute.view(), bytes.span(), mode, *task.credentials()));
    return 0;
}

// Runs `produce` on a kernel buffer and copies what it gave; a size of 0 only asks how much there is.
template <class Produce>
Result<std::int64_t> copy_result(Task& task, VirtAddr buffer, std::uint64_t size, Produce produce) {
    Vector<std::byte> bytes;
    TRY(bytes.resize(std::min(size, kMaxValueBytes)));
    const std::size_t length = TRY(produce(bytes.span()));
    if (size != 0) {
        TRY(task.space().copy_out(buffer, std::as_bytes(bytes.span()).first(length)));
    }
    return static_cast<std::int64_t>(length);
}

Result<std::int64_t> get(Task& task, const vfs::Path& place, PathName name, VirtAddr value, std::uint64_t size) {
    AttributeName attribute;
    TRY(attribute.read(task, name));
    if (!place) {
        return Error::NotSupported;
    }
    const RefPtr<security::Credentials> who = task.credentials();
    return copy_result(task, value, size, [&](std::span<std::byte> bytes) {
        return vfs::get_attribute(place, attribute.view(), bytes, *who);
    });
}

Result<std::int64_t> list(Task& task, const vfs::Path& place, VirtAddr names, std::uint64_t size) {
    if (!place) {
        return Error::NotSupported;
    }
    const RefPtr<security::Credentials> who = task.credentials();
    return copy_result(task, names, size,
                       [&](std::span<std::byte> bytes) { return vfs::list_attributes(place, bytes, *who); });
}

Result<std::int64_t> remove(Task& task, const vfs::Path& place, PathName name) {
    AttributeName attribute;
    TRY(attribute.read(task, name));
    if (!place) {
        return Error::NotSupported;
    }
    TRY(vfs::remove_attribute(place, attribute.view(), *task.credentials()));
    return 0;
}

constexpr vfs::WalkFlags kFollow = vfs::WalkFlags::None;
constexpr vfs::WalkFlags kNoFollow = vfs::WalkFlags::NoFollow;

}  // namespace

Result<std::int64_t> sys_setxattr(Task& task, PathName path, PathName name, InBuffer value, Size size, Hex flags) {
    return set(task, TRY(place_of(task, path, kFollow)), name, value, size, flags);
}
Result<std::int64_t> sys_lsetxattr(Task& task, PathName path, PathName name, InBuffer value, Size size, Hex flags) {
    return set(task, TRY(place_of(task, path, kNoFollow)), name, value, size, flags);
}
Result<std::int64_t> sys_fsetxattr(Task& task, Fd fd, PathName name, InBuffer value, Size size, Hex flags) {
    return set(task, TRY(place_of(task, fd)), name, value, size, flags);
}
Result<std::int64_t> sys_getxattr(Task& task, PathName path, PathName name, OutBuffer value, Size size) {
    return get(task, TRY(place_of(task, path, kFollow)), name, value, size);
}
Result<std::int64_t> sys_lgetxattr(Task& task, PathName path, PathName name, OutBuffer value, Size size) {
    return get(task, TRY(place_of(task, path, kNoFollow)), name, value, size);
}
Result<std::int64_t> sys_fgetxattr(Task& task, Fd fd, PathName name, OutBuffer value, Size size) {
    return get(task, TRY(place_of(task, fd)), name, value, size);
}
Result<std::int64_t> sys_listxattr(Task& task, PathName path, OutBuffer names, Size size) {
    return list(task, TRY(place_of(task, path, kFollow)), names, size);
}
Result<std::int64_t> sys_llistxattr(Task& task, PathName path, OutBuffer names, Size size) {
    return list(task, TRY(place_of(task, path, kNoFollow)), names, size);
}
Result<std::int64_t> sys_flistxattr(Task& task, Fd fd, OutBuffer names, Size size) {
    return list(task, TRY(place_of(task, fd)), names, size);
}
Result<std::int64_t> sys_removexattr(Task& task, PathName path, PathName name) {
    return remove(task, TRY(place_of(task, path, kFollow)), name);
}
Result<std::int64_t> sys_lremovexattr(Task& task, PathName path, PathName name) {
    return remove(task, TRY(place_of(task, path, kNoFollow)), name);
}
Result<std::int64_t> sys_fremovexattr(Task& task, Fd fd, PathName name) {
    return remove(task, TRY(place_of(task, fd)), name);
}

}  // namespace kernel::linux_abi
