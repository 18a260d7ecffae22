// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/vfs/fs/initramfs/initramfs.h"

#include "core/mm/memory_object.h"
#include "lib/bytes.h"
#include "lib/hash_map.h"
#include "lib/vector.h"
#include "services/vfs/fs/initramfs/cpio.h"

namespace kernel::vfs::initramfs {
namespace {

struct FileKey {
    std::uint32_t major = 0;
    std::uint32_t minor = 0;
    std::uint32_t inode = 0;
    bool operator==(const FileKey&) const = default;
};
std::uint64_t hash_value(const FileKey& key) {
    return combine_hashes(combine_hashes(key.major, key.minor), key.inode);
}

class Unpacker {
public:
    explicit Unpacker(Inode& root) : root_(root) {}
    Result<> add(const CpioEntry& entry);
    // Times of directories, which filling them has changed.
    Result<> finish();
    const Statistics& statistics() const { return statistics_; }

private:
    struct Place {
        RefPtr<Inode> directory;
        std::string_view name;  // empty: the root itself
    };
    Result<Place> find_place(std::string_view path);
    Result<RefPtr<Inode>> make(const Place& place, const CpioEntry& entry);
    Result<> make_room(const Place& place, FileType type);
    Result<> fill(Inode& inode, const CpioEntry& entry);

    Inode& root_;
    // Files with several names; the contents come with any of them.
    HashMap<FileKey, RefPtr<Inode>> linked_;
    struct DirectoryTime {
        RefPtr<Inode> directory;
        std::int64_t modify_ns;
    };
    Vector<DirectoryTime> directories_;
    Statistics statistics_;
};

// The directory of the last component. Directories on the way must be there, as cpio(1) writes them.
Result<Unpacker::Place> Unpacker::find_place(std::string_view path) {
    Place place{.directory = RefPtr<Inode>(root_), .name = {}};
    while (true) {
        const std::size_t start = path.find_first_not_of('/');
        if (start == path.npos) {
            return place;
        }
        path.remove_prefix(start);
        const std::string_view component = path.substr(0, path.find('/'));
        path.remove_prefix(component.size());
        if (component == ".") {
            continue;
        }
        if (component == ".." || component.size() > kMaxNameBytes) {
            return Error::InvalidArgument;
        }
        if (!place.name.empty()) {
            Result<RefPtr<Inode>> next = place.directory->lookup(place.name);
            if (!next || !(*next)->is_directory()) {
                return Error::InvalidArgument;
            }
            place.directory = std::move(*next);
        }
        place.name = component;
    }
}

Result<> Unpacker::make_room(const Place& place, FileType type) {
    Result<RefPtr<Inode>> existing = place.directory->lookup(place.name);
    if (!existing) {
        return existing.error() == Error::NotFound ? Result<>() : existing.error();
    }
    if (type == FileType::Directory && (*existing)->is_directory()) {
        return {};
    }
    return place.directory->unlink(place.name, **existing);
}

Result<RefPtr<Inode>> Unpacker::make(const Place& place, const CpioEntry& entry) {
    const auto type = static_cast<FileType>((entry.mode >> 12) & 0xf);
    if (place.name.empty()) {
        return type == FileType::Directory ? Result<RefPtr<Inode>>(RefPtr<Inode>(root_)) : Error::InvalidArgument;
    }
    const FileKey key{.major = entry.device_major, .minor = entry.device_minor, .inode = entry.inode};
    const bool has_links = entry.links > 1 && type != FileType::Directory;
    TRY(make_room(place, type));
    if (const RefPtr<Inode>* first = has_links ? linked_.find(key) : nullptr; first != nullptr) {
        RefPtr<Inode> inode = *first;
        if (inode->type() != type) {
            return Error::InvalidArgument;
        }
        TRY(place.directory->link(place.name, *inode));
        return inode;
    }
    if (type == FileType::Directory) {
        if (Result<RefPtr<Inode>> existing = place.directory->lookup(place.name); existing) {
            return existing;
        }
    }
    RefPtr<Inode> inode = TRY(place.directory->create(
        place.name, NewInode{.type = type,
                             .permissions = entry.mode & kPermissionMask,
                             .user = entry.user,
                             .group = entry.group,
                             .device = {.major = entry.special_major, .minor = entry.special_minor},
                             .target = type == FileType::Symlink ? as_text(entry.data) : std::string_view()}));
    if (has_links) {
        TRY(linked_.insert(key, inode));
    }
    return inode;
}

Result<> Unpacker::fill(Inode& inode, const CpioEntry& entry) {
    if (inode.is_regular() && !entry.data.empty()) {
        const RefPtr<mm::MemoryObject> object = TRY(inode.memory_object());
        object->resize(0);
        std::size_t done = 0;
        while (done < entry.data.size()) {
            done += TRY(object->write(done, entry.data.subspan(done)));
        }
        statistics_.file_bytes += done;
    }
    const std::int64_t modify_ns = std::int64_t{entry.modify_s} * 1'000'000'000;
    if (inode.is_directory()) {
        TRY(directories_.push_back({RefPtr<Inode>(inode), modify_ns}));
    }
    return inode.change_status(StatusChange{.permissions = entry.mode & kPermissionMask,
                                            .user = entry.user,
                                            .group = entry.group,
                                            .access_ns = modify_ns,
                                            .modify_ns = modify_ns});
}

Result<> Unpacker::add(const CpioEntry& entry) {
    switch (static_cast<FileType>((entry.mode >> 12) & 0xf)) {
        case FileType::Regular:
        case FileType::Directory:
        case FileType::CharacterDevice:
        case FileType::BlockDevice:
        case FileType::Fifo:
        case FileType::Socket:
            break;
        case FileType::Symlink:
            if (entry.data.empty() || entry.data.size() >= kMaxPathBytes ||
                as_text(entry.data).find('\0') != std::string_view::npos) {
                return Error::InvalidArgument;
            }
            break;
        default:
            return Error::InvalidArgument;
    }
    const Place place = TRY(find_place(entry.name));
    const RefPtr<Inode> inode = TRY(make(place, entry));
    TRY(fill(*inode, entry));
    ++statistics_.entries;
    return {};
}

Result<> Unpacker::finish() {
    for (const DirectoryTime& time : directories_) {
        TRY(time.directory->change_status(StatusChange{.access_ns = time.modify_ns, .modify_ns = time.modify_ns}));
    }
    return {};
}

}  // namespace

Result<Statistics> unpack(std::span<const std::byte> archive, Inode& root) {
    CpioReader reader(archive);
    Unpacker unpacker(root);
    while (true) {
        const std::optional<CpioEntry> entry = TRY(reader.next());
        if (!entry) {
            TRY(unpacker.finish());
            return unpacker.statistics();
        }
        TRY(unpacker.add(*entry));
    }
}

}  // namespace kernel::vfs::initramfs
