// SPDX-License-Identifier: MIT OR Apache-2.0
// stat(2), lstat(2), fstat(2), fstatat(2), statx(2), statfs(2).
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <time.h>

#include "system/support/scratch.h"

namespace {

using scratch::bad_address;
using scratch::make_file;
using scratch::open_file;

scratch::Directory directory;

TEST(what_a_file_is) {
    make_file("file", "12345", 0640);
    struct stat status{};
    CHECK_OK(stat("file", &status));
    CHECK(S_ISREG(status.st_mode));
    CHECK_EQ(status.st_mode & 07777, 0640);
    CHECK_EQ(status.st_size, 5);
    CHECK_EQ(status.st_nlink, 1);
    CHECK_EQ(status.st_uid, geteuid());
    CHECK_EQ(status.st_gid, getegid());
    CHECK(status.st_blksize > 0);
    CHECK(status.st_ino != 0);
    const time_t now = time(nullptr);
    CHECK(status.st_mtime <= now + 1 && status.st_mtime > now - 100);
    CHECK(status.st_ctime <= now + 1 && status.st_ctime > now - 100);
    CHECK(status.st_atime <= now + 1 && status.st_atime > now - 100);
}

TEST(all_ways_agree) {
    make_file("same", "x");
    struct stat a{};
    struct stat b{};
    const scratch::Fd fd = open_file("same", O_RDONLY);
    CHECK_OK(stat("same", &a));
    CHECK_OK(fstat(fd, &b));
    CHECK(a.st_ino == b.st_ino && a.st_dev == b.st_dev);
    CHECK_OK(fstatat(AT_FDCWD, "same", &b, 0));
    CHECK(a.st_ino == b.st_ino && a.st_dev == b.st_dev);
    CHECK_OK(fstatat(fd, "", &b, AT_EMPTY_PATH));
    CHECK(a.st_ino == b.st_ino && a.st_dev == b.st_dev);
    struct statx x{};
    CHECK_OK(statx(AT_FDCWD, "same", 0, STATX_BASIC_STATS, &x));
    CHECK_EQ(x.stx_ino, a.st_ino);
    CHECK_EQ(x.stx_size, 1);
    CHECK_EQ(x.stx_mode, a.st_mode);
    CHECK_EQ(makedev(x.stx_dev_major, x.stx_dev_minor), a.st_dev);
    CHECK_EQ(x.stx_mtime.tv_nsec, a.st_mtim.tv_nsec);
    CHECK_EQ(x.stx_mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
    CHECK_OK(statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, &x));
    CHECK_EQ(x.stx_ino, a.st_ino);
    CHECK_OK(fstatat(AT_FDCWD, "", &b, AT_EMPTY_PATH));
    CHECK(S_ISDIR(b.st_mode));
}

TEST(kinds) {
    struct stat status{};
    CHECK_OK(mkdir("dir", 0755));
    CHECK_OK(stat("dir", &status));
    CHECK(S_ISDIR(status.st_mode));
    CHECK_OK(mkfifo("fifo", 0600));
    CHECK_OK(stat("fifo", &status));
    CHECK(S_ISFIFO(status.st_mode));
    CHECK_OK(symlink("dir", "link"));
    CHECK_OK(lstat("link", &status));
    CHECK(S_ISLNK(status.st_mode));
    CHECK_EQ(status.st_size, 3);
    CHECK_OK(stat("link", &status));
    CHECK(S_ISDIR(status.st_mode));
    CHECK_OK(fstatat(AT_FDCWD, "link", &status, AT_SYMLINK_NOFOLLOW));
    CHECK(S_ISLNK(status.st_mode));
    CHECK_OK(stat("/dev/null", &status));
    CHECK(S_ISCHR(status.st_mode));
    CHECK_EQ(status.st_rdev, makedev(1, 3));
    int ends[2];
    CHECK_OK(pipe(ends));
    CHECK_OK(fstat(ends[0], &status));
    CHECK(S_ISFIFO(status.st_mode));
    const ino_t inode = status.st_ino;
    CHECK_OK(fstat(ends[1], &status));
    CHECK_EQ(status.st_ino, inode);
    CHECK_EQ(status.st_uid, geteuid());
    close(ends[0]);
    close(ends[1]);
}

TEST(directory_links) {
    CHECK_OK(mkdir("parent", 0755));
    struct stat status{};
    CHECK_OK(mkdir("parent/child", 0755));
    CHECK_OK(stat("parent", &status));
    CHECK(status.st_nlink == 3 || status.st_nlink == 1);  // 1: a file system that does not count
    struct stat dot_dot{};
    CHECK_OK(stat("parent/child/..", &dot_dot));
    CHECK_EQ(dot_dot.st_ino, status.st_ino);
}

TEST(errors) {
    struct stat status{};
    make_file("plain");
    CHECK_ERRNO(stat("missing", &status), ENOENT);
    CHECK_ERRNO(stat("", &status), ENOENT);
    CHECK_ERRNO(lstat("", &status), ENOENT);
    CHECK_ERRNO(stat("plain/x", &status), ENOTDIR);
    CHECK_ERRNO(stat("plain/", &status), ENOTDIR);
    CHECK_OK(symlink("loop", "loop"));
    CHECK_ERRNO(stat("loop", &status), ELOOP);
    CHECK_OK(lstat("loop", &status));
    CHECK_ERRNO(stat(scratch::kLongName.c_str(), &status), ENAMETOOLONG);
    CHECK_ERRNO(stat(scratch::kLongPath.c_str(), &status), ENAMETOOLONG);
    CHECK_ERRNO(stat(bad_address(), &status), EFAULT);
    CHECK_ERRNO(static_cast<int>(syscall(SYS_stat, "plain", bad_address())), EFAULT);
    CHECK_ERRNO(static_cast<int>(syscall(SYS_lstat, "plain", bad_address())), EFAULT);
    CHECK_ERRNO(static_cast<int>(syscall(SYS_fstat, 1, bad_address())), EFAULT);
    CHECK_ERRNO(static_cast<int>(syscall(SYS_fstat, -1, &status)), EBADF);
    CHECK_ERRNO(fstatat(AT_FDCWD, "plain", &status, 0x10000), EINVAL);
    CHECK_ERRNO(fstatat(-1, "plain", &status, 0), EBADF);
    CHECK_ERRNO(fstatat(-1, "", &status, AT_EMPTY_PATH), EBADF);
    const scratch::Fd fd = open_file("plain", O_RDONLY);
    CHECK_ERRNO(fstatat(fd, "x", &status, 0), ENOTDIR);
    CHECK_OK(fstatat(-1, "/dev/null", &status, 0));
    struct statx x{};
    CHECK_ERRNO(statx(AT_FDCWD, "plain", 0x6000, STATX_SIZE, &x), EINVAL);
    CHECK_ERRNO(statx(AT_FDCWD, "plain", 0, 0x80000000U, &x), EINVAL);
    CHECK_ERRNO(statx(AT_FDCWD, "plain", 0x10000, STATX_SIZE, &x), EINVAL);
    CHECK_ERRNO(statx(AT_FDCWD, "missing", 0, STATX_SIZE, &x), ENOENT);
    CHECK_ERRNO(statx(-1, "plain", 0, STATX_SIZE, &x), EBADF);
    CHECK_ERRNO(static_cast<int>(syscall(SYS_statx, AT_FDCWD, "plain", 0, STATX_SIZE, bad_address())), EFAULT);
}

TEST(search_permission) {
    CHECK_OK(mkdir("closed", 0700));
    make_file("closed/file");
    CHECK_EXIT(scratch::as_other_user([] {
                   struct stat status{};
                   CHECK_ERRNO(stat("closed/file", &status), EACCES);
                   CHECK_OK(stat("closed", &status));
                   struct statfs filesystem{};
                   CHECK_ERRNO(statfs("closed/file", &filesystem), EACCES);
               }),
               0);
}

TEST(file_systems) {
    struct statfs by_name{};
    struct statfs by_fd{};
    CHECK_OK(statfs(".", &by_name));
    const scratch::Fd fd = open_file(".", O_RDONLY);
    CHECK_OK(fstatfs(fd, &by_fd));
    CHECK_EQ(by_name.f_type, by_fd.f_type);
    CHECK(by_name.f_bsize > 0);
    CHECK(by_name.f_namelen >= 255);
    CHECK(by_name.f_bfree <= by_name.f_blocks || by_name.f_blocks == 0);
    CHECK_OK(statfs("/proc", &by_name));
    CHECK_EQ(by_name.f_type, 0x9fa0);
    CHECK_ERRNO(statfs("missing", &by_name), ENOENT);
    CHECK_ERRNO(statfs("", &by_name), ENOENT);
    CHECK_ERRNO(statfs("plain/x", &by_name), ENOTDIR);
    CHECK_ERRNO(statfs("loop", &by_name), ELOOP);
    CHECK_ERRNO(statfs(scratch::kLongName.c_str(), &by_name), ENAMETOOLONG);
    CHECK_ERRNO(statfs(bad_address(), &by_name), EFAULT);
    CHECK_ERRNO(static_cast<int>(syscall(SYS_statfs, ".", bad_address())), EFAULT);
    CHECK_ERRNO(fstatfs(-1, &by_name), EBADF);
    CHECK_ERRNO(static_cast<int>(syscall(SYS_fstatfs, int{fd}, bad_address())), EFAULT);
    int ends[2];
    CHECK_OK(pipe(ends));
    CHECK_OK(fstatfs(ends[0], &by_name));
    CHECK_EQ(by_name.f_type, 0x50495045);
}

TEST(statx_attributes) {
    struct statx root{};
    struct statx inside{};
    CHECK_OK(statx(AT_FDCWD, "/proc", 0, STATX_BASIC_STATS, &root));
    CHECK_OK(statx(AT_FDCWD, "/proc/self/", 0, STATX_BASIC_STATS, &inside));
    CHECK((root.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0);
    CHECK((root.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0);
    CHECK((inside.stx_attributes & STATX_ATTR_MOUNT_ROOT) == 0);
    const int fd = open("/proc", O_RDONLY);
    CHECK_OK(statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &inside));
    CHECK((inside.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0);
    close(fd);
}

}  // namespace

TEST_MAIN()
