// SPDX-License-Identifier: MIT OR Apache-2.0
// poll(2), ppoll(2), select(2), pselect(2).
#include <poll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <time.h>

#include <csignal>

#include "system/support/scratch.h"

namespace {

using scratch::bad_address;

scratch::Directory directory;

struct Pipe {
    Pipe() {
        int ends[2] = {-1, -1};
        CHECK_OK(pipe(ends));
        reader = ends[0];
        writer = ends[1];
    }
    ~Pipe() {
        close(reader);
        close(writer);
    }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    int reader = -1;
    int writer = -1;
};

long long now_ms() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000LL + time.tv_nsec / 1'000'000;
}

short polled(int fd, short events) {
    pollfd entry{fd, events, 0x7777};
    const int count = poll(&entry, 1, 0);
    CHECK_EQ(count, entry.revents != 0 ? 1 : 0);
    return entry.revents;
}

TEST(pipe_states) {
    int ends[2];
    CHECK_OK(pipe(ends));
    CHECK_EQ(polled(ends[0], POLLIN), 0);
    CHECK_EQ(polled(ends[1], POLLOUT), POLLOUT);
    CHECK_EQ(polled(ends[1], POLLIN), 0);
    CHECK_EQ(polled(ends[1], POLLWRNORM | POLLOUT), POLLWRNORM | POLLOUT);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    CHECK_EQ(polled(ends[0], POLLIN | POLLRDNORM | POLLOUT), POLLIN | POLLRDNORM);
    close(ends[1]);
    CHECK_EQ(polled(ends[0], POLLIN), POLLIN | POLLHUP);
    char byte = 0;
    CHECK_EQ(read(ends[0], &byte, 1), 1);
    CHECK_EQ(polled(ends[0], POLLIN), POLLHUP);
    CHECK_EQ(polled(ends[0], 0), POLLHUP);
    close(ends[0]);
    CHECK_OK(pipe(ends));
    close(ends[0]);
    CHECK_EQ(polled(ends[1], POLLOUT), POLLOUT | POLLERR);
    CHECK_EQ(polled(ends[1], 0), POLLERR);
    close(ends[1]);
}

TEST(other_files) {
    scratch::make_file("file", "x");
    const scratch::Fd fd = scratch::open_file("file", O_RDONLY);
    CHECK_EQ(polled(fd, POLLIN | POLLOUT | POLLPRI), POLLIN | POLLOUT);
    CHECK_EQ(polled(-1, POLLIN), 0);
    CHECK_EQ(polled(999, POLLIN), POLLNVAL);
    const scratch::Fd null = scratch::open_file("/dev/null", O_RDWR);
    CHECK_EQ(polled(null, POLLIN | POLLOUT), POLLIN | POLLOUT);
    const scratch::Fd place = scratch::open_file("file", O_PATH);
    CHECK_EQ(polled(place, POLLIN), POLLNVAL);
}

TEST(many_at_once) {
    const Pipe a;
    const Pipe b;
    CHECK_EQ(write(b.writer, "x", 1), 1);
    std::vector<pollfd> entries(20, pollfd{a.reader, POLLIN, 0});
    entries[3].fd = -1;
    entries[17].fd = b.reader;
    entries[18].fd = 999;
    CHECK_EQ(poll(entries.data(), 20, -1), 2);
    CHECK_EQ(entries[17].revents, POLLIN);
    CHECK_EQ(entries[18].revents, POLLNVAL);
    CHECK_EQ(entries[0].revents, 0);
}

TEST(waiting) {
    const Pipe p;
    const long long start = now_ms();
    pollfd entry{p.reader, POLLIN, 0};
    CHECK_EQ(poll(&entry, 1, 50), 0);
    CHECK(now_ms() - start >= 50);
    CHECK_EQ(poll(nullptr, 0, 10), 0);
    const pid_t child = check::start_child([&] {
        usleep(30'000);
        CHECK_EQ(write(p.writer, "x", 1), 1);
    });
    CHECK_EQ(poll(&entry, 1, 20'000), 1);
    CHECK_EQ(entry.revents, POLLIN);
    CHECK_EXIT(check::wait_status(child), 0);
}

TEST(a_writer_waits_for_room) {
    const Pipe p;
    const std::string block(65536, 'x');
    CHECK_EQ(write(p.writer, block.data(), block.size()), 65536);
    CHECK_EQ(polled(p.writer, POLLOUT), 0);
    const pid_t child = check::start_child([&] {
        usleep(30'000);
        std::string all(65536, '\0');
        CHECK_EQ(read(p.reader, all.data(), all.size()), 65536);
    });
    pollfd entry{p.writer, POLLOUT, 0};
    CHECK_EQ(poll(&entry, 1, -1), 1);
    CHECK_EQ(entry.revents, POLLOUT);
    CHECK_EXIT(check::wait_status(child), 0);
}

TEST(hang_up_wakes) {
    Pipe p;
    const pid_t child = check::start_child([&] {
        close(p.reader);
        usleep(30'000);
    });
    close(std::exchange(p.writer, -1));
    pollfd entry{p.reader, POLLIN, 0};
    CHECK_EQ(poll(&entry, 1, -1), 1);
    CHECK_EQ(entry.revents, POLLHUP);
    CHECK_EXIT(check::wait_status(child), 0);
}

TEST(poll_errors) {
    pollfd entry{0, POLLIN, 0};
    CHECK_ERRNO(poll(reinterpret_cast<pollfd*>(bad_address()), 1, 0), EFAULT);
    CHECK_CHILD([&] {
        const rlimit limit{10, 10};
        REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        std::vector<pollfd> entries(11, pollfd{-1, 0, 0});
        CHECK_ERRNO(poll(entries.data(), 11, 0), EINVAL);
        CHECK_EQ(poll(entries.data(), 10, 0), 0);
    });
    const timespec bad{0, 1'000'000'000};
    const timespec negative{-1, 0};
    sigset_t none;
    sigemptyset(&none);
    CHECK_ERRNO(static_cast<int>(syscall(SYS_ppoll, &entry, 1, &bad, nullptr, 8)), EINVAL);
    CHECK_ERRNO(static_cast<int>(syscall(SYS_ppoll, &entry, 1, &negative, nullptr, 8)), EINVAL);
    CHECK_ERRNO(static_cast<int>(syscall(SYS_ppoll, &entry, 1, nullptr, &none, 7)), EINVAL);
    CHECK_ERRNO(static_cast<int>(syscall(SYS_ppoll, &entry, 1, bad_address(), nullptr, 8)), EFAULT);
    CHECK_ERRNO(static_cast<int>(syscall(SYS_ppoll, &entry, 1, nullptr, bad_address(), 8)), EFAULT);
    CHECK_ERRNO(static_cast<int>(syscall(SYS_ppoll, bad_address(), 1, nullptr, nullptr, 8)), EFAULT);
}

volatile sig_atomic_t handled = 0;

void install(int flags) {
    struct sigaction action{};
    action.sa_handler = [](int) { handled = handled + 1; };
    action.sa_flags = flags;
    CHECK_OK(sigaction(SIGUSR1, &action, nullptr));
    handled = 0;
}

pid_t start_signaller(int number = SIGUSR1) {
    const pid_t target = getpid();
    return check::start_child([=] {
        check::wait_until_asleep(target);
        kill(target, number);
    });
}

TEST(a_handler_ends_the_wait_even_with_restart) {
    install(SA_RESTART);
    pid_t child = start_signaller();
    CHECK_ERRNO(poll(nullptr, 0, 20'000), EINTR);
    CHECK_EQ(handled, 1);
    CHECK_EXIT(check::wait_status(child), 0);
    child = start_signaller();
    const timespec timeout{20, 0};
    CHECK_ERRNO(ppoll(nullptr, 0, &timeout, nullptr), EINTR);
    CHECK_EXIT(check::wait_status(child), 0);
    child = start_signaller();
    CHECK_ERRNO(select(0, nullptr, nullptr, nullptr, nullptr), EINTR);
    CHECK_EXIT(check::wait_status(child), 0);
    child = start_signaller();
    CHECK_ERRNO(pselect(0, nullptr, nullptr, nullptr, nullptr, nullptr), EINTR);
    CHECK_EXIT(check::wait_status(child), 0);
}

TEST(stopping_does_not_end_the_wait) {
    const pid_t child = check::start_child([] {
        const long long start = now_ms();
        CHECK_EQ(poll(nullptr, 0, 300), 0);
        const long long taken = now_ms() - start;
        CHECK(taken >= 300);
        CHECK(taken < 5000);
    });
    usleep(50'000);
    CHECK_OK(kill(child, SIGSTOP));
    usleep(50'000);
    CHECK_OK(kill(child, SIGCONT));
    CHECK_EXIT(check::wait_status(child), 0);
}

TEST(a_mask_for_the_call) {
    install(0);
    sigset_t blocked;
    sigset_t none;
    sigemptyset(&none);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    CHECK_OK(sigprocmask(SIG_BLOCK, &blocked, nullptr));
    CHECK_OK(kill(getpid(), SIGUSR1));
    CHECK_EQ(poll(nullptr, 0, 10), 0);
    CHECK_EQ(handled, 0);
    CHECK_ERRNO(ppoll(nullptr, 0, nullptr, &none), EINTR);
    CHECK_EQ(handled, 1);
    CHECK_OK(kill(getpid(), SIGUSR1));
    CHECK_ERRNO(pselect(0, nullptr, nullptr, nullptr, nullptr, &none), EINTR);
    CHECK_EQ(handled, 2);
    sigset_t now;
    CHECK_OK(sigprocmask(SIG_SETMASK, nullptr, &now));
    CHECK(sigismember(&now, SIGUSR1));
    CHECK_OK(sigprocmask(SIG_UNBLOCK, &blocked, nullptr));
}

TEST(remaining_time_is_written) {
    const Pipe p;
    CHECK_EQ(write(p.writer, "x", 1), 1);
    pollfd entry{p.reader, POLLIN, 0};
    timespec timeout{100, 0};
    CHECK_EQ(syscall(SYS_ppoll, &entry, 1, &timeout, nullptr, 8), 1);
    CHECK(timeout.tv_sec == 99 && timeout.tv_nsec > 0);
    fd_set set;
    FD_ZERO(&set);
    FD_SET(p.reader, &set);
    timeval coarse{100, 0};
    CHECK_EQ(syscall(SYS_select, p.reader + 1, &set, nullptr, nullptr, &coarse), 1);
    CHECK(coarse.tv_sec == 99 && coarse.tv_usec > 0);
    char byte = 0;
    CHECK_EQ(read(p.reader, &byte, 1), 1);
    timeval soon{0, 20'000};
    FD_SET(p.reader, &set);
    CHECK_EQ(syscall(SYS_select, p.reader + 1, &set, nullptr, nullptr, &soon), 0);
    CHECK(soon.tv_sec == 0 && soon.tv_usec == 0);
    CHECK(!FD_ISSET(p.reader, &set));
}

TEST(select_sets) {
    const Pipe a;
    const Pipe b;
    CHECK_EQ(write(a.writer, "x", 1), 1);
    fd_set in;
    fd_set out;
    fd_set except;
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_ZERO(&except);
    FD_SET(a.reader, &in);
    FD_SET(b.reader, &in);
    FD_SET(a.writer, &out);
    FD_SET(b.writer, &out);
    FD_SET(a.reader, &except);
    CHECK_EQ(select(b.writer + 1, &in, &out, &except, nullptr), 3);
    CHECK(FD_ISSET(a.reader, &in) && !FD_ISSET(b.reader, &in));
    CHECK(FD_ISSET(a.writer, &out) && FD_ISSET(b.writer, &out));
    CHECK(!FD_ISSET(a.reader, &except));
    // What is at or beyond the count is left alone.
    FD_ZERO(&in);
    FD_SET(a.reader, &in);
    timeval no_time{0, 0};
    CHECK_EQ(select(a.reader, &in, nullptr, nullptr, &no_time), 0);
}

TEST(select_hang_up_is_readable) {
    int ends[2];
    CHECK_OK(pipe(ends));
    close(ends[1]);
    fd_set in;
    FD_ZERO(&in);
    FD_SET(ends[0], &in);
    CHECK_EQ(select(ends[0] + 1, &in, nullptr, nullptr, nullptr), 1);
    close(ends[0]);
    CHECK_OK(pipe(ends));
    close(ends[0]);
    fd_set out;
    FD_ZERO(&out);
    FD_SET(ends[1], &out);
    CHECK_EQ(select(ends[1] + 1, nullptr, &out, nullptr, nullptr), 1);
    close(ends[1]);
}

TEST(select_errors) {
    fd_set in;
    FD_ZERO(&in);
    FD_SET(60, &in);
    timeval no_time{0, 0};
    CHECK_ERRNO(select(61, &in, nullptr, nullptr, &no_time), EBADF);
    CHECK_ERRNO(select(-1, nullptr, nullptr, nullptr, &no_time), EINVAL);
    timeval negative{-1, 0};
    CHECK_ERRNO(static_cast<int>(syscall(SYS_select, 0, nullptr, nullptr, nullptr, &negative)), EINVAL);
    CHECK_ERRNO(static_cast<int>(syscall(SYS_select, 0, nullptr, nullptr, nullptr, bad_address())), EFAULT);
    CHECK_ERRNO(static_cast<int>(syscall(SYS_select, 10, bad_address(), nullptr, nullptr, &no_time)), EFAULT);
    const timespec bad{0, -1};
    CHECK_ERRNO(static_cast<int>(syscall(SYS_pselect6, 0, nullptr, nullptr, nullptr, &bad, nullptr)), EINVAL);
    CHECK_ERRNO(static_cast<int>(syscall(SYS_pselect6, 0, nullptr, nullptr, nullptr, nullptr, bad_address())), EFAULT);
    sigset_t none;
    sigemptyset(&none);
    const struct {
        const sigset_t* set;
        std::size_t bytes;
    } mask{&none, 7};
    CHECK_ERRNO(static_cast<int>(syscall(SYS_pselect6, 0, nullptr, nullptr, nullptr, nullptr, &mask)), EINVAL);
    CHECK_EQ(select(0, nullptr, nullptr, nullptr, &no_time), 0);
}

}  // namespace

TEST_MAIN()
