// SPDX-License-Identifier: MIT OR Apache-2.0
// inotify_init(2), inotify_add_watch(2), inotify_rm_watch(2).
#include "abi/linux/inotify.h"
#include "services/linux/file_arguments.h"
#include "services/linux/inotify_file.h"
#include "services/linux/syscalls.h"
#include "services/vfs/operations.h"

namespace kernel::linux_abi {
namespace {

Result<RefPtr<InotifyFile>> inotify_of(const RefPtr<vfs::File>& file) {
    if (file->class_tag() != &InotifyFile::kClassTag) {
        return Error::InvalidArgument;
    }
    return RefPtr<InotifyFile>(static_cast<InotifyFile&>(*file));
}

}  // namespace

Result<std::int64_t> sys_inotify_init1(Task& task, Hex flags) {
    constexpr std::uint32_t kKnown = abi::kInNonblock | abi::kInCloexec;
    const auto bits = static_cast<std::uint32_t>(flags.value);
    if ((bits & ~kKnown) != 0) {
        return Error::InvalidArgument;
    }
    vfs::OpenRequest request = anonymous_request(task, (bits & abi::kInNonblock) != 0);
    request.flags = request.flags & ~vfs::OpenFlags::Write;
    return insert_file(task, TRY(InotifyFile::create(std::move(request))), (bits & abi::kInCloexec) != 0);
}

Result<std::int64_t> sys_inotify_init(Task& task) {
    return sys_inotify_init1(task, Hex{0});
}

Result<std::int64_t> sys_inotify_add_watch(Task& task, Fd fd, PathName path, Hex mask) {
    const auto bits = static_cast<std::uint32_t>(mask.value);
    constexpr std::uint32_t kBoth = abi::kInMaskAdd | abi::kInMaskCreate;
    constexpr std::uint32_t kMeaning = abi::kInAllEvents | abi::kInUnmount | abi::kInQOverflow | abi::kInOnlydir |
                                       abi::kInDontFollow | abi::kInExclUnlink | abi::kInMaskCreate | abi::kInMaskAdd |
                                       abi::kInOneshot;
    if ((bits & kMeaning) == 0) {
        return Error::InvalidArgument;
    }
    const RefPtr<vfs::File> file = TRY(file_of(task, fd));
    if ((bits & kBoth) == kBoth) {
        return Error::InvalidArgument;
    }
    const RefPtr<InotifyFile> inotify = TRY(inotify_of(file));
    PathArgument name;
    TRY(name.read(task, path));
    vfs::WalkFlags walk = vfs::WalkFlags::None;
    walk = (bits & abi::kInDontFollow) != 0 ? walk | vfs::WalkFlags::NoFollow : walk;
    walk = (bits & abi::kInOnlydir) != 0 ? walk | vfs::WalkFlags::Directory : walk;
    const WalkScope scope(task);
    const vfs::Path place = TRY(vfs::resolve(scope.context(), name.view(), walk));
    TRY(vfs::check_permission(place, vfs::Wanted::Read, scope.credentials()));
    vfs::Watch wanted;
    wanted.wanted = static_cast<vfs::FileEvents>(bits & abi::kInAllEvents);
    wanted.once = (bits & abi::kInOneshot) != 0;
    wanted.without_unlinked = (bits & abi::kInExclUnlink) != 0;
    using Change = vfs::Watches::Change;
    const Change change = (bits & abi::kInMaskAdd) != 0      ? Change::Add
                          : (bits & abi::kInMaskCreate) != 0 ? Change::MustBeNew
                                                             : Change::Replace;
    return TRY(inotify->watch(place.inode(), wanted, change));
}

Result<std::int64_t> sys_inotify_rm_watch(Task& task, Fd fd, Int descriptor) {
    const RefPtr<vfs::File> file = TRY(file_of(task, fd));
    TRY(TRY(inotify_of(file))->remove(descriptor));
    return 0;
}

}  // namespace kernel::linux_abi
