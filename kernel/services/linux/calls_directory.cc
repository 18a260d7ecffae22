// SPDX-License-Identifier: MIT OR Apache-2.0
// getdents(2), getcwd(2), chdir(2), chroot(2), sync(2).
#include "lib/own.h"
#include "lib/scope_guard.h"
#include "services/linux/file_arguments.h"
#include "services/linux/mounts.h"
#include "services/linux/syscalls.h"
#include "services/vfs/operations.h"

namespace kernel::linux_abi {
namespace {

// Records collect here, because a visitor must not touch user memory.
class RecordBuffer final : public vfs::DirectoryVisitor {
public:
    enum class Layout : bool { Old, Wide };  // of getdents and getdents64
    explicit RecordBuffer(Layout layout) : layout_(layout) {}
    // The next chunk may have as many bytes as are left for the user.
    void begin(std::size_t limit) {
        limit_ = limit < storage_.size() ? limit : storage_.size();
        used_ = 0;
        refused_ = false;
    }
    std::span<const std::byte> records() const { return std::span(storage_).first(used_); }
    // An entry came that did not fit.
    bool refused() const { return refused_; }

    bool accept(const vfs::DirectoryEntry& entry) override {
        constexpr std::size_t kAlignment = 8;
        const std::size_t header = layout_ == Layout::Wide ? sizeof(abi::Dirent64Header) : sizeof(abi::DirentHeader);
        // The name with its zero; the old layout has the type in the last byte.
        const std::size_t tail = entry.name.size() + (layout_ == Layout::Wide ? 1 : 2);
        const std::size_t bytes = align_up(header + tail, kAlignment);
        if (bytes > limit_ - used_) {
            refused_ = true;
            return false;
        }
        const std::span<std::byte> record = std::span(storage_).subspan(used_, bytes);
        zero(record);
        write_header(record, entry);
        copy_bytes(record.subspan(header), as_bytes(entry.name));
        used_ += bytes;
        return true;
    }

private:
    void write_header(std::span<std::byte> record, const vfs::DirectoryEntry& entry) const {
        const auto next_position = static_cast<std::int64_t>(entry.next_position);
        const auto record_bytes = static_cast<std::uint16_t>(record.size());
        const auto type = static_cast<std::uint8_t>(entry.type);
        if (layout_ == Layout::Wide) {
            write_unaligned(record, 0, abi::Dirent64Header{entry.inode, next_position, record_bytes, type});
        } else {
            write_unaligned(record, 0, abi::DirentHeader{entry.inode, next_position, record_bytes});
            record.back() = std::byte{type};
        }
    }

    const Layout layout_;
    std::array<std::byte, kPageSize> storage_;
    std::size_t limit_ = 0;
    std::size_t used_ = 0;
    bool refused_ = false;
};

Result<> enter_directory(Task& task, const vfs::Path& path) {
    if (!path.inode().is_directory()) {
        return Error::NotDirectory;
    }
    return vfs::check_permission(path, vfs::Wanted::Execute, *task.credentials());
}

Result<vfs::Path> directory_argument(Task& task, VirtAddr path) {
    PathArgument name;
    TRY(name.read(task, path));
    const WalkScope scope(task);
    vfs::Path found = TRY(vfs::resolve(scope.context(), name.view(), vfs::WalkFlags::Directory));
    TRY(enter_directory(task, found));
    return found;
}

Result<std::int64_t> list_into(Task& task, std::int32_t fd, VirtAddr buffer, std::uint64_t count,
                               RecordBuffer::Layout layout) {
    const std::uint64_t room = count & UINT32_MAX;  // unsigned int in the ABI
    const RefPtr<vfs::File> file = TRY(file_of(task, fd, object::Rights::Read));
    if (file->inode() == nullptr || !file->inode()->is_directory()) {
        return Error::NotDirectory;
    }
    const OwnPtr<RecordBuffer> records = TRY(make_own<RecordBuffer>(layout));
    std::uint64_t done = 0;
    while (done < room) {
        const std::uint64_t before = file->position();
        records->begin(room - done);
        TRY(file->list(*records));
        if (records->records().empty()) {
            return done == 0 && records->refused() ? Result<std::int64_t>(Error::InvalidArgument)
                                                   : Result<std::int64_t>(static_cast<std::int64_t>(done));
        }
        if (!task.space().copy_out(buffer + done, records->records())) {
            // What could not be handed over has not been read.
            (void)file->seek(static_cast<std::int64_t>(before), vfs::SeekFrom::Start);
            return done == 0 ? Result<std::int64_t>(Error::BadAddress)
                             : Result<std::int64_t>(static_cast<std::int64_t>(done));
        }
        done += records->records().size();
        if (!records->refused()) {
            break;
        }
    }
    return static_cast<std::int64_t>(done);
}

}  // namespace

Result<std::int64_t> sys_getdents(Task& task, Fd fd, OutBuffer buffer, Size count) {
    return list_into(task, fd, buffer, count, RecordBuffer::Layout::Old);
}

Result<std::int64_t> sys_getdents64(Task& task, Fd fd, OutBuffer buffer, Size count) {
    return list_into(task, fd, buffer, count, RecordBuffer::Layout::Wide);
}

Result<std::int64_t> sys_getcwd(Task& task, OutBuffer buffer, Size size) {
    const vfs::PathText text = TRY(vfs::path_text(task.fs().working_directory(), task.fs().root(), false));
    if (text.deleted) {
        return Error::NotFound;
    }
    const std::size_t bytes = text.text.size() + 1;
    if (bytes > size) {
        return Error::OutOfRange;
    }
    TRY(task.space().copy_out(buffer, as_bytes(std::string_view(text.text.c_str(), bytes))));
    return static_cast<std::int64_t>(bytes);
}

Result<std::int64_t> sys_chdir(Task& task, PathName path) {
    task.fs().set_working_directory(TRY(directory_argument(task, path)));
    return 0;
}

Result<std::int64_t> sys_fchdir(Task& task, Fd fd) {
    const RefPtr<vfs::File> file = TRY(any_file_of(task, fd));
    if (!file->path()) {
        return Error::NotDirectory;
    }
    TRY(enter_directory(task, file->path()));
    task.fs().set_working_directory(file->path());
    return 0;
}

Result<std::int64_t> sys_chroot(Task& task, PathName path) {
    vfs::Path found = TRY(directory_argument(task, path));
    if (!task.credentials()->capable(security::Capability::SysChroot)) {
        return Error::NotPermitted;
    }
    task.fs().set_root(std::move(found));
    return 0;
}

// sync(2) reports nothing.
Result<std::int64_t> sys_sync(Task&) {
    const RefPtr<vfs::MountNamespace> mounts = mount_namespace();
    for (std::size_t i = 0; mounts; ++i) {
        const Result<vfs::MountDescription> description = mounts->describe(i);
        if (!description) {
            break;
        }
        (void)description->mount->filesystem().sync();
    }
    return 0;
}

Result<std::int64_t> sys_syncfs(Task& task, Fd fd) {
    const RefPtr<vfs::File> file = TRY(file_of(task, fd));
    if (file->path()) {
        TRY(file->path().mount->filesystem().sync());
    }
    return 0;
}

}  // namespace kernel::linux_abi
