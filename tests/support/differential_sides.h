// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

// Two worlds that can be told to do the same: a directory of the host's Linux, and ours.
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>

#include "services/vfs/device_registry.h"
#include "support/vfs_world.h"

namespace kernel::vfs::differential {

using test_support::Names;
using test_support::World;

struct User {
    std::uint32_t user;
    std::uint32_t group;
    std::vector<std::uint32_t> groups;
};
inline const User kUsers[] = {{0, 0, {}}, {1001, 1001, {}}, {1002, 1002, {1001, 77}}};

inline std::string describe(std::string_view type, std::uint32_t permissions, std::uint64_t size, std::uint64_t links,
                            std::uint32_t user, std::uint32_t group) {
    std::string text(type);
    char numbers[128];
    std::snprintf(numbers, sizeof(numbers), " %o size %llu links %llu owner %u:%u", permissions,
                  static_cast<unsigned long long>(size), static_cast<unsigned long long>(links), user, group);
    return text + numbers;
}

// What both sides can do. Outcomes are texts; errors are those of strerror(3).
class Side {
public:
    virtual ~Side() = default;
    virtual void become(const User& user) = 0;
    virtual std::string open(const std::string& path, int flags, unsigned mode) = 0;
    virtual std::string stat(const std::string& path, bool follow) = 0;
    virtual std::string readlink(const std::string& path) = 0;
    virtual std::string mkdir(const std::string& path, unsigned mode) = 0;
    virtual std::string mkfifo(const std::string& path, unsigned mode) = 0;
    virtual std::string rmdir(const std::string& path) = 0;
    virtual std::string unlink(const std::string& path) = 0;
    virtual std::string symlink(const std::string& target, const std::string& path) = 0;
    virtual std::string link(const std::string& from, const std::string& to, bool follow) = 0;
    virtual std::string rename(const std::string& from, const std::string& to, unsigned flags) = 0;
    virtual std::string chmod(const std::string& path, unsigned mode) = 0;
    virtual std::string chown(const std::string& path, int user, int group, bool follow) = 0;
    virtual std::string truncate(const std::string& path, long bytes) = 0;
    virtual std::string access(const std::string& path, int mode) = 0;
    virtual std::string list(const std::string& path) = 0;
    virtual std::string touch(const std::string& path, bool now) = 0;
};

constexpr const char* kStart = "x/x/x/x";

class LinuxSide final : public Side {
public:
    LinuxSide() {
        std::string name = (access_ok("/dev/shm") ? std::string("/dev/shm") : std::string("/tmp")) + "/kpio-vfs-XXXXXX";
        if (mkdtemp(name.data()) == nullptr) {
            std::abort();
        }
        top_ = name;
        ::chmod(name.c_str(), 0755);
        struct statfs fs{};
        ::statfs(name.c_str(), &fs);
        counts_directory_links = static_cast<unsigned long>(fs.f_type) == 0x01021994;
        old_mask_ = ::umask(0);
        std::string path = top_;
        for (int i = 0; i < 4; ++i) {
            path += "/x";
            ::mkdir(path.c_str(), 0755);
        }
        start_ = ::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    }
    ~LinuxSide() override {
        become(kUsers[0]);
        ::close(start_);
        ::umask(old_mask_);
        std::error_code ignored;
        for (auto& entry : std::filesystem::recursive_directory_iterator(
                 top_, std::filesystem::directory_options::skip_permission_denied, ignored)) {
            if (entry.is_directory(ignored) && !entry.is_symlink(ignored)) {
                ::chmod(entry.path().c_str(), 0700);
            }
        }
        std::filesystem::remove_all(top_, ignored);
    }
    // For this thread only: as the file-system ids are, so are the groups when set by the bare call.
    void become(const User& user) override {
        if (::geteuid() != 0) {
            return;
        }
        setfsuid(0);
        ::syscall(SYS_setgroups, user.groups.size(), user.groups.data());
        setfsgid(user.group);
        setfsuid(user.user);
    }
    std::string open(const std::string& path, int flags, unsigned mode) override {
        const int file = ::openat(start_, path.c_str(), flags | O_CLOEXEC | O_NONBLOCK, mode);
        if (file < 0) {
            return failure();
        }
        struct stat status{};
        ::fstat(file, &status);
        std::string outcome = "opened " + std::string(type_of(status.st_mode));
        if (S_ISREG(status.st_mode) && (flags & O_ACCMODE) != O_RDONLY && (flags & O_PATH) == 0) {
            outcome += result(static_cast<int>(::write(file, "abc", 3)));
        }
        ::close(file);
        return outcome;
    }
    std::string stat(const std::string& path, bool follow) override {
        struct stat status{};
        if (::fstatat(start_, path.c_str(), &status, follow ? 0 : AT_SYMLINK_NOFOLLOW) < 0) {
            return failure();
        }
        const bool directory = S_ISDIR(status.st_mode);
        return describe(type_of(status.st_mode), status.st_mode & 07777,
                        directory ? 0 : static_cast<std::uint64_t>(status.st_size),
                        directory && !counts_directory_links ? 0 : status.st_nlink, status.st_uid, status.st_gid);
    }
    std::string readlink(const std::string& path) override {
        std::array<char, 4096> target;
        const ssize_t bytes = ::readlinkat(start_, path.c_str(), target.data(), target.size());
        return bytes < 0 ? failure() : std::string(target.data(), static_cast<std::size_t>(bytes));
    }
    std::string mkdir(const std::string& path, unsigned mode) override {
        return result(::mkdirat(start_, path.c_str(), mode));
    }
    std::string mkfifo(const std::string& path, unsigned mode) override {
        return result(::mkfifoat(start_, path.c_str(), mode));
    }
    std::string rmdir(const std::string& path) override {
        return result(::unlinkat(start_, path.c_str(), AT_REMOVEDIR));
    }
    std::string unlink(const std::string& path) override { return result(::unlinkat(start_, path.c_str(), 0)); }
    std::string symlink(const std::string& target, const std::string& path) override {
        return result(::symlinkat(target.c_str(), start_, path.c_str()));
    }
    std::string link(const std::string& from, const std::string& to, bool follow) override {
        return result(::linkat(start_, from.c_str(), start_, to.c_str(), follow ? AT_SYMLINK_FOLLOW : 0));
    }
    std::string rename(const std::string& from, const std::string& to, unsigned flags) override {
        return result(static_cast<int>(::syscall(SYS_renameat2, start_, from.c_str(), start_, to.c_str(), flags)));
    }
    std::string chmod(const std::string& path, unsigned mode) override {
        return result(::fchmodat(start_, path.c_str(), mode, 0));
    }
    std::string chown(const std::string& path, int user, int group, bool follow) override {
        return result(::fchownat(start_, path.c_str(), static_cast<uid_t>(user), static_cast<gid_t>(group),
                                 follow ? 0 : AT_SYMLINK_NOFOLLOW));
    }
    std::string truncate(const std::string& path, long bytes) override {
        const std::string whole = "/proc/self/fd/" + std::to_string(start_) + "/" + path;
        return result(::truncate(path.empty() ? "" : whole.c_str(), bytes));
    }
    std::string access(const std::string& path, int mode) override {
        return result(static_cast<int>(::syscall(SYS_faccessat2, start_, path.c_str(), mode, AT_EACCESS)));
    }
    std::string list(const std::string& path) override {
        const int file = ::openat(start_, path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (file < 0) {
            return failure();
        }
        std::vector<std::string> names;
        DIR* const directory = ::fdopendir(file);
        while (const dirent* entry = ::readdir(directory)) {
            names.push_back(std::string(entry->d_name) + ":" + std::to_string(entry->d_type));
        }
        ::closedir(directory);
        return joined(names);
    }
    std::string touch(const std::string& path, bool now) override {
        const timespec times[2] = {{1, 0}, {2, 0}};
        return result(::utimensat(start_, path.c_str(), now ? nullptr : times, 0));
    }

    static std::string joined(std::vector<std::string> names) {
        std::ranges::sort(names);
        std::string all;
        for (const std::string& name : names) {
            all += name + " ";
        }
        return all;
    }
    static std::string_view type_of(mode_t mode) {
        switch (mode & S_IFMT) {
            case S_IFREG:
                return "file";
            case S_IFDIR:
                return "directory";
            case S_IFLNK:
                return "link";
            case S_IFIFO:
                return "fifo";
            default:
                return "other";
        }
    }
    bool counts_directory_links = true;

private:
    static bool access_ok(const char* path) { return ::access(path, W_OK) == 0; }
    static std::string failure() { return std::strerror(errno); }
    static std::string result(int value) { return value < 0 ? failure() : "ok " + std::to_string(value); }

    std::string top_;
    int start_ = -1;
    mode_t old_mask_ = 0;
};

// An ordinary user of the host cannot be anybody else, so on our side it is that user, too.
inline void become_caller(World& world) {
    std::vector<gid_t> groups(static_cast<std::size_t>(::getgroups(0, nullptr)));
    groups.resize(static_cast<std::size_t>(std::max(0, ::getgroups(static_cast<int>(groups.size()), groups.data()))));
    MUST(world.become(::geteuid(), ::getegid(), {groups.begin(), groups.end()}));
}

class OurSide final : public Side {
public:
    explicit OurSide(World& world, bool counts_links) : world_(world), counts_links_(counts_links) {}

    void become(const User& user) override {
        if (::geteuid() != 0) {
            become_caller(world_);
            return;
        }
        if (user.user == 0) {
            MUST(world_.become_root());
        } else {
            MUST(world_.become(user.user, user.group, user.groups));
        }
    }
    std::string open(const std::string& path, int flags, unsigned mode) override {
        OpenFlags own = (flags & O_ACCMODE) == O_RDONLY   ? OpenFlags::Read
                        : (flags & O_ACCMODE) == O_WRONLY ? OpenFlags::Write
                                                          : OpenFlags::Read | OpenFlags::Write;
        const std::pair<int, OpenFlags> kFlags[] = {
            {O_CREAT, OpenFlags::Create},        {O_EXCL, OpenFlags::Exclusive},      {O_TRUNC, OpenFlags::Truncate},
            {O_DIRECTORY, OpenFlags::Directory}, {O_NOFOLLOW, OpenFlags::NoFollow},   {O_PATH, OpenFlags::PathOnly},
            {O_APPEND, OpenFlags::Append},       {O_NOATIME, OpenFlags::NoAccessTime}};
        for (const auto& [theirs, ours] : kFlags) {
            own = (flags & theirs) == 0 ? own : own | ours;
        }
        const Result<RefPtr<File>> file = world_.open(path, own | OpenFlags::NonBlocking, mode);
        if (!file) {
            return failure(file.error());
        }
        const Status status = MUST((*file)->status());
        std::string outcome = "opened " + std::string(type_of(status.type));
        if (status.type == FileType::Regular && (flags & O_ACCMODE) != O_RDONLY && (flags & O_PATH) == 0) {
            mm::IoBuffer from(as_bytes(std::string_view("abc")));
            const Result<std::size_t> written = (*file)->write(from);
            outcome += written ? "ok " + std::to_string(*written) : failure(written.error());
        }
        return outcome;
    }
    std::string stat(const std::string& path, bool follow) override {
        const Result<Status> status = follow ? world_.stat(path) : world_.lstat(path);
        if (!status) {
            return failure(status.error());
        }
        const bool directory = status->type == FileType::Directory;
        return describe(type_of(status->type), status->permissions, directory ? 0 : status->size_bytes,
                        directory && !counts_links_ ? 0 : status->links, status->user, status->group);
    }
    std::string readlink(const std::string& path) override {
        const Result<String> target = read_link(world_.at(), path);
        return target ? std::string(target->view()) : failure(target.error());
    }
    std::string mkdir(const std::string& path, unsigned mode) override { return result(world_.mkdir(path, mode)); }
    std::string mkfifo(const std::string& path, unsigned mode) override {
        return result(make_node(world_.at(), path, FileType::Fifo, mode, {}));
    }
    std::string rmdir(const std::string& path) override { return result(world_.rmdir(path)); }
    std::string unlink(const std::string& path) override { return result(world_.unlink(path)); }
    std::string symlink(const std::string& target, const std::string& path) override {
        return result(world_.symlink(target, path));
    }
    std::string link(const std::string& from, const std::string& to, bool follow) override {
        return result(make_link(world_.at(), from, world_.at(), to, follow ? WalkFlags::None : WalkFlags::NoFollow));
    }
    std::string rename(const std::string& from, const std::string& to, unsigned flags) override {
        const RenameMode mode = flags == 1   ? RenameMode::NoReplace
                                : flags == 2 ? RenameMode::Exchange
                                             : RenameMode::Replace;
        return result(world_.rename(from, to, mode));
    }
    std::string chmod(const std::string& path, unsigned mode) override { return result(world_.chmod(path, mode)); }
    std::string chown(const std::string& path, int user, int group, bool follow) override {
        const auto id = [](int value) {
            return value < 0 ? std::nullopt : std::optional(static_cast<std::uint32_t>(value));
        };
        const Result<Path> place = resolve(world_.at(), path, follow ? WalkFlags::None : WalkFlags::NoFollow);
        return place ? result(change_owner(*place, id(user), id(group), *world_.credentials)) : failure(place.error());
    }
    std::string truncate(const std::string& path, long bytes) override {
        const Result<Path> place = world_.find(path);
        return place ? result(vfs::truncate(*place, static_cast<std::uint64_t>(bytes), *world_.credentials))
                     : failure(place.error());
    }
    std::string access(const std::string& path, int mode) override {
        return result(check_access(world_.at(), path, static_cast<Wanted>(mode)));
    }
    std::string list(const std::string& path) override {
        const Result<RefPtr<File>> directory = world_.open(path, OpenFlags::Read | OpenFlags::Directory);
        if (!directory) {
            return failure(directory.error());
        }
        std::vector<std::string> names;
        // In small steps, so that positions are used.
        while (true) {
            Names some(3);
            MUST((*directory)->list(some));
            for (std::size_t i = 0; i < some.names.size(); ++i) {
                names.push_back(some.names[i] + ":" + std::to_string(static_cast<int>(some.types[i])));
            }
            if (some.names.empty()) {
                return LinuxSide::joined(names);
            }
        }
    }
    std::string touch(const std::string& path, bool now) override {
        const Result<Path> place = world_.find(path);
        if (!place) {
            return failure(place.error());
        }
        const TimeChange change =
            now ? TimeChange{.set_to_now = true} : TimeChange{.access_ns = 1'000'000'000, .modify_ns = 2'000'000'000};
        return result(change_times(*place, change, *world_.credentials));
    }

private:
    static std::string failure(Error error) { return std::string(error_text(error)); }
    static std::string result(const Result<>& value) { return value ? "ok 0" : failure(value.error()); }
    static std::string_view type_of(FileType type) {
        return LinuxSide::type_of(static_cast<mode_t>(static_cast<unsigned>(type) << 12));
    }

    World& world_;
    bool counts_links_;
};

}  // namespace kernel::vfs::differential
