// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/object/object.h"
#include "lib/guarded.h"
#include "lib/list.h"
#include "lib/ref.h"
#include "lib/result.h"
#include "services/security/credentials.h"
#include "services/vfs/inode.h"
#include "services/vfs/open_flags.h"
#include "services/vfs/path.h"
#include "services/vfs/poll.h"
#include "services/vfs/turn.h"

namespace kernel::mm {
class AddressSpace;
class IoBuffer;
class MemoryObject;
}  // namespace kernel::mm

namespace kernel::vfs {

// What an inode is opened with. `path` may be empty for files without a name in a tree (pipes, sockets).
struct OpenRequest {
    Path path;
    OpenFlags flags = OpenFlags::None;
    RefPtr<security::Credentials> credentials;
};

enum class FileEvents : std::uint32_t;

enum class SeekFrom : std::uint8_t { Start, Current, End, Data, Hole };

// ioctl(2): command and argument in the Linux encoding, memory in the caller's address space.
struct Ioctl {
    std::uint32_t command = 0;
    std::uint64_t argument = 0;
    mm::AddressSpace& space;
};

enum class WriteOrder : std::uint8_t { AtOffset, Append };

// Watches a file without keeping it open, and is told when the last reference to it has gone, before anything of the
// file has: until file_released() returns, the file can still be asked (poll), but no reference can be taken to it.
class FileObserver : public RefCounted {
public:
    // Calls File::remove_observer, or waits until somebody else has. May block.
    virtual void file_released() = 0;

private:
    friend class File;
    ListNode observer_node_;
};

// An open file description, open(2): status flags, position, and the thing itself. Handles of several processes may
// share one.
class File : public object::Object {
public:
    object::ObjectType type() const override { return object::ObjectType::File; }
    // POSIX record locks go with any handle that their process closes, fcntl(2).
    void handle_closed(const object::HandleTable& table) override;

    // Empty for files without a name.
    const Path& path() const { return path_; }
    // Null for files without an inode.
    Inode* inode() const { return inode_.get(); }
    const RefPtr<security::Credentials>& credentials() const { return credentials_; }
    OpenFlags flags() const { return flags_.load(std::memory_order_acquire); }
    // Of the changeable ones only. Errors: NotPermitted (NoAccessTime by a stranger) is the caller's to check.
    void change_flags(OpenFlags value, OpenFlags mask = kChangeableFlags);
    bool is_readable() const { return has(flags(), OpenFlags::Read); }
    bool is_writable() const { return has(flags(), OpenFlags::Write); }
    bool is_path_only() const { return has(flags(), OpenFlags::PathOnly); }
    bool is_non_blocking() const { return has(flags(), OpenFlags::NonBlocking); }

    // At the position, which moves by what was transferred; for streams without a position. Transfers less than asked
    // for at the end of the file or when an error comes after some bytes. Errors: BadHandle (not open for this),
    // IsDirectory, BadAddress, WouldBlock, Interrupted/RestartSyscall, NoSpace, FileTooLarge, BrokenPipe …
    Result<std::size_t> read(mm::IoBuffer& to);
    // `order` Append: as if the file had been opened with the flag Append, pwritev2(2) RWF_APPEND.
    Result<std::size_t> write(mm::IoBuffer& from, WriteOrder order = WriteOrder::AtOffset);
    // pread/pwrite; IllegalSeek for streams. The position stays. Append files append, as on Linux (pwrite(2), BUGS).
    Result<std::size_t> read_at(mm::IoBuffer& to, std::uint64_t offset);
    Result<std::size_t> write_at(mm::IoBuffer& from, std::uint64_t offset, WriteOrder order = WriteOrder::AtOffset);
    // The new position. Errors: IllegalSeek, InvalidArgument, Overflow, NoDevice (Data/Hole past the end).
    virtual Result<std::uint64_t> seek(std::int64_t offset, SeekFrom from);
    std::uint64_t position() const { return position_.load(std::memory_order_relaxed); }

    // Goes on from the position. NotDirectory unless a directory. The visitor gets "." and ".." too.
    virtual Result<> list(DirectoryVisitor& visitor);
    // What is ready now. With a registrar, registers its wait queues first. The default is what regular files answer.
    virtual Result<PollEvents> poll(PollRegistrar* registrar);
    // False: epoll refuses such a file with EPERM.
    virtual bool is_pollable() const { return false; }
    // NotTerminal for commands it does not know.
    virtual Result<std::uint64_t> ioctl(Ioctl& request);
    // For mmap(2). Errors: NotSupportedByDevice.
    virtual Result<RefPtr<mm::MemoryObject>> memory_object();
    virtual Result<Status> status();
    virtual Result<> resize(std::uint64_t bytes);
    // fsync(2). InvalidArgument for what cannot be synchronised.
    virtual Result<> sync(bool data_only);
    // Reserves space or makes a hole, fallocate(2). NotSupported by default.
    virtual Result<> allocate(std::uint64_t offset, std::uint64_t bytes, std::uint32_t mode);
    // Where the link in /proc/PID/fd leads: for a file without a name, a place made for the purpose. Errors: NotFound.
    virtual Result<Path> link_path();
    // The buffer of a pipe, fcntl(2) F_GETPIPE_SZ and F_SETPIPE_SZ. Returns its size. Errors: BadHandle (no pipe),
    // InvalidArgument, NotPermitted (above the limit for the unprivileged), Busy (more is in it), NoMemory.
    virtual Result<std::uint64_t> pipe_capacity() { return Error::BadHandle; }
    virtual Result<std::uint64_t> set_pipe_capacity(std::uint64_t, bool /*privileged*/) { return Error::BadHandle; }
    // What /proc/PID/fd shows for a file without a path, if not its type and inode number: "anon_inode:[eventfd]".
    virtual std::string_view label() const { return {}; }
    // Tells classes of files apart, see file_cast.
    virtual const void* class_tag() const { return nullptr; }
    // The observer is referenced by somebody else until it is removed.
    void add_observer(FileObserver& observer);
    // The last thing that may be done with a file that has been released.
    void remove_observer(FileObserver& observer);
    // Null, or the pipe behind it, whose type the personality knows.
    virtual RefCounted* pipe() { return nullptr; }
    // A handle on this file is closed in some process (not the last one, necessarily), close(2). Its result is close's.
    virtual Result<> flush() { return {}; }

protected:
    // Counts as a writer of the inode when opened for writing (begin_writing has been called by open()).
    explicit File(OpenRequest&& request);
    ~File() override;
    void last_reference_dropped() override;

    // True: no position; read() and write() pass offset 0.
    virtual bool is_stream() const = 0;
    virtual Result<std::size_t> do_read(mm::IoBuffer& to, std::uint64_t offset);
    // With Append the file determines the offset itself, atomically, and updates `offset` to where it wrote.
    virtual Result<std::size_t> do_write(mm::IoBuffer& from, std::uint64_t& offset, WriteOrder order);

    // One transfer at a time uses and moves the position (read(2), BUGS is about older kernels).
    Turn& position_turn() { return position_turn_; }
    void set_position(std::uint64_t position) { position_.store(position, std::memory_order_relaxed); }
    // The next byte that is, or is not, in a hole; null: none before the end. For SeekFrom::Data and Hole.
    virtual Result<std::optional<std::uint64_t>> seek_hole(std::uint64_t offset, bool data);
    // The end of the file for seeks from the end. Default: the inode's size.
    virtual Result<std::uint64_t> end_position();
    void note_read();
    // Tells those who watch it of something that happened with `count` bytes, unless that is nothing.
    void report(std::size_t count, FileEvents events) const;

private:
    friend Result<RefPtr<File>> open_inode(Inode& inode, OpenRequest&& request);
    using ObserverList = IntrusiveList<FileObserver, &FileObserver::observer_node_>;

    Path path_;
    RefPtr<Inode> inode_;
    RefPtr<security::Credentials> credentials_;
    std::atomic<OpenFlags> flags_;
    std::atomic<std::uint64_t> position_ = 0;
    Turn position_turn_;
    bool counted_writer_ = false;
    SpinGuarded<ObserverList, Rank::FileObservers> observers_;
};

// The file as a T, which names its class by `static constexpr char kClassTag` and class_tag(); null if it is none.
template <class T>
T* file_cast(File& file) {
    return file.class_tag() == &T::kClassTag ? static_cast<T*>(&file) : nullptr;
}

// Opens what the path leads to after all checks: with PathOnly a file that can do nothing, else Inode::open.
Result<RefPtr<File>> open_inode(Inode& inode, OpenRequest&& request);

}  // namespace kernel::vfs
