// SPDX-License-Identifier: MIT OR Apache-2.0
// openat2(2).
#include <linux/openat2.h>

#include "system/support/scratch.h"

namespace {

using scratch::bad_address;
using scratch::Fd;
using scratch::make_file;
using scratch::open_file;

scratch::Directory directory;

int open2(int folder, const char* path, open_how how, std::size_t size = sizeof(open_how)) {
    const int fd = static_cast<int>(syscall(SYS_openat2, folder, path, &how, size));
    if (fd >= 0) {
        close(fd);
        return 0;
    }
    return fd;
}

open_how how(std::uint64_t flags, std::uint64_t resolve = 0, std::uint64_t mode = 0) {
    open_how result{};
    result.flags = flags;
    result.mode = mode;
    result.resolve = resolve;
    return result;
}

TEST(set_up) {
    CHECK_OK(mkdir("d", 0755));
    CHECK_OK(mkdir("d/e", 0755));
    make_file("outside", "o");
    make_file("d/inside", "i");
    CHECK_OK(symlink("../outside", "d/up"));
    CHECK_OK(symlink("/outside", "d/absolute"));
    CHECK_OK(symlink("inside", "d/link"));
    CHECK_OK(symlink("/inside", "d/rooted"));
}

TEST(opens) {
    const Fd d = open_file("d", O_RDONLY);
    CHECK_OK(open2(d, "inside", how(O_RDONLY)));
    CHECK_OK(open2(d, "up", how(O_RDONLY)));
    CHECK_OK(open2(d, "new", how(O_CREAT | O_WRONLY, 0, 0600)));
    CHECK_ERRNO(open2(d, "none", how(O_RDONLY)), ENOENT);
    CHECK_ERRNO(open2(d, "", how(O_RDONLY)), ENOENT);
    CHECK_OK(open2(d, "inside", how(O_PATH | O_CLOEXEC)));
}

TEST(beneath) {
    const Fd d = open_file("d", O_RDONLY);
    CHECK_OK(open2(d, "inside", how(O_RDONLY, RESOLVE_BENEATH)));
    CHECK_OK(open2(d, "link", how(O_RDONLY, RESOLVE_BENEATH)));
    CHECK_OK(open2(d, "e/../inside", how(O_RDONLY, RESOLVE_BENEATH)));
    CHECK_ERRNO(open2(d, "../outside", how(O_RDONLY, RESOLVE_BENEATH)), EXDEV);
    CHECK_ERRNO(open2(d, "up", how(O_RDONLY, RESOLVE_BENEATH)), EXDEV);
    CHECK_ERRNO(open2(d, "/etc", how(O_RDONLY, RESOLVE_BENEATH)), EXDEV);
    CHECK_ERRNO(open2(d, "rooted", how(O_RDONLY, RESOLVE_BENEATH)), EXDEV);
}

TEST(in_root) {
    const Fd d = open_file("d", O_RDONLY);
    CHECK_OK(open2(d, "rooted", how(O_RDONLY, RESOLVE_IN_ROOT)));
    CHECK_OK(open2(d, "/inside", how(O_RDONLY, RESOLVE_IN_ROOT)));
    CHECK_OK(open2(d, "../../inside", how(O_RDONLY, RESOLVE_IN_ROOT)));
    CHECK_ERRNO(open2(d, "up", how(O_RDONLY, RESOLVE_IN_ROOT)), ENOENT);
    CHECK_ERRNO(open2(d, "absolute", how(O_RDONLY, RESOLVE_IN_ROOT)), ENOENT);
}

TEST(no_links_no_mounts) {
    const Fd d = open_file("d", O_RDONLY);
    CHECK_ERRNO(open2(d, "link", how(O_RDONLY, RESOLVE_NO_SYMLINKS)), ELOOP);
    CHECK_OK(open2(d, "inside", how(O_RDONLY, RESOLVE_NO_SYMLINKS)));
    CHECK_OK(open2(d, "link", how(O_RDONLY, RESOLVE_NO_MAGICLINKS)));
    CHECK_ERRNO(open2(d, "/proc/self/exe", how(O_RDONLY, RESOLVE_NO_MAGICLINKS)), ELOOP);
    CHECK_ERRNO(open2(AT_FDCWD, "/proc/version", how(O_RDONLY, RESOLVE_NO_XDEV)), EXDEV);
    CHECK_OK(open2(d, "inside", how(O_RDONLY, RESOLVE_NO_XDEV)));
}

TEST(errors) {
    const Fd d = open_file("d", O_RDONLY);
    CHECK_ERRNO(open2(d, "inside", how(1ull << 40)), EINVAL);
    CHECK_ERRNO(open2(d, "inside", how(O_RDONLY, 1 << 20)), EINVAL);
    CHECK_ERRNO(open2(d, "inside", how(O_RDONLY, RESOLVE_BENEATH | RESOLVE_IN_ROOT)), EINVAL);
    CHECK_ERRNO(open2(d, "inside", how(O_RDONLY, 0, 0600)), EINVAL);
    CHECK_ERRNO(open2(d, "inside", how(O_CREAT | O_RDWR, 0, 0xffff)), EINVAL);
    CHECK_ERRNO(open2(d, "inside", how(O_PATH | O_RDWR)), EINVAL);
    CHECK_ERRNO(open2(d, "inside", how(O_RDONLY), 8), EINVAL);
    CHECK_ERRNO(open2(d, "inside", how(O_RDONLY), 5000), E2BIG);
    CHECK_ERRNO(syscall(SYS_openat2, int{d}, "inside", bad_address(), sizeof(open_how)), EFAULT);
    CHECK_ERRNO(open2(-5, "inside", how(O_RDONLY)), EBADF);
    struct {
        open_how how;
        std::uint64_t more;
    } longer{how(O_RDONLY), 0};
    const Fd fd(static_cast<int>(syscall(SYS_openat2, int{d}, "inside", &longer, sizeof(longer))));
    CHECK(fd >= 0);
    longer.more = 1;
    CHECK_ERRNO(syscall(SYS_openat2, int{d}, "inside", &longer, sizeof(longer)), E2BIG);
}

}  // namespace

TEST_MAIN()
