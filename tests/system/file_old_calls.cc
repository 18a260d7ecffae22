// SPDX-License-Identifier: MIT OR Apache-2.0
// Calls that newer ones have replaced, and preadv2(2): getdents(2), utime(2), futimesat(2), execveat(2).
#include <sys/uio.h>
#include <utime.h>

#include <set>

#include "system/support/scratch.h"

namespace {

using scratch::bad_address;
using scratch::contents_of;
using scratch::Fd;
using scratch::make_file;
using scratch::open_file;

scratch::Directory directory;

TEST(old_getdents) {
    make_file("a");
    make_file("longer-name");
    CHECK_OK(mkdir("folder", 0755));
    const Fd here = open_file(".", O_RDONLY);
    char buffer[512];
    std::set<std::string> names;
    while (true) {
        const long count = syscall(SYS_getdents, int{here}, buffer, sizeof(buffer));
        CHECK(count >= 0);
        if (count <= 0) {
            break;
        }
        for (long at = 0; at < count;) {
            unsigned short bytes;
            std::memcpy(&bytes, buffer + at + 16, sizeof(bytes));
            const std::string name = buffer + at + 18;
            const char type = buffer[at + bytes - 1];
            names.insert(name + (type == 4 ? "/" : ""));
            at += bytes;
        }
    }
    CHECK_EQ(names.size(), 5u);
    CHECK(names == std::set<std::string>({"./", "../", "a", "longer-name", "folder/"}));
    CHECK_OK(lseek(here, 0, SEEK_SET));
    CHECK_ERRNO(syscall(SYS_getdents, int{here}, buffer, 10), EINVAL);
    CHECK_ERRNO(syscall(SYS_getdents, int{here}, bad_address(), 100), EFAULT);
    const Fd file = open_file("a", O_RDONLY);
    CHECK_ERRNO(syscall(SYS_getdents, int{file}, buffer, 100), ENOTDIR);
    CHECK_ERRNO(syscall(SYS_getdents, -1, buffer, 100), EBADF);
}

TEST(old_times) {
    const long seconds[2] = {1000, 2000};
    struct stat status{};
    CHECK_OK(syscall(SYS_utime, "a", seconds));
    CHECK_OK(stat("a", &status));
    CHECK_EQ(status.st_atime, 1000);
    CHECK_EQ(status.st_mtime, 2000);
    CHECK_OK(syscall(SYS_utime, "a", nullptr));
    CHECK_OK(stat("a", &status));
    CHECK(status.st_mtime > 1'000'000);
    CHECK_ERRNO(syscall(SYS_utime, "none", seconds), ENOENT);
    CHECK_ERRNO(syscall(SYS_utime, "a", bad_address()), EFAULT);
    const timeval times[2] = {{3000, 5}, {4000, 6}};
    const Fd here = open_file(".", O_RDONLY);
    CHECK_OK(syscall(SYS_futimesat, int{here}, "a", times));
    CHECK_OK(stat("a", &status));
    CHECK_EQ(status.st_mtim.tv_sec, 4000);
    CHECK_EQ(status.st_mtim.tv_nsec, 6000);
    const timeval wrong[2] = {{1, 1'000'000}, {1, 0}};
    CHECK_ERRNO(syscall(SYS_futimesat, int{here}, "a", wrong), EINVAL);
    CHECK_ERRNO(syscall(SYS_futimesat, -1, "a", times), EBADF);
}

TEST(preadv2_and_pwritev2) {
    make_file("v", "0123456789");
    const Fd fd = open_file("v", O_RDWR);
    char text[20];
    const iovec into{text, 4};
    CHECK_EQ(preadv2(fd, &into, 1, 2, 0), 4);
    CHECK_EQ(std::string(text, 4), "2345");
    CHECK_EQ(preadv2(fd, &into, 1, -1, RWF_HIPRI), 4);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 4);
    char bytes[] = "AB";
    const iovec from{bytes, 2};
    CHECK_EQ(pwritev2(fd, &from, 1, 0, RWF_DSYNC), 2);
    CHECK_EQ(pwritev2(fd, &from, 1, 0, RWF_APPEND | RWF_SYNC), 2);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 4);
    CHECK_EQ(pwritev2(fd, &from, 1, -1, RWF_APPEND), 2);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 14);
    CHECK_EQ(contents_of("v"), "AB23456789ABAB");
    CHECK_ERRNO(preadv2(fd, &into, 1, -2, 0), EINVAL);
    CHECK_ERRNO(preadv2(fd, &into, 1, 0, 1 << 20), EOPNOTSUPP);
    CHECK_ERRNO(preadv2(-1, &into, 1, 0, 0), EBADF);
    int ends[2];
    CHECK_OK(pipe(ends));
    CHECK_EQ(pwritev2(ends[1], &from, 1, -1, 0), 2);
    CHECK_EQ(preadv2(ends[0], &into, 1, -1, 0), 2);
    CHECK_ERRNO(preadv2(ends[0], &into, 1, 0, 0), ESPIPE);
}

int run_at(int folder, const char* path, int flags) {
    return check::child_status([&] {
        char name[] = "name";
        char* arguments[] = {name, nullptr};
        syscall(SYS_execveat, folder, path, arguments, environ, flags);
        _exit(100 + (errno == ENOENT   ? 1
                     : errno == ELOOP  ? 2
                     : errno == EACCES ? 3
                     : errno == EINVAL ? 4
                     : errno == EBADF  ? 5
                                       : 0));
    });
}

TEST(execveat_runs) {
    make_file("script", "#!/bin/sh\ncase $0 in /dev/fd/*) exit 7;; */script) exit 8;; esac\n", 0755);
    const Fd here = open_file(".", O_RDONLY);
    const Fd script = open_file("script", O_RDONLY);
    const Fd closing = open_file("script", O_RDONLY | O_CLOEXEC);
    const Fd sh = open_file("/bin/sh", O_PATH | O_CLOEXEC);
    CHECK_EXIT(run_at(script, "", AT_EMPTY_PATH), 7);
    CHECK_EXIT(run_at(here, "script", 0), 7);
    CHECK_EXIT(run_at(AT_FDCWD, "./script", 0), 8);
    CHECK_EXIT(run_at(closing, "", AT_EMPTY_PATH), 101);
    CHECK_OK(symlink("script", "link"));
    CHECK_EXIT(run_at(here, "link", AT_SYMLINK_NOFOLLOW), 102);
    CHECK_EXIT(run_at(here, "a", 0), 103);
    CHECK_EXIT(run_at(here, "script", 0x4000'0000), 104);
    CHECK_EXIT(run_at(1000, "script", 0), 105);
    CHECK_EXIT(run_at(here, "", 0), 101);
    CHECK_EXIT(check::child_status([&] {
                   char name[] = "sh";
                   char option[] = "-c";
                   char text[] = "exit 9";
                   char* arguments[] = {name, option, text, nullptr};
                   fexecve(sh, arguments, environ);
               }),
               9);
}

}  // namespace

TEST_MAIN()
