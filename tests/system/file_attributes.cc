// SPDX-License-Identifier: MIT OR Apache-2.0
// access(2), chmod(2), chown(2), utimensat(2), truncate(2), umask(2) and their relatives.
#include <sys/time.h>
#include <utime.h>

#include "system/support/scratch.h"

namespace {

using scratch::bad_address;
using scratch::contents_of;
using scratch::kLongName;
using scratch::make_file;
using scratch::open_file;

scratch::Directory directory;

struct stat status_of(const char* path) {
    struct stat status{};
    CHECK_OK(lstat(path, &status));
    return status;
}

TEST(access_checks) {
    make_file("a", "", 0640);
    CHECK_OK(access("a", F_OK));
    CHECK_OK(access("a", R_OK | W_OK));
    CHECK_ERRNO(access("a", X_OK), EACCES);  // for root too: no execute bit at all
    CHECK_OK(chmod("a", 0750));
    CHECK_OK(access("a", X_OK));
    CHECK_ERRNO(access("a", 8), EINVAL);
    CHECK_ERRNO(access("missing", F_OK), ENOENT);
    CHECK_ERRNO(access("", F_OK), ENOENT);
    CHECK_ERRNO(access("a/x", F_OK), ENOTDIR);
    CHECK_ERRNO(access(kLongName.c_str(), F_OK), ENAMETOOLONG);
    CHECK_ERRNO(access(bad_address(), F_OK), EFAULT);
    CHECK_OK(symlink("loop", "loop"));
    CHECK_ERRNO(access("loop", F_OK), ELOOP);
    CHECK_ERRNO(faccessat(-1, "a", F_OK, 0), EBADF);
    CHECK_ERRNO(static_cast<int>(syscall(SYS_faccessat2, AT_FDCWD, "a", F_OK, 1)), EINVAL);
    CHECK_OK(static_cast<int>(syscall(SYS_faccessat2, AT_FDCWD, "loop", F_OK, AT_SYMLINK_NOFOLLOW)));
    const scratch::Fd fd = open_file("a", O_RDONLY);
    CHECK_ERRNO(faccessat(fd, "x", F_OK, 0), ENOTDIR);
    CHECK_OK(static_cast<int>(syscall(SYS_faccessat2, int{fd}, "", R_OK, AT_EMPTY_PATH)));
    CHECK_EXIT(scratch::as_other_user([] {
                   CHECK_OK(access("a", F_OK));
                   CHECK_ERRNO(access("a", R_OK), EACCES);
               }),
               0);
}

TEST(access_is_about_the_real_user) {
    if (geteuid() != 0) {
        return;
    }
    make_file("real", "", 0600);
    CHECK_CHILD([] {
        REQUIRE(setresuid(12345, 0, 0) == 0);
        CHECK_ERRNO(access("real", R_OK), EACCES);
        CHECK_OK(static_cast<int>(syscall(SYS_faccessat2, AT_FDCWD, "real", R_OK, AT_EACCESS)));
    });
}

TEST(changing_modes) {
    make_file("m", "", 0644);
    CHECK_OK(chmod("m", 07711));
    CHECK_EQ(status_of("m").st_mode & 07777, 07711);
    CHECK_OK(chmod("m", 0200000 | 0600));
    CHECK_EQ(status_of("m").st_mode, S_IFREG | 0600);
    const scratch::Fd fd = open_file("m", O_RDONLY);
    CHECK_OK(fchmod(fd, 0444));
    CHECK_EQ(status_of("m").st_mode & 07777, 0444);
    CHECK_OK(fchmodat(AT_FDCWD, "m", 0640, 0));
    CHECK_OK(symlink("m", "m_link"));
    CHECK_OK(chmod("m_link", 0604));
    CHECK_EQ(status_of("m").st_mode & 07777, 0604);
    CHECK_ERRNO(chmod("missing", 0600), ENOENT);
    CHECK_ERRNO(chmod("", 0600), ENOENT);
    CHECK_ERRNO(chmod("m/x", 0600), ENOTDIR);
    CHECK_ERRNO(chmod("loop", 0600), ELOOP);
    CHECK_ERRNO(chmod(kLongName.c_str(), 0600), ENAMETOOLONG);
    CHECK_ERRNO(chmod(bad_address(), 0600), EFAULT);
    CHECK_ERRNO(fchmod(-1, 0600), EBADF);
    CHECK_ERRNO(fchmodat(-1, "m", 0600, 0), EBADF);
    CHECK_ERRNO(fchmodat(fd, "x", 0600, 0), ENOTDIR);
    const scratch::Fd place = open_file("m", O_PATH);
    CHECK_ERRNO(fchmod(place, 0600), EBADF);
    CHECK_EXIT(scratch::as_other_user([] {
                   CHECK_ERRNO(chmod("m", 0666), EPERM);
                   CHECK_ERRNO(utimes("m", nullptr), EACCES);
               }),
               0);
}

TEST(changing_owners) {
    if (geteuid() != 0) {
        return;
    }
    make_file("o", "", 06755);
    CHECK_OK(chmod("o", 06755));
    CHECK_OK(chown("o", 100, 200));
    struct stat status = status_of("o");
    CHECK_EQ(status.st_uid, 100);
    CHECK_EQ(status.st_gid, 200);
    CHECK_EQ(status.st_mode & 07777, 0755);  // set-id bits go
    CHECK_OK(chown("o", static_cast<uid_t>(-1), 300));
    CHECK_OK(chown("o", 101, static_cast<gid_t>(-1)));
    status = status_of("o");
    CHECK_EQ(status.st_uid, 101);
    CHECK_EQ(status.st_gid, 300);
    CHECK_OK(symlink("o", "o_link"));
    CHECK_OK(lchown("o_link", 5, 6));
    CHECK_EQ(status_of("o_link").st_uid, 5);
    CHECK_EQ(status_of("o").st_uid, 101);
    CHECK_OK(chown("o_link", 7, 8));
    CHECK_EQ(status_of("o").st_uid, 7);
    CHECK_OK(fchownat(AT_FDCWD, "o_link", 9, 9, AT_SYMLINK_NOFOLLOW));
    CHECK_EQ(status_of("o_link").st_uid, 9);
    const scratch::Fd fd = open_file("o", O_RDONLY);
    CHECK_OK(fchown(fd, 10, 10));
    CHECK_EQ(status_of("o").st_uid, 10);
    CHECK_OK(fchownat(fd, "", 11, 11, AT_EMPTY_PATH));
    CHECK_EQ(status_of("o").st_uid, 11);
    CHECK_ERRNO(chown("missing", 0, 0), ENOENT);
    CHECK_ERRNO(chown("o/x", 0, 0), ENOTDIR);
    CHECK_ERRNO(chown("loop", 0, 0), ELOOP);
    CHECK_ERRNO(chown(kLongName.c_str(), 0, 0), ENAMETOOLONG);
    CHECK_ERRNO(chown(bad_address(), 0, 0), EFAULT);
    CHECK_ERRNO(fchown(-1, 0, 0), EBADF);
    CHECK_ERRNO(fchownat(AT_FDCWD, "o", 0, 0, 1), EINVAL);
    CHECK_ERRNO(fchownat(-1, "o", 0, 0, 0), EBADF);
    CHECK_EXIT(scratch::as_other_user([] {
                   CHECK_ERRNO(chown("o", 12345, static_cast<gid_t>(-1)), EPERM);
                   CHECK_ERRNO(chown("a", static_cast<uid_t>(-1), 12345), EPERM);
               }),
               0);
}

TEST(setting_times) {
    make_file("t");
    const timespec exact[2] = {{1000, 123456789}, {-2000, 987654321}};
    CHECK_OK(utimensat(AT_FDCWD, "t", exact, 0));
    struct stat status = status_of("t");
    CHECK_EQ(status.st_atim.tv_sec, 1000);
    CHECK_EQ(status.st_atim.tv_nsec, 123456789);
    CHECK_EQ(status.st_mtim.tv_sec, -2000);
    CHECK_EQ(status.st_mtim.tv_nsec, 987654321);
    const timespec only_modify[2] = {{0, UTIME_OMIT}, {3000, 0}};
    CHECK_OK(utimensat(AT_FDCWD, "t", only_modify, 0));
    status = status_of("t");
    CHECK_EQ(status.st_atim.tv_sec, 1000);
    CHECK_EQ(status.st_mtim.tv_sec, 3000);
    const scratch::Fd fd = open_file("t", O_RDWR);
    const timespec now_and_fixed[2] = {{0, UTIME_NOW}, {4000, 0}};
    CHECK_OK(futimens(fd, now_and_fixed));
    status = status_of("t");
    CHECK(status.st_atim.tv_sec > 1'500'000'000);
    CHECK_EQ(status.st_mtim.tv_sec, 4000);
    CHECK_OK(utimensat(AT_FDCWD, "t", nullptr, 0));
    CHECK(status_of("t").st_mtim.tv_sec > 1'500'000'000);
    CHECK_OK(symlink("t", "t_link"));
    CHECK_OK(utimensat(AT_FDCWD, "t_link", exact, AT_SYMLINK_NOFOLLOW));
    CHECK_EQ(status_of("t_link").st_atim.tv_sec, 1000);
    CHECK(status_of("t").st_mtim.tv_sec > 1'500'000'000);
    const timeval coarse[2] = {{5000, 500000}, {6000, 0}};
    CHECK_OK(utimes("t", coarse));
    CHECK_EQ(status_of("t").st_atim.tv_nsec, 500000000);
    CHECK_EQ(status_of("t").st_mtim.tv_sec, 6000);
}

TEST(setting_times_goes_wrong) {
    const timespec bad[2] = {{0, 1000000000}, {0, 0}};
    const timespec omit[2] = {{0, UTIME_OMIT}, {0, UTIME_OMIT}};
    const timespec fixed[2] = {{1, 0}, {1, 0}};
    CHECK_ERRNO(utimensat(AT_FDCWD, "t", bad, 0), EINVAL);
    CHECK_ERRNO(utimensat(AT_FDCWD, "t", fixed, 1), EINVAL);
    CHECK_OK(utimensat(AT_FDCWD, "missing", omit, 0));
    CHECK_ERRNO(utimensat(AT_FDCWD, "missing", fixed, 0), ENOENT);
    CHECK_ERRNO(utimensat(AT_FDCWD, "", fixed, 0), ENOENT);
    CHECK_ERRNO(utimensat(AT_FDCWD, "t/x", fixed, 0), ENOTDIR);
    CHECK_ERRNO(utimensat(AT_FDCWD, "loop", fixed, 0), ELOOP);
    CHECK_ERRNO(utimensat(AT_FDCWD, kLongName.c_str(), fixed, 0), ENAMETOOLONG);
    CHECK_ERRNO(utimensat(AT_FDCWD, bad_address(), fixed, 0), EFAULT);
    CHECK_ERRNO(utimensat(-1, "t", fixed, 0), EBADF);
    CHECK_ERRNO(futimens(-1, fixed), EBADF);
    CHECK_ERRNO(static_cast<int>(syscall(SYS_utimensat, AT_FDCWD, "t", bad_address(), 0)), EFAULT);
    CHECK_ERRNO(static_cast<int>(syscall(SYS_utimensat, AT_FDCWD, nullptr, fixed, 0)), EFAULT);
    const timeval bad_coarse[2] = {{0, 1000000}, {0, 0}};
    CHECK_ERRNO(static_cast<int>(syscall(SYS_utimes, "t", bad_coarse)), EINVAL);
    CHECK_ERRNO(static_cast<int>(syscall(SYS_utimes, "t", bad_address())), EFAULT);
    CHECK_ERRNO(static_cast<int>(syscall(SYS_utimes, "missing", nullptr)), ENOENT);
    make_file("writable", "", 0666);
    CHECK_OK(chmod("writable", 0666));
    CHECK_EXIT(scratch::as_other_user([&] {
                   CHECK_ERRNO(utimensat(AT_FDCWD, "t", fixed, 0), EPERM);
                   CHECK_ERRNO(utimensat(AT_FDCWD, "t", nullptr, 0), EACCES);
                   CHECK_OK(utimensat(AT_FDCWD, "writable", nullptr, 0));
                   CHECK_ERRNO(utimensat(AT_FDCWD, "writable", fixed, 0), EPERM);
               }),
               0);
}

TEST(writing_moves_times) {
    make_file("w", "x");
    const timespec past[2] = {{1000, 0}, {1000, 0}};
    CHECK_OK(utimensat(AT_FDCWD, "w", past, 0));
    const scratch::Fd fd = open_file("w", O_WRONLY);
    CHECK_EQ(write(fd, "y", 1), 1);
    CHECK(status_of("w").st_mtim.tv_sec > 1'500'000'000);
    CHECK_EQ(status_of("w").st_atim.tv_sec, 1000);
}

TEST(truncating) {
    make_file("tr", "0123456789");
    CHECK_OK(truncate("tr", 4));
    CHECK_EQ(contents_of("tr"), "0123");
    CHECK_OK(truncate("tr", 6));
    CHECK_EQ(contents_of("tr"), std::string("0123\0\0", 6));
    const scratch::Fd fd = open_file("tr", O_RDWR);
    CHECK_OK(ftruncate(fd, 2));
    CHECK_EQ(contents_of("tr"), "01");
    CHECK_ERRNO(truncate("tr", -1), EINVAL);
    CHECK_ERRNO(ftruncate(fd, -1), EINVAL);
    CHECK_ERRNO(truncate(".", 0), EISDIR);
    CHECK_ERRNO(truncate("missing", 0), ENOENT);
    CHECK_ERRNO(truncate("", 0), ENOENT);
    CHECK_ERRNO(truncate("tr/x", 0), ENOTDIR);
    CHECK_ERRNO(truncate("loop", 0), ELOOP);
    CHECK_ERRNO(truncate(kLongName.c_str(), 0), ENAMETOOLONG);
    CHECK_ERRNO(truncate(bad_address(), 0), EFAULT);
    CHECK_ERRNO(truncate("/proc/self/exe", 0), access("/proc/self/exe", W_OK) == 0 ? ETXTBSY : EACCES);
    CHECK_OK(mkfifo("tr_fifo", 0600));
    CHECK_ERRNO(truncate("tr_fifo", 0), EINVAL);
    CHECK_ERRNO(ftruncate(-1, 0), EBADF);
    const scratch::Fd reader = open_file("tr", O_RDONLY);
    CHECK_ERRNO(ftruncate(reader, 0), EINVAL);
    int ends[2];
    CHECK_OK(pipe(ends));
    CHECK_ERRNO(ftruncate(ends[1], 0), EINVAL);
    CHECK_EXIT(scratch::as_other_user([] { CHECK_ERRNO(truncate("tr", 0), EACCES); }), 0);
}

TEST(bytes_beyond_a_shorter_end_are_gone) {
    make_file("z", std::string(9000, 'x'));
    CHECK_OK(truncate("z", 5000));
    CHECK_OK(truncate("z", 9000));
    CHECK_EQ(contents_of("z"), std::string(5000, 'x') + std::string(4000, '\0'));
}

TEST(masks) {
    const mode_t old = umask(01077);
    CHECK_EQ(umask(old), 077);
    CHECK_CHILD([] { umask(0123); });
    CHECK_EQ(umask(old), old);
}

}  // namespace

TEST_MAIN()
