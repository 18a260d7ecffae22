// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "lib/own.h"
#include "lib/result.h"

namespace kernel::platform {

// Files of the machine that hosts the kernel, one component at a time on held descriptors. Bare metal has none:
// open_host_root gives NotSupported there.
enum class HostFileType : std::uint8_t { Regular, Directory, Symlink, Other };

struct HostFileStatus {
    HostFileType type;
    std::uint32_t permissions;  // 07777
    std::uint32_t uid, gid, links;
    std::uint64_t device, inode, size_bytes, blocks_512;
    std::int64_t access_ns, modify_ns, change_ns;
};

struct HostDirectoryEntry {
    std::uint64_t inode;
    HostFileType type;
    std::string_view name;  // valid during the call of the visitor only
};

// Returns false to stop.
using HostDirectoryVisitor = bool (*)(void* context, const HostDirectoryEntry& entry);

// One file, directory or symbolic link of the host. Holds a descriptor of kind O_PATH that may be closed behind the
// scenes and reopened (a bounded number is open). Names are single components: no '/', not ".." (InvalidArgument).
// FIFOs, sockets and devices are of type Other: they can be looked at and never opened.
class HostFile {
public:
    virtual ~HostFile() = default;
    virtual Result<HostFileStatus> status() = 0;
    virtual Result<OwnPtr<HostFile>> lookup(std::string_view name) = 0;
    virtual Result<std::size_t> read_link(std::span<std::byte> target) = 0;
    // Visits entries from a position cookie (0 = start); updates it so that a later call goes on after the last
    // visited.
    virtual Result<> list(std::uint64_t& position, HostDirectoryVisitor visitor, void* context) = 0;
    virtual Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> bytes) = 0;

    // Only where the directory was bound read-write:
    virtual Result<std::size_t> write_at(std::uint64_t offset, std::span<const std::byte> bytes) = 0;
    virtual Result<> truncate(std::uint64_t size_bytes) = 0;
    virtual Result<OwnPtr<HostFile>> create_file(std::string_view name, std::uint32_t permissions) = 0;
    virtual Result<> make_directory(std::string_view name, std::uint32_t permissions) = 0;
    virtual Result<> make_symlink(std::string_view name, std::string_view target) = 0;
    virtual Result<> link(std::string_view name, HostFile& existing) = 0;
    virtual Result<> unlink(std::string_view name, bool directory) = 0;
    virtual Result<> rename(std::string_view name, HostFile& new_parent, std::string_view new_name,
                            std::uint32_t flags) = 0;
    virtual Result<> set_permissions(std::uint32_t permissions) = 0;
    virtual Result<> set_times(std::int64_t access_ns, std::int64_t modify_ns) = 0;
    virtual Result<> sync() = 0;
};

// A host directory or file that the person who started the kernel has named. Errors: NotFound, AccessDenied,
// NotSupported.
Result<OwnPtr<HostFile>> open_host_root(std::string_view path, bool writable);

}  // namespace kernel::platform
