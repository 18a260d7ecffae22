// SPDX-License-Identifier: MIT OR Apache-2.0
// The same random operations on a directory of the host's Linux and on ours must have the same outcomes, errors
// included. So every rule that these operations touch is one that Linux has been seen to follow.
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
#include <random>

#include "services/vfs/device_registry.h"
#include "services/vfs/fs/overlay/overlay.h"
#include "support/vfs_world.h"

namespace kernel::vfs {
namespace {

using test_support::Names;
using test_support::VfsTest;
using test_support::World;

struct User {
    std::uint32_t user;
    std::uint32_t group;
    std::vector<std::uint32_t> groups;
};
const User kUsers[] = {{0, 0, {}}, {1001, 1001, {}}, {1002, 1002, {1001, 77}}};

std::string describe(std::string_view type, std::uint32_t permissions, std::uint64_t size, std::uint64_t links,
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

class OurSide final : public Side {
public:
    explicit OurSide(World& world, bool counts_links) : world_(world), counts_links_(counts_links) {}

    void become(const User& user) override {
        if (::geteuid() != 0) {
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

// How long to play; more with KPIO_DIFFERENTIAL_SEEDS in the environment.
std::uint64_t seeds() {
    const char* const text = std::getenv("KPIO_DIFFERENTIAL_SEEDS");
    return text == nullptr ? 8 : std::strtoull(text, nullptr, 10);
}

class Player {
public:
    explicit Player(std::uint64_t seed) : random_(seed) {}

    unsigned below(unsigned limit) { return static_cast<unsigned>(random_() % limit); }
    bool one_in(unsigned n) { return below(n) == 0; }

    std::string path() {
        static const char* const kNames[] = {"a", "b", "c", "d"};
        std::string text;
        unsigned ups = 0;
        const unsigned depth = 1 + below(3);
        for (unsigned i = 0; i < depth; ++i) {
            if (!text.empty()) {
                text += one_in(12) ? "//" : "/";
            }
            if (one_in(14) && ups < 2) {
                text += "..";
                ++ups;
            } else if (one_in(14)) {
                text += ".";
            } else if (one_in(200)) {
                text += std::string(256, 'n');
            } else {
                text += kNames[below(4)];
            }
        }
        if (one_in(10)) {
            text += "/";
        }
        return one_in(150) ? std::string() : text;
    }
    // Without "..", so that chains of links stay inside.
    std::string target() {
        static const char* const kTargets[] = {"a", "b", "c", "d", "a/b", "b/c", "./c", "d/", "nowhere", "c/a"};
        return kTargets[below(std::size(kTargets))];
    }
    unsigned mode() {
        static const unsigned kModes[] = {0777,  0755,  0700,  0711,  0644, 0600, 0000,
                                          02775, 01777, 04755, 02750, 0070, 0007};
        return kModes[below(std::size(kModes))];
    }
    int open_flags() {
        static const int kAccess[] = {O_RDONLY, O_WRONLY, O_RDWR};
        int flags = kAccess[below(3)];
        const std::pair<int, unsigned> kMaybe[] = {{O_CREAT, 2},    {O_EXCL, 6},  {O_TRUNC, 4},  {O_DIRECTORY, 8},
                                                   {O_NOFOLLOW, 6}, {O_PATH, 10}, {O_APPEND, 4}, {O_NOATIME, 12}};
        for (const auto& [flag, chance] : kMaybe) {
            flags |= one_in(chance) ? flag : 0;
        }
        // Without O_CREAT the effect of O_EXCL is undefined.
        return (flags & O_CREAT) != 0 ? flags : flags & ~O_EXCL;
    }

    struct Step {
        std::string text;
        std::string outcome[2];
    };
    // One random operation on both sides.
    Step step(std::array<Side*, 2> sides, bool links) {
        switch (below(19)) {
            case 0:
            case 1:
            case 2: {
                const std::string name = path();
                const int flags = open_flags();
                const unsigned permissions = mode();
                return both(sides,
                            "open " + name + " flags " + std::to_string(flags) + " mode " + std::to_string(permissions),
                            [&](Side& side) { return side.open(name, flags, permissions); });
            }
            case 3:
                return with_path(sides, "stat", [](Side& side, const std::string& p) { return side.stat(p, true); });
            case 4:
                return with_path(sides, "lstat", [](Side& side, const std::string& p) { return side.stat(p, false); });
            case 5:
                return with_path(sides, "readlink", [](Side& side, const std::string& p) { return side.readlink(p); });
            case 6:
            case 7: {
                const unsigned permissions = mode();
                return with_path(sides, "mkdir",
                                 [&](Side& side, const std::string& p) { return side.mkdir(p, permissions); });
            }
            case 8:
                return with_path(sides, "rmdir", [](Side& side, const std::string& p) { return side.rmdir(p); });
            case 9:
                return with_path(sides, "unlink", [](Side& side, const std::string& p) { return side.unlink(p); });
            case 10: {
                const std::string to = one_in(30) ? "" : target();
                return with_path(sides, "symlink " + to,
                                 [&](Side& side, const std::string& p) { return side.symlink(to, p); });
            }
            case 11: {
                const std::string from = path();
                const bool follow = one_in(2);
                if (!links) {
                    return with_path(sides, "mkfifo",
                                     [](Side& side, const std::string& p) { return side.mkfifo(p, 0644); });
                }
                return with_path(sides, "link " + from + (follow ? " followed" : ""),
                                 [&](Side& side, const std::string& p) { return side.link(from, p, follow); });
            }
            case 12:
            case 13: {
                const std::string from = path();
                const unsigned flags = one_in(2) ? 0 : below(3);
                return with_path(sides, "rename flags " + std::to_string(flags) + " " + from,
                                 [&](Side& side, const std::string& p) { return side.rename(from, p, flags); });
            }
            case 14: {
                const unsigned permissions = mode();
                return with_path(sides, "chmod " + std::to_string(permissions),
                                 [&](Side& side, const std::string& p) { return side.chmod(p, permissions); });
            }
            case 15: {
                static const int kIds[] = {-1, 0, 1001, 1002, 77};
                const int user = kIds[below(4)];
                const int group = kIds[below(5)];
                const bool follow = one_in(2);
                return with_path(sides, "chown " + std::to_string(user) + ":" + std::to_string(group),
                                 [&](Side& side, const std::string& p) { return side.chown(p, user, group, follow); });
            }
            case 16: {
                const long bytes = below(10000);
                return with_path(sides, "truncate",
                                 [&](Side& side, const std::string& p) { return side.truncate(p, bytes); });
            }
            case 17: {
                const int wanted = static_cast<int>(below(8));
                return with_path(sides, "access " + std::to_string(wanted),
                                 [&](Side& side, const std::string& p) { return side.access(p, wanted); });
            }
            default: {
                if (one_in(3)) {
                    const bool now = one_in(2);
                    return with_path(sides, "touch",
                                     [&](Side& side, const std::string& p) { return side.touch(p, now); });
                }
                return with_path(sides, "list", [](Side& side, const std::string& p) { return side.list(p); });
            }
        }
    }

private:
    template <class F>
    static Step both(std::array<Side*, 2> sides, std::string text, F&& act) {
        Step step{.text = std::move(text), .outcome = {}};
        step.outcome[0] = act(*sides[0]);
        step.outcome[1] = act(*sides[1]);
        return step;
    }
    template <class F>
    Step with_path(std::array<Side*, 2> sides, const std::string& text, F&& act) {
        const std::string name = path();
        return both(sides, text + " " + name, [&](Side& side) { return act(side, name); });
    }

    std::mt19937_64 random_;
};

// A FIFO as O_NONBLOCK shows it when nobody else has it open, fifo(7).
class LonelyFifo final : public File {
public:
    explicit LonelyFifo(OpenRequest&& request) : File(std::move(request)) {}

private:
    bool is_stream() const override { return true; }
};

Result<RefPtr<File>> open_lonely_fifo(Inode&, OpenRequest&& request) {
    if (!has(request.flags, OpenFlags::Read)) {
        return Error::NoDevice;
    }
    return make_ref<LonelyFifo>(std::move(request));
}

class Differential : public VfsTest {
protected:
    void SetUp() override {
        VfsTest::SetUp();
        set_fifo_opener(&open_lonely_fifo);
    }
    void TearDown() override {
        set_fifo_opener(nullptr);
        VfsTest::TearDown();
    }
    static void make_start(World& world) {
        for (const char* path : {"x", "x/x", "x/x/x", kStart}) {
            MUST(world.mkdir(path));
        }
        world.start_at = MUST(world.find(kStart));
    }
    // Plays until the outcomes differ.
    static void play(Player& player, Side& linux_side, Side& our_side, unsigned steps, bool links) {
        std::vector<std::string> history;
        for (unsigned i = 0; i < steps; ++i) {
            const User& user = kUsers[player.one_in(2) ? 0 : player.below(3)];
            linux_side.become(user);
            our_side.become(user);
            const Player::Step step = player.step({&linux_side, &our_side}, links);
            history.push_back(std::to_string(user.user) + " " + step.text + " -> " + step.outcome[0]);
            if (step.outcome[0] != step.outcome[1]) {
                std::string last;
                for (std::size_t j = history.size() > 25 ? history.size() - 25 : 0; j < history.size(); ++j) {
                    last += history[j] + "\n";
                }
                ADD_FAILURE() << "step " << i << ": Linux says \"" << step.outcome[0] << "\", we say \""
                              << step.outcome[1] << "\" after\n"
                              << last;
                break;
            }
        }
        linux_side.become(kUsers[0]);
        our_side.become(kUsers[0]);
    }
};

TEST_F(Differential, TmpfsBehavesLikeLinux) {
    for (std::uint64_t seed = 1; seed <= seeds() && !HasFailure(); ++seed) {
        SCOPED_TRACE(testing::Message() << "seed " << seed);
        World world;
        MUST(world.start_tmpfs());
        make_start(world);
        LinuxSide linux_side;
        OurSide our_side(world, linux_side.counts_directory_links);
        Player player(seed);
        play(player, linux_side, our_side, 4000, true);
    }
}

// What one side did goes on above a lower layer, and Linux must not notice. The lower layer has no hard links, which a
// copy breaks.
TEST_F(Differential, OverlayBehavesLikeOneTree) {
    for (std::uint64_t seed = 1; seed <= seeds() && !HasFailure(); ++seed) {
        SCOPED_TRACE(testing::Message() << "seed " << seed);
        LinuxSide linux_side;
        Player player(seed * 1000);
        const FileSystemUse lower(MUST(test_support::make_tmpfs()));
        {
            World world;
            MUST(world.start(lower.reference()));
            make_start(world);
            OurSide our_side(world, false);
            linux_side.counts_directory_links = false;
            play(player, linux_side, our_side, 600, false);
        }
        World world;
        MUST(world.start(MUST(overlay::create(std::array{lower.reference()}, test_support::make_budget()))));
        world.start_at = MUST(world.find(kStart));
        OurSide our_side(world, false);
        play(player, linux_side, our_side, 2000, true);
        // The same with nothing cached.
        dentries::shrink(SIZE_MAX);
        play(player, linux_side, our_side, 1000, true);
    }
}

}  // namespace
}  // namespace kernel::vfs
