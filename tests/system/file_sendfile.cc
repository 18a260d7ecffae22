// SPDX-License-Identifier: MIT OR Apache-2.0
// sendfile(2).
#include <sys/sendfile.h>

#include <csignal>

#include "system/support/scratch.h"

namespace {

using scratch::bad_address;
using scratch::contents_of;
using scratch::make_file;
using scratch::open_file;

scratch::Directory directory;

TEST(copies_from_the_position) {
    make_file("in", "0123456789");
    const scratch::Fd in = open_file("in", O_RDONLY);
    const scratch::Fd out = open_file("out", O_CREAT | O_WRONLY);
    CHECK_EQ(sendfile(out, in, nullptr, 4), 4);
    CHECK_EQ(lseek(in, 0, SEEK_CUR), 4);
    CHECK_EQ(sendfile(out, in, nullptr, 100), 6);
    CHECK_EQ(sendfile(out, in, nullptr, 100), 0);
    CHECK_EQ(contents_of("out"), "0123456789");
}

TEST(copies_from_an_offset) {
    const scratch::Fd in = open_file("in", O_RDONLY);
    const scratch::Fd out = open_file("out2", O_CREAT | O_WRONLY);
    off_t offset = 7;
    CHECK_EQ(sendfile(out, in, &offset, 2), 2);
    CHECK_EQ(offset, 9);
    CHECK_EQ(lseek(in, 0, SEEK_CUR), 0);
    CHECK_EQ(contents_of("out2"), "78");
}

TEST(copies_much) {
    std::string text(300'000, '\0');
    for (std::size_t i = 0; i < text.size(); ++i) {
        text[i] = static_cast<char>(i % 251);
    }
    make_file("big", text);
    const scratch::Fd in = open_file("big", O_RDONLY);
    const scratch::Fd out = open_file("big2", O_CREAT | O_WRONLY);
    CHECK_EQ(sendfile(out, in, nullptr, 1 << 24), 300'000);
    CHECK(contents_of("big2") == text);
}

TEST(into_a_pipe) {
    int ends[2];
    CHECK_OK(pipe2(ends, O_NONBLOCK));
    const scratch::Fd in = open_file("big", O_RDONLY);
    CHECK_EQ(sendfile(ends[1], in, nullptr, 300'000), 65536);
    CHECK_EQ(lseek(in, 0, SEEK_CUR), 65536);
    CHECK_ERRNO(sendfile(ends[1], in, nullptr, 10), EAGAIN);
    close(ends[0]);
    signal(SIGPIPE, SIG_IGN);
    CHECK_ERRNO(sendfile(ends[1], in, nullptr, 10), EPIPE);
    signal(SIGPIPE, SIG_DFL);
    close(ends[1]);
}

TEST(errors) {
    const scratch::Fd in = open_file("in", O_RDONLY);
    const scratch::Fd out = open_file("out", O_WRONLY);
    const scratch::Fd append = open_file("out", O_WRONLY | O_APPEND);
    CHECK_ERRNO(sendfile(out, -1, nullptr, 1), EBADF);
    CHECK_ERRNO(sendfile(-1, in, nullptr, 1), EBADF);
    CHECK_ERRNO(sendfile(in, in, nullptr, 1), EBADF);
    CHECK_ERRNO(sendfile(out, out, nullptr, 1), EBADF);
    CHECK_ERRNO(sendfile(append, in, nullptr, 1), EINVAL);
    CHECK_ERRNO(sendfile(out, in, reinterpret_cast<off_t*>(bad_address()), 1), EFAULT);
    off_t negative = -1;
    CHECK_ERRNO(sendfile(out, in, &negative, 1), EINVAL);
    int ends[2];
    CHECK_OK(pipe(ends));
    off_t zero = 0;
    CHECK_ERRNO(sendfile(out, ends[0], nullptr, 1), EINVAL);
    CHECK_ERRNO(sendfile(out, ends[0], &zero, 1), ESPIPE);
}

}  // namespace

TEST_MAIN()
