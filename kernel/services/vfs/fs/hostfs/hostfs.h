// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "lib/own.h"
#include "lib/result.h"
#include "platform/host_files.h"
#include "services/vfs/filesystem.h"

namespace kernel::vfs::hostfs {

inline constexpr std::uint64_t kMagic = 0x6b70686f;

// Ids of the host that guests see as others (the person's own id as that of the first process, say).
struct IdMap {
    std::uint32_t from = 0;
    std::uint32_t to = 0;
};

struct Options {
    bool writable = false;
    // Entries that are not world-readable do not exist for the guest.
    bool hide_unreadable = false;
    std::optional<IdMap> user{};
    std::optional<IdMap> group{};
    // For how long names and attributes are believed without asking the host again.
    std::uint64_t believed_ns = 1'000'000'000;
};

// A tree of the host, or a single file of it. Errors: NoMemory, Io.
Result<RefPtr<FileSystem>> create(OwnPtr<platform::HostFile> root, const Options& options);
// By a path that the person who starts the kernel has named. Errors: NotFound, AccessDenied, NotSupported.
Result<RefPtr<FileSystem>> open(std::string_view host_path, const Options& options);

}  // namespace kernel::vfs::hostfs
