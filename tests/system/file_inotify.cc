// SPDX-License-Identifier: MIT OR Apache-2.0
// inotify(7).
#include <poll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

#include "system/support/scratch.h"

namespace {

using scratch::bad_address;
using scratch::Fd;
using scratch::make_file;
using scratch::open_file;

scratch::Directory directory;

std::string mask_name(std::uint32_t mask) {
    struct Bit {
        std::uint32_t bit;
        const char* name;
    };
    constexpr Bit kBits[] = {{IN_ACCESS, "access"},           {IN_MODIFY, "modify"},
                             {IN_ATTRIB, "attrib"},           {IN_CLOSE_WRITE, "close_write"},
                             {IN_CLOSE_NOWRITE, "close"},     {IN_OPEN, "open"},
                             {IN_MOVED_FROM, "from"},         {IN_MOVED_TO, "to"},
                             {IN_CREATE, "create"},           {IN_DELETE, "delete"},
                             {IN_DELETE_SELF, "delete_self"}, {IN_MOVE_SELF, "move_self"},
                             {IN_IGNORED, "ignored"},         {IN_Q_OVERFLOW, "overflow"}};
    std::string name;
    for (const Bit& bit : kBits) {
        name += (mask & bit.bit) != 0 ? bit.name : "";
    }
    return name + ((mask & IN_ISDIR) != 0 ? "/" : "");
}

struct Inotify {
    Inotify() : fd(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) { REQUIRE(fd >= 0); }

    int watch(const char* path, std::uint32_t mask) const {
        const int descriptor = inotify_add_watch(fd, path, mask);
        CHECK(descriptor > 0);
        return descriptor;
    }
    // All that is there: "create:name open:name" with the watch's number in front if there are several.
    std::string events() {
        std::string all;
        alignas(inotify_event) char buffer[4096];
        for (ssize_t count = read(fd, buffer, sizeof(buffer)); count > 0; count = read(fd, buffer, sizeof(buffer))) {
            for (ssize_t at = 0; at < count;) {
                inotify_event event;
                std::memcpy(&event, buffer + at, sizeof(event));
                const std::string name = event.len != 0 ? buffer + at + sizeof(event) : "";
                all += (all.empty() ? "" : " ") + mask_name(event.mask) + (name.empty() ? "" : ":" + name);
                cookie = event.cookie != 0 ? event.cookie : cookie;
                CHECK_EQ(event.len % sizeof(inotify_event), 0u);
                at += static_cast<ssize_t>(sizeof(event) + event.len);
            }
        }
        return all;
    }
    Fd fd;
    std::uint32_t cookie = 0;
};

TEST(a_file) {
    make_file("f", "contents");
    Inotify inotify;
    inotify.watch("f", IN_ALL_EVENTS);
    char c;
    {
        const Fd fd = open_file("f", O_RDWR);
        CHECK_EQ(inotify.events(), "open");
        CHECK_EQ(read(fd, &c, 1), 1);
        CHECK_EQ(pread(fd, &c, 1, 0), 1);
        CHECK_EQ(inotify.events(), "access");
        CHECK_EQ(write(fd, "x", 1), 1);
        CHECK_EQ(inotify.events(), "modify");
        CHECK_OK(ftruncate(fd, 3));
        CHECK_OK(fchmod(fd, 0600));
        CHECK_EQ(inotify.events(), "modify attrib");
    }
    CHECK_EQ(inotify.events(), "close_write");
    open_file("f", O_RDONLY).close_now();
    CHECK_EQ(inotify.events(), "open close");
    CHECK_OK(truncate("f", 1));
    CHECK_OK(utimensat(AT_FDCWD, "f", nullptr, 0));
    CHECK_OK(link("f", "g"));
    CHECK_OK(unlink("g"));
    CHECK_EQ(inotify.events(), "modify attrib");  // three times the same is told once
    close(open("f", O_PATH));
    CHECK_EQ(inotify.events(), "");
    CHECK_OK(rename("f", "h"));
    CHECK_OK(unlink("h"));
    CHECK_EQ(inotify.events(), "move_self attrib delete_self ignored");
}

TEST(a_directory) {
    CHECK_OK(mkdir("d", 0755));
    Inotify inotify;
    inotify.watch("d", IN_CREATE | IN_DELETE | IN_MOVE | IN_CLOSE_WRITE | IN_ATTRIB | IN_ISDIR);
    make_file("d/new", "x");
    CHECK_EQ(inotify.events(), "create:new close_write:new");
    CHECK_OK(chmod("d/new", 0600));
    CHECK_EQ(inotify.events(), "attrib:new");
    CHECK_OK(mkdir("d/sub", 0755));
    CHECK_OK(symlink("x", "d/link"));
    CHECK_EQ(inotify.events(), "create/:sub create:link");
    CHECK_OK(rename("d/new", "d/renamed"));
    CHECK_EQ(inotify.events(), "from:new to:renamed");
    CHECK(inotify.cookie != 0);
    CHECK_OK(rename("d/renamed", "outside"));
    CHECK_EQ(inotify.events(), "from:renamed");
    CHECK_OK(rename("outside", "d/inside"));
    CHECK_EQ(inotify.events(), "to:inside");
    CHECK_OK(rmdir("d/sub"));
    CHECK_OK(unlink("d/link"));
    CHECK_OK(unlink("d/inside"));
    CHECK_EQ(inotify.events(), "delete/:sub delete:link delete:inside");
    CHECK_OK(rmdir("d"));
    CHECK_EQ(inotify.events(), "ignored");
}

TEST(both) {
    CHECK_OK(mkdir("d", 0755));
    Inotify inotify;
    inotify.watch("d", IN_ALL_EVENTS);
    Fd fd = open_file("d/f", O_CREAT | O_WRONLY);
    CHECK_EQ(write(fd, "abc", 3), 3);
    fd.close_now();
    CHECK_EQ(inotify.events(), "create:f open:f modify:f close_write:f");
    Fd d = open_file("d", O_RDONLY);
    CHECK_EQ(inotify.events(), "open/");
    d.close_now();
    CHECK_EQ(inotify.events(), "close/");
    const int first = inotify.watch("d/f", IN_MODIFY);
    CHECK_EQ(inotify.watch("d/f", IN_ATTRIB), first);
    CHECK_OK(chmod("d/f", 0600));
    CHECK_EQ(inotify.events(), "attrib:f attrib");
    CHECK_OK(truncate("d/f", 0));
    CHECK_EQ(inotify.events(), "modify:f");
    CHECK_EQ(inotify.watch("d/f", IN_MODIFY | IN_MASK_ADD), first);
    CHECK_OK(truncate("d/f", 0));
    CHECK_EQ(inotify.events(), "modify:f modify");
    CHECK_OK(inotify_rm_watch(inotify.fd, first));
    CHECK_EQ(inotify.events(), "ignored");
    CHECK_ERRNO(inotify_rm_watch(inotify.fd, first), EINVAL);
    CHECK_OK(unlink("d/f"));
    CHECK_OK(rmdir("d"));
}

TEST(replaced) {
    make_file("old", "o");
    make_file("new", "n");
    Inotify inotify;
    inotify.watch("old", IN_ATTRIB | IN_DELETE_SELF);
    CHECK_OK(rename("new", "old"));
    CHECK_EQ(inotify.events(), "attrib delete_self ignored");
}

TEST(flags) {
    CHECK_OK(mkdir("d", 0755));
    make_file("d/f");
    CHECK_OK(symlink("f", "d/l"));
    Inotify inotify;
    inotify.watch("d/f", IN_OPEN | IN_ONESHOT);
    open_file("d/f", O_RDONLY).close_now();
    open_file("d/f", O_RDONLY).close_now();
    CHECK_EQ(inotify.events(), "open ignored");
    CHECK_ERRNO(inotify_add_watch(inotify.fd, "d/f", IN_OPEN | IN_ONLYDIR), ENOTDIR);
    inotify.watch("d/l", IN_ATTRIB | IN_DONT_FOLLOW | IN_MASK_CREATE);
    CHECK_ERRNO(inotify_add_watch(inotify.fd, "d/l", IN_ATTRIB | IN_DONT_FOLLOW | IN_MASK_CREATE), EEXIST);
    CHECK_OK(chmod("d/f", 0600));
    CHECK_EQ(inotify.events(), "");
    inotify.watch("d", IN_MODIFY | IN_EXCL_UNLINK);
    const Fd fd = open_file("d/f", O_WRONLY);
    CHECK_EQ(write(fd, "x", 1), 1);
    CHECK_OK(unlink("d/f"));
    CHECK_EQ(write(fd, "x", 1), 1);
    CHECK_EQ(inotify.events(), "modify:f");
}

TEST(waiting) {
    make_file("w");
    Inotify inotify;
    inotify.watch("w", IN_MODIFY);
    pollfd poller{inotify.fd, POLLIN, 0};
    CHECK_EQ(poll(&poller, 1, 0), 0);
    char buffer[200];
    CHECK_ERRNO(read(inotify.fd, buffer, sizeof(buffer)), EAGAIN);
    const pid_t child = check::start_child([] {
        usleep(30'000);
        CHECK_OK(truncate("w", 10));
    });
    CHECK_EQ(poll(&poller, 1, 5000), 1);
    CHECK_EQ(poller.revents, POLLIN);
    int bytes = 0;
    CHECK_OK(ioctl(inotify.fd, FIONREAD, &bytes));
    CHECK_EQ(bytes, 16);
    CHECK_ERRNO(read(inotify.fd, buffer, 15), EINVAL);
    CHECK_EQ(inotify.events(), "modify");
    CHECK_EXIT(check::wait_status(child), 0);
    CHECK_OK(fcntl(inotify.fd, F_SETFL, 0));
    const pid_t second = check::start_child([] {
        usleep(30'000);
        CHECK_OK(truncate("w", 0));
    });
    CHECK_EQ(read(inotify.fd, buffer, sizeof(buffer)), 16);
    CHECK_EXIT(check::wait_status(second), 0);
}

TEST(errors) {
    CHECK_ERRNO(inotify_init1(1), EINVAL);
    const Inotify inotify;
    const Fd file = open_file("w", O_RDONLY);
    CHECK_ERRNO(inotify_add_watch(inotify.fd, "w", 0), EINVAL);
    CHECK_ERRNO(inotify_add_watch(inotify.fd, "w", IN_OPEN | IN_MASK_ADD | IN_MASK_CREATE), EINVAL);
    CHECK_ERRNO(inotify_add_watch(file, "w", IN_OPEN), EINVAL);
    CHECK_ERRNO(inotify_add_watch(-1, "w", IN_OPEN), EBADF);
    CHECK_ERRNO(inotify_add_watch(inotify.fd, "none", IN_OPEN), ENOENT);
    CHECK_ERRNO(inotify_add_watch(inotify.fd, bad_address(), IN_OPEN), EFAULT);
    CHECK_ERRNO(inotify_add_watch(inotify.fd, scratch::kLongPath.c_str(), IN_OPEN), ENAMETOOLONG);
    CHECK_ERRNO(inotify_rm_watch(inotify.fd, 99), EINVAL);
    CHECK_ERRNO(inotify_rm_watch(file, 1), EINVAL);
    CHECK_ERRNO(inotify_rm_watch(-1, 1), EBADF);
    CHECK_ERRNO(write(inotify.fd, "x", 1), EBADF);
    make_file("secret", "s", 0600);
    CHECK_EQ(scratch::as_other_user([&] { CHECK_ERRNO(inotify_add_watch(inotify.fd, "secret", IN_OPEN), EACCES); }), 0);
}

TEST(overflow) {
    make_file("w");
    Inotify inotify;
    inotify.watch("w", IN_OPEN | IN_CLOSE);
    for (int i = 0; i < 20'000; ++i) {
        open_file("w", O_RDONLY).close_now();
    }
    const std::string all = inotify.events();
    CHECK(all.ends_with("overflow"));
    open_file("w", O_RDONLY).close_now();
    CHECK_EQ(inotify.events(), "open close");
}

}  // namespace

TEST_MAIN()
