// SPDX-License-Identifier: MIT OR Apache-2.0
// Host files, reading half; what changes the host is in host_changes.cc.
#include "platform/host_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <algorithm>
#include <array>
#include <cerrno>

#include "platform/cpu.h"
#include "platform/hosted/guest_memory.h"
#include "platform/hosted/host_file.h"
#include "platform/hosted/host_syscall.h"
#include "platform/hosted/host_visibility.h"

namespace kernel::platform {
namespace hosted {
namespace {

std::int64_t to_ns(const timespec& time) {
    return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

HostFileStatus to_status(const struct stat& status) {
    return {.type = host_file_type(status.st_mode),
            .permissions = status.st_mode & 07777,
            .uid = status.st_uid,
            .gid = status.st_gid,
            .links = static_cast<std::uint32_t>(status.st_nlink),
            .device = status.st_dev,
            .inode = status.st_ino,
            .size_bytes = static_cast<std::uint64_t>(status.st_size),
            .blocks_512 = static_cast<std::uint64_t>(status.st_blocks),
            .access_ns = to_ns(status.st_atim),
            .modify_ns = to_ns(status.st_mtim),
            .change_ns = to_ns(status.st_ctim)};
}

Result<> status_at(int parent, const char* name, struct stat& status) {
    TRY(host_checked(host_syscall(SYS_newfstatat, parent, name, &status, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT)));
    return {};
}

HostFileType type_from_entry(unsigned char entry_type) {
    switch (entry_type) {
        case DT_REG:
            return HostFileType::Regular;
        case DT_DIR:
            return HostFileType::Directory;
        case DT_LNK:
            return HostFileType::Symlink;
        default:
            return HostFileType::Other;
    }
}

// The record that getdents64(2) writes; name_ is NUL-terminated and runs to the end of the record.
struct Record {
    std::uint64_t inode;
    std::int64_t next_position;
    std::uint16_t bytes;
    unsigned char type;
    char name[1];
};

// One call of getdents64: visits what it gives. False when there is no more or the visitor stops.
Result<bool> visit_some(int directory, std::uint64_t& position, HostDirectoryVisitor visitor, void* context) {
    alignas(Record) std::array<std::byte, 4096> buffer;
    const std::uint64_t filled =
        TRY(host_checked(host_syscall(SYS_getdents64, directory, buffer.data(), buffer.size())));
    for (std::uint64_t at = 0; at < filled;) {
        // SAFETY: the host kernel wrote whole, aligned records up to `filled`.
        const auto& record = *reinterpret_cast<const Record*>(buffer.data() + at);
        at += record.bytes;
        const std::string_view name(static_cast<const char*>(record.name));
        HostDirectoryEntry entry{.inode = record.inode, .type = type_from_entry(record.type), .name = name};
        if (record.type == DT_UNKNOWN) {
            struct stat status{};
            if (status_at(directory, name.data(), status).has_value()) {
                entry.type = host_file_type(status.st_mode);
            }
        }
        if (name != "." && name != ".." && !visitor(context, entry)) {
            return false;
        }
        position = static_cast<std::uint64_t>(record.next_position);
    }
    return filled != 0;
}

Result<std::size_t> read_into(int file, std::uint64_t offset, std::span<std::byte> bytes) {
    for (;;) {
        const HostResult count = host_syscall(SYS_pread64, file, bytes.data(), bytes.size(), offset);
        if (count != -EINTR) {
            return TRY(host_checked(count));
        }
    }
}

// Small enough to stay in the processor's cache between the two copies. One for each CPU: nothing here gives the CPU
// away.
constexpr std::size_t kBounceBytes = std::size_t{32} * 1024;
std::span<std::byte> bounce_buffer() {
    alignas(kPageSize) static std::array<std::array<std::byte, kBounceBytes>, kMaxCpus> buffers;
    return buffers[this_cpu().index];
}

// Reads into the guest's memfd, by way of a buffer: reading into the kernel's mapping of it would take a page fault for
// each page, which zeroes it first.
Result<std::size_t> read_into_fresh_memory(int file, std::uint64_t offset, std::size_t size, std::uint64_t to) {
    std::size_t done = 0;
    while (done < size) {
        const std::span<std::byte> part = bounce_buffer().first(std::min(size - done, kBounceBytes));
        const auto count = read_into(file, offset + done, part);
        if (!count.has_value() || *count == 0) {
            return done != 0 ? Result<std::size_t>(done) : count;
        }
        if (TRY(host_checked(host_syscall(SYS_pwrite64, guest_memory().descriptor, part.data(), *count, to + done))) !=
            *count) {
            return std::unexpected(Error::NoMemory);
        }
        done += *count;
    }
    return done;
}

}  // namespace

Result<> check_name(std::string_view name) {
    if (name.size() > kMaxHostName) {
        return std::unexpected(Error::NameTooLong);
    }
    if (name.empty() || name == "." || name == ".." || name.contains('/') || name.contains('\0')) {
        return std::unexpected(Error::InvalidArgument);
    }
    return {};
}

Result<DescriptorUse> HostFileObject::use_directory() {
    if (node_->type() != HostFileType::Directory) {
        return std::unexpected(Error::NotDirectory);
    }
    return node_->use(OpenMode::Anchor);
}

Result<> HostFileObject::read_status(struct stat& status) {
    if (const auto open = node_->use_if_open()) {
        TRY(host_checked(host_syscall(SYS_fstat, open->descriptor(), &status)));
        return {};
    }
    const auto place = TRY(node_->place());
    const auto found = status_at(place.parent.descriptor(), place.name.c_str(), status);
    if (!found.has_value() && found.error() != Error::NotFound) {
        return found;
    }
    if (!found.has_value() || host_file_type(status.st_mode) != node_->type() ||
        node_->identity() != HostIdentity{.device = status.st_dev, .inode = status.st_ino}) {
        return std::unexpected(Error::StaleHandle);
    }
    return {};
}

Result<HostFileStatus> HostFileObject::status() {
    struct stat status{};
    TRY(read_status(status));
    return to_status(status);
}

Result<OwnPtr<HostFile>> HostFileObject::lookup(std::string_view name) {
    TRY(check_name(name));
    const DescriptorUse directory = TRY(use_directory());
    if (node_->hidden()) {
        return std::unexpected(Error::NotFound);
    }
    const auto text = TRY(FixedString<kMaxHostName>::create(name));
    struct stat status{};
    TRY(status_at(directory.descriptor(), text.c_str(), status));
    const bool hidden = S_ISDIR(status.st_mode) &&
                        is_hidden_directory(directory.descriptor(), node_->identity().device, text.c_str(), status);
    return wrap(TRY(HostNode::create_child(*node_, name, status, hidden)));
}

Result<OwnPtr<HostFile>> HostFileObject::wrap(RefPtr<HostNode> node) {
    return OwnPtr<HostFile>(TRY(make_own<HostFileObject>(std::move(node))));
}

Result<std::size_t> HostFileObject::read_link(std::span<std::byte> target) {
    if (node_->type() != HostFileType::Symlink) {
        return std::unexpected(Error::InvalidArgument);
    }
    const auto place = TRY(node_->place());
    return TRY(host_checked(
        host_syscall(SYS_readlinkat, place.parent.descriptor(), place.name.c_str(), target.data(), target.size())));
}

Result<> HostFileObject::list(std::uint64_t& position, HostDirectoryVisitor visitor, void* context) {
    const DescriptorUse directory = TRY(use_directory());
    if (node_->hidden()) {
        return {};
    }
    // An open file of our own, because the position belongs to it.
    const auto listing = static_cast<int>(
        TRY(host_checked(host_syscall(SYS_openat, directory.descriptor(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC))));
    Result<bool> more = true;
    if (position != 0 && host_failed(host_syscall(SYS_lseek, listing, position, SEEK_SET))) {
        more = std::unexpected(Error::InvalidArgument);
    }
    while (more.has_value() && *more) {
        more = visit_some(listing, position, visitor, context);
    }
    host_syscall(SYS_close, listing);
    if (!more.has_value()) {
        return std::unexpected(more.error());
    }
    return {};
}

Result<std::size_t> HostFileObject::read_at(std::uint64_t offset, std::span<std::byte> bytes) {
    if (node_->type() == HostFileType::Directory) {
        return std::unexpected(Error::IsDirectory);
    }
    const DescriptorUse file = TRY(node_->use(OpenMode::Read));
    const auto fresh = bytes.size() > kPageSize ? fresh_guest_offset(bytes) : std::nullopt;
    return fresh.has_value() ? read_into_fresh_memory(file.descriptor(), offset, bytes.size(), *fresh)
                             : read_into(file.descriptor(), offset, bytes);
}

namespace {

Result<int> open_root(const char* path, const struct stat& status, bool writable) {
    const int flags = S_ISDIR(status.st_mode) ? O_PATH | O_DIRECTORY : (writable ? O_RDWR : O_RDONLY) | O_NONBLOCK;
    const HostResult opened = host_syscall(SYS_openat, AT_FDCWD, path, flags | O_NOCTTY | O_CLOEXEC);
    const auto descriptor = static_cast<int>(TRY(host_checked(opened)));
    struct stat now{};
    const bool same = fstat(descriptor, &now) == 0 && now.st_dev == status.st_dev && now.st_ino == status.st_ino;
    if (!same || is_hidden(descriptor, now)) {
        host_syscall(SYS_close, descriptor);
        return std::unexpected(same ? Error::NotSupported : Error::NotFound);
    }
    return descriptor;
}

}  // namespace
}  // namespace hosted

Result<OwnPtr<HostFile>> open_host_root(std::string_view path, bool writable) {
    const String text = TRY(String::create(path));
    struct stat status{};
    TRY(hosted::host_checked(hosted::host_syscall(SYS_newfstatat, AT_FDCWD, text.c_str(), &status, 0)));
    const HostFileType type = hosted::host_file_type(status.st_mode);
    if (type != HostFileType::Directory && type != HostFileType::Regular) {
        return std::unexpected(Error::NotSupported);
    }
    const int descriptor = TRY(hosted::open_root(text.c_str(), status, writable));
    auto node = hosted::HostNode::create_root(descriptor, status, writable);
    if (!node.has_value()) {
        hosted::host_syscall(SYS_close, descriptor);
        return std::unexpected(node.error());
    }
    return hosted::HostFileObject::wrap(std::move(*node));
}

}  // namespace kernel::platform
