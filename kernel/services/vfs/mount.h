// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include "lib/list.h"
#include "lib/ref.h"
#include "lib/result.h"
#include "lib/string.h"
#include "lib/vector.h"
#include "services/vfs/filesystem.h"
#include "services/vfs/path.h"

namespace kernel::vfs {

// mount(2).
enum class MountFlags : std::uint32_t {
    None = 0,
    ReadOnly = 1u << 0,
    NoSetId = 1u << 1,
    NoDevices = 1u << 2,
    NoExecute = 1u << 3,
    NoAccessTime = 1u << 4,
    NoDirectoryAccessTime = 1u << 5,
    StrictAccessTime = 1u << 6,  // else relatime
};
constexpr MountFlags operator|(MountFlags a, MountFlags b) {
    return static_cast<MountFlags>(static_cast<std::uint32_t>(a) | static_cast<std::uint32_t>(b));
}
constexpr bool has(MountFlags set, MountFlags bit) {
    return (static_cast<std::uint32_t>(set) & static_cast<std::uint32_t>(bit)) != 0;
}

enum class UnmountMode : std::uint8_t { WhenIdle, Detach };

class MountNamespace;

// One appearance of a file system (or a part of one) in a namespace.
class Mount final : public RefCounted {
public:
    FileSystem& filesystem() const { return *filesystem_; }
    Dentry& root() const { return *root_; }
    std::uint64_t id() const { return id_; }
    MountFlags flags() const { return flags_.load(std::memory_order_acquire); }
    bool is_read_only() const { return has(flags(), MountFlags::ReadOnly) || filesystem_->is_read_only(); }
    // What mount(2) was told as source.
    std::string_view source() const { return source_.view(); }

    // ReadOnly, or nothing.
    Result<> check_writable() const;

private:
    friend class kernel::ObjectMaker;
    friend class MountNamespace;
    friend class MountTable;
    Mount(RefPtr<FileSystem> filesystem, RefPtr<Dentry> root, MountFlags flags, String source);
    ~Mount() override;

    RefPtr<FileSystem> filesystem_;
    RefPtr<Dentry> root_;
    std::atomic<MountFlags> flags_;
    String source_;
    std::uint64_t id_;
    // Under the mount table's lock:
    MountNamespace* namespace_ = nullptr;  // null: detached
    RefPtr<Mount> parent_;
    RefPtr<Dentry> mountpoint_;
    ListNode sibling_node_;
    IntrusiveList<Mount, &Mount::sibling_node_> children_;  // the newest last; the namespace holds the references
    ListNode namespace_node_;
};

// What one row of /proc/PID/mountinfo needs.
struct MountDescription {
    RefPtr<Mount> mount;
    std::uint64_t parent_id = 0;
    Path where;  // the mountpoint in the parent; empty for the root of the namespace
};

// A tree of mounts, mount_namespaces(7). Changes are serialised over all namespaces; walks take a short lock for each
// mountpoint.
class MountNamespace final : public RefCounted {
public:
    // With a file system at its root. Errors: NoMemory.
    static Result<RefPtr<MountNamespace>> create(RefPtr<FileSystem> root, std::string_view source,
                                                 MountFlags flags = MountFlags::None);

    // The topmost mount on the root.
    Path root();

    // Mounts a file system's root, or any place in a tree (bind), on `where`: a directory on a directory, anything else
    // on anything else. The newest mount on a place covers older ones. Errors: NotDirectory, NotFound (unlinked place),
    // InvalidArgument (place outside of this namespace), NoMemory.
    Result<RefPtr<Mount>> mount(RefPtr<FileSystem> filesystem, const Path& where, std::string_view source,
                                MountFlags flags);
    Result<RefPtr<Mount>> bind(const Path& what, const Path& where, MountFlags flags, bool recursive);
    // Changes the flags of the mount whose root `where` is. Errors: InvalidArgument (not a mount's root).
    Result<> remount(const Path& where, MountFlags flags);
    // Moves the mount whose root `what` is. Errors: InvalidArgument, SymlinkLoop (into itself), NotDirectory.
    Result<> move(const Path& what, const Path& where);
    // Errors: InvalidArgument (not a mount's root, or the root of the namespace), Busy (in use or other mounts on it).
    // The caller gives up its own reference, which would make the mount busy.
    Result<> unmount(Path&& where, UnmountMode mode);
    // pivot_root(2). Errors: InvalidArgument, Busy.
    Result<> pivot(const Path& new_root, const Path& put_old);

    // A copy of the tree for unshare(CLONE_NEWNS). `translate` is called for every pair (mount of this one, its copy),
    // so that the caller can move its root and working directory over.
    class CopyVisitor {
    public:
        virtual void copied(Mount& original, Mount& copy) = 0;

    protected:
        ~CopyVisitor() = default;
    };
    Result<RefPtr<MountNamespace>> clone(CopyVisitor& visitor);

    // The index-th mount in order of mounting; NotFound past the end.
    Result<MountDescription> describe(std::size_t index);

private:
    friend class kernel::ObjectMaker;
    friend class MountTable;
    MountNamespace();
    ~MountNamespace() override;
    static Result<RefPtr<MountNamespace>> create_at(RefPtr<FileSystem> filesystem, RefPtr<Dentry> root,
                                                    std::string_view source, MountFlags flags);
    Result<> check_place(Inode& what, const Path& where);
    Result<RefPtr<Mount>> attach_new(RefPtr<FileSystem> filesystem, RefPtr<Dentry> root, const Path& where,
                                     std::string_view source, MountFlags flags);
    Result<> copy_children(Mount& from, Mount& to, const Dentry* part, CopyVisitor* visitor);
    static Result<> children_of(Mount& mount, Vector<RefPtr<Mount>>& children);

    RefPtr<Mount> root_;
    IntrusiveList<Mount, &Mount::namespace_node_> mounts_;
};

namespace mounts {

// The topmost mount's root if something is mounted on the path, again and again; else the path itself.
Path cross_down(Path path);
// From the root of a mount to the place it is mounted on; false, without effect, at the root of a namespace or of a
// detached tree.
bool cross_up_once(Path& path);

}  // namespace mounts
}  // namespace kernel::vfs
