// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "lib/ref.h"
#include "lib/result.h"
#include "services/vfs/file.h"
#include "services/vfs/mount.h"
#include "services/vfs/permission.h"
#include "services/vfs/walker.h"

// What system calls on names do, with all checks of the man page that bears the function's name (section 2). Paths are
// the caller's text without the final zero. Permissions come with the umask applied. Everything may block and takes
// locks itself. Besides the errors that are named, each can have those of vfs::resolve, and NoMemory, NoSpace,
// ReadOnly, Io.
namespace kernel::vfs {

// open(2). Errors: Exists, IsDirectory, NotDirectory, SymlinkLoop, NoDevice, TextBusy, AccessDenied, NotPermitted,
// InvalidArgument …
Result<RefPtr<File>> open(const WalkContext& context, std::string_view path, OpenFlags flags,
                          std::uint32_t permissions = 0, WalkFlags walk = WalkFlags::None);
// A place that is already resolved, as execve(2) and /proc/PID/fd need it.
Result<RefPtr<File>> open_path(const Path& path, OpenFlags flags, const RefPtr<security::Credentials>& credentials);

Result<> make_directory(const WalkContext& context, std::string_view path, std::uint32_t permissions);
// mknod(2), for all types but directories and links.
Result<> make_node(const WalkContext& context, std::string_view path, FileType type, std::uint32_t permissions,
                   DeviceNumber device);
// Makes a socket's name and returns it, for bind(2).
Result<Path> make_socket(const WalkContext& context, std::string_view path, std::uint32_t permissions);
Result<> make_symlink(const WalkContext& context, std::string_view target, std::string_view path);
// linkat(2). `from` is resolved with `walk` (NoFollow is the default of link(2)).
Result<> make_link(const WalkContext& from_context, std::string_view from, const WalkContext& to_context,
                   std::string_view to, WalkFlags walk = WalkFlags::NoFollow);
Result<> unlink(const WalkContext& context, std::string_view path);
Result<> remove_directory(const WalkContext& context, std::string_view path);
Result<> rename(const WalkContext& from_context, std::string_view from, const WalkContext& to_context,
                std::string_view to, RenameMode mode = RenameMode::Replace);

Result<String> read_link(const WalkContext& context, std::string_view path, WalkFlags walk = WalkFlags::None);
Result<Status> status(const WalkContext& context, std::string_view path, WalkFlags walk = WalkFlags::None);
Result<Status> status(const Path& path);
Result<FileSystemStatus> filesystem_status(const Path& path);
// access(2); the context's credentials are the ones checked (see Credentials::for_access_check).
Result<> check_access(const WalkContext& context, std::string_view path, Wanted wanted,
                      WalkFlags walk = WalkFlags::None);

// On resolved places, so that chmod/fchmod/fchmodat share them.
Result<> change_permissions(const Path& path, std::uint32_t permissions, const security::Credentials& who);
// Absent ids stay.
Result<> change_owner(const Path& path, std::optional<std::uint32_t> user, std::optional<std::uint32_t> group,
                      const security::Credentials& who);
// utimensat(2): absent = UTIME_OMIT; `set_to_now` for both UTIME_NOW or a null pointer, which needs write permission
// only.
struct TimeChange {
    std::optional<std::int64_t> access_ns{};
    std::optional<std::int64_t> modify_ns{};
    bool set_to_now = false;
};
Result<> change_times(const Path& path, const TimeChange& change, const security::Credentials& who);
// truncate(2). Errors: IsDirectory, InvalidArgument, AccessDenied, TextBusy, FileTooLarge.
Result<> truncate(const Path& path, std::uint64_t bytes, const security::Credentials& who);

// Extended attributes, xattr(7), with the rules of their name spaces. Errors: NotPermitted, NotSupported, OutOfRange,
// NoAttribute.
Result<std::size_t> get_attribute(const Path& path, std::string_view name, std::span<std::byte> value,
                                  const security::Credentials& who);
Result<> set_attribute(const Path& path, std::string_view name, std::span<const std::byte> value, AttributeMode mode,
                       const security::Credentials& who);
Result<> remove_attribute(const Path& path, std::string_view name, const security::Credentials& who);
Result<std::size_t> list_attributes(const Path& path, std::span<std::byte> names, const security::Credentials& who);

}  // namespace kernel::vfs
