// SPDX-License-Identifier: MIT OR Apache-2.0
// getdents64(2), getcwd(2), chdir(2), fchdir(2), chroot(2), sync(2) and its relatives.
#include <dirent.h>

#include <set>

#include "system/support/scratch.h"

namespace {

using scratch::bad_address;
using scratch::make_file;
using scratch::open_file;

scratch::Directory directory;

struct Record {
    std::string name;
    unsigned char type;
    off_t next;
    ino_t inode;
};

std::vector<Record> records_of(const char* bytes, ssize_t count) {
    std::vector<Record> records;
    for (ssize_t at = 0; at < count;) {
        const auto* entry = reinterpret_cast<const dirent64*>(bytes + at);
        CHECK_EQ(entry->d_reclen % 8, 0);
        records.push_back({entry->d_name, entry->d_type, entry->d_off, entry->d_ino});
        at += entry->d_reclen;
    }
    return records;
}

ssize_t list(int fd, void* buffer, std::size_t bytes) {
    return syscall(SYS_getdents64, fd, buffer, bytes);
}

std::multiset<std::string> names_in(const char* path, std::size_t buffer_bytes) {
    std::multiset<std::string> names;
    const scratch::Fd fd = open_file(path, O_RDONLY | O_DIRECTORY);
    std::vector<char> buffer(buffer_bytes);
    for (ssize_t count = list(fd, buffer.data(), buffer_bytes); count != 0;
         count = list(fd, buffer.data(), buffer_bytes)) {
        if (!CHECK_OK(count)) {
            break;
        }
        for (const Record& record : records_of(buffer.data(), count)) {
            names.insert(record.name);
        }
    }
    return names;
}

TEST(lists_everything_once) {
    CHECK_OK(mkdir("many", 0755));
    std::multiset<std::string> expected{".", ".."};
    for (int i = 0; i < 500; ++i) {
        const std::string name = "entry-" + std::to_string(i);
        make_file(("many/" + name).c_str());
        expected.insert(name);
    }
    CHECK(names_in("many", 32768) == expected);
    CHECK(names_in("many", 100) == expected);
    CHECK(names_in("many", 4096) == expected);
}

TEST(types_and_inodes) {
    CHECK_OK(mkdir("kinds", 0755));
    make_file("kinds/file");
    CHECK_OK(mkdir("kinds/dir", 0755));
    CHECK_OK(symlink("x", "kinds/link"));
    CHECK_OK(mkfifo("kinds/fifo", 0600));
    const scratch::Fd fd = open_file("kinds", O_RDONLY);
    char buffer[4096];
    const ssize_t count = list(fd, buffer, sizeof(buffer));
    for (const Record& record : records_of(buffer, count)) {
        const unsigned char expected = record.name == "file"   ? DT_REG
                                       : record.name == "link" ? DT_LNK
                                       : record.name == "fifo" ? DT_FIFO
                                                               : DT_DIR;
        CHECK(record.type == expected || record.type == DT_UNKNOWN);
        struct stat status{};
        CHECK_OK(fstatat(fd, record.name.c_str(), &status, AT_SYMLINK_NOFOLLOW));
        CHECK_EQ(record.inode, status.st_ino);
    }
    CHECK_EQ(list(fd, buffer, sizeof(buffer)), 0);
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    CHECK_EQ(list(fd, buffer, sizeof(buffer)), count);
}

TEST(positions_survive_changes) {
    CHECK_OK(mkdir("changing", 0755));
    for (char c = 'a'; c <= 'z'; ++c) {
        make_file((std::string("changing/") + c).c_str());
    }
    const scratch::Fd fd = open_file("changing", O_RDONLY);
    std::multiset<std::string> seen;
    char buffer[64];
    for (ssize_t count = list(fd, buffer, sizeof(buffer)); count > 0; count = list(fd, buffer, sizeof(buffer))) {
        for (const Record& record : records_of(buffer, count)) {
            seen.insert(record.name);
            if (record.name[0] != '.') {
                CHECK_OK(unlinkat(fd, record.name.c_str(), 0));
            }
        }
    }
    CHECK_EQ(seen.size(), 28);
    CHECK_OK(rmdir("changing"));
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    CHECK_ERRNO(list(fd, buffer, sizeof(buffer)), ENOENT);
}

TEST(listing_goes_wrong) {
    char buffer[4096];
    make_file("plain");
    const scratch::Fd file = open_file("plain", O_RDONLY);
    CHECK_ERRNO(list(file, buffer, sizeof(buffer)), ENOTDIR);
    CHECK_ERRNO(list(-1, buffer, sizeof(buffer)), EBADF);
    const scratch::Fd folder = open_file("many", O_RDONLY);
    CHECK_ERRNO(list(folder, buffer, 10), EINVAL);
    CHECK_ERRNO(list(folder, bad_address(), 4096), EFAULT);
    CHECK(list(folder, buffer, sizeof(buffer)) > 0);
    CHECK_EQ(records_of(buffer, 24)[0].name, ".");  // nothing was lost
    const scratch::Fd place = open_file("many", O_PATH);
    CHECK_ERRNO(list(place, buffer, sizeof(buffer)), EBADF);
}

TEST(working_directory) {
    char text[4096];
    CHECK_OK(mkdir("here", 0755));
    CHECK_OK(chdir("here"));
    const std::string expected = directory.path() + "/here";
    CHECK_EQ(syscall(SYS_getcwd, text, sizeof(text)), static_cast<long>(expected.size() + 1));
    CHECK_EQ(std::string_view(text), expected);
    CHECK_ERRNO(syscall(SYS_getcwd, text, expected.size()), ERANGE);
    CHECK_ERRNO(syscall(SYS_getcwd, bad_address(), sizeof(text)), EFAULT);
    CHECK_OK(chdir(".."));
    const scratch::Fd here = open_file("here", O_RDONLY);
    CHECK_OK(fchdir(here));
    CHECK_EQ(std::string(getcwd(text, sizeof(text))), expected);
    CHECK_OK(chdir(directory.path().c_str()));
    const scratch::Fd place = open_file("here", O_PATH);
    CHECK_OK(fchdir(place));
    CHECK_OK(chdir("/"));
    CHECK_EQ(std::string(getcwd(text, sizeof(text))), "/");
    CHECK_OK(chdir("../.."));
    CHECK_EQ(std::string(getcwd(text, sizeof(text))), "/");
    CHECK_OK(chdir(directory.path().c_str()));
}

TEST(working_directory_of_a_child_is_its_own) {
    char before[4096];
    char after[4096];
    REQUIRE(getcwd(before, sizeof(before)) != nullptr);
    CHECK_CHILD([] { CHECK_OK(chdir("/")); });
    CHECK_EQ(std::string(getcwd(after, sizeof(after))), std::string(before));
}

TEST(a_removed_working_directory) {
    CHECK_CHILD([] {
        char text[4096];
        CHECK_OK(mkdir("removed", 0755));
        CHECK_OK(chdir("removed"));
        CHECK_OK(rmdir("../removed"));
        CHECK_ERRNO(syscall(SYS_getcwd, text, sizeof(text)), ENOENT);
        CHECK_ERRNO(open("x", O_CREAT | O_RDWR, 0644), ENOENT);
        CHECK_OK(chdir(".."));
    });
}

TEST(changing_it_goes_wrong) {
    CHECK_ERRNO(chdir("missing"), ENOENT);
    CHECK_ERRNO(chdir(""), ENOENT);
    CHECK_ERRNO(chdir("plain"), ENOTDIR);
    CHECK_ERRNO(chdir(scratch::kLongName.c_str()), ENAMETOOLONG);
    CHECK_ERRNO(chdir(bad_address()), EFAULT);
    CHECK_OK(symlink("loop", "loop"));
    CHECK_ERRNO(chdir("loop"), ELOOP);
    CHECK_ERRNO(fchdir(-1), EBADF);
    const scratch::Fd file = open_file("plain", O_RDONLY);
    CHECK_ERRNO(fchdir(file), ENOTDIR);
    CHECK_OK(mkdir("closed", 0700));
    const scratch::Fd closed = open_file("closed", O_RDONLY);
    CHECK_EXIT(scratch::as_other_user([&] {
                   CHECK_ERRNO(chdir("closed"), EACCES);
                   CHECK_ERRNO(fchdir(closed), EACCES);
                   CHECK_ERRNO(chroot("."), EPERM);
               }),
               0);
}

TEST(changing_the_root) {
    if (geteuid() != 0) {
        return;
    }
    CHECK_OK(mkdir("root", 0755));
    CHECK_OK(mkdir("root/inside", 0755));
    make_file("root/file", "in the new root");
    CHECK_CHILD([] {
        CHECK_ERRNO(chroot("missing"), ENOENT);
        CHECK_ERRNO(chroot("plain"), ENOTDIR);
        CHECK_ERRNO(chroot("loop"), ELOOP);
        CHECK_ERRNO(chroot(scratch::kLongName.c_str()), ENAMETOOLONG);
        CHECK_ERRNO(chroot(bad_address()), EFAULT);
        CHECK_OK(chdir("root/inside"));
        CHECK_OK(chroot(".."));
        char text[4096];
        CHECK_EQ(std::string(getcwd(text, sizeof(text))), "/inside");
        CHECK_EQ(scratch::contents_of("/file"), "in the new root");
        CHECK_EQ(scratch::contents_of("/../../file"), "in the new root");
        CHECK_ERRNO(access("/tmp", F_OK), ENOENT);
    });
}

TEST(synchronising) {
    sync();
    const scratch::Fd file = open_file("plain", O_RDWR);
    const scratch::Fd folder = open_file(".", O_RDONLY);
    CHECK_OK(fsync(file));
    CHECK_OK(fdatasync(file));
    CHECK_OK(fsync(folder));
    CHECK_OK(syncfs(file));
    CHECK_ERRNO(fsync(-1), EBADF);
    CHECK_ERRNO(fdatasync(-1), EBADF);
    CHECK_ERRNO(syncfs(-1), EBADF);
    int ends[2];
    CHECK_OK(pipe(ends));
    CHECK_ERRNO(fsync(ends[0]), EINVAL);
    CHECK_ERRNO(fdatasync(ends[1]), EINVAL);
}

}  // namespace

TEST_MAIN()
