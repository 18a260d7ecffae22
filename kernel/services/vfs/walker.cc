// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/vfs/walker.h"

#include "lib/guarded.h"
#include "services/vfs/access_time.h"
#include "services/vfs/filesystem.h"
#include "services/vfs/mount.h"
#include "services/vfs/permission.h"
#include "services/vfs/walk.h"

namespace kernel::vfs {
namespace {

void skip_slashes(std::string_view& text) {
    const std::size_t first = text.find_first_not_of('/');
    text.remove_prefix(first == text.npos ? text.size() : first);
}

bool is_good(Dentry& directory, Dentry& entry) {
    Inode& inode = *directory.inode();
    return !inode.filesystem().revalidates() || entry.is_mountpoint() ||
           inode.still_valid(entry.inode(), entry.stamp());
}

}  // namespace

Result<RefPtr<Dentry>> look_up(Dentry& directory, std::string_view name) {
    if (RefPtr<Dentry> dentry = dentries::find(directory, name); dentry && is_good(directory, *dentry)) {
        return dentry;
    }
    LockGuard guard(directory.inode()->directory_lock());
    return look_up_locked(directory, name);
}

Result<RefPtr<Dentry>> look_up_locked(Dentry& directory, std::string_view name) {
    if (name.size() > kMaxNameBytes) {
        return Error::NameTooLong;
    }
    RefPtr<Dentry> known = dentries::find(directory, name);
    if (known && is_good(directory, *known)) {
        return known;
    }
    Inode& inode = *directory.inode();
    if (inode.is_dead()) {
        return dentries::insert(directory, name, {}, 0, false);
    }
    // Taken before the lookup: a change between the two makes the entry too old, not too young.
    const std::uint64_t stamp = inode.names_stamp();
    Result<RefPtr<Inode>> found = inode.lookup(name);
    if (!found && found.error() != Error::NotFound) {
        return found.error();
    }
    RefPtr<Inode> child = found ? std::move(*found) : RefPtr<Inode>();
    if (known && known->inode() == child.get()) {
        known->set_stamp(stamp);
        return known;
    }
    return dentries::insert(directory, name, std::move(child), stamp);
}

Walk::Walk(const WalkContext& context, WalkFlags flags) : context_(context), flags_(flags) {}

Result<> Walk::begin(std::string_view path) {
    if (path.size() >= kMaxPathBytes) {
        return Error::NameTooLong;
    }
    if (path.empty()) {
        return Error::NotFound;
    }
    if (path.front() == '/') {
        if (has(flags_, WalkFlags::Beneath)) {
            return Error::CrossDevice;
        }
        current_ = root();
    } else {
        current_ = context_.start;
        if (!current_.inode().is_directory()) {
            return Error::NotDirectory;
        }
    }
    return segments_.push_back(Segment{.text = {}, .rest = path});
}

// False when nothing is left but, perhaps, slashes.
bool Walk::drop_finished_segments() {
    while (!segments_.empty()) {
        skip_slashes(top().rest);
        if (!top().rest.empty()) {
            return true;
        }
        segments_.pop_back();
    }
    return false;
}

bool Walk::more_components() const {
    for (const Segment& segment : segments_) {
        if (segment.rest.find_first_not_of('/') != segment.rest.npos) {
            return true;
        }
    }
    return false;
}

// path_resolution(7), step 2.
Result<> Walk::check_searchable() {
    Inode& inode = current_.inode();
    if (!inode.is_directory()) {
        return Error::NotDirectory;
    }
    return check_permission(inode, Wanted::Execute, *context_.credentials);
}

Result<> Walk::to_last() {
    while (true) {
        if (!drop_finished_segments()) {
            last_ = LastComponent::Root;
            must_be_directory_ = true;
            return {};
        }
        TRY(check_searchable());
        std::string_view& rest = top().rest;
        const std::string_view component = rest.substr(0, rest.find('/'));
        rest.remove_prefix(component.size());
        if (!more_components()) {
            // All behind it is slashes. Those of outer segments were noticed when their link was the last component.
            must_be_directory_ = must_be_directory_ || !rest.empty();
            name_ = component;
            last_ = component == "." ? LastComponent::Dot
                                     : (component == ".." ? LastComponent::DotDot : LastComponent::Name);
            return {};
        }
        TRY(step(component));
    }
}

Result<> Walk::step(std::string_view component) {
    if (component == ".") {
        return {};
    }
    if (component == "..") {
        return go_up();
    }
    Path next = TRY(child(component));
    if (next.inode().is_symlink()) {
        TRY(follow(next));
    } else {
        current_ = std::move(next);
    }
    return {};
}

Result<> Walk::go_up() {
    if (current_ == root()) {
        return {};
    }
    if (has(flags_, WalkFlags::Beneath) && current_ == context_.start) {
        return Error::CrossDevice;
    }
    Path place = current_;
    while (place.dentry == &place.mount->root()) {
        if (!mounts::cross_up_once(place)) {
            return {};
        }
        if (has(flags_, WalkFlags::NoMountCrossing)) {
            return Error::CrossDevice;
        }
        if (place == root()) {
            current_ = mounts::cross_down(std::move(place));
            return {};
        }
    }
    RefPtr<Dentry> parent = dentries::parent_of(*place.dentry);
    // A directory that was moved out of a bind mount's part of the tree has no way up (Linux: path_connected).
    if (!place.mount->root().is_root() && !dentries::is_within(*parent, place.mount->root())) {
        return Error::NotFound;
    }
    place.dentry = std::move(parent);
    current_ = mounts::cross_down(std::move(place));
    return {};
}

Result<Path> Walk::child(std::string_view component) {
    RefPtr<Dentry> dentry = TRY(look_up(*current_.dentry, component));
    if (dentry->is_negative()) {
        return Error::NotFound;
    }
    Path next(current_.mount, std::move(dentry));
    if (next.dentry->is_mountpoint()) {
        next = mounts::cross_down(std::move(next));
        if (has(flags_, WalkFlags::NoMountCrossing) && next.mount != current_.mount) {
            return Error::CrossDevice;
        }
    }
    return next;
}

// True: a further segment is to be walked. False: the link led straight to current_.
Result<bool> Walk::follow(const Path& link) {
    if (links_++ >= kMaxSymlinks || has(flags_, WalkFlags::NoSymlinks)) {
        return Error::SymlinkLoop;
    }
    Inode& inode = link.inode();
    if (inode.is_magic_link()) {
        if (has(flags_, WalkFlags::NoMagicLinks)) {
            return Error::SymlinkLoop;
        }
        if (has(flags_, WalkFlags::Beneath) || confined()) {
            return Error::CrossDevice;
        }
        current_ = TRY(inode.follow_magic_link());
        return false;
    }
    String text = TRY(inode.read_link());
    if (text.empty()) {
        return Error::NotFound;
    }
    touch_access(link);
    if (text[0] == '/') {
        if (has(flags_, WalkFlags::Beneath)) {
            return Error::CrossDevice;
        }
        if (has(flags_, WalkFlags::NoMountCrossing) && root().mount != current_.mount) {
            return Error::CrossDevice;
        }
        current_ = root();
    }
    TRY(segments_.push_back(Segment{.text = std::move(text), .rest = {}}));
    top().rest = top().text.view();
    return true;
}

Result<Path> Walk::enter_last() {
    return child(name_);
}

Result<Path> Walk::enter_special_last() {
    if (last_ == LastComponent::DotDot) {
        TRY(go_up());
    }
    return current_;
}

Result<bool> Walk::follow_last(const Path& link) {
    return follow(link);
}

Result<Path> Walk::finish() {
    while (true) {
        TRY(to_last());
        const bool must_be_directory = must_be_directory_ || has(flags_, WalkFlags::Directory);
        Path result;
        if (last_ != LastComponent::Name) {
            result = TRY(enter_special_last());
        } else {
            result = TRY(enter_last());
            if (result.inode().is_symlink() && (must_be_directory_ || !has(flags_, WalkFlags::NoFollow))) {
                if (TRY(follow(result))) {
                    continue;
                }
                result = current_;
            }
        }
        if (must_be_directory && !result.inode().is_directory()) {
            return Error::NotDirectory;
        }
        return result;
    }
}

Result<Path> resolve(const WalkContext& context, std::string_view path, WalkFlags flags) {
    if (path.empty() && has(flags, WalkFlags::EmptyPath)) {
        return context.start;
    }
    Walk walk(context, flags);
    TRY(walk.begin(path));
    return walk.finish();
}

Result<ParentWalk> resolve_parent(const WalkContext& context, std::string_view path, WalkFlags flags) {
    Walk walk(context, flags);
    TRY(walk.begin(path));
    TRY(walk.to_last());
    ParentWalk result{
        .directory = walk.directory(), .last = walk.last(), .name = {}, .trailing_slash = walk.trailing_slash()};
    if (walk.last() == LastComponent::Name) {
        result.name = decltype(result.name)::truncated(walk.name());
    }
    return result;
}

}  // namespace kernel::vfs
