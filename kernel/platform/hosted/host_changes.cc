// SPDX-License-Identifier: MIT OR Apache-2.0
// Host files, changing half: for directories that were bound read-write.
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <cerrno>

#include "platform/hosted/host_clock.h"
#include "platform/hosted/host_file.h"
#include "platform/hosted/host_syscall.h"

namespace kernel::platform::hosted {
namespace {

// A guest may not leave programs on the host that run with somebody's rights.
constexpr std::uint32_t kAllowedPermissions = 01777;

using Name = FixedString<kMaxHostName>;

Result<> done(HostResult result) {
    TRY(host_checked(result));
    return {};
}

timespec file_time(std::int64_t ns) {
    constexpr std::int64_t kNsPerSecond = 1'000'000'000;
    std::int64_t seconds = ns / kNsPerSecond;
    std::int64_t rest = ns % kNsPerSecond;
    if (rest < 0) {
        rest += kNsPerSecond;
        --seconds;
    }
    return {.tv_sec = seconds, .tv_nsec = rest};
}

}  // namespace

Result<DescriptorUse> HostFileObject::use_for_change(std::string_view name) {
    TRY(check_name(name));
    if (!node_->writable() || node_->hidden()) {
        return std::unexpected(Error::ReadOnly);
    }
    return use_directory();
}

Result<DescriptorUse> HostFileObject::use_for_writing() {
    if (!node_->writable()) {
        return std::unexpected(Error::ReadOnly);
    }
    if (node_->type() == HostFileType::Directory) {
        return std::unexpected(Error::IsDirectory);
    }
    return node_->use(OpenMode::Write);
}

Result<std::size_t> HostFileObject::write_at(std::uint64_t offset, std::span<const std::byte> bytes) {
    const DescriptorUse file = TRY(use_for_writing());
    for (;;) {
        const HostResult count = host_syscall(SYS_pwrite64, file.descriptor(), bytes.data(), bytes.size(), offset);
        if (count != -EINTR) {
            return TRY(host_checked(count));
        }
    }
}

Result<> HostFileObject::truncate(std::uint64_t size_bytes) {
    const DescriptorUse file = TRY(use_for_writing());
    return done(host_syscall(SYS_ftruncate, file.descriptor(), size_bytes));
}

Result<OwnPtr<HostFile>> HostFileObject::create_file(std::string_view name, std::uint32_t permissions) {
    const DescriptorUse directory = TRY(use_for_change(name));
    open_how how{};
    how.flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    how.mode = permissions & kAllowedPermissions;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS;
    const Name text = TRY(Name::create(name));
    const auto descriptor = static_cast<int>(
        TRY(host_checked(host_syscall(SYS_openat2, directory.descriptor(), text.c_str(), &how, sizeof how))));
    struct stat status{};
    fstat(descriptor, &status);
    auto node = HostNode::create_child(*node_, name, status, false);
    if (!node.has_value()) {
        host_syscall(SYS_close, descriptor);
        return std::unexpected(node.error());
    }
    (*node)->adopt_descriptor(OpenMode::Write, descriptor);
    return wrap(std::move(*node));
}

Result<> HostFileObject::make_directory(std::string_view name, std::uint32_t permissions) {
    const DescriptorUse directory = TRY(use_for_change(name));
    const Name text = TRY(Name::create(name));
    return done(host_syscall(SYS_mkdirat, directory.descriptor(), text.c_str(), permissions & kAllowedPermissions));
}

Result<> HostFileObject::make_symlink(std::string_view name, std::string_view target) {
    const DescriptorUse directory = TRY(use_for_change(name));
    const Name text = TRY(Name::create(name));
    const String target_text = TRY(String::create(target));
    return done(host_syscall(SYS_symlinkat, target_text.c_str(), directory.descriptor(), text.c_str()));
}

Result<> HostFileObject::link(std::string_view name, HostFile& existing) {
    const DescriptorUse directory = TRY(use_for_change(name));
    // SAFETY: all HostFiles of this platform are HostFileObjects.
    auto& source = static_cast<HostFileObject&>(existing);
    if (!source.node_->writable()) {
        return std::unexpected(Error::CrossDevice);
    }
    if (source.node_->type() == HostFileType::Other) {
        return std::unexpected(Error::NotPermitted);
    }
    const Name text = TRY(Name::create(name));
    const auto place = TRY(source.node_->place());
    // Flags 0: a symbolic link is linked itself, not followed (link(2)).
    return done(host_syscall(SYS_linkat, place.parent.descriptor(), place.name.c_str(), directory.descriptor(),
                             text.c_str(), 0));
}

Result<> HostFileObject::unlink(std::string_view name, bool directory) {
    const DescriptorUse parent = TRY(use_for_change(name));
    TRY(HostNode::keep_open_without_name(*node_, name));
    const Name text = TRY(Name::create(name));
    return done(host_syscall(SYS_unlinkat, parent.descriptor(), text.c_str(), directory ? AT_REMOVEDIR : 0));
}

Result<> HostFileObject::rename(std::string_view name, HostFile& new_parent, std::string_view new_name,
                                std::uint32_t flags) {
    // SAFETY: all HostFiles of this platform are HostFileObjects.
    auto& target = static_cast<HostFileObject&>(new_parent);
    if ((flags & ~static_cast<std::uint32_t>(RENAME_NOREPLACE | RENAME_EXCHANGE)) != 0) {
        return std::unexpected(Error::InvalidArgument);
    }
    const DescriptorUse from = TRY(use_for_change(name));
    const DescriptorUse to = TRY(target.use_for_change(new_name));
    const bool exchange = (flags & RENAME_EXCHANGE) != 0;
    if ((flags & RENAME_NOREPLACE) == 0 && !(node_ == target.node_ && name == new_name)) {
        TRY(HostNode::keep_open_without_name(*target.node_, new_name));
    }
    if (exchange) {
        TRY(HostNode::keep_open_without_name(*node_, name));
    }
    const Name text = TRY(Name::create(name));
    const Name new_text = TRY(Name::create(new_name));
    TRY(done(host_syscall(SYS_renameat2, from.descriptor(), text.c_str(), to.descriptor(), new_text.c_str(), flags)));
    return exchange ? Result<>() : HostNode::renamed(*node_, name, *target.node_, new_name);
}

Result<> HostFileObject::set_permissions(std::uint32_t permissions) {
    if (!node_->writable()) {
        return std::unexpected(Error::ReadOnly);
    }
    permissions &= kAllowedPermissions;
    if (node_->type() == HostFileType::Directory) {
        const DescriptorUse directory = TRY(node_->use(OpenMode::Anchor));
        return done(host_syscall(SYS_fchmodat, directory.descriptor(), ".", permissions));
    }
    if (const auto open = node_->use(OpenMode::Read); open.has_value()) {
        return done(host_syscall(SYS_fchmod, open->descriptor(), permissions));
    }
    // A file that its owner may not read. fchmodat2(2) is there from Linux 6.6 on; older hosts answer NotImplemented.
    constexpr long kFchmodat2 = 452;
    const auto place = TRY(node_->place());
    return done(
        host_syscall(kFchmodat2, place.parent.descriptor(), place.name.c_str(), permissions, AT_SYMLINK_NOFOLLOW));
}

Result<> HostFileObject::set_times(std::int64_t access_ns, std::int64_t modify_ns) {
    if (!node_->writable()) {
        return std::unexpected(Error::ReadOnly);
    }
    const timespec times[] = {file_time(access_ns), file_time(modify_ns)};
    const auto* list = static_cast<const timespec*>(times);
    if (node_->type() == HostFileType::Directory) {
        const DescriptorUse directory = TRY(node_->use(OpenMode::Anchor));
        return done(host_syscall(SYS_utimensat, directory.descriptor(), ".", list, 0));
    }
    if (const auto open = node_->use_if_open()) {
        return done(host_syscall(SYS_utimensat, open->descriptor(), nullptr, list, 0));
    }
    const auto place = TRY(node_->place());
    return done(host_syscall(SYS_utimensat, place.parent.descriptor(), place.name.c_str(), list, AT_SYMLINK_NOFOLLOW));
}

Result<> HostFileObject::sync() {
    if (node_->type() != HostFileType::Regular) {
        return {};
    }
    // What was written through a descriptor that is closed now is flushed through any other.
    const DescriptorUse file = TRY(node_->use(OpenMode::Read));
    return done(host_syscall(SYS_fsync, file.descriptor()));
}

}  // namespace kernel::platform::hosted
