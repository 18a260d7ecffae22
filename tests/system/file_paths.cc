// SPDX-License-Identifier: MIT OR Apache-2.0
// mkdir(2), rmdir(2), unlink(2), rename(2), link(2), symlink(2), readlink(2), mknod(2) and their ...at forms.
#include <sys/sysmacros.h>

#include "system/support/scratch.h"

namespace {

using scratch::bad_address;
using scratch::contents_of;
using scratch::kLongName;
using scratch::kLongPath;
using scratch::make_file;
using scratch::open_file;

scratch::Directory directory;

struct stat status_of(const char* path) {
    struct stat status{};
    CHECK_OK(lstat(path, &status));
    return status;
}

std::string target_of(const char* path) {
    char text[4096];
    const ssize_t length = readlink(path, text, sizeof(text));
    return length < 0 ? std::strerror(errno) : std::string(text, static_cast<std::size_t>(length));
}

TEST(making_directories) {
    const mode_t old = umask(022);
    CHECK_OK(mkdir("made", 0777));
    CHECK_EQ(status_of("made").st_mode, S_IFDIR | 0755);
    CHECK_OK(mkdir("sticky", 01777));
    CHECK_EQ(status_of("sticky").st_mode, S_IFDIR | 01755);
    umask(old);
    CHECK_ERRNO(mkdir("made", 0755), EEXIST);
    CHECK_ERRNO(mkdir(".", 0755), EEXIST);
    CHECK_ERRNO(mkdir("/", 0755), EEXIST);
    CHECK_OK(symlink("nowhere", "dangling_dir"));
    CHECK_ERRNO(mkdir("dangling_dir", 0755), EEXIST);
    CHECK_ERRNO(mkdir("missing/x", 0755), ENOENT);
    CHECK_ERRNO(mkdir("", 0755), ENOENT);
    make_file("plain");
    CHECK_ERRNO(mkdir("plain/x", 0755), ENOTDIR);
    CHECK_OK(symlink("loop", "loop"));
    CHECK_ERRNO(mkdir("loop/x", 0755), ELOOP);
    CHECK_ERRNO(mkdir(kLongName.c_str(), 0755), ENAMETOOLONG);
    CHECK_ERRNO(mkdir(kLongPath.c_str(), 0755), ENAMETOOLONG);
    CHECK_ERRNO(mkdir(bad_address(), 0755), EFAULT);
    CHECK_OK(mkdir("slash///", 0755));
    CHECK_ERRNO(mkdirat(-1, "x", 0755), EBADF);
    const scratch::Fd file = open_file("plain", O_RDONLY);
    CHECK_ERRNO(mkdirat(file, "x", 0755), ENOTDIR);
    const scratch::Fd made = open_file("made", O_RDONLY);
    CHECK_OK(mkdirat(made, "below", 0755));
    CHECK_OK(access("made/below", F_OK));
}

TEST(removing_directories) {
    CHECK_OK(mkdir("r", 0755));
    CHECK_OK(mkdir("r/sub", 0755));
    CHECK_ERRNO(rmdir("r"), ENOTEMPTY);
    CHECK_ERRNO(rmdir("r/sub/."), EINVAL);
    CHECK_ERRNO(rmdir("r/sub/.."), ENOTEMPTY);
    CHECK_ERRNO(rmdir("/"), EBUSY);
    CHECK_OK(rmdir("r/sub/"));
    CHECK_OK(rmdir("r"));
    CHECK_ERRNO(rmdir("r"), ENOENT);
    CHECK_ERRNO(rmdir(""), ENOENT);
    make_file("r_file");
    CHECK_ERRNO(rmdir("r_file"), ENOTDIR);
    CHECK_ERRNO(rmdir("r_file/x"), ENOTDIR);
    CHECK_ERRNO(rmdir(kLongName.c_str()), ENAMETOOLONG);
    CHECK_ERRNO(rmdir(bad_address()), EFAULT);
    CHECK_ERRNO(rmdir("loop/x"), ELOOP);
    CHECK_ERRNO(unlinkat(AT_FDCWD, "r_file", 0x10000), EINVAL);
    CHECK_ERRNO(unlinkat(AT_FDCWD, "r_file", AT_REMOVEDIR), ENOTDIR);
    CHECK_ERRNO(unlinkat(-1, "r_file", 0), EBADF);
}

TEST(a_removed_directory_is_dead) {
    CHECK_OK(mkdir("dead", 0755));
    const scratch::Fd dead = open_file("dead", O_RDONLY);
    CHECK_OK(rmdir("dead"));
    CHECK_ERRNO(openat(dead, "x", O_CREAT | O_RDWR, 0644), ENOENT);
    CHECK_ERRNO(mkdirat(dead, "x", 0755), ENOENT);
    struct stat status{};
    CHECK_OK(fstat(dead, &status));
    CHECK_EQ(status.st_nlink, 0);
}

TEST(unlinking) {
    make_file("u");
    CHECK_OK(unlink("u"));
    CHECK_ERRNO(unlink("u"), ENOENT);
    CHECK_ERRNO(unlink(""), ENOENT);
    CHECK_OK(mkdir("u_dir", 0755));
    CHECK_ERRNO(unlink("u_dir"), EISDIR);
    CHECK_ERRNO(unlink("plain/"), ENOTDIR);
    CHECK_ERRNO(unlink("plain/x"), ENOTDIR);
    CHECK_ERRNO(unlink(kLongName.c_str()), ENAMETOOLONG);
    CHECK_ERRNO(unlink(bad_address()), EFAULT);
    CHECK_OK(symlink("plain", "u_link"));
    CHECK_OK(unlink("u_link"));
    CHECK_OK(access("plain", F_OK));
    CHECK_OK(mkdir("u_closed", 0755));
    make_file("u_closed/file", "", 0666);
    CHECK_OK(mkdir("u_sticky", 0777));
    CHECK_OK(chmod("u_sticky", 01777));
    make_file("u_sticky/file", "", 0666);
    CHECK_EXIT(scratch::as_other_user([] {
                   CHECK_ERRNO(unlink("u_closed/file"), EACCES);
                   CHECK_ERRNO(unlink("u_sticky/file"), EPERM);
                   CHECK_ERRNO(mkdir("u_closed/x", 0755), EACCES);
                   CHECK_ERRNO(rename("u_sticky/file", "u_sticky/other"), EPERM);
                   CHECK_ERRNO(symlink("x", "u_closed/x"), EACCES);
                   CHECK_ERRNO(mkfifo("u_closed/x", 0600), EACCES);
                   CHECK_ERRNO(mknod("u_sticky/x", S_IFCHR | 0600, makedev(1, 3)), EPERM);
                   CHECK_OK(mkdir("u_sticky/own", 0755));
                   CHECK_OK(rmdir("u_sticky/own"));
               }),
               0);
}

TEST(renaming_files) {
    make_file("old", "old");
    make_file("new", "new");
    const ino_t inode = status_of("old").st_ino;
    CHECK_OK(rename("old", "new"));
    CHECK_EQ(contents_of("new"), "old");
    CHECK_EQ(status_of("new").st_ino, inode);
    CHECK_ERRNO(access("old", F_OK), ENOENT);
    CHECK_OK(rename("new", "new"));
    CHECK_OK(link("new", "twin"));
    CHECK_OK(rename("new", "twin"));  // the same file: nothing happens
    CHECK_OK(access("new", F_OK));
    CHECK_OK(unlink("twin"));
    CHECK_ERRNO(rename("missing", "x"), ENOENT);
    CHECK_ERRNO(rename("", "x"), ENOENT);
    CHECK_ERRNO(rename("new", ""), ENOENT);
    CHECK_ERRNO(rename("new", "missing/x"), ENOENT);
    CHECK_ERRNO(rename("new", "plain/x"), ENOTDIR);
    CHECK_ERRNO(rename("new/", "x"), ENOTDIR);
    CHECK_ERRNO(rename("new", kLongName.c_str()), ENAMETOOLONG);
    CHECK_ERRNO(rename(kLongPath.c_str(), "x"), ENAMETOOLONG);
    CHECK_ERRNO(rename(bad_address(), "x"), EFAULT);
    CHECK_ERRNO(rename("new", bad_address()), EFAULT);
    CHECK_ERRNO(rename("new", "loop/x"), ELOOP);
    CHECK_ERRNO(renameat(-1, "new", AT_FDCWD, "x"), EBADF);
    CHECK_ERRNO(renameat(AT_FDCWD, "new", -1, "x"), EBADF);
    const scratch::Fd sub = open_file("u_dir", O_RDONLY);
    CHECK_OK(renameat(AT_FDCWD, "new", sub, "moved"));
    CHECK_EQ(contents_of("u_dir/moved"), "old");
}

TEST(renaming_directories) {
    CHECK_OK(mkdir("d1", 0755));
    CHECK_OK(mkdir("d1/sub", 0755));
    CHECK_OK(mkdir("d2", 0755));
    CHECK_OK(mkdir("d3", 0755));
    make_file("d3/file");
    CHECK_ERRNO(rename("d1", "d1/sub/x"), EINVAL);
    CHECK_ERRNO(rename("d1/sub", "d1"), ENOTEMPTY);
    CHECK_ERRNO(rename("d1", "d3"), ENOTEMPTY);
    CHECK_ERRNO(rename("d1", "plain"), ENOTDIR);
    CHECK_ERRNO(rename("plain", "d2"), EISDIR);
    CHECK_ERRNO(rename("d1/.", "x"), EBUSY);
    CHECK_ERRNO(rename("d1", "d2/."), EBUSY);
    // Between two mounts that is what counts first.
    const bool on_root = status_of("/").st_dev == status_of(".").st_dev;
    CHECK_ERRNO(rename("/", "x"), on_root ? EBUSY : EXDEV);
    CHECK_OK(rename("d1", "d2"));
    CHECK_OK(access("d2/sub", F_OK));
    CHECK_OK(rename("d2/sub", "up/"));
    struct stat status{};
    struct stat here{};
    CHECK_OK(stat("up/..", &status));
    CHECK_OK(stat(".", &here));
    CHECK_EQ(status.st_ino, here.st_ino);
}

TEST(rename_flags) {
    make_file("x1", "1");
    make_file("x2", "2");
    CHECK_ERRNO(renameat2(AT_FDCWD, "x1", AT_FDCWD, "x2", RENAME_NOREPLACE), EEXIST);
    CHECK_OK(renameat2(AT_FDCWD, "x1", AT_FDCWD, "x2", RENAME_EXCHANGE));
    CHECK_EQ(contents_of("x1"), "2");
    CHECK_EQ(contents_of("x2"), "1");
    CHECK_OK(renameat2(AT_FDCWD, "x1", AT_FDCWD, "x3", RENAME_NOREPLACE));
    CHECK_ERRNO(renameat2(AT_FDCWD, "x2", AT_FDCWD, "x1", RENAME_EXCHANGE), ENOENT);
    CHECK_ERRNO(renameat2(AT_FDCWD, "x2", AT_FDCWD, "x1", RENAME_EXCHANGE | RENAME_NOREPLACE), EINVAL);
    CHECK_ERRNO(renameat2(AT_FDCWD, "x2", AT_FDCWD, "x1", 1U << 10), EINVAL);
    CHECK_OK(mkdir("x_dir", 0755));
    CHECK_OK(renameat2(AT_FDCWD, "x2", AT_FDCWD, "x_dir", RENAME_EXCHANGE));
    CHECK(S_ISDIR(status_of("x2").st_mode));
    CHECK_EQ(contents_of("x_dir"), "1");
}

TEST(other_file_systems) {
    CHECK_ERRNO(rename("plain", "/proc/x"), EXDEV);
    if (geteuid() == 0) {
        CHECK_ERRNO(rmdir("/proc"), EBUSY);
    } else {
        // Where the root directory belongs to all, as in an initramfs, it is sticky.
        CHECK_ERRNO(rmdir("/proc"), access("/", W_OK) == 0 ? EPERM : EACCES);
    }
    if (access("/dev/shm", W_OK) == 0 && status_of("/dev/shm").st_dev != status_of(".").st_dev) {
        CHECK_ERRNO(link("plain", "/dev/shm/kpio-test"), EXDEV);
    }
}

TEST(hard_links) {
    make_file("l1", "shared");
    CHECK_OK(link("l1", "l2"));
    CHECK_EQ(status_of("l1").st_nlink, 2);
    CHECK_EQ(status_of("l1").st_ino, status_of("l2").st_ino);
    CHECK_ERRNO(link("l1", "l2"), EEXIST);
    CHECK_ERRNO(link("missing", "l3"), ENOENT);
    CHECK_ERRNO(link("l1", ""), ENOENT);
    CHECK_ERRNO(link("l1", "missing/x"), ENOENT);
    CHECK_ERRNO(link("l1", "plain/x"), ENOTDIR);
    CHECK_ERRNO(link("u_dir", "l3"), EPERM);
    CHECK_ERRNO(link("l1", kLongName.c_str()), ENAMETOOLONG);
    CHECK_ERRNO(link(bad_address(), "l3"), EFAULT);
    CHECK_ERRNO(link("l1", bad_address()), EFAULT);
    CHECK_ERRNO(link("loop/x", "l3"), ELOOP);
    CHECK_OK(symlink("l1", "l_sym"));
    CHECK_OK(link("l_sym", "l_sym2"));
    CHECK(S_ISLNK(status_of("l_sym2").st_mode));
    CHECK_OK(linkat(AT_FDCWD, "l_sym", AT_FDCWD, "l3", AT_SYMLINK_FOLLOW));
    CHECK_EQ(status_of("l3").st_ino, status_of("l1").st_ino);
    CHECK_ERRNO(linkat(AT_FDCWD, "l1", AT_FDCWD, "l4", 1), EINVAL);
    CHECK_ERRNO(linkat(-1, "l1", AT_FDCWD, "l4", 0), EBADF);
    CHECK_ERRNO(linkat(AT_FDCWD, "l1", -1, "l4", 0), EBADF);
    CHECK_OK(unlink("l1"));
    CHECK_EQ(contents_of("l2"), "shared");
    if (geteuid() == 0) {
        const scratch::Fd fd = open_file("l2", O_PATH);
        CHECK_OK(linkat(fd, "", AT_FDCWD, "l5", AT_EMPTY_PATH));
        CHECK_EQ(contents_of("l5"), "shared");
    }
    CHECK_EXIT(scratch::as_other_user([] {
                   make_file("u_sticky/mine", "", 0600);
                   CHECK_ERRNO(link("u_sticky/mine", "l6"), EACCES);
                   CHECK_OK(link("u_sticky/mine", "u_sticky/mine2"));
               }),
               0);
}

TEST(symbolic_links) {
    CHECK_OK(symlink("somewhere/else", "s1"));
    CHECK_EQ(target_of("s1"), "somewhere/else");
    CHECK_ERRNO(symlink("x", "s1"), EEXIST);
    CHECK_ERRNO(symlink("", "s2"), ENOENT);
    CHECK_ERRNO(symlink("x", ""), ENOENT);
    CHECK_ERRNO(symlink("x", "missing/s"), ENOENT);
    CHECK_ERRNO(symlink("x", "plain/s"), ENOTDIR);
    CHECK_ERRNO(symlink(kLongPath.c_str(), "s2"), ENAMETOOLONG);
    CHECK_ERRNO(symlink("x", kLongName.c_str()), ENAMETOOLONG);
    CHECK_ERRNO(symlink(bad_address(), "s2"), EFAULT);
    CHECK_ERRNO(symlink("x", bad_address()), EFAULT);
    CHECK_ERRNO(symlink("x", "loop/x"), ELOOP);
    CHECK_ERRNO(symlinkat("x", -1, "s2"), EBADF);
    const scratch::Fd file = open_file("plain", O_RDONLY);
    CHECK_ERRNO(symlinkat("x", file, "s2"), ENOTDIR);
    // 40 links are followed, 41 are not.
    make_file("chain_end", "end");
    CHECK_OK(symlink("chain_end", "chain1"));
    for (int i = 2; i <= 41; ++i) {
        CHECK_OK(symlink(("chain" + std::to_string(i - 1)).c_str(), ("chain" + std::to_string(i)).c_str()));
    }
    CHECK_EQ(contents_of("chain40"), "end");
    CHECK_ERRNO(access("chain41", F_OK), ELOOP);
}

TEST(reading_links) {
    CHECK_OK(symlink("0123456789", "rl"));
    char text[8] = "xxxxxxx";
    CHECK_EQ(readlink("rl", text, 4), 4);
    CHECK_EQ(std::string_view(text), "0123xxx");
    CHECK_ERRNO(readlink("plain", text, 8), EINVAL);
    CHECK_ERRNO(static_cast<int>(syscall(SYS_readlink, "rl", text, 0)), EINVAL);
    CHECK_ERRNO(static_cast<int>(syscall(SYS_readlink, "rl", text, -1)), EINVAL);
    CHECK_ERRNO(readlink("missing", text, 8), ENOENT);
    CHECK_ERRNO(readlink("", text, 8), ENOENT);
    CHECK_ERRNO(readlink("plain/x", text, 8), ENOTDIR);
    CHECK_ERRNO(readlink("loop/x", text, 8), ELOOP);
    CHECK_ERRNO(readlink(kLongName.c_str(), text, 8), ENAMETOOLONG);
    CHECK_ERRNO(readlink(bad_address(), text, 8), EFAULT);
    CHECK_ERRNO(readlink("rl", bad_address(), 8), EFAULT);
    CHECK_ERRNO(readlinkat(-1, "rl", text, 8), EBADF);
    const scratch::Fd place = open_file("rl", O_PATH | O_NOFOLLOW);
    CHECK_EQ(readlinkat(place, "", text, 8), 8);
    const scratch::Fd plain = open_file("plain", O_RDONLY);
    CHECK_ERRNO(readlinkat(plain, "", text, 8), ENOENT);
    CHECK_ERRNO(readlinkat(plain, "x", text, 8), ENOTDIR);
}

TEST(nodes) {
    const mode_t old = umask(0);
    CHECK_OK(mknod("n1", S_IFREG | 0640, 0));
    CHECK_EQ(status_of("n1").st_mode, S_IFREG | 0640);
    CHECK_OK(mknod("n2", 0600, 0));
    CHECK(S_ISREG(status_of("n2").st_mode));
    CHECK_OK(mkfifo("n3", 0622));
    CHECK_EQ(status_of("n3").st_mode, S_IFIFO | 0622);
    CHECK_OK(mknodat(AT_FDCWD, "n4", S_IFSOCK | 0600, 0));
    CHECK(S_ISSOCK(status_of("n4").st_mode));
    umask(old);
    CHECK_ERRNO(mknod("n1", S_IFREG | 0640, 0), EEXIST);
    CHECK_ERRNO(mknod("n5", S_IFDIR | 0640, 0), EPERM);
    CHECK_ERRNO(mknod("n5", S_IFLNK | 0640, 0), EINVAL);
    CHECK_ERRNO(mknod("missing/n", S_IFREG | 0640, 0), ENOENT);
    CHECK_ERRNO(mknod("plain/n", S_IFREG | 0640, 0), ENOTDIR);
    CHECK_ERRNO(mknod(kLongName.c_str(), S_IFREG | 0640, 0), ENAMETOOLONG);
    CHECK_ERRNO(mknod(bad_address(), S_IFREG | 0640, 0), EFAULT);
    CHECK_ERRNO(mknod("loop/n", S_IFREG | 0640, 0), ELOOP);
    CHECK_ERRNO(mknodat(-1, "n5", S_IFREG | 0640, 0), EBADF);
    if (geteuid() == 0 && mknod("n6", S_IFCHR | 0600, makedev(1, 3)) == 0) {
        CHECK_EQ(status_of("n6").st_rdev, makedev(1, 3));
    }
}

}  // namespace

TEST_MAIN()
