// SPDX-License-Identifier: MIT OR Apache-2.0
// open(2), openat(2), creat(2), close(2), close_range(2).
#include <sys/resource.h>

#include "system/support/scratch.h"

namespace {

using scratch::contents_of;
using scratch::make_file;
using scratch::open_file;

scratch::Directory directory;

mode_t mode_of(const char* path) {
    struct stat status{};
    CHECK_OK(lstat(path, &status));
    return status.st_mode & 07777;
}

TEST(creates_with_the_umask) {
    const mode_t old = umask(027);
    open_file("a", O_CREAT | O_WRONLY, 0666);
    CHECK_EQ(mode_of("a"), 0640);
    umask(0);
    open_file("b", O_CREAT | O_WRONLY, 04777);
    CHECK_EQ(mode_of("b"), 04777);
    const scratch::Fd made(creat("c", 0600));
    CHECK_EQ(mode_of("c"), 0600);
    CHECK_EQ(umask(old), 0);
}

TEST(a_new_file_may_be_written_whatever_its_mode) {
    const scratch::Fd fd = open_file("d", O_CREAT | O_RDWR | O_EXCL, 0);
    CHECK_EQ(write(fd, "x", 1), 1);
    CHECK_ERRNO(open("d", O_CREAT | O_RDWR | O_EXCL, 0644), EEXIST);
}

TEST(truncates) {
    make_file("e", "old contents");
    open_file("e", O_WRONLY | O_TRUNC);
    CHECK_EQ(contents_of("e"), "");
    make_file("e", "old contents");
    const scratch::Fd made(creat("e", 0600));
    CHECK_EQ(contents_of("e"), "");
}

TEST(lowest_descriptor_first) {
    const scratch::Fd first = open_file("/dev/null", O_RDONLY);
    scratch::Fd second = open_file("/dev/null", O_RDONLY);
    scratch::Fd third = open_file("/dev/null", O_RDONLY);
    const int hole = second;
    second.close_now();
    const scratch::Fd again = open_file("/dev/null", O_RDONLY);
    CHECK_EQ(int{again}, hole);
}

TEST(names_that_lead_nowhere) {
    make_file("file");
    CHECK_OK(symlink("loop", "loop"));
    CHECK_OK(symlink("nothing", "dangling"));
    CHECK_ERRNO(open("missing", O_RDONLY), ENOENT);
    CHECK_ERRNO(open("", O_RDONLY), ENOENT);
    CHECK_ERRNO(open("missing/x", O_CREAT | O_RDWR, 0644), ENOENT);
    CHECK_ERRNO(open("dangling", O_RDONLY), ENOENT);
    CHECK_ERRNO(open("file/x", O_RDONLY), ENOTDIR);
    CHECK_ERRNO(open("file/", O_RDONLY), ENOTDIR);
    CHECK_ERRNO(open("file/.", O_RDONLY), ENOTDIR);
    CHECK_ERRNO(open("file", O_RDONLY | O_DIRECTORY), ENOTDIR);
    CHECK_ERRNO(open("loop", O_RDONLY), ELOOP);
    CHECK_ERRNO(open("dangling", O_RDONLY | O_NOFOLLOW), ELOOP);
    CHECK_ERRNO(open(scratch::kLongName.c_str(), O_RDONLY), ENAMETOOLONG);
    CHECK_ERRNO(open(scratch::kLongPath.c_str(), O_RDONLY), ENAMETOOLONG);
    CHECK_ERRNO(open(scratch::bad_address(), O_RDONLY), EFAULT);
    // Creating through a dangling link makes what it names, but not exclusively.
    CHECK_ERRNO(open("dangling", O_RDWR | O_CREAT | O_EXCL, 0644), EEXIST);
    open_file("dangling", O_RDWR | O_CREAT);
    CHECK_OK(access("nothing", F_OK));
}

TEST(directories) {
    CHECK_OK(mkdir("dir", 0755));
    CHECK_ERRNO(open("dir", O_WRONLY), EISDIR);
    CHECK_ERRNO(open("dir", O_RDWR), EISDIR);
    CHECK_ERRNO(open("dir", O_RDONLY | O_CREAT, 0644), EISDIR);
    CHECK_ERRNO(open("new/", O_RDWR | O_CREAT, 0644), EISDIR);
    open_file("dir", O_RDONLY);
    open_file("dir/", O_RDONLY | O_DIRECTORY);
    open_file("dir/../dir/.", O_RDONLY);
}

TEST(relative_to_a_descriptor) {
    CHECK_OK(mkdir("at", 0755));
    const scratch::Fd at = open_file("at", O_RDONLY | O_DIRECTORY);
    const scratch::Fd made(openat(at, "inside", O_CREAT | O_RDWR, 0644));
    CHECK(made >= 0);
    CHECK_OK(access("at/inside", F_OK));
    CHECK_ERRNO(openat(made, "x", O_RDONLY), ENOTDIR);
    CHECK_ERRNO(openat(-1, "x", O_RDONLY), EBADF);
    CHECK_ERRNO(openat(-1, "", O_RDONLY), ENOENT);
    const scratch::Fd absolute(openat(-1, "/dev/null", O_RDONLY));
    CHECK(absolute >= 0);
    const scratch::Fd place(openat(AT_FDCWD, "at", O_PATH));
    const scratch::Fd through(openat(place, "inside", O_RDONLY));
    CHECK(through >= 0);
}

TEST(flags_that_do_not_go_together) {
    CHECK_ERRNO(open(".", O_RDWR | (O_TMPFILE & ~O_DIRECTORY), 0600), EINVAL);
    make_file("path_only", "x");
    const scratch::Fd place = open_file("path_only", O_PATH | O_WRONLY | O_TRUNC);
    CHECK_EQ(contents_of("path_only"), "x");
    char byte = 0;
    CHECK_ERRNO(read(place, &byte, 1), EBADF);
    struct stat status{};
    CHECK_OK(fstat(place, &status));
    CHECK_EQ(status.st_size, 1);
    CHECK_OK(symlink("path_only", "link_to_it"));
    const scratch::Fd link_place = open_file("link_to_it", O_PATH | O_NOFOLLOW);
    CHECK_OK(fstat(link_place, &status));
    CHECK(S_ISLNK(status.st_mode));
}

TEST(permissions) {
    make_file("secret", "x", 0600);
    make_file("public", "x", 0644);
    CHECK_OK(mkdir("closed", 0700));
    make_file("closed/file", "x", 0666);
    CHECK_EXIT(scratch::as_other_user([] {
                   CHECK_ERRNO(open("secret", O_RDONLY), EACCES);
                   CHECK_ERRNO(open("public", O_RDWR), EACCES);
                   CHECK_ERRNO(open("public", O_RDONLY | O_TRUNC), EACCES);
                   CHECK_ERRNO(open("closed/file", O_RDONLY), EACCES);
                   CHECK_ERRNO(open("new", O_CREAT | O_RDWR, 0644), EACCES);
                   CHECK_ERRNO(open("public", O_RDONLY | O_NOATIME), EPERM);
                   CHECK_OK(open("public", O_RDONLY));
                   CHECK_OK(open("secret", O_PATH));
               }),
               0);
}

TEST(running_programs_are_not_written) {
    CHECK_ERRNO(open("/proc/self/exe", O_WRONLY), access("/proc/self/exe", W_OK) == 0 ? ETXTBSY : EACCES);
}

TEST(devices_without_a_driver) {
    if (geteuid() == 0 && mknod("no_driver", S_IFCHR | 0600, 0xfff << 8 | 0xff) == 0) {
        CHECK_ERRNO(open("no_driver", O_RDONLY), ENXIO);
    }
    if (mknod("socket", S_IFSOCK | 0600, 0) == 0) {
        CHECK_ERRNO(open("socket", O_RDONLY), ENXIO);
    }
}

TEST(descriptor_limit) {
    CHECK_CHILD([] {
        const rlimit limit{8, 8};
        REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        int last = -1;
        for (int fd = open("/dev/null", O_RDONLY); fd >= 0; fd = open("/dev/null", O_RDONLY)) {
            last = fd;
        }
        CHECK_EQ(errno, EMFILE);
        CHECK_EQ(last, 7);
        // Nothing is created when there is no descriptor for it.
        CHECK_ERRNO(open("no_room", O_CREAT | O_RDWR, 0644), EMFILE);
        CHECK_ERRNO(access("no_room", F_OK), ENOENT);
    });
}

TEST(closing) {
    const int fd = open("/dev/null", O_RDONLY);
    CHECK_OK(close(fd));
    CHECK_ERRNO(close(fd), EBADF);
    CHECK_ERRNO(close(-1), EBADF);
}

TEST(closing_a_range) {
    CHECK_CHILD([] {
        for (int fd = 10; fd < 20; ++fd) {
            REQUIRE(dup2(1, fd) == fd);
        }
        CHECK_OK(static_cast<int>(syscall(SYS_close_range, 12, 14, 0)));
        CHECK_OK(fcntl(11, F_GETFD));
        CHECK_ERRNO(fcntl(12, F_GETFD), EBADF);
        CHECK_ERRNO(fcntl(14, F_GETFD), EBADF);
        CHECK_EQ(fcntl(15, F_GETFD), 0);
        CHECK_OK(static_cast<int>(syscall(SYS_close_range, 15, ~0U, 4)));  // CLOSE_RANGE_CLOEXEC
        CHECK_EQ(fcntl(15, F_GETFD), FD_CLOEXEC);
        CHECK_EQ(fcntl(11, F_GETFD), 0);
        CHECK_OK(static_cast<int>(syscall(SYS_close_range, 15, ~0U, 2)));  // CLOSE_RANGE_UNSHARE
        CHECK_ERRNO(fcntl(19, F_GETFD), EBADF);
        CHECK_ERRNO(static_cast<int>(syscall(SYS_close_range, 5, 4, 0)), EINVAL);
        CHECK_ERRNO(static_cast<int>(syscall(SYS_close_range, 5, 6, 1)), EINVAL);
    });
}

TEST(an_unlinked_file_lives_while_open) {
    const scratch::Fd fd = open_file("gone", O_CREAT | O_RDWR);
    CHECK_OK(unlink("gone"));
    CHECK_EQ(write(fd, "still", 5), 5);
    struct stat status{};
    CHECK_OK(fstat(fd, &status));
    CHECK_EQ(status.st_nlink, 0);
    CHECK_EQ(status.st_size, 5);
}

}  // namespace

TEST_MAIN()
