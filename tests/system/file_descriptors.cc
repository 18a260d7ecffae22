// SPDX-License-Identifier: MIT OR Apache-2.0
// dup(2), dup2(2), dup3(2), fcntl(2), ioctl(2) on every file, posix_fadvise(2).
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <termios.h>

#include "system/support/scratch.h"

namespace {

using scratch::bad_address;
using scratch::make_file;
using scratch::open_file;

scratch::Directory directory;

constexpr int kLargeFile = 0100000;  // O_LARGEFILE in the kernel's own numbering

TEST(duplicates) {
    make_file("a", "abc");
    const scratch::Fd fd = open_file("a", O_RDONLY | O_CLOEXEC);
    const scratch::Fd copy(dup(fd));
    CHECK_EQ(fcntl(copy, F_GETFD), 0);
    CHECK_EQ(dup2(fd, 50), 50);
    CHECK_EQ(fcntl(50, F_GETFD), 0);
    CHECK_EQ(dup3(fd, 50, O_CLOEXEC), 50);
    CHECK_EQ(fcntl(50, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(dup2(50, 50), 50);
    CHECK_EQ(fcntl(50, F_GETFD), FD_CLOEXEC);
    CHECK_OK(close(50));
    CHECK_ERRNO(dup(-1), EBADF);
    CHECK_ERRNO(dup(50), EBADF);
    CHECK_ERRNO(dup2(50, 51), EBADF);
    CHECK_ERRNO(dup2(50, 50), EBADF);
    CHECK_ERRNO(dup2(fd, -1), EBADF);
    CHECK_ERRNO(dup2(fd, 1 << 30), EBADF);
    CHECK_ERRNO(dup3(fd, fd, 0), EINVAL);
    CHECK_ERRNO(dup3(fd, 51, O_APPEND), EINVAL);
    CHECK_ERRNO(dup3(50, 51, 0), EBADF);
    const scratch::Fd place = open_file("a", O_PATH);
    const scratch::Fd place_copy(dup(place));
    CHECK(place_copy >= 0);
}

TEST(a_displaced_file_is_closed) {
    int ends[2];
    CHECK_OK(pipe(ends));
    const scratch::Fd null = open_file("/dev/null", O_RDONLY);
    CHECK_EQ(dup2(null, ends[1]), ends[1]);
    char byte = 0;
    CHECK_EQ(read(ends[0], &byte, 1), 0);
    close(ends[0]);
    close(ends[1]);
}

TEST(duplicating_upwards) {
    const scratch::Fd fd = open_file("a", O_RDONLY);
    const scratch::Fd high(fcntl(fd, F_DUPFD, 100));
    CHECK_EQ(int{high}, 100);
    const scratch::Fd next(fcntl(fd, F_DUPFD_CLOEXEC, 100));
    CHECK_EQ(int{next}, 101);
    CHECK_EQ(fcntl(next, F_GETFD), FD_CLOEXEC);
    CHECK_ERRNO(fcntl(fd, F_DUPFD, -1), EINVAL);
    CHECK_ERRNO(fcntl(fd, F_DUPFD, 1 << 30), EINVAL);
    CHECK_ERRNO(fcntl(-1, F_DUPFD, 0), EBADF);
    CHECK_CHILD([&] {
        const rlimit limit{103, 103};
        REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        CHECK_EQ(fcntl(fd, F_DUPFD, 100), 102);
        CHECK_ERRNO(fcntl(fd, F_DUPFD, 100), EMFILE);
        CHECK_ERRNO(fcntl(fd, F_DUPFD, 103), EINVAL);
        CHECK_ERRNO(dup2(fd, 103), EBADF);
        while (dup(fd) >= 0) {
        }
        CHECK_EQ(errno, EMFILE);
    });
}

TEST(descriptor_flags) {
    const scratch::Fd fd = open_file("a", O_RDONLY);
    CHECK_EQ(fcntl(fd, F_GETFD), 0);
    CHECK_OK(fcntl(fd, F_SETFD, FD_CLOEXEC));
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_OK(fcntl(fd, F_SETFD, 2));
    CHECK_EQ(fcntl(fd, F_GETFD), 0);
    CHECK_OK(ioctl(fd, FIOCLEX));
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_OK(ioctl(fd, FIONCLEX));
    CHECK_EQ(fcntl(fd, F_GETFD), 0);
    CHECK_ERRNO(fcntl(-1, F_GETFD), EBADF);
    CHECK_ERRNO(fcntl(-1, F_SETFD, 0), EBADF);
    CHECK_ERRNO(fcntl(fd, 9999), EINVAL);
}

TEST(status_flags) {
    const scratch::Fd fd = open_file("b", O_CREAT | O_RDWR | O_TRUNC | O_APPEND);
    CHECK_EQ(fcntl(fd, F_GETFL), O_RDWR | O_APPEND | kLargeFile);
    CHECK_OK(fcntl(fd, F_SETFL, O_NONBLOCK));
    CHECK_EQ(fcntl(fd, F_GETFL), O_RDWR | O_NONBLOCK | kLargeFile);
    const scratch::Fd copy(dup(fd));
    CHECK_EQ(fcntl(copy, F_GETFL), O_RDWR | O_NONBLOCK | kLargeFile);
    // Access mode and creation flags do not change.
    CHECK_OK(fcntl(fd, F_SETFL, O_WRONLY | O_CREAT | O_TRUNC));
    CHECK_EQ(fcntl(fd, F_GETFL), O_RDWR | kLargeFile);
    CHECK_EQ(write(fd, "12", 2), 2);
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    CHECK_OK(fcntl(fd, F_SETFL, O_APPEND));
    CHECK_EQ(write(fd, "34", 2), 2);
    CHECK_EQ(scratch::contents_of("b"), "1234");
    int on = 1;
    CHECK_OK(ioctl(fd, FIONBIO, &on));
    CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
    on = 0;
    CHECK_OK(ioctl(fd, FIONBIO, &on));
    CHECK(!(fcntl(fd, F_GETFL) & O_NONBLOCK));
    CHECK_ERRNO(ioctl(fd, FIONBIO, bad_address()), EFAULT);
    const scratch::Fd sync = open_file("b", O_WRONLY | O_SYNC);
    CHECK_EQ(fcntl(sync, F_GETFL), O_WRONLY | O_SYNC | kLargeFile);
    const scratch::Fd folder = open_file(".", O_RDONLY | O_DIRECTORY);
    CHECK_EQ(fcntl(folder, F_GETFL), O_RDONLY | O_DIRECTORY | kLargeFile);
    int ends[2];
    CHECK_OK(pipe2(ends, O_NONBLOCK | O_CLOEXEC));
    CHECK_EQ(fcntl(ends[0], F_GETFL), O_RDONLY | O_NONBLOCK);
    CHECK_EQ(fcntl(ends[1], F_GETFL), O_WRONLY | O_NONBLOCK);
    CHECK_EQ(fcntl(ends[1], F_GETFD), FD_CLOEXEC);
}

TEST(places_do_little) {
    const scratch::Fd place = open_file("a", O_PATH);
    CHECK_EQ(fcntl(place, F_GETFL), O_PATH);
    CHECK_EQ(fcntl(place, F_GETFD), 0);
    CHECK_OK(fcntl(place, F_SETFD, FD_CLOEXEC));
    CHECK_ERRNO(fcntl(place, F_SETFL, O_NONBLOCK), EBADF);
    CHECK_ERRNO(ioctl(place, FIOCLEX), EBADF);
    CHECK_ERRNO(fsync(place), EBADF);
}

TEST(ioctl_errors) {
    const scratch::Fd fd = open_file("a", O_RDONLY);
    termios settings{};
    CHECK_ERRNO(ioctl(-1, FIOCLEX), EBADF);
    CHECK_ERRNO(ioctl(fd, TCGETS, &settings), ENOTTY);
    CHECK_ERRNO(ioctl(fd, 0x12345678, nullptr), ENOTTY);
    int bytes = -1;
    CHECK_EQ(lseek(fd, 1, SEEK_SET), 1);
    CHECK_OK(ioctl(fd, FIONREAD, &bytes));
    CHECK_EQ(bytes, 2);
    CHECK_ERRNO(ioctl(fd, FIONREAD, bad_address()), EFAULT);
    int ends[2];
    CHECK_OK(pipe(ends));
    CHECK_EQ(write(ends[1], "12345", 5), 5);
    CHECK_OK(ioctl(ends[0], FIONREAD, &bytes));
    CHECK_EQ(bytes, 5);
    CHECK_ERRNO(ioctl(ends[0], FIONREAD, bad_address()), EFAULT);
    CHECK_ERRNO(ioctl(ends[0], TCGETS, &settings), ENOTTY);
}

TEST(advice) {
    const scratch::Fd fd = open_file("a", O_RDONLY);
    CHECK_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL), 0);
    CHECK_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    CHECK_EQ(posix_fadvise(fd, 0, 0, 77), EINVAL);
    CHECK_EQ(posix_fadvise(fd, 0, -1, POSIX_FADV_NORMAL), EINVAL);
    CHECK_EQ(posix_fadvise(-1, 0, 0, POSIX_FADV_NORMAL), EBADF);
    int ends[2];
    CHECK_OK(pipe(ends));
    CHECK_EQ(posix_fadvise(ends[0], 0, 0, POSIX_FADV_NORMAL), ESPIPE);
}

TEST(no_access_time_flag) {
    CHECK_EXIT(scratch::as_other_user([] {
                   const scratch::Fd fd = open_file("a", O_RDONLY);
                   CHECK_ERRNO(fcntl(fd, F_SETFL, O_NOATIME), EPERM);
               }),
               0);
}

}  // namespace

TEST_MAIN()
