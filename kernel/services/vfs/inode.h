// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "lib/guarded.h"
#include "lib/list.h"
#include "lib/mutex.h"
#include "lib/ref.h"
#include "lib/result.h"
#include "lib/string.h"
#include "services/vfs/open_flags.h"
#include "services/vfs/status.h"
#include "services/vfs/turn.h"

namespace kernel::mm {
class MemoryObject;
}
namespace kernel::security {
class Credentials;
}

namespace kernel::vfs {

class Dentry;
class File;
class FileLocks;
class FileSystem;
class InodeWatches;
struct OpenRequest;
struct Path;

// Everything that a new directory entry needs. Permissions come with the umask applied.
struct NewInode {
    FileType type = FileType::Regular;
    std::uint32_t permissions = 0;
    std::uint32_t user = 0;
    std::uint32_t group = 0;
    DeviceNumber device{};      // device nodes
    std::string_view target{};  // symbolic links
};

// rename(2): NoReplace and Exchange are the flags of renameat2.
enum class RenameMode : std::uint8_t { Replace, NoReplace, Exchange };

enum class AttributeMode : std::uint8_t { Set, Create, Replace };  // setxattr(2)

struct DirectoryEntry {
    std::string_view name;  // valid during the call only
    std::uint64_t inode = 0;
    FileType type = FileType::Unknown;
    std::uint64_t next_position = 0;  // where a later listing goes on after this entry
};

class DirectoryVisitor {
public:
    // False stops the listing before this entry counts as taken. Called with locks of the directory held: must not
    // block and must not touch user memory.
    virtual bool accept(const DirectoryEntry& entry) = 0;

protected:
    ~DirectoryVisitor() = default;
};

// Positions below this are "." and "..", which the generic directory file adds.
inline constexpr std::uint64_t kFirstEntryPosition = 2;

// A file, directory or other node of a file system. The functions that change a directory check what concerns the
// directory's contents (Exists, NotFound, NotEmpty, NoSpace, TooManyLinks, ReadOnly); permissions, mounts, and name
// syntax have been checked by vfs/operations.h, which holds the directory's lock. All of them may block.
class Inode : public RefCounted {
public:
    FileSystem& filesystem() const { return *filesystem_; }
    FileType type() const { return type_; }
    bool is_directory() const { return type_ == FileType::Directory; }
    bool is_regular() const { return type_ == FileType::Regular; }
    bool is_symlink() const { return type_ == FileType::Symlink; }

    virtual Result<Status> status() = 0;
    // Never blocks for long: called for each component of each path.
    virtual Result<Ownership> ownership();
    virtual Result<> change_status(const StatusChange& change);
    // truncate(2). Errors: IsDirectory, InvalidArgument, NoSpace, FileTooLarge.
    virtual Result<> resize(std::uint64_t bytes);
    // A read happened: with `always` the access time becomes now, else by the rules of relatime, mount(8).
    virtual void touch_access(bool always);

    // Directories. NotFound is an answer that may be cached.
    virtual Result<RefPtr<Inode>> lookup(std::string_view name);
    virtual Result<RefPtr<Inode>> create(std::string_view name, const NewInode& request);
    virtual Result<> link(std::string_view name, Inode& existing);
    // `victim` is what lookup gave for the name; for a directory it must be empty.
    virtual Result<> unlink(std::string_view name, Inode& victim);
    // `target` is what new_name is now, or null.
    virtual Result<> rename(std::string_view name, Inode& moved, Inode& new_parent, std::string_view new_name,
                            Inode* target, RenameMode mode);
    // Calls the visitor for entries from the position (kFirstEntryPosition or a next_position) on. Positions stay valid
    // while the directory changes: an entry that stays is visited exactly once.
    virtual Result<> list(std::uint64_t position, DirectoryVisitor& visitor);
    // True: list() ignores the position and visits everything; the generic directory file keeps what it said. For
    // directories that cannot give lasting positions themselves.
    virtual bool lists_whole() const { return false; }
    // Cached names of a file system that revalidates are good as long as the stamp is what it was when they were cached
    // (or, in still_valid, for a reason of their own). May block for a short time.
    virtual std::uint64_t names_stamp() { return 0; }
    virtual bool still_valid(Inode* child, std::uint64_t stamp);

    virtual Result<String> read_link();
    // Links of /proc/PID/fd and the like lead to an object, not to a path.
    virtual bool is_magic_link() const { return false; }
    virtual Result<Path> follow_magic_link();

    // An open file description on this inode, after all permission checks. The default serves regular files,
    // directories and registered devices and special files.
    virtual Result<RefPtr<File>> open(OpenRequest&& request);
    // The contents for mapping and for the page cache. Errors: NotSupportedByDevice when it cannot be mapped.
    virtual Result<RefPtr<mm::MemoryObject>> memory_object();
    virtual Result<> sync();

    // Extended attributes, xattr(7). get returns the full size; with an empty buffer only that. Errors: NoAttribute,
    // OutOfRange, NotSupported.
    virtual Result<std::size_t> get_attribute(std::string_view name, std::span<std::byte> value);
    virtual Result<> set_attribute(std::string_view name, std::span<const std::byte> value, AttributeMode mode);
    virtual Result<> remove_attribute(std::string_view name);
    // Names with a zero behind each; those of trusted.* only if asked for.
    virtual Result<std::size_t> list_attributes(std::span<std::byte> names, bool with_trusted);

    // The seals of fcntl(2) F_ADD_SEALS as bits; null: this kind of file cannot be sealed. Changed by seals.h alone.
    virtual std::atomic<std::uint32_t>* seals() { return nullptr; }
    // A file of this directory's file system that no directory has, O_TMPFILE.
    virtual Result<RefPtr<Inode>> create_unnamed(const NewInode& request);

    // Called without locks before something about the inode changes: an overlay copies up here. Errors: ReadOnly,
    // NoSpace, Io.
    virtual Result<> prepare_change();
    // The same when all contents are about to be truncated away.
    virtual Result<> prepare_truncation() { return prepare_change(); }
    // Called without locks before the inode is opened for reading or writing. Errors: what speaks against it,
    // AccessDenied say.
    virtual Result<> prepare_open(OpenFlags flags);

    // ETXTBSY accounting, open(2) and execve(2). Errors: TextBusy.
    Result<> begin_writing();
    void end_writing();
    Result<> deny_writing();
    void allow_writing();

    // What a named FIFO or a bound socket keeps at its inode. Set once; a second attempt gets the one that is there.
    RefPtr<RefCounted> attachment();
    RefPtr<RefCounted> attach(RefPtr<RefCounted> object);
    void detach();

    // The advisory locks on the contents; made when first asked for. Errors: NoMemory.
    Result<FileLocks*> locks();
    // Null when there never were any.
    FileLocks* existing_locks() const { return locks_.load(std::memory_order_acquire); }

    // Who watches it; made when first asked for. Errors: NoMemory.
    Result<InodeWatches*> watches();
    InodeWatches* existing_watches() const { return watches_.load(std::memory_order_acquire); }

    // write(2) or truncate(2) happened: modification and change time.
    virtual void note_write();
    // Writers of the contents take turns, so that appending is atomic.
    virtual Turn& write_turn() { return write_turn_; }

    // Serialises changes of a directory's names against each other and against lookups that miss the cache.
    using DirectoryLock = Mutex<Rank::Directory>;
    DirectoryLock& directory_lock() { return directory_lock_; }
    // Set under the directory's lock when rmdir succeeded: nothing can be created in it any more.
    bool is_dead() const { return dead_.load(std::memory_order_acquire); }
    void mark_dead() { dead_.store(true, std::memory_order_release); }
    // A file without names may be given one, open(2) O_TMPFILE.
    bool is_linkable() const { return linkable_.load(std::memory_order_acquire); }
    void mark_linkable() { linkable_.store(true, std::memory_order_release); }

protected:
    Inode(FileSystem& filesystem, FileType type);
    ~Inode() override;
    void last_reference_dropped() override;

private:
    friend class Graveyard;
    void destroy() { delete this; }

    RefPtr<FileSystem> filesystem_;
    FileType type_;
    std::atomic<bool> dead_ = false;
    std::atomic<bool> linkable_ = false;
    std::atomic<std::int32_t> writers_ = 0;  // below 0: that many deniers
    DirectoryLock directory_lock_;
    Turn write_turn_;
    std::atomic<FileLocks*> locks_ = nullptr;       // owned
    std::atomic<InodeWatches*> watches_ = nullptr;  // owned
    SpinGuarded<RefPtr<RefCounted>, Rank::InodeStatus> attachment_;
    ListNode graveyard_node_;
};

}  // namespace kernel::vfs
