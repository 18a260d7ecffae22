// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/vfs/file.h"

#include <limits>

#include "core/mm/io_buffer.h"
#include "core/mm/memory_object.h"
#include "services/vfs/access_time.h"
#include "services/vfs/file_locks.h"
#include "services/vfs/watch.h"

namespace kernel::vfs {
namespace {

constexpr std::uint64_t kMaxPosition = std::numeric_limits<std::int64_t>::max();

// O_PATH: a place, nothing more.
class PathFile final : public File {
public:
    explicit PathFile(OpenRequest&& request) : File(std::move(request)) {}

private:
    friend class kernel::ObjectMaker;
    bool is_stream() const override { return true; }
};

}  // namespace

File::File(OpenRequest&& request)
    : path_(std::move(request.path)),
      inode_(path_.dentry ? RefPtr<Inode>(path_.dentry->inode()) : RefPtr<Inode>()),
      credentials_(std::move(request.credentials)),
      flags_(request.flags & ~(OpenFlags::Create | OpenFlags::Exclusive | OpenFlags::Truncate)) {}

File::~File() {
    report(1, is_writable() ? FileEvents::CloseWrite : FileEvents::CloseNoWrite);
    if (FileLocks* const locks = inode_ ? inode_->existing_locks() : nullptr; locks != nullptr) {
        locks->release_file(*this);
    }
    if (counted_writer_) {
        inode_->end_writing();
    }
}

void File::add_observer(FileObserver& observer) {
    observers_.with([&](ObserverList& list) { list.push_back(observer); });
}

void File::remove_observer(FileObserver& observer) {
    observers_.with([&](ObserverList& list) { list.remove(observer); });
}

void File::last_reference_dropped() {
    const auto first = [](ObserverList& list) { return RefPtr<FileObserver>(list.front()); };
    while (const RefPtr<FileObserver> observer = observers_.with(first)) {
        observer->file_released();
    }
    Object::last_reference_dropped();
}

void File::handle_closed(const object::HandleTable& table) {
    if (FileLocks* const locks = inode_ ? inode_->existing_locks() : nullptr; locks != nullptr) {
        locks->release_owner(LockOwner::process(table));
    }
}

void File::change_flags(OpenFlags value, OpenFlags mask) {
    mask = mask & kChangeableFlags;
    OpenFlags current = flags_.load(std::memory_order_relaxed);
    while (!flags_.compare_exchange_weak(current, (current & ~mask) | (value & mask), std::memory_order_acq_rel)) {
    }
}

void File::report(std::size_t count, FileEvents events) const {
    if (count != 0 && path_ && !is_path_only()) {
        Watches::report(path_, events);
    }
}

Result<std::size_t> File::read(mm::IoBuffer& to) {
    if (!is_readable()) {
        return Error::BadHandle;
    }
    if (is_stream()) {
        const std::size_t count = TRY(do_read(to, 0));
        report(count, FileEvents::Access);
        return count;
    }
    const Turn::Holder turn(position_turn_);
    const std::uint64_t offset = position();
    const std::size_t count = TRY(do_read(to, offset));
    set_position(offset + count);
    report(count, FileEvents::Access);
    return count;
}

Result<std::size_t> File::write(mm::IoBuffer& from, WriteOrder order) {
    if (!is_writable()) {
        return Error::BadHandle;
    }
    if (is_stream()) {
        std::uint64_t offset = 0;
        const std::size_t count = TRY(do_write(from, offset, WriteOrder::AtOffset));
        report(count, FileEvents::Modify);
        return count;
    }
    const Turn::Holder turn(position_turn_);
    std::uint64_t offset = position();
    order = has(flags(), OpenFlags::Append) ? WriteOrder::Append : order;
    const std::size_t count = TRY(do_write(from, offset, order));
    if (count != 0) {
        set_position(offset + count);
    }
    report(count, FileEvents::Modify);
    return count;
}

Result<std::size_t> File::read_at(mm::IoBuffer& to, std::uint64_t offset) {
    if (is_path_only()) {
        return Error::BadHandle;
    }
    if (is_stream()) {
        return Error::IllegalSeek;
    }
    if (!is_readable()) {
        return Error::BadHandle;
    }
    if (offset > kMaxPosition) {
        return Error::InvalidArgument;
    }
    const std::size_t count = TRY(do_read(to, offset));
    report(count, FileEvents::Access);
    return count;
}

Result<std::size_t> File::write_at(mm::IoBuffer& from, std::uint64_t offset, WriteOrder order) {
    if (is_path_only()) {
        return Error::BadHandle;
    }
    if (is_stream()) {
        return Error::IllegalSeek;
    }
    if (!is_writable()) {
        return Error::BadHandle;
    }
    if (offset > kMaxPosition) {
        return Error::InvalidArgument;
    }
    const std::size_t count = TRY(do_write(from, offset, has(flags(), OpenFlags::Append) ? WriteOrder::Append : order));
    report(count, FileEvents::Modify);
    return count;
}

Result<Path> File::link_path() {
    if (!path_) {
        return Error::NotFound;
    }
    return path_;
}

Result<std::uint64_t> File::seek(std::int64_t offset, SeekFrom from) {
    if (is_path_only()) {
        return Error::BadHandle;
    }
    if (is_stream()) {
        return Error::IllegalSeek;
    }
    const Turn::Holder turn(position_turn_);
    std::int64_t base = 0;
    switch (from) {
        case SeekFrom::Start:
            break;
        case SeekFrom::Current:
            base = static_cast<std::int64_t>(position());
            break;
        case SeekFrom::End:
            base = static_cast<std::int64_t>(TRY(end_position()));
            break;
        case SeekFrom::Data:
        case SeekFrom::Hole: {
            if (offset < 0) {
                return Error::NoDevice;
            }
            const auto found = TRY(seek_hole(static_cast<std::uint64_t>(offset), from == SeekFrom::Data));
            if (!found) {
                return Error::NoDevice;
            }
            set_position(*found);
            return position();
        }
    }
    std::int64_t target = 0;
    if (__builtin_add_overflow(base, offset, &target)) {
        return Error::Overflow;
    }
    if (target < 0) {
        return Error::InvalidArgument;
    }
    set_position(static_cast<std::uint64_t>(target));
    return static_cast<std::uint64_t>(target);
}

// Without a memory object the whole file is data, with the hole that every file has at its end (lseek(2)).
Result<std::optional<std::uint64_t>> File::seek_hole(std::uint64_t offset, bool data) {
    const std::uint64_t end = TRY(end_position());
    return offset >= end ? std::nullopt : std::optional(data ? offset : end);
}

Result<> File::list(DirectoryVisitor&) {
    return is_path_only() ? Error::BadHandle : Error::NotDirectory;
}

Result<PollEvents> File::poll(PollRegistrar*) {
    return kAlwaysReady;
}

Result<std::uint64_t> File::ioctl(Ioctl&) {
    return is_path_only() ? Error::BadHandle : Error::NotTerminal;
}

Result<RefPtr<mm::MemoryObject>> File::memory_object() {
    return is_path_only() ? Error::BadHandle : Error::NotSupportedByDevice;
}

Result<Status> File::status() {
    if (!inode_) {
        return Error::BadHandle;
    }
    return inode_->status();
}

Result<> File::resize(std::uint64_t) {
    return is_path_only() ? Error::BadHandle : Error::InvalidArgument;
}

Result<> File::sync(bool) {
    return is_path_only() ? Error::BadHandle : Error::InvalidArgument;
}

Result<> File::allocate(std::uint64_t, std::uint64_t, std::uint32_t) {
    return is_path_only() ? Error::BadHandle : Error::NotSupported;
}

Result<std::size_t> File::do_read(mm::IoBuffer&, std::uint64_t) {
    return inode_ && inode_->is_directory() ? Error::IsDirectory : Error::InvalidArgument;
}

Result<std::size_t> File::do_write(mm::IoBuffer&, std::uint64_t&, WriteOrder) {
    return Error::InvalidArgument;
}

Result<std::uint64_t> File::end_position() {
    return TRY(status()).size_bytes;
}

void File::note_read() {
    if (path_ && !has(flags(), OpenFlags::NoAccessTime)) {
        vfs::touch_access(path_);
    }
}

Result<RefPtr<File>> open_inode(Inode& inode, OpenRequest&& request) {
    if (has(request.flags, OpenFlags::PathOnly)) {
        return make_ref<PathFile>(std::move(request));
    }
    const bool writes = has(request.flags, OpenFlags::Write) && inode.is_regular();
    if (writes) {
        TRY(inode.begin_writing());
    }
    Result<RefPtr<File>> file = inode.open(std::move(request));
    if (!writes) {
        if (file) {
            (*file)->report(1, FileEvents::Open);
        }
        return file;
    }
    if (!file) {
        inode.end_writing();
        return file;
    }
    (*file)->counted_writer_ = true;
    (*file)->report(1, FileEvents::Open);
    return file;
}

}  // namespace kernel::vfs
