// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/vfs/fs/hostfs/host_inode.h"

#include <utility>

#include "core/mm/frame.h"
#include "lib/bytes.h"
#include "platform/clock.h"

namespace kernel::vfs::hostfs {

using platform::HostFileStatus;
using platform::HostFileType;

namespace {

FileType type_of(HostFileType type) {
    switch (type) {
        case HostFileType::Regular:
            return FileType::Regular;
        case HostFileType::Directory:
            return FileType::Directory;
        case HostFileType::Symlink:
            return FileType::Symlink;
        case HostFileType::Other:
            break;
    }
    // FIFOs, sockets and devices of the host can be seen and not opened, which is what a socket's node is.
    return FileType::Socket;
}

std::uint32_t mapped(std::uint32_t id, const std::optional<IdMap>& map) {
    return map && map->from == id ? map->to : id;
}

// Times on the host move in steps; a change within one step of the last look may leave them as they were.
constexpr std::int64_t kTimeStepNs = 20'000'000;

}  // namespace

HostInode::HostInode(HostFs& filesystem, OwnPtr<platform::HostFile> file, const HostFileStatus& status)
    : Inode(filesystem, type_of(status.type)),
      file_(std::move(file)),
      identity_{.device = status.device, .inode = status.inode} {
    known_.unguarded().status = status;
    known_.unguarded().believed_until_ns = platform::monotonic_ns() + filesystem.host_options().believed_ns;
}

HostInode::~HostInode() {
    hostfs().forget(*this);
    if (const RefPtr<mm::PagedObject>& object = object_.unguarded(); object) {
        object->detach_pager();
    }
}

HostFs& HostInode::hostfs() const {
    return static_cast<HostFs&>(filesystem());
}

Result<HostFileStatus> HostInode::current() {
    const std::uint64_t now = platform::monotonic_ns();
    HostFileStatus status{};
    const bool believed = known_.with([&](const Known& known) {
        status = known.status;
        return now < known.believed_until_ns;
    });
    if (believed) {
        return status;
    }
    const Result<HostFileStatus> fresh = refresh(Change::Outside);
    return !fresh && fresh.error() == Error::StaleHandle ? keep_known() : fresh;
}

// A file that the host has removed keeps what was known of it: to the guest it is one that was unlinked while in use,
// until its directory is asked again.
Result<HostFileStatus> HostInode::keep_known() {
    const std::uint64_t until = platform::monotonic_ns() + hostfs().host_options().believed_ns;
    return known_.with([&](Known& known) {
        known.believed_until_ns = until;
        return known.status;
    });
}

Result<HostFileStatus> HostInode::refresh(Change change) {
    const HostFileStatus status = TRY(file_->status());
    const std::uint64_t now = platform::monotonic_ns();
    const bool just_now = static_cast<std::int64_t>(platform::realtime_ns()) - status.change_ns < kTimeStepNs;
    known_.with([&](Known& known) {
        const bool changed = known.status.modify_ns != status.modify_ns || known.status.change_ns != status.change_ns ||
                             known.status.size_bytes != status.size_bytes || known.changed_just_now;
        known.status = status;
        known.believed_until_ns = now + hostfs().host_options().believed_ns;
        known.changed_just_now = just_now;
        known.stamp += changed ? 1 : 0;
        known.contents_changed = known.contents_changed || (changed && change == Change::Outside);
    });
    return status;
}

// Cached pages that the host has changed since are dropped here and not when that is noticed, because then locks may be
// held.
void HostInode::drop_changed_contents() {
    std::uint64_t size_bytes = 0;
    const bool changed = known_.with([&](Known& known) {
        size_bytes = known.status.size_bytes;
        return std::exchange(known.contents_changed, false);
    });
    if (!changed) {
        return;
    }
    const RefPtr<mm::PagedObject> object = object_.with([](const RefPtr<mm::PagedObject>& known) { return known; });
    if (!object) {
        return;
    }
    object->drop_clean({0, UINT64_MAX});
    if (object->size_bytes() != size_bytes) {
        object->resize(size_bytes);
    }
}

Result<> HostInode::note_own_change() {
    TRY(refresh(Change::Own));
    return {};
}

Result<Status> HostInode::status() {
    const HostFileStatus host = TRY(current());
    const Options& options = hostfs().host_options();
    return Status{.type = type(),
                  .permissions = host.permissions,
                  .user = mapped(host.uid, options.user),
                  .group = mapped(host.gid, options.group),
                  .links = host.links,
                  .device = filesystem().device(),
                  .inode = hostfs().number_of(identity_),
                  .size_bytes = host.size_bytes,
                  .blocks_512 = host.blocks_512,
                  .access_ns = host.access_ns,
                  .modify_ns = host.modify_ns,
                  .change_ns = host.change_ns,
                  .birth_ns = host.change_ns};
}

std::uint64_t HostInode::names_stamp() {
    // Of a directory that cannot be looked at no name is good.
    static constinit std::atomic<std::uint64_t> never_again = UINT64_MAX;
    if (!current()) {
        return never_again.fetch_sub(1, std::memory_order_relaxed);
    }
    return known_.with([](const Known& known) { return known.stamp; });
}

Result<RefPtr<Inode>> HostInode::lookup(std::string_view name) {
    if (!is_directory()) {
        return Error::NotDirectory;
    }
    Result<OwnPtr<platform::HostFile>> found = file_->lookup(name);
    if (!found && found.error() == Error::StaleHandle) {
        return Error::NotFound;
    }
    return TRY(hostfs().inode_for(TRY(std::move(found))));
}

// Adapts the platform's visitor and leaves out what is hidden.
class HostInode::Lister {
public:
    Lister(HostInode& directory, DirectoryVisitor& visitor) : directory_(directory), visitor_(visitor) {}
    static bool visit(void* context, const platform::HostDirectoryEntry& entry) {
        return static_cast<Lister*>(context)->accept(entry);
    }

private:
    bool accept(const platform::HostDirectoryEntry& entry) {
        HostFs& filesystem = directory_.hostfs();
        if (filesystem.host_options().hide_unreadable) {
            Result<OwnPtr<platform::HostFile>> file = directory_.file_->lookup(entry.name);
            if (!file) {
                return true;
            }
            const Result<HostFileStatus> status = (*file)->status();
            if (!status || filesystem.hides(*status)) {
                return true;
            }
        }
        const HostIdentity identity{.device = directory_.identity_.device, .inode = entry.inode};
        return visitor_.accept({.name = entry.name,
                                .inode = filesystem.number_of(identity),
                                .type = type_of(entry.type),
                                .next_position = 0});
    }

    HostInode& directory_;
    DirectoryVisitor& visitor_;
};

Result<> HostInode::list(std::uint64_t, DirectoryVisitor& visitor) {
    if (!is_directory()) {
        return Error::NotDirectory;
    }
    Lister lister(*this, visitor);
    std::uint64_t position = 0;
    return file_->list(position, &Lister::visit, &lister);
}

Result<String> HostInode::read_link() {
    if (!is_symlink()) {
        return Error::InvalidArgument;
    }
    String target;
    TRY(target.resize(kMaxPathBytes));
    const std::size_t bytes = TRY(file_->read_link(std::as_writable_bytes(std::span(target.data(), target.size()))));
    target.truncate(bytes);
    return target;
}

// The file as it is now, and whether the host lets us read it.
Result<> HostInode::prepare_open(OpenFlags flags) {
    if (!is_regular()) {
        return {};
    }
    TRY(refresh(Change::Outside));
    drop_changed_contents();
    if (has(flags, OpenFlags::Read)) {
        TRY(file_->read_at(0, {}));
    }
    return {};
}

Result<RefPtr<File>> HostInode::open(OpenRequest&& request) {
    switch (type()) {
        case FileType::Regular:
            break;
        case FileType::Directory:
            return Inode::open(std::move(request));
        default:
            return Error::NoDevice;
    }
    return make_ref<HostRegularFile>(std::move(request));
}

Result<RefPtr<mm::MemoryObject>> HostInode::memory_object() {
    if (!is_regular()) {
        return Error::NotSupportedByDevice;
    }
    drop_changed_contents();
    const auto get = [](RefPtr<mm::PagedObject>& known) { return known; };
    if (RefPtr<mm::PagedObject> existing = object_.with(get); existing) {
        return RefPtr<mm::MemoryObject>(std::move(existing));
    }
    const HostFileStatus host = TRY(current());
    RefPtr<mm::PagedObject> fresh = TRY(mm::PagedObject::create(*this, host.size_bytes));
    RefPtr<mm::PagedObject> chosen = object_.with([&](RefPtr<mm::PagedObject>& known) {
        if (!known) {
            known = fresh;
        }
        return known;
    });
    if (chosen != fresh) {
        fresh->detach_pager();
    }
    return RefPtr<mm::MemoryObject>(std::move(chosen));
}

Result<> HostInode::read_pages(std::uint64_t first_page, std::span<const FrameNumber> frames) {
    std::uint64_t offset = first_page << kPageShift;
    for (std::size_t i = 0; i < frames.size();) {
        std::size_t run = 1;
        while (i + run < frames.size() && frames[i + run] == frames[i] + run) {
            ++run;
        }
        const std::span<std::byte> bytes(platform::frame_pointer(frames[i]), run << kPageShift);
        std::size_t filled = 0;
        while (filled < bytes.size()) {
            const std::size_t count = TRY(file_->read_at(offset + filled, bytes.subspan(filled)));
            if (count == 0) {
                break;
            }
            filled += count;
        }
        zero(bytes.subspan(filled));
        offset += bytes.size();
        i += run;
    }
    return {};
}

Result<> HostInode::write_pages(std::uint64_t first_page, std::span<const FrameNumber> frames, std::uint64_t bytes) {
    std::uint64_t offset = first_page << kPageShift;
    for (const FrameNumber frame : frames) {
        const std::uint64_t here = bytes < kPageSize ? bytes : kPageSize;
        std::span<const std::byte> rest = mm::frame_bytes(frame).first(here);
        while (!rest.empty()) {
            const std::size_t count = TRY(file_->write_at(offset, rest));
            if (count == 0) {
                return Error::Io;
            }
            rest = rest.subspan(count);
            offset += count;
        }
        bytes -= here;
    }
    return {};
}

Result<> HostInode::sync() {
    const RefPtr<mm::PagedObject> object = object_.with([](const RefPtr<mm::PagedObject>& known) { return known; });
    if (!hostfs().host_options().writable) {
        return {};
    }
    if (object) {
        TRY(object->write_back());
        TRY(note_own_change());
    }
    return file_->sync();
}

Result<RefPtr<mm::MemoryObject>> HostRegularFile::memory_object() {
    if (is_writable()) {
        TRY(static_cast<HostFs&>(inode()->filesystem()).remember_dirty(host_inode()));
    }
    return inode()->memory_object();
}

Result<> HostRegularFile::flush() {
    if (!is_writable()) {
        return {};
    }
    TRY(TRY(inode()->memory_object())->write_back({0, UINT64_MAX}));
    return host_inode().note_own_change();
}

Result<> HostRegularFile::written(mm::MemoryObject& object, std::uint64_t offset, std::size_t bytes) {
    if (bytes == 0) {
        return {};
    }
    const std::uint64_t first = offset >> kPageShift;
    const std::uint64_t last = (offset + bytes - 1) >> kPageShift;
    TRY(object.write_back({first, last - first + 1}));
    TRY(host_inode().note_own_change());
    return RegularFile::written(object, offset, bytes);
}

}  // namespace kernel::vfs::hostfs
