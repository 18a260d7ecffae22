// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/vfs/directory_file.h"

#include "core/mm/io_buffer.h"
#include "services/vfs/mount.h"

namespace kernel::vfs {
namespace {

// Moves the position with what the caller's visitor accepts.
class Follower final : public DirectoryVisitor {
public:
    Follower(DirectoryVisitor& visitor, std::uint64_t position) : visitor_(visitor), position_(position) {}
    bool accept(const DirectoryEntry& entry) override {
        if (!visitor_.accept(entry)) {
            return false;
        }
        position_ = entry.next_position;
        return true;
    }
    std::uint64_t position() const { return position_; }

private:
    DirectoryVisitor& visitor_;
    std::uint64_t position_;
};

}  // namespace

class DirectorySnapshot::Collector final : public DirectoryVisitor {
public:
    explicit Collector(DirectorySnapshot& snapshot) : snapshot_(snapshot) {}
    bool accept(const DirectoryEntry& entry) override {
        result_ = add(entry);
        return result_.has_value();
    }
    Result<> result() const { return result_; }

private:
    Result<> add(const DirectoryEntry& entry) {
        const std::size_t offset = snapshot_.names_.size();
        TRY(snapshot_.names_.append(entry.name));
        return snapshot_.entries_.push_back(
            Entry{.name_offset = offset, .name_bytes = entry.name.size(), .inode = entry.inode, .type = entry.type});
    }

    DirectorySnapshot& snapshot_;
    Result<> result_;
};

Result<OwnPtr<DirectorySnapshot>> DirectorySnapshot::take(Inode& directory) {
    OwnPtr<DirectorySnapshot> snapshot = TRY(make_own<DirectorySnapshot>());
    Collector collector(*snapshot);
    TRY(directory.list(kFirstEntryPosition, collector));
    TRY(collector.result());
    return snapshot;
}

void DirectorySnapshot::list(std::uint64_t position, DirectoryVisitor& visitor) const {
    for (std::uint64_t index = position - kFirstEntryPosition; index < entries_.size(); ++index) {
        const Entry& entry = entries_[index];
        if (!visitor.accept({.name = names_.view().substr(entry.name_offset, entry.name_bytes),
                             .inode = entry.inode,
                             .type = entry.type,
                             .next_position = kFirstEntryPosition + index + 1})) {
            return;
        }
    }
}

Result<> DirectoryFile::list_entries(std::uint64_t position, DirectoryVisitor& visitor) {
    if (!inode()->lists_whole()) {
        return inode()->list(position, visitor);
    }
    // A listing from the beginning is a new one (rewinddir(3)).
    if (position == kFirstEntryPosition || !snapshot_) {
        snapshot_.reset();
        snapshot_ = TRY(DirectorySnapshot::take(*inode()));
    }
    snapshot_->list(position, visitor);
    return {};
}

Result<std::uint64_t> DirectoryFile::seek(std::int64_t offset, SeekFrom from) {
    if (from != SeekFrom::Start && from != SeekFrom::Current) {
        return Error::InvalidArgument;
    }
    return File::seek(offset, from);
}

Result<std::uint64_t> DirectoryFile::parent_number() const {
    Path place = path();
    while (place.dentry == &place.mount->root()) {
        if (!mounts::cross_up_once(place)) {
            return TRY(place.inode().status()).inode;
        }
    }
    const RefPtr<Dentry> parent = dentries::parent_of(*place.dentry);
    return TRY(parent->inode()->status()).inode;
}

Result<> DirectoryFile::list(DirectoryVisitor& visitor) {
    const Turn::Holder turn(position_turn());
    if (inode()->is_dead()) {
        return Error::NotFound;
    }
    std::uint64_t place = position();
    if (place == 0) {
        const Status own = TRY(inode()->status());
        if (!visitor.accept({".", own.inode, FileType::Directory, 1})) {
            return {};
        }
        place = 1;
        set_position(place);
    }
    if (place == 1) {
        if (!visitor.accept({"..", TRY(parent_number()), FileType::Directory, kFirstEntryPosition})) {
            return {};
        }
        place = kFirstEntryPosition;
        set_position(place);
    }
    Follower follower(visitor, place);
    const Result<> listed = list_entries(place, follower);
    set_position(follower.position());
    note_read();
    return listed;
}

Result<> DirectoryFile::sync(bool) {
    return inode()->sync();
}

}  // namespace kernel::vfs
