// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include "lib/mutex.h"
#include "lib/ref.h"
#include "lib/result.h"
#include "services/vfs/inode.h"
#include "services/vfs/status.h"

namespace kernel::vfs {

// A mounted tree of inodes. Inodes keep their file system alive; the file system keeps its root alive until the last
// mount of it is gone.
class FileSystem : public RefCounted {
public:
    // "tmpfs"; valid for ever.
    virtual std::string_view type_name() const = 0;
    virtual RefPtr<Inode> root() = 0;
    virtual Result<FileSystemStatus> status() = 0;
    virtual Result<> sync() { return {}; }
    // True: names can change without the kernel, so cached ones are asked for through Inode::still_valid at each use.
    virtual bool revalidates() const { return false; }
    // Nothing in it can be changed, whatever the mount says.
    virtual bool is_read_only() const { return false; }
    // Options as /proc/mounts shows them after rw/ro, or empty; valid while the file system lives.
    virtual std::string_view options() const { return {}; }

    // st_dev of its files: major 0, a minor of its own.
    DeviceNumber device() const { return device_; }
    // Held while a directory moves to another parent, so that ancestry stands still.
    Mutex<Rank::RenameTree>& rename_lock() { return rename_lock_; }

    // The one dentry of the root, shared by all mounts. Errors: NoMemory.
    Result<RefPtr<Dentry>> root_dentry();

    // Counted by Mount. After the last one drop_tree() lets go of the root.
    void mount_added() { mounts_.fetch_add(1, std::memory_order_relaxed); }
    void mount_removed();

protected:
    FileSystem();
    ~FileSystem() override;
    virtual void drop_tree() = 0;

private:
    DeviceNumber device_;
    std::atomic<std::uint32_t> mounts_ = 0;
    Mutex<Rank::RenameTree> rename_lock_;
    SpinGuarded<RefPtr<Dentry>, Rank::InodeStatus> root_dentry_;
};

// Keeps a file system's tree for as long as somebody uses it, with or without a mount. Whoever creates a file system
// holds one until it is mounted, because a tree and its inodes keep each other alive.
class FileSystemUse {
public:
    FileSystemUse() = default;
    explicit FileSystemUse(RefPtr<FileSystem> filesystem) : filesystem_(std::move(filesystem)) {
        filesystem_->mount_added();
    }
    FileSystemUse(FileSystemUse&& other) noexcept : filesystem_(std::move(other.filesystem_)) {}
    FileSystemUse& operator=(FileSystemUse&& other) noexcept {
        filesystem_.swap(other.filesystem_);
        return *this;
    }
    FileSystemUse(const FileSystemUse&) = delete;
    FileSystemUse& operator=(const FileSystemUse&) = delete;
    ~FileSystemUse() {
        if (filesystem_) {
            filesystem_->mount_removed();
        }
    }
    FileSystem& operator*() const { return *filesystem_; }
    FileSystem* operator->() const { return filesystem_.get(); }
    const RefPtr<FileSystem>& reference() const { return filesystem_; }

private:
    RefPtr<FileSystem> filesystem_;
};

struct MountRequest {
    std::string_view source;
    std::string_view options;  // the data argument of mount(2)
    bool read_only = false;
};

using FileSystemFactory = Result<RefPtr<FileSystem>> (*)(const MountRequest& request);

struct FileSystemType {
    std::string_view name;  // static storage
    FileSystemFactory create = nullptr;
    bool needs_device = false;  // false: "nodev" in /proc/filesystems
};

// What mount(2) can make. Registered at boot. Errors: NoMemory, Exists.
Result<> register_filesystem(const FileSystemType& type);
// NotSupportedByDevice (ENODEV) for an unknown name.
Result<FileSystemType> find_filesystem(std::string_view name);
// The index-th registered type, for /proc/filesystems.
Result<FileSystemType> filesystem_at(std::size_t index);

}  // namespace kernel::vfs
