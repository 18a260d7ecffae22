// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include "core/mm/memory_object.h"
#include "lib/ref.h"
#include "lib/result.h"
#include "services/vfs/filesystem.h"

namespace kernel::vfs::tmpfs {

inline constexpr std::uint64_t kMagic = 0x01021994;  // TMPFS_MAGIC, statfs(2)

// How much memory the files of one or several tmpfs may use, contents and names. NoSpace beyond it.
class Budget final : public RefCounted {
public:
    static Result<RefPtr<Budget>> create(std::uint64_t limit_bytes);

    const RefPtr<mm::PageBudget>& pages() const { return pages_; }
    // For names and nodes. Counted in bytes, charged in pages.
    [[nodiscard]] bool charge_bytes(std::uint64_t bytes);
    void release_bytes(std::uint64_t bytes);

private:
    friend class kernel::ObjectMaker;
    explicit Budget(RefPtr<mm::PageBudget> pages) : pages_(std::move(pages)) {}

    RefPtr<mm::PageBudget> pages_;
    std::atomic<std::uint64_t> bytes_ = 0;
};

struct Options {
    RefPtr<Budget> budget;
    std::uint32_t permissions = 01777;  // of the root directory
    std::uint32_t user = 0;
    std::uint32_t group = 0;
    FileType root_type = FileType::Directory;  // Regular: a tree of a single file, for binds of files
    std::string_view type_name = "tmpfs";      // static storage
    std::uint64_t magic = kMagic;              // of statfs(2)
};

// Errors: NoMemory, NoSpace.
Result<RefPtr<FileSystem>> create(const Options& options);

// The factory of mount(2): size= (bytes, k, m, g, %), mode=, uid=, gid=; half of the memory by default. InvalidArgument
// for anything else, as on Linux.
Result<RefPtr<FileSystem>> create_for_mount(const MountRequest& request);

}  // namespace kernel::vfs::tmpfs
