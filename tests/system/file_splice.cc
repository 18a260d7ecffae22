// SPDX-License-Identifier: MIT OR Apache-2.0
// splice(2), tee(2), vmsplice(2).
#include <sys/uio.h>

#include <csignal>

#include "system/support/scratch.h"

namespace {

using scratch::bad_address;
using scratch::contents_of;
using scratch::Fd;
using scratch::make_file;
using scratch::open_file;

scratch::Directory directory;

struct Pipe {
    explicit Pipe(int flags = 0) {
        int ends[2];
        REQUIRE(pipe2(ends, flags) == 0);
        out = ends[0];
        in = ends[1];
    }
    ~Pipe() {
        close(in);
        close(out);
    }
    std::string read_all(std::size_t limit = 1 << 20) const {
        std::string text(limit, '\0');
        const ssize_t count = read(out, text.data(), limit);
        text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
        return text;
    }
    int out;
    int in;
};

TEST(file_to_pipe_to_file) {
    make_file("from", "0123456789");
    const Fd from = open_file("from", O_RDONLY);
    const Fd to = open_file("to", O_CREAT | O_WRONLY);
    const Pipe pipe;
    CHECK_EQ(splice(from, nullptr, pipe.in, nullptr, 4, 0), 4);
    CHECK_EQ(lseek(from, 0, SEEK_CUR), 4);
    off_t offset = 8;
    CHECK_EQ(splice(from, &offset, pipe.in, nullptr, 100, 0), 2);
    CHECK_EQ(offset, 10);
    CHECK_EQ(splice(from, &offset, pipe.in, nullptr, 100, 0), 0);
    CHECK_EQ(lseek(from, 0, SEEK_CUR), 4);
    CHECK_EQ(splice(pipe.out, nullptr, to, nullptr, 5, 0), 5);
    off_t end = 7;
    CHECK_EQ(splice(pipe.out, nullptr, to, &end, 100, 0), 1);
    CHECK_EQ(end, 8);
    CHECK_EQ(lseek(to, 0, SEEK_CUR), 5);
    CHECK_EQ(contents_of("to"), std::string("01238\0\0"
                                            "9",
                                            8));
}

TEST(as_much_as_the_pipe_takes) {
    make_file("big", std::string(300'000, 'b'));
    const Fd from = open_file("big", O_RDONLY);
    const Pipe pipe;
    CHECK_EQ(splice(from, nullptr, pipe.in, nullptr, 300'000, 0), 65536);
    CHECK_ERRNO(splice(from, nullptr, pipe.in, nullptr, 1, SPLICE_F_NONBLOCK), EAGAIN);
    CHECK_EQ(pipe.read_all().size(), 65536u);
    CHECK_EQ(lseek(from, 0, SEEK_CUR), 65536);
}

TEST(pipe_to_pipe) {
    const Pipe a;
    const Pipe b;
    CHECK_EQ(write(a.in, "hello", 5), 5);
    CHECK_EQ(splice(a.out, nullptr, b.in, nullptr, 3, 0), 3);
    CHECK_EQ(b.read_all(), "hel");
    CHECK_EQ(splice(a.out, nullptr, b.in, nullptr, 100, 0), 2);
    CHECK_EQ(b.read_all(), "lo");
    CHECK_ERRNO(splice(a.out, nullptr, b.in, nullptr, 1, SPLICE_F_NONBLOCK), EAGAIN);
    close(a.in);
    CHECK_EQ(splice(a.out, nullptr, b.in, nullptr, 1, 0), 0);
}

TEST(waits_for_bytes) {
    const Pipe a;
    const Pipe b;
    const pid_t child = check::start_child([&] {
        usleep(30'000);
        CHECK_EQ(write(a.in, "late", 4), 4);
    });
    CHECK_EQ(splice(a.out, nullptr, b.in, nullptr, 100, 0), 4);
    CHECK_EQ(b.read_all(), "late");
    CHECK_EXIT(check::wait_status(child), 0);
}

TEST(tee_keeps) {
    const Pipe a;
    const Pipe b;
    CHECK_EQ(write(a.in, "hello", 5), 5);
    CHECK_EQ(tee(a.out, b.in, 4, 0), 4);
    CHECK_EQ(b.read_all(), "hell");
    CHECK_EQ(tee(a.out, b.in, 100, 0), 5);
    CHECK_EQ(b.read_all(), "hello");
    CHECK_EQ(a.read_all(), "hello");
    CHECK_ERRNO(tee(a.out, b.in, 1, SPLICE_F_NONBLOCK), EAGAIN);
    CHECK_ERRNO(tee(a.out, a.in, 1, 0), EINVAL);
}

TEST(vmsplice_both_ways) {
    const Pipe pipe;
    char hello[] = "hello";
    char world[] = "world";
    const iovec parts[] = {{hello, 5}, {world, 5}};
    CHECK_EQ(vmsplice(pipe.in, parts, 2, 0), 10);
    char first[3];
    char rest[20];
    const iovec into[] = {{first, 3}, {rest, 20}};
    CHECK_EQ(vmsplice(pipe.out, into, 2, 0), 10);
    CHECK_EQ(std::string(first, 3) + std::string(rest, 7), "helloworld");
    CHECK_ERRNO(vmsplice(pipe.in, parts, 2, 64), EINVAL);
    const Fd file = open_file("from", O_RDONLY);
    CHECK_ERRNO(vmsplice(file, parts, 2, 0), EBADF);
}

TEST(broken_pipe) {
    signal(SIGPIPE, SIG_IGN);
    const Pipe pipe;
    close(pipe.out);
    const Fd from = open_file("from", O_RDONLY);
    CHECK_ERRNO(splice(from, nullptr, pipe.in, nullptr, 1, 0), EPIPE);
    signal(SIGPIPE, SIG_DFL);
}

TEST(errors) {
    const Pipe pipe;
    const Fd from = open_file("from", O_RDONLY);
    const Fd to = open_file("to", O_WRONLY);
    const Fd append = open_file("to", O_WRONLY | O_APPEND);
    off_t zero = 0;
    off_t negative = -1;
    CHECK_EQ(write(pipe.in, "x", 1), 1);
    CHECK_ERRNO(splice(-1, nullptr, pipe.in, nullptr, 1, 0), EBADF);
    CHECK_ERRNO(splice(from, nullptr, -1, nullptr, 1, 0), EBADF);
    CHECK_ERRNO(splice(pipe.in, nullptr, to, nullptr, 1, 0), EBADF);
    CHECK_ERRNO(splice(pipe.out, nullptr, from, nullptr, 1, 0), EBADF);
    CHECK_ERRNO(splice(from, nullptr, to, nullptr, 1, 0), EINVAL);
    CHECK_ERRNO(splice(pipe.out, nullptr, append, nullptr, 1, 0), EINVAL);
    CHECK_ERRNO(splice(pipe.out, nullptr, pipe.in, nullptr, 1, 0), EINVAL);
    CHECK_ERRNO(splice(pipe.out, &zero, to, nullptr, 1, 0), ESPIPE);
    CHECK_ERRNO(splice(from, nullptr, pipe.in, &zero, 1, 0), ESPIPE);
    CHECK_ERRNO(splice(from, &negative, pipe.in, nullptr, 1, 0), EINVAL);
    CHECK_ERRNO(splice(from, reinterpret_cast<off_t*>(bad_address()), pipe.in, nullptr, 1, 0), EFAULT);
    CHECK_ERRNO(splice(from, nullptr, pipe.in, nullptr, 1, 64), EINVAL);
    CHECK_EQ(splice(-1, nullptr, -1, nullptr, 0, 0), 0);
}

}  // namespace

TEST_MAIN()
