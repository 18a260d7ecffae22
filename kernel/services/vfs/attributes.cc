// SPDX-License-Identifier: MIT OR Apache-2.0
// stat(2), access(2), readlink(2), chmod(2), chown(2), utimensat(2), truncate(2), xattr(7).
#include "platform/clock.h"
#include "services/vfs/filesystem.h"
#include "services/vfs/operations.h"
#include "services/vfs/regular_file.h"
#include "services/vfs/watch.h"

namespace kernel::vfs {

using security::Capability;
using security::Credentials;

Result<String> read_link(const WalkContext& context, std::string_view path, WalkFlags walk) {
    const Path place = TRY(resolve(context, path, walk | WalkFlags::NoFollow));
    if (!place.inode().is_symlink()) {
        // readlinkat(2): an empty path on something that is no link.
        return path.empty() ? Error::NotFound : Error::InvalidArgument;
    }
    return place.inode().read_link();
}

Result<Status> status(const WalkContext& context, std::string_view path, WalkFlags walk) {
    return status(TRY(resolve(context, path, walk)));
}

Result<Status> status(const Path& path) {
    return path.inode().status();
}

Result<FileSystemStatus> filesystem_status(const Path& path) {
    return path.mount->filesystem().status();
}

Result<> check_access(const WalkContext& context, std::string_view path, Wanted wanted, WalkFlags walk) {
    const Path place = TRY(resolve(context, path, walk));
    if (wanted == Wanted::Nothing) {
        return {};
    }
    return check_permission(place, wanted, *context.credentials);
}

namespace {

Result<> apply(const Path& path, const StatusChange& change) {
    TRY(path.inode().prepare_change());
    TRY(path.inode().change_status(change));
    Watches::report(path, FileEvents::Attributes);
    return {};
}

}  // namespace

Result<> change_permissions(const Path& path, std::uint32_t permissions, const Credentials& who) {
    TRY(path.mount->check_writable());
    if (path.inode().is_symlink()) {
        return Error::NotSupported;
    }
    TRY(check_owner(path.inode(), who));
    permissions &= kPermissionMask;
    const Ownership file = TRY(path.inode().ownership());
    if (!who.in_group(file.group) && !who.capable(Capability::FileSetId)) {
        permissions &= ~kSetGroupId;
    }
    return apply(path, StatusChange{.permissions = permissions});
}

Result<> change_owner(const Path& path, std::optional<std::uint32_t> user, std::optional<std::uint32_t> group,
                      const Credentials& who) {
    TRY(path.mount->check_writable());
    const Ownership file = TRY(path.inode().ownership());
    if (!who.capable(Capability::Chown)) {
        const bool owns = file.user == who.file_user();
        if (user && (!owns || *user != file.user)) {
            return Error::NotPermitted;
        }
        if (group && (!owns || (*group != file.group && !who.in_group(*group)))) {
            return Error::NotPermitted;
        }
    }
    StatusChange change{.user = user, .group = group};
    const std::uint32_t permissions = without_set_id(file, who);
    if (file.type != FileType::Directory && permissions != file.permissions) {
        // The loss of the bits is a change of permissions, with its own condition.
        TRY(check_owner(path.inode(), who));
        change.permissions = permissions;
    }
    return apply(path, change);
}

Result<> change_times(const Path& path, const TimeChange& change, const Credentials& who) {
    TRY(path.mount->check_writable());
    const bool owns = check_owner(path.inode(), who).has_value();
    if (!owns) {
        if (!change.set_to_now) {
            return change.access_ns || change.modify_ns ? Error::NotPermitted : Result<>();
        }
        TRY(check_permission(path.inode(), Wanted::Write, who));
    }
    StatusChange status_change{.access_ns = change.access_ns, .modify_ns = change.modify_ns};
    if (change.set_to_now) {
        const auto now = static_cast<std::int64_t>(platform::realtime_ns());
        status_change.access_ns = now;
        status_change.modify_ns = now;
    }
    if (!status_change.access_ns && !status_change.modify_ns) {
        return {};
    }
    return apply(path, status_change);
}

Result<> truncate(const Path& path, std::uint64_t bytes, const Credentials& who) {
    Inode& inode = path.inode();
    if (inode.is_directory()) {
        return Error::IsDirectory;
    }
    if (!inode.is_regular() || bytes > kMaxFileBytes) {
        return Error::InvalidArgument;
    }
    TRY(path.mount->check_writable());
    TRY(check_permission(inode, Wanted::Write, who));
    TRY(inode.prepare_change());
    TRY(inode.begin_writing());
    Result<> done;
    {
        const Turn::Holder turn(inode.write_turn());
        done = remove_set_id(inode, who);
        if (done) {
            inode.note_write();
            done = inode.resize(bytes);
        }
    }
    inode.end_writing();
    if (done) {
        Watches::report(path, FileEvents::Modify);
    }
    return done;
}

namespace {

bool in_namespace(std::string_view name, std::string_view prefix) {
    return name.size() > prefix.size() && name.starts_with(prefix);
}

enum class AttributeUse : std::uint8_t { Read, Write };

// xattr(7), "Extended attribute namespaces".
Result<> check_attribute(const Path& path, std::string_view name, AttributeUse use, const Credentials& who) {
    constexpr std::size_t kMaxAttributeName = 255;  // XATTR_NAME_MAX
    if (name.empty() || name.size() > kMaxAttributeName) {
        return Error::OutOfRange;
    }
    const bool writes = use == AttributeUse::Write;
    if (writes) {
        TRY(path.mount->check_writable());
    }
    if (in_namespace(name, "trusted.")) {
        if (who.capable(Capability::SysAdmin)) {
            return {};
        }
        return writes ? Error::NotPermitted : Error::NoAttribute;
    }
    if (in_namespace(name, "security.")) {
        return writes && !who.capable(Capability::SysAdmin) ? Error::NotPermitted : Result<>();
    }
    if (!in_namespace(name, "user.")) {
        return Error::NotSupported;
    }
    const Ownership file = TRY(path.inode().ownership());
    if (file.type != FileType::Regular && file.type != FileType::Directory) {
        return writes ? Error::NotPermitted : Error::NoAttribute;
    }
    if (writes && file.type == FileType::Directory && (file.permissions & kSticky) != 0) {
        TRY(check_owner(path.inode(), who));
    }
    return check_permission(path.inode(), writes ? Wanted::Write : Wanted::Read, who);
}

}  // namespace

Result<std::size_t> get_attribute(const Path& path, std::string_view name, std::span<std::byte> value,
                                  const Credentials& who) {
    TRY(check_attribute(path, name, AttributeUse::Read, who));
    return path.inode().get_attribute(name, value);
}

Result<> set_attribute(const Path& path, std::string_view name, std::span<const std::byte> value, AttributeMode mode,
                       const Credentials& who) {
    constexpr std::size_t kMaxAttributeBytes = 65536;  // XATTR_SIZE_MAX
    TRY(check_attribute(path, name, AttributeUse::Write, who));
    if (value.size() > kMaxAttributeBytes) {
        return Error::ArgumentListTooLong;
    }
    TRY(path.inode().prepare_change());
    TRY(path.inode().set_attribute(name, value, mode));
    Watches::report(path, FileEvents::Attributes);
    return {};
}

Result<> remove_attribute(const Path& path, std::string_view name, const Credentials& who) {
    TRY(check_attribute(path, name, AttributeUse::Write, who));
    TRY(path.inode().prepare_change());
    TRY(path.inode().remove_attribute(name));
    Watches::report(path, FileEvents::Attributes);
    return {};
}

Result<std::size_t> list_attributes(const Path& path, std::span<std::byte> names, const Credentials& who) {
    return path.inode().list_attributes(names, who.capable(Capability::SysAdmin));
}

}  // namespace kernel::vfs
