// SPDX-License-Identifier: MIT OR Apache-2.0
// Extended attributes, xattr(7), of files in memory.
#include <sys/xattr.h>

#include <set>

#include "system/support/scratch.h"

namespace {

using scratch::bad_address;
using scratch::Fd;
using scratch::make_file;
using scratch::open_file;

scratch::Directory directory;

std::set<std::string> names_of(const char* path) {
    char buffer[1000];
    const ssize_t bytes = listxattr(path, buffer, sizeof(buffer));
    std::set<std::string> names;
    for (ssize_t at = 0; at < bytes;) {
        const std::string name = buffer + at;
        names.insert(name);
        at += static_cast<ssize_t>(name.size()) + 1;
    }
    return names;
}

TEST(supported) {
    make_file("f", "x");
    if (setxattr("f", "user.first", "1", 1, 0) != 0 && errno == EOPNOTSUPP) {
        check::skip("the file system has no user attributes");
    }
}

TEST(set_get_remove) {
    char value[100];
    CHECK_OK(setxattr("f", "user.a", "hello", 5, 0));
    CHECK_EQ(getxattr("f", "user.a", value, sizeof(value)), 5);
    CHECK_EQ(std::string(value, 5), "hello");
    CHECK_EQ(getxattr("f", "user.a", nullptr, 0), 5);
    CHECK_OK(setxattr("f", "user.empty", "", 0, 0));
    CHECK_EQ(getxattr("f", "user.empty", value, sizeof(value)), 0);
    CHECK(names_of("f") == std::set<std::string>({"user.a", "user.empty", "user.first"}));
    CHECK_EQ(listxattr("f", nullptr, 0), 29);
    const Fd fd = open_file("f", O_RDWR);
    CHECK_OK(fsetxattr(fd, "user.a", "new", 3, XATTR_REPLACE));
    CHECK_EQ(fgetxattr(fd, "user.a", value, sizeof(value)), 3);
    CHECK_EQ(flistxattr(fd, nullptr, 0), 29);
    CHECK_OK(fremovexattr(fd, "user.a"));
    CHECK_ERRNO(getxattr("f", "user.a", value, sizeof(value)), ENODATA);
    CHECK_OK(rename("f", "g"));
    CHECK(names_of("g") == std::set<std::string>({"user.empty", "user.first"}));
    CHECK_OK(removexattr("g", "user.empty"));
    CHECK_OK(rename("g", "f"));
}

TEST(modes) {
    CHECK_ERRNO(setxattr("f", "user.none", "x", 1, XATTR_REPLACE), ENODATA);
    CHECK_OK(setxattr("f", "user.made", "x", 1, XATTR_CREATE));
    CHECK_ERRNO(setxattr("f", "user.made", "x", 1, XATTR_CREATE), EEXIST);
    CHECK_ERRNO(setxattr("f", "user.made", "x", 1, 4), EINVAL);
}

TEST(errors) {
    char value[100];
    CHECK_OK(setxattr("f", "user.long", "0123456789", 10, 0));
    CHECK_ERRNO(getxattr("f", "user.long", value, 5), ERANGE);
    CHECK_ERRNO(listxattr("f", value, 3), ERANGE);
    CHECK_ERRNO(getxattr("none", "user.a", value, 5), ENOENT);
    CHECK_ERRNO(setxattr("none", "user.a", "x", 1, 0), ENOENT);
    CHECK_ERRNO(fgetxattr(-1, "user.a", value, 5), EBADF);
    CHECK_ERRNO(setxattr("f", "nonsense", "x", 1, 0), EOPNOTSUPP);
    CHECK_ERRNO(setxattr("f", "", "x", 1, 0), ERANGE);
    CHECK_ERRNO(setxattr("f", ("user." + std::string(251, 'n')).c_str(), "x", 1, 0), ERANGE);
    CHECK_ERRNO(setxattr("f", bad_address(), "x", 1, 0), EFAULT);
    CHECK_ERRNO(setxattr("f", "user.bad", bad_address(), 10, 0), EFAULT);
    CHECK_ERRNO(setxattr("f", "user.big", "x", 70000, 0), E2BIG);
    CHECK_ERRNO(removexattr("f", "user.none"), ENODATA);
    CHECK_OK(symlink("f", "link"));
    CHECK_ERRNO(lsetxattr("link", "user.a", "x", 1, 0), EPERM);
    CHECK_ERRNO(lgetxattr("link", "user.a", value, 5), ENODATA);
    CHECK_EQ(llistxattr("link", value, sizeof(value)), 0);
    CHECK_ERRNO(lremovexattr("link", "user.a"), EPERM);
}

TEST(rights) {
    CHECK_OK(chmod("f", 0644));
    CHECK_EQ(scratch::as_other_user([] {
                 char value[20];
                 CHECK_EQ(getxattr("f", "user.first", value, sizeof(value)), 1);
                 CHECK_ERRNO(setxattr("f", "user.first", "2", 1, 0), EACCES);
                 CHECK_ERRNO(setxattr("f", "trusted.x", "2", 1, 0), EPERM);
                 CHECK_ERRNO(getxattr("f", "trusted.x", value, sizeof(value)), ENODATA);
             }),
             0);
}

}  // namespace

TEST_MAIN()
