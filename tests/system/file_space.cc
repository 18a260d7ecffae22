// SPDX-License-Identifier: MIT OR Apache-2.0
// fallocate(2), holes as lseek(2) shows them, copy_file_range(2), open(2) with O_TMPFILE, readahead(2),
// sync_file_range(2).
#include <sys/resource.h>

#include <csignal>

#include "system/support/scratch.h"

namespace {

using scratch::bad_address;
using scratch::contents_of;
using scratch::Fd;
using scratch::make_file;
using scratch::open_file;

scratch::Directory directory;
constexpr off_t kPage = 4096;

off_t size_of(int fd) {
    struct stat status{};
    CHECK_OK(fstat(fd, &status));
    return status.st_size;
}

TEST(fallocate_grows) {
    const Fd fd = open_file("a", O_CREAT | O_RDWR);
    CHECK_OK(fallocate(fd, 0, 0, 3 * kPage));
    CHECK_EQ(size_of(fd), 3 * kPage);
    struct stat status{};
    CHECK_OK(fstat(fd, &status));
    CHECK(status.st_blocks >= 3 * kPage / 512);
    CHECK_OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 8 * kPage));
    CHECK_EQ(size_of(fd), 3 * kPage);
    CHECK_OK(fallocate(fd, 0, 0, kPage));
    CHECK_EQ(size_of(fd), 3 * kPage);
    CHECK_OK(posix_fallocate(fd, 3 * kPage, 10) == 0 ? 0 : -1);
    CHECK_EQ(size_of(fd), 3 * kPage + 10);
}

TEST(fallocate_punches) {
    const Fd fd = open_file("b", O_CREAT | O_RDWR);
    const std::string text(4 * kPage, 'x');
    CHECK_EQ(write(fd, text.data(), text.size()), 4 * kPage);
    CHECK_OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100, 2 * kPage));
    const std::string found = contents_of("b");
    CHECK_EQ(found.size(), text.size());
    CHECK(found == std::string(100, 'x') + std::string(2 * kPage, '\0') + std::string(2 * kPage - 100, 'x'));
}

TEST(fallocate_errors) {
    const Fd fd = open_file("c", O_CREAT | O_RDWR);
    const Fd reader = open_file("c", O_RDONLY);
    CHECK_ERRNO(fallocate(-1, 0, 0, 1), EBADF);
    CHECK_ERRNO(fallocate(reader, 0, 0, 1), EBADF);
    CHECK_ERRNO(fallocate(fd, 0, 0, 0), EINVAL);
    CHECK_ERRNO(fallocate(fd, 0, -1, 1), EINVAL);
    CHECK_ERRNO(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 1), EOPNOTSUPP);
    CHECK_ERRNO(fallocate(fd, 0x8000, 0, 1), EOPNOTSUPP);
    CHECK_ERRNO(fallocate(fd, 0, INT64_MAX, 1), EFBIG);
    int ends[2];
    CHECK_OK(pipe(ends));
    CHECK_ERRNO(fallocate(ends[1], 0, 0, 1), ESPIPE);
    const Fd null = open_file("/dev/null", O_RDWR);
    CHECK_ERRNO(fallocate(null, 0, 0, 1), ENODEV);
    CHECK_CHILD([&] {
        signal(SIGXFSZ, SIG_IGN);
        const rlimit limit{1000, 1000};
        CHECK_OK(setrlimit(RLIMIT_FSIZE, &limit));
        CHECK_ERRNO(fallocate(fd, 0, 0, 2000), EFBIG);
        CHECK_OK(fallocate(fd, 0, 0, 1000));
    });
}

TEST(holes) {
    const Fd fd = open_file("holes", O_CREAT | O_RDWR);
    CHECK_EQ(pwrite(fd, "x", 1, 64 * kPage), 1);
    CHECK_OK(ftruncate(fd, 128 * kPage));
    CHECK_EQ(lseek(fd, 0, SEEK_HOLE), 0);
    CHECK_EQ(lseek(fd, 0, SEEK_DATA), 64 * kPage);
    CHECK_EQ(lseek(fd, 64 * kPage + 5, SEEK_DATA), 64 * kPage + 5);
    CHECK_EQ(lseek(fd, 64 * kPage, SEEK_HOLE), 65 * kPage);
    CHECK_ERRNO(lseek(fd, 65 * kPage, SEEK_DATA), ENXIO);
    CHECK_EQ(lseek(fd, 127 * kPage + 7, SEEK_HOLE), 127 * kPage + 7);
    CHECK_ERRNO(lseek(fd, 128 * kPage, SEEK_HOLE), ENXIO);
    CHECK_ERRNO(lseek(fd, -1, SEEK_DATA), ENXIO);
}

TEST(copy_file_range_copies) {
    std::string text(300'000, '\0');
    for (std::size_t i = 0; i < text.size(); ++i) {
        text[i] = static_cast<char>(i % 253);
    }
    make_file("from", text);
    const Fd from = open_file("from", O_RDONLY);
    const Fd to = open_file("to", O_CREAT | O_RDWR);
    ssize_t total = 0;
    while (true) {
        const ssize_t count = copy_file_range(from, nullptr, to, nullptr, 1'000'000, 0);
        CHECK(count >= 0);
        if (count <= 0) {
            break;
        }
        total += count;
    }
    CHECK_EQ(total, 300'000);
    CHECK(contents_of("to") == text);
    CHECK_EQ(lseek(from, 0, SEEK_CUR), 300'000);
    CHECK_EQ(lseek(to, 0, SEEK_CUR), 300'000);
    off_t in = 10;
    off_t out = 20;
    CHECK_EQ(copy_file_range(from, &in, to, &out, 5, 0), 5);
    CHECK_EQ(in, 15);
    CHECK_EQ(out, 25);
    CHECK_EQ(lseek(from, 0, SEEK_CUR), 300'000);
    CHECK(contents_of("to").substr(20, 5) == text.substr(10, 5));
}

TEST(copy_file_range_errors) {
    make_file("from", "0123456789");
    const Fd from = open_file("from", O_RDWR);
    const Fd to = open_file("to", O_WRONLY | O_TRUNC);
    const Fd append = open_file("to", O_WRONLY | O_APPEND);
    const Fd folder = open_file(".", O_RDONLY);
    CHECK_ERRNO(copy_file_range(-1, nullptr, to, nullptr, 1, 0), EBADF);
    CHECK_ERRNO(copy_file_range(from, nullptr, -1, nullptr, 1, 0), EBADF);
    CHECK_ERRNO(copy_file_range(to, nullptr, from, nullptr, 1, 0), EBADF);
    CHECK_ERRNO(copy_file_range(from, nullptr, append, nullptr, 1, 0), EBADF);
    CHECK_ERRNO(copy_file_range(from, nullptr, folder, nullptr, 1, 0), EISDIR);
    CHECK_ERRNO(copy_file_range(from, nullptr, to, nullptr, 1, 1), EINVAL);
    off_t in = 0;
    off_t out = 5;
    CHECK_ERRNO(copy_file_range(from, &in, from, &out, 6, 0), EINVAL);
    CHECK_EQ(copy_file_range(from, &in, from, &out, 5, 0), 5);
    CHECK_EQ(contents_of("from"), "0123401234");
    CHECK_ERRNO(copy_file_range(from, reinterpret_cast<off_t*>(bad_address()), to, nullptr, 1, 0), EFAULT);
    int ends[2];
    CHECK_OK(pipe(ends));
    CHECK_ERRNO(copy_file_range(from, nullptr, ends[1], nullptr, 1, 0), EINVAL);
}

// In memory, whatever the working directory lies on.
TEST(temporary_file) {
    const Fd fd(open("/dev/shm", O_TMPFILE | O_RDWR, 0640));
    const char* where = "/dev/shm";
    if (fd < 0 && errno == ENOENT) {
        check::skip("no /dev/shm");
    }
    REQUIRE(fd >= 0);
    CHECK_EQ(write(fd, "hidden", 6), 6);
    struct stat status{};
    CHECK_OK(fstat(fd, &status));
    CHECK_EQ(status.st_nlink, 0u);
    CHECK_EQ(status.st_mode, S_IFREG | 0640u);
    const std::string name = std::string(where) + "/kpio-tmpfile-" + std::to_string(getpid());
    const std::string link = "/proc/self/fd/" + std::to_string(fd);
    CHECK_OK(linkat(AT_FDCWD, link.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW));
    CHECK_EQ(contents_of(name.c_str()), "hidden");
    CHECK_OK(fstat(fd, &status));
    CHECK_EQ(status.st_nlink, 1u);
    CHECK_OK(unlink(name.c_str()));
    const Fd exclusive(open(where, O_TMPFILE | O_EXCL | O_WRONLY, 0600));
    REQUIRE(exclusive >= 0);
    const std::string other = "/proc/self/fd/" + std::to_string(exclusive);
    CHECK_ERRNO(linkat(AT_FDCWD, other.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW), ENOENT);
    CHECK_ERRNO(open(where, O_TMPFILE | O_RDONLY, 0600), EINVAL);
    CHECK_ERRNO(open("/dev/shm/no-such", O_TMPFILE | O_RDWR, 0600), ENOENT);
    CHECK_ERRNO(open("/dev/null", O_TMPFILE | O_RDWR, 0600), ENOTDIR);
}

TEST(deleted_files_stay_without_names) {
    const Fd fd = open_file("gone", O_CREAT | O_RDWR);
    CHECK_OK(unlink("gone"));
    const std::string link = "/proc/self/fd/" + std::to_string(fd);
    CHECK_ERRNO(linkat(AT_FDCWD, link.c_str(), AT_FDCWD, "back", AT_SYMLINK_FOLLOW), ENOENT);
}

TEST(advice_and_ranges) {
    const Fd fd = open_file("from", O_RDWR);
    const Fd writer = open_file("from", O_WRONLY);
    int ends[2];
    CHECK_OK(pipe(ends));
    CHECK_OK(readahead(fd, 0, 100));
    CHECK_ERRNO(readahead(writer, 0, 100), EBADF);
    CHECK_ERRNO(readahead(ends[0], 0, 100), EINVAL);
    CHECK_OK(sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER));
    CHECK_ERRNO(sync_file_range(fd, 0, 0, 8), EINVAL);
    CHECK_ERRNO(sync_file_range(fd, -1, 0, 0), EINVAL);
    CHECK_ERRNO(sync_file_range(-1, 0, 0, 0), EBADF);
    CHECK_ERRNO(sync_file_range(ends[0], 0, 0, 0), ESPIPE);
}

}  // namespace

TEST_MAIN()
