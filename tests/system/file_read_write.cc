// SPDX-License-Identifier: MIT OR Apache-2.0
// read(2), write(2), pread(2), pwrite(2), readv(2), writev(2), preadv(2), pwritev(2), lseek(2).
#include <sys/resource.h>
#include <sys/uio.h>

#include <csignal>

#include "system/support/scratch.h"

namespace {

using scratch::bad_address;
using scratch::contents_of;
using scratch::end_of_page;
using scratch::make_file;
using scratch::open_file;

scratch::Directory directory;

TEST(reads_what_was_written) {
    const scratch::Fd fd = open_file("a", O_CREAT | O_RDWR);
    CHECK_EQ(write(fd, "hello", 5), 5);
    char text[16] = {};
    CHECK_EQ(read(fd, text, sizeof(text)), 0);
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    CHECK_EQ(read(fd, text, 3), 3);
    CHECK_EQ(read(fd, text + 3, sizeof(text) - 3), 2);
    CHECK_EQ(std::string_view(text), "hello");
    CHECK_EQ(read(fd, text, 0), 0);
    CHECK_EQ(write(fd, text, 0), 0);
}

TEST(positional_calls_leave_the_position) {
    const scratch::Fd fd = open_file("b", O_CREAT | O_RDWR);
    CHECK_EQ(pwrite(fd, "abc", 3, 10), 3);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
    CHECK_EQ(lseek(fd, 0, SEEK_END), 13);
    char text[16];
    CHECK_EQ(pread(fd, text, 16, 8), 5);
    CHECK_EQ(std::string(text, 5), std::string("\0\0abc", 5));
    CHECK_EQ(pread(fd, text, 16, 13), 0);
    CHECK_EQ(pread(fd, text, 16, 1 << 30), 0);
    CHECK_ERRNO(pread(fd, text, 1, -1), EINVAL);
    CHECK_ERRNO(pwrite(fd, text, 1, -1), EINVAL);
    CHECK_ERRNO(pread(-1, text, 1, -1), EINVAL);
    CHECK_ERRNO(pread(-1, text, 1, 0), EBADF);
}

TEST(append_always_goes_to_the_end) {
    make_file("c", "12345");
    const scratch::Fd fd = open_file("c", O_WRONLY | O_APPEND);
    const scratch::Fd other = open_file("c", O_WRONLY | O_APPEND);
    CHECK_EQ(write(other, "67", 2), 2);
    CHECK_EQ(write(fd, "89", 2), 2);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 9);
    CHECK_EQ(pwrite(fd, "x", 1, 0), 1);  // pwrite(2), BUGS
    CHECK_EQ(contents_of("c"), "123456789x");
}

TEST(descriptors_that_are_not_open_for_it) {
    make_file("d", "x");
    char byte = 0;
    const scratch::Fd reader = open_file("d", O_RDONLY);
    const scratch::Fd writer = open_file("d", O_WRONLY);
    const scratch::Fd place = open_file("d", O_PATH);
    CHECK_ERRNO(write(reader, &byte, 1), EBADF);
    CHECK_ERRNO(read(writer, &byte, 1), EBADF);
    CHECK_ERRNO(pwrite(reader, &byte, 1, 0), EBADF);
    CHECK_ERRNO(pread(writer, &byte, 1, 0), EBADF);
    CHECK_ERRNO(read(place, &byte, 1), EBADF);
    CHECK_ERRNO(lseek(place, 0, SEEK_SET), EBADF);
    CHECK_ERRNO(read(-1, &byte, 1), EBADF);
    CHECK_ERRNO(read(1000, &byte, 1), EBADF);
    CHECK_ERRNO(write(-1, &byte, 1), EBADF);
    CHECK_ERRNO(lseek(-1, 0, SEEK_SET), EBADF);
    const scratch::Fd folder = open_file(".", O_RDONLY);
    CHECK_ERRNO(read(folder, &byte, 1), EISDIR);
    CHECK_ERRNO(pread(folder, &byte, 1, 0), EISDIR);
}

TEST(bad_buffers) {
    make_file("e", "0123456789");
    const scratch::Fd fd = open_file("e", O_RDWR);
    CHECK_ERRNO(read(fd, bad_address(), 4), EFAULT);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
    CHECK_ERRNO(write(fd, bad_address(), 4), EFAULT);
    CHECK_EQ(contents_of("e"), "0123456789");
    CHECK_ERRNO(read(fd, reinterpret_cast<char*>(~std::uintptr_t{4095}), 8192), EFAULT);
    // What fits before the end of the mapping may be transferred; nothing beyond the file is touched.
    const ssize_t part = read(fd, end_of_page() - 4, 10);
    CHECK(part == 4 || (part == -1 && errno == EFAULT));
}

TEST(vectors) {
    const scratch::Fd fd = open_file("f", O_CREAT | O_RDWR);
    char one[] = "one";
    char two[] = "two2";
    const iovec out[] = {{one, 3}, {nullptr, 0}, {two, 4}};
    CHECK_EQ(writev(fd, out, 3), 7);
    CHECK_EQ(contents_of("f"), "onetwo2");
    char a[2];
    char b[3];
    char c[9];
    const iovec in[] = {{a, 2}, {b, 3}, {c, 9}};
    CHECK_EQ(preadv(fd, in, 3, 0), 7);
    CHECK_EQ(std::string(a, 2) + std::string(b, 3) + std::string(c, 2), "onetwo2");
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    CHECK_EQ(readv(fd, in, 1), 2);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 2);
    CHECK_EQ(pwritev(fd, out, 1, 7), 3);
    CHECK_EQ(contents_of("f"), "onetwo2one");
    CHECK_EQ(readv(fd, in, 0), 0);
    CHECK_ERRNO(readv(fd, in, -1), EINVAL);
    CHECK_ERRNO(readv(fd, in, 1025), EINVAL);
    CHECK_ERRNO(preadv(fd, in, 1, -1), EINVAL);
    CHECK_ERRNO(pwritev(fd, in, 1, -1), EINVAL);
    CHECK_ERRNO(readv(-1, in, 1), EBADF);
    CHECK_ERRNO(writev(-1, in, 1), EBADF);
    CHECK_ERRNO(readv(fd, reinterpret_cast<iovec*>(bad_address()), 1), EFAULT);
    const iovec negative[] = {{a, static_cast<std::size_t>(-1)}};
    CHECK_ERRNO(readv(fd, negative, 1), EINVAL);
    const iovec second_bad[] = {{a, 2}, {bad_address(), 2}};
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    CHECK_EQ(readv(fd, second_bad, 2), 2);
    CHECK_EQ(writev(fd, second_bad, 2), 2);
}

TEST(many_ranges) {
    const scratch::Fd fd = open_file("g", O_CREAT | O_RDWR);
    std::vector<char> bytes(1024);
    std::vector<iovec> ranges(1024);
    for (std::size_t i = 0; i < ranges.size(); ++i) {
        bytes[i] = static_cast<char>('a' + i % 26);
        ranges[i] = {&bytes[i], 1};
    }
    CHECK_EQ(writev(fd, ranges.data(), 1024), 1024);
    CHECK_EQ(contents_of("g"), std::string(bytes.begin(), bytes.end()));
}

TEST(streams_have_no_position) {
    int ends[2];
    CHECK_OK(pipe(ends));
    const scratch::Fd reader(ends[0]);
    const scratch::Fd writer(ends[1]);
    char byte = 0;
    CHECK_ERRNO(lseek(reader, 0, SEEK_CUR), ESPIPE);
    CHECK_ERRNO(pread(reader, &byte, 1, 0), ESPIPE);
    CHECK_ERRNO(pwrite(writer, &byte, 1, 0), ESPIPE);
    CHECK_ERRNO(pread(writer, &byte, 1, 0), ESPIPE);
    const iovec range{&byte, 1};
    CHECK_ERRNO(preadv(reader, &range, 1, 0), ESPIPE);
}

TEST(seeking) {
    make_file("h", "0123456789");
    const scratch::Fd fd = open_file("h", O_RDWR);
    CHECK_EQ(lseek(fd, 4, SEEK_SET), 4);
    CHECK_EQ(lseek(fd, -2, SEEK_CUR), 2);
    CHECK_EQ(lseek(fd, -1, SEEK_END), 9);
    CHECK_EQ(lseek(fd, 100, SEEK_END), 110);
    CHECK_ERRNO(lseek(fd, -1, SEEK_SET), EINVAL);
    CHECK_ERRNO(lseek(fd, -11, SEEK_END), EINVAL);
    CHECK_ERRNO(lseek(fd, 0, 17), EINVAL);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 110);
    CHECK_EQ(write(fd, "x", 1), 1);
    CHECK_EQ(contents_of("h").size(), 111);
    CHECK_EQ(contents_of("h")[50], '\0');
    CHECK_ERRNO(lseek(fd, 111, SEEK_DATA), ENXIO);
    CHECK_EQ(lseek(fd, 0, SEEK_DATA), 0);
    CHECK_EQ(lseek(fd, 110, SEEK_HOLE), 111);
}

TEST(position_is_shared_by_duplicates) {
    make_file("i", "abcdef");
    const scratch::Fd fd = open_file("i", O_RDONLY);
    const scratch::Fd copy(dup(fd));
    char byte = 0;
    CHECK_EQ(read(fd, &byte, 1), 1);
    CHECK_EQ(read(copy, &byte, 1), 1);
    CHECK_EQ(byte, 'b');
    CHECK_CHILD([&] { CHECK_EQ(read(fd, &byte, 1), 1); });
    CHECK_EQ(lseek(copy, 0, SEEK_CUR), 3);
}

volatile sig_atomic_t seen_signal = 0;

TEST(file_size_limit) {
    CHECK_CHILD([] {
        signal(SIGXFSZ, [](int number) { seen_signal = number; });
        const rlimit limit{10, RLIM_INFINITY};
        REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
        const int fd = open("limited", O_CREAT | O_RDWR | O_TRUNC, 0644);
        CHECK_EQ(write(fd, "0123456789abc", 13), 10);
        CHECK_EQ(seen_signal, 0);
        CHECK_ERRNO(write(fd, "x", 1), EFBIG);
        CHECK_EQ(seen_signal, SIGXFSZ);
        seen_signal = 0;
        CHECK_ERRNO(ftruncate(fd, 11), EFBIG);
        CHECK_EQ(seen_signal, SIGXFSZ);
        CHECK_OK(ftruncate(fd, 5));
        CHECK_EQ(pwrite(fd, "xyz", 3, 9), 1);
    });
    CHECK_SIGNALED(check::child_status([] {
                       const rlimit limit{0, 0};
                       REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
                       (void)!write(open("limited2", O_CREAT | O_RDWR, 0644), "x", 1);
                   }),
                   SIGXFSZ);
}

TEST(large_transfers) {
    const scratch::Fd fd = open_file("big", O_CREAT | O_RDWR);
    std::vector<char> bytes(3'000'000);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        bytes[i] = static_cast<char>(i * 7 % 251);
    }
    CHECK_EQ(write(fd, bytes.data(), bytes.size()), 3'000'000);
    std::vector<char> back(bytes.size() + 10);
    CHECK_EQ(pread(fd, back.data(), back.size(), 0), 3'000'000);
    back.resize(bytes.size());
    CHECK(back == bytes);
}

TEST(device_files) {
    const scratch::Fd null = open_file("/dev/null", O_RDWR);
    const scratch::Fd zero = open_file("/dev/zero", O_RDWR);
    char bytes[8] = "abc";
    CHECK_EQ(read(null, bytes, 8), 0);
    CHECK_EQ(write(null, bytes, 8), 8);
    CHECK_EQ(read(zero, bytes, 8), 8);
    CHECK_EQ(std::string(bytes, 8), std::string(8, '\0'));
    const scratch::Fd full = open_file("/dev/full", O_RDWR);
    CHECK_ERRNO(write(full, bytes, 1), ENOSPC);
}

}  // namespace

TEST_MAIN()
