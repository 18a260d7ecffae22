// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/vfs/mount.h"

#include <utility>

#include "lib/guarded.h"
#include "lib/immortal.h"
#include "lib/vector.h"

namespace kernel::vfs {

// The only code that touches what the mount table's lock guards. Changes also hold `tree`, a sleeping lock, so that
// they may look, decide and allocate between two short sections.
class MountTable {
public:
    struct Nothing {};
    using Table = SpinGuarded<Nothing, Rank::MountTable>;
    static Table& table() { return *global_table; }
    static Mutex<Rank::MountTree>& tree() { return *global_tree; }

    static RefPtr<Mount> child_at(const Path& path) {
        return table().with([&](Nothing&) {
            for (Mount* child = path.mount->children_.back(); child != nullptr;
                 child = path.mount->children_.previous(*child)) {
                if (child->mountpoint_ == path.dentry) {
                    return RefPtr<Mount>(child);
                }
            }
            return RefPtr<Mount>();
        });
    }

    static Path place_of(const Mount& mount) {
        return table().with([&](Nothing&) { return Path(mount.parent_, mount.mountpoint_); });
    }

    static MountNamespace* namespace_of(const Mount& mount) {
        return table().with([&](Nothing&) { return mount.namespace_; });
    }

    // Puts a mount, whose creation reference the namespace takes over, into the tree.
    static void attach(MountNamespace& space, Mount& mount, const Path& where) {
        RefPtr<Mount> parent = where.mount;
        RefPtr<Dentry> mountpoint = where.dentry;
        mountpoint->mount_added();
        table().with([&](Nothing&) {
            mount.namespace_ = &space;
            mount.parent_.swap(parent);
            mount.mountpoint_.swap(mountpoint);
            mount.parent_->children_.push_back(mount);
            space.mounts_.push_back(mount);
        });
    }

    static void attach_root(MountNamespace& space, Mount& mount) {
        table().with([&](Nothing&) {
            mount.namespace_ = &space;
            space.mounts_.push_back(mount);
        });
    }

    // Out of its parent, still in the namespace. The caller drops what comes back.
    static Path unhook(Mount& mount) {
        Path place;
        table().with([&](Nothing&) {
            if (mount.parent_) {
                mount.parent_->children_.remove(mount);
            }
            place.mount.swap(mount.parent_);
            place.dentry.swap(mount.mountpoint_);
        });
        if (place.dentry) {
            place.dentry->mount_removed();
        }
        return place;
    }

    // The namespace's reference.
    static RefPtr<Mount> leave_namespace(MountNamespace& space, Mount& mount) {
        table().with([&](Nothing&) {
            space.mounts_.remove(mount);
            mount.namespace_ = nullptr;
        });
        return RefPtr<Mount>::adopt(mount);
    }

    static RefPtr<Mount> first_child(const Mount& mount) {
        return table().with([&](Nothing&) { return RefPtr<Mount>(mount.children_.front()); });
    }

    // Takes a whole subtree out, leaves first, without recursion.
    static void detach_tree(MountNamespace& space, Mount& top) {
        RefPtr<Mount> current(top);
        while (true) {
            if (RefPtr<Mount> child = first_child(*current); child) {
                current = std::move(child);
                continue;
            }
            const bool done = current == &top;
            const Path place = unhook(*current);
            const RefPtr<Mount> dropped = leave_namespace(space, *current);
            if (done) {
                return;
            }
            current = place.mount;
        }
    }

    static bool is_below(const Mount& mount, const Mount& ancestor) {
        return table().with([&](Nothing&) {
            for (const Mount* place = &mount; place != nullptr; place = place->parent_.get()) {
                if (place == &ancestor) {
                    return true;
                }
            }
            return false;
        });
    }

private:
    static Immortal<Table> global_table;
    static Immortal<Mutex<Rank::MountTree>> global_tree;
};

Immortal<MountTable::Table> MountTable::global_table;
Immortal<Mutex<Rank::MountTree>> MountTable::global_tree;

namespace {

constinit std::atomic<std::uint64_t> next_mount_id = 1;

bool is_mount_root(const Path& path) {
    return path.dentry == &path.mount->root();
}

}  // namespace

Mount::Mount(RefPtr<FileSystem> filesystem, RefPtr<Dentry> root, MountFlags flags, String source)
    : filesystem_(std::move(filesystem)),
      root_(std::move(root)),
      flags_(flags),
      source_(std::move(source)),
      id_(next_mount_id.fetch_add(1, std::memory_order_relaxed)) {
    filesystem_->mount_added();
}

Mount::~Mount() {
    root_.reset();
    filesystem_->mount_removed();
}

Result<> Mount::check_writable() const {
    return is_read_only() ? Error::ReadOnly : Result<>();
}

namespace mounts {

Path cross_down(Path path) {
    while (path.dentry->is_mountpoint()) {
        RefPtr<Mount> mount = MountTable::child_at(path);
        if (!mount) {
            break;
        }
        path.dentry = RefPtr<Dentry>(mount->root());
        path.mount = std::move(mount);
    }
    return path;
}

bool cross_up_once(Path& path) {
    Path place = MountTable::place_of(*path.mount);
    if (!place) {
        return false;
    }
    path = std::move(place);
    return true;
}

}  // namespace mounts

MountNamespace::MountNamespace() = default;

MountNamespace::~MountNamespace() {
    if (root_) {
        MountTable::detach_tree(*this, *root_);
    }
}

Result<RefPtr<MountNamespace>> MountNamespace::create(RefPtr<FileSystem> root, std::string_view source,
                                                      MountFlags flags) {
    const FileSystemUse use(root);
    RefPtr<Dentry> dentry = TRY(root->root_dentry());
    return create_at(std::move(root), std::move(dentry), source, flags);
}

Result<RefPtr<MountNamespace>> MountNamespace::create_at(RefPtr<FileSystem> filesystem, RefPtr<Dentry> root,
                                                         std::string_view source, MountFlags flags) {
    const FileSystemUse use(filesystem);
    RefPtr<MountNamespace> space = TRY(make_ref<MountNamespace>());
    String own_source = TRY(String::create(source));
    RefPtr<Mount> mount = TRY(make_ref<Mount>(std::move(filesystem), std::move(root), flags, std::move(own_source)));
    space->root_ = mount;
    MountTable::attach_root(*space, *mount.release());
    return space;
}

Path MountNamespace::root() {
    RefPtr<Mount> top = MountTable::table().with([&](MountTable::Nothing&) { return root_; });
    RefPtr<Dentry> dentry(top->root());
    return mounts::cross_down(Path(std::move(top), std::move(dentry)));
}

Result<> MountNamespace::check_place(Inode& what, const Path& where) {
    if (MountTable::namespace_of(*where.mount) != this) {
        return Error::InvalidArgument;
    }
    if (where.dentry->is_unlinked()) {
        return Error::NotFound;
    }
    return what.is_directory() == where.inode().is_directory() ? Result<>() : Error::NotDirectory;
}

Result<RefPtr<Mount>> MountNamespace::attach_new(RefPtr<FileSystem> filesystem, RefPtr<Dentry> root, const Path& where,
                                                 std::string_view source, MountFlags flags) {
    const FileSystemUse use(filesystem);
    TRY(check_place(*root->inode(), where));
    String own_source = TRY(String::create(source));
    RefPtr<Mount> mount = TRY(make_ref<Mount>(std::move(filesystem), std::move(root), flags, std::move(own_source)));
    MountTable::attach(*this, *RefPtr<Mount>(mount).release(), mounts::cross_down(where));
    return mount;
}

Result<RefPtr<Mount>> MountNamespace::mount(RefPtr<FileSystem> filesystem, const Path& where, std::string_view source,
                                            MountFlags flags) {
    const FileSystemUse use(filesystem);
    LockGuard guard(MountTable::tree());
    RefPtr<Dentry> root = TRY(filesystem->root_dentry());
    return attach_new(std::move(filesystem), std::move(root), where, source, flags);
}

Result<RefPtr<Mount>> MountNamespace::bind(const Path& what, const Path& where, MountFlags flags, bool recursive) {
    LockGuard guard(MountTable::tree());
    RefPtr<Mount> top =
        TRY(attach_new(RefPtr<FileSystem>(what.mount->filesystem()), what.dentry, where, what.mount->source(), flags));
    if (recursive) {
        if (Result<> copied = copy_children(*what.mount, *top, what.dentry.get(), nullptr); !copied) {
            MountTable::detach_tree(*this, *top);
            return copied.error();
        }
    }
    return top;
}

// Copies the mounts below `from` (those within `part` of it, if given) to the same places below `to`, breadth first.
Result<> MountNamespace::copy_children(Mount& from, Mount& to, const Dentry* part, CopyVisitor* visitor) {
    struct Pair {
        RefPtr<Mount> original;
        RefPtr<Mount> copy;
    };
    Vector<Pair> pairs;
    TRY(pairs.push_back({RefPtr<Mount>(from), RefPtr<Mount>(to)}));
    for (std::size_t done = 0; done < pairs.size(); ++done) {
        Vector<RefPtr<Mount>> children;
        TRY(children_of(*pairs[done].original, children));
        for (const RefPtr<Mount>& child : children) {
            // What the copy put there itself (a bind into its own source) is not copied again.
            if (child == &to || (visitor == nullptr && MountTable::is_below(*child, to))) {
                continue;
            }
            const Path place = MountTable::place_of(*child);
            if (done == 0 && part != nullptr && !dentries::is_within(*place.dentry, *part)) {
                continue;
            }
            String source = TRY(String::create(child->source()));
            RefPtr<Mount> copy = TRY(make_ref<Mount>(RefPtr<FileSystem>(child->filesystem()),
                                                     RefPtr<Dentry>(child->root()), child->flags(), std::move(source)));
            TRY(pairs.push_back({child, copy}));
            MountTable::attach(*this, *RefPtr<Mount>(copy).release(), Path(pairs[done].copy, place.dentry));
            if (visitor != nullptr) {
                visitor->copied(*child, *copy);
            }
        }
    }
    return {};
}

Result<> MountNamespace::children_of(Mount& mount, Vector<RefPtr<Mount>>& children) {
    // Nobody changes the tree meanwhile, because the caller holds the tree's lock; so counting first is safe.
    const std::size_t count = MountTable::table().with([&](MountTable::Nothing&) { return mount.children_.count(); });
    TRY(children.reserve(count));
    MountTable::table().with([&](MountTable::Nothing&) {
        for (Mount& child : mount.children_) {
            // Has room.
            MUST(children.push_back(RefPtr<Mount>(child)));
        }
    });
    return {};
}

Result<> MountNamespace::remount(const Path& where, MountFlags flags) {
    LockGuard guard(MountTable::tree());
    if (!is_mount_root(where) || MountTable::namespace_of(*where.mount) != this) {
        return Error::InvalidArgument;
    }
    where.mount->flags_.store(flags, std::memory_order_release);
    return {};
}

Result<> MountNamespace::move(const Path& what, const Path& where) {
    LockGuard guard(MountTable::tree());
    if (!is_mount_root(what) || MountTable::namespace_of(*what.mount) != this || what.mount == root_) {
        return Error::InvalidArgument;
    }
    TRY(check_place(what.inode(), where));
    const Path place = mounts::cross_down(where);
    if (MountTable::is_below(*place.mount, *what.mount)) {
        return Error::SymlinkLoop;
    }
    MountTable::unhook(*what.mount);
    const RefPtr<Mount> mount = MountTable::leave_namespace(*this, *what.mount);
    MountTable::attach(*this, *RefPtr<Mount>(mount).release(), place);
    return {};
}

Result<> MountNamespace::unmount(Path&& where, UnmountMode mode) {
    // Later, locks would be held. What cannot be written now could not be written then either.
    static_cast<void>(where.mount->filesystem().sync());
    LockGuard guard(MountTable::tree());
    Path place = std::move(where);
    if (!is_mount_root(place) || MountTable::namespace_of(*place.mount) != this || place.mount == root_) {
        return Error::InvalidArgument;
    }
    const RefPtr<Mount> mount = std::move(place.mount);
    place.dentry.reset();
    if (mode == UnmountMode::WhenIdle) {
        // One reference is the namespace's, one is ours; children and open files have others.
        if (MountTable::first_child(*mount) || mount->reference_count() > 2) {
            return Error::Busy;
        }
    }
    MountTable::detach_tree(*this, *mount);
    return {};
}

Result<> MountNamespace::pivot(const Path& new_root, const Path& put_old) {
    LockGuard guard(MountTable::tree());
    if (!is_mount_root(new_root) || MountTable::namespace_of(*new_root.mount) != this ||
        MountTable::namespace_of(*put_old.mount) != this || !MountTable::is_below(*put_old.mount, *new_root.mount)) {
        return Error::InvalidArgument;
    }
    if (new_root.mount == root_ || put_old.mount == root_) {
        return Error::Busy;
    }
    if (!put_old.inode().is_directory()) {
        return Error::NotDirectory;
    }
    const RefPtr<Mount> old_root = root_;
    const Path dropped = MountTable::unhook(*new_root.mount);
    RefPtr<Mount> next(new_root.mount);
    MountTable::table().with([&](MountTable::Nothing&) { root_.swap(next); });
    const RefPtr<Mount> moved = MountTable::leave_namespace(*this, *old_root);
    MountTable::attach(*this, *RefPtr<Mount>(moved).release(), put_old);
    return {};
}

Result<RefPtr<MountNamespace>> MountNamespace::clone(CopyVisitor& visitor) {
    LockGuard guard(MountTable::tree());
    RefPtr<MountNamespace> copy = TRY(create_at(RefPtr<FileSystem>(root_->filesystem()), RefPtr<Dentry>(root_->root()),
                                                root_->source(), root_->flags()));
    visitor.copied(*root_, *copy->root_);
    TRY(copy->copy_children(*root_, *copy->root_, nullptr, &visitor));
    return copy;
}

Result<MountDescription> MountNamespace::describe(std::size_t index) {
    MountDescription description;
    MountTable::table().with([&](MountTable::Nothing&) {
        for (Mount& mount : mounts_) {
            if (index-- == 0) {
                description.mount = RefPtr<Mount>(mount);
                description.where = Path(mount.parent_, mount.mountpoint_);
                description.parent_id = mount.parent_ ? mount.parent_->id() : mount.id();
                break;
            }
        }
    });
    if (!description.mount) {
        return Error::NotFound;
    }
    return description;
}

}  // namespace kernel::vfs
