// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "abi/linux/fs.h"
#include "abi/linux/types.h"
#include "core/mm/io_buffer.h"
#include "core/object/handle_table.h"
#include "lib/result.h"
#include "lib/string.h"
#include "lib/user_ptr.h"
#include "lib/vector.h"
#include "services/linux/task.h"
#include "services/vfs/file.h"
#include "services/vfs/walker.h"

// What the calls on files share: arguments from user memory, files from descriptors, flags to and from the Linux ABI.
namespace kernel::linux_abi {

// MAX_RW_COUNT: one call transfers no more.
inline constexpr std::uint64_t kMaxTransferBytes = 0x7fff'f000;
// TASK_SIZE_MAX with 4-level page tables.
inline constexpr VirtAddr kUserAddressEnd{0x7fff'ffff'f000};

// Whether the range could be user memory at all, mapped or not. Errors: BadAddress.
Result<> check_user_range(VirtAddr address, std::uint64_t bytes);

// A path that a call was given. Short ones need no memory.
class PathArgument : NonCopyable {
public:
    PathArgument() {}
    // Errors: BadAddress, NameTooLong (PATH_MAX), NoMemory.
    Result<> read(Task& task, VirtAddr address);
    std::string_view view() const { return text_; }

private:
    std::array<char, 256> short_;
    String long_;
    std::string_view text_;
};

// The ranges of readv(2) and its like, checked. The memory behind `vector` is read once.
class IovecArgument : NonCopyable {
public:
    IovecArgument() {}
    // Errors: InvalidArgument (count, a length beyond SSIZE_MAX), BadAddress, NoMemory.
    Result<> read(mm::AddressSpace& space, UserPtr<abi::Iovec> vector, std::int32_t count);
    std::span<const mm::UserRange> ranges() const { return ranges_; }
    // At most kMaxTransferBytes; the ranges are cut there.
    std::uint64_t bytes() const { return bytes_; }

private:
    static constexpr std::size_t kInlineCount = 8;  // UIO_FASTIOV
    std::array<mm::UserRange, kInlineCount> inline_;
    Vector<mm::UserRange> more_;
    std::span<mm::UserRange> ranges_;
    std::uint64_t bytes_ = 0;
};

// Who walks and from where, held for the length of one call.
class WalkScope {
public:
    // From the working directory.
    explicit WalkScope(Task& task);
    // From `directory`, as the ...at calls do; it is not looked at for absolute paths. Errors: NotFound (an empty path
    // without WalkFlags::EmptyPath), BadHandle, NotDirectory.
    static Result<WalkScope> from(Task& task, std::int32_t directory, std::string_view path,
                                  vfs::WalkFlags flags = vfs::WalkFlags::None);

    vfs::WalkContext context() const { return {root_, start_ ? start_ : root_, credentials_}; }
    const security::Credentials& credentials() const { return *credentials_; }
    void set_credentials(RefPtr<security::Credentials> credentials) { credentials_ = std::move(credentials); }

private:
    WalkScope(Task& task, vfs::Path start);
    vfs::Path root_;
    vfs::Path start_;
    RefPtr<security::Credentials> credentials_;
};

// The open file behind a descriptor. A missing right is BadHandle too, as read(2) says. file_of refuses descriptors
// made with O_PATH. Errors: BadHandle.
Result<RefPtr<vfs::File>> file_of(Task& task, std::int32_t fd, object::Rights required = object::Rights::None);
Result<RefPtr<vfs::File>> any_file_of(Task& task, std::int32_t fd);

// What a handle on this file allows: as it was opened.
object::Rights rights_of(const vfs::File& file);
constexpr object::HandleFlags handle_flags(bool close_on_exec) {
    return close_on_exec ? object::HandleFlags::CloseOnExec : object::HandleFlags::None;
}
// Errors: TooManyHandles, InvalidArgument (lowest), NoMemory.
Result<std::int64_t> insert_file(Task& task, RefPtr<vfs::File> file, bool close_on_exec, std::int32_t lowest = 0);

// For a file without a name that is open for reading and writing.
vfs::OpenRequest anonymous_request(Task& task, bool non_blocking);

// A descriptor that is reserved until the file for it exists.
class ReservedHandle : NonCopyable {
public:
    // Errors: TooManyHandles, NoMemory.
    static Result<int> reserve(Task& task) { return task.handles().reserve(); }
    ReservedHandle(Task& task, int fd) : task_(task), fd_(fd) {}
    ~ReservedHandle();
    int fd() const { return fd_; }
    void install(RefPtr<vfs::File> file, bool close_on_exec);

private:
    Task& task_;
    const int fd_;
    bool installed_ = false;
};

// open(2)'s flags as our set; unknown ones are ignored, as Linux does. Errors: InvalidArgument, NotSupported
// (O_TMPFILE).
Result<vfs::OpenFlags> open_flags_of(std::uint32_t linux_flags);
// As F_GETFL reports them.
std::uint32_t linux_flags_of(vfs::OpenFlags flags);

// AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH. Errors: InvalidArgument when a flag is not in `allowed`.
Result<vfs::WalkFlags> walk_flags_of(std::uint32_t at_flags, std::uint32_t allowed);

// Waits that a signal ended: the call may be restarted.
constexpr Error restartable(Error error) {
    return error == Error::Interrupted ? Error::RestartSyscall : error;
}

// RLIMIT_FSIZE for a new file size, truncate(2). Errors: FileTooLarge, with SIGXFSZ.
Result<> check_size_limit(Task& task, std::uint64_t bytes);

// Absolute, monotonic; the furthest moment is kNoDeadline. Errors: InvalidArgument.
Result<std::uint64_t> deadline_after(const abi::Timespec& timeout);

// dev_t as stat(2) has it.
constexpr std::uint64_t encode_device(vfs::DeviceNumber device) {
    const std::uint64_t minor = device.minor;
    return (minor & 0xff) | (std::uint64_t{device.major} & 0xfff) << 8 | (minor & ~std::uint64_t{0xff}) << 12;
}
constexpr vfs::DeviceNumber decode_device(std::uint64_t device) {
    return {.major = static_cast<std::uint32_t>((device >> 8) & 0xfff),
            .minor = static_cast<std::uint32_t>((device & 0xff) | ((device >> 12) & 0xfff00))};
}

}  // namespace kernel::linux_abi
