// SPDX-License-Identifier: MIT OR Apache-2.0
// flock(2) and the record locks of fcntl(2).
#include <sys/file.h>

#include <csignal>
#include <ctime>

#include "system/support/scratch.h"

namespace {

using scratch::bad_address;
using scratch::make_file;
using scratch::open_file;

scratch::Directory directory;

struct flock range(short type, off_t start, off_t length, short whence = SEEK_SET) {
    struct flock lock{};
    lock.l_type = type;
    lock.l_whence = whence;
    lock.l_start = start;
    lock.l_len = length;
    return lock;
}

int set(int fd, short type, off_t start, off_t length) {
    struct flock lock = range(type, start, length);
    return fcntl(fd, F_SETLK, &lock);
}

int set_ofd(int fd, short type, off_t start, off_t length) {
    struct flock lock = range(type, start, length);
    return fcntl(fd, F_OFD_SETLK, &lock);
}

int set_and_wait(int fd, short type, off_t start, off_t length) {
    struct flock lock = range(type, start, length);
    return fcntl(fd, F_SETLKW, &lock);
}

// What another process may lock: "type start length" of the first lock in its way, or "free".
std::string seen_by_others(short type, off_t start, off_t length) {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    const pid_t parent = getpid();
    CHECK_CHILD([&] {
        const scratch::Fd fd = open_file("f", O_RDWR);
        struct flock lock = range(type, start, length);
        REQUIRE(fcntl(fd, F_GETLK, &lock) == 0);
        std::string text = "free";
        if (lock.l_type != F_UNLCK) {
            text = std::string(lock.l_type == F_RDLCK ? "read " : "write ") + std::to_string(lock.l_start) + " " +
                   std::to_string(lock.l_len) + (lock.l_pid == parent ? "" : " pid " + std::to_string(lock.l_pid));
        }
        REQUIRE(write(ends[1], text.data(), text.size()) > 0);
    });
    close(ends[1]);
    char text[100];
    const ssize_t count = read(ends[0], text, sizeof(text));
    close(ends[0]);
    return std::string(text, count > 0 ? static_cast<std::size_t>(count) : 0);
}

void sleep_ms(long ms) {
    const timespec time{ms / 1000, ms % 1000 * 1'000'000};
    nanosleep(&time, nullptr);
}

struct Pipe {
    Pipe() { REQUIRE(pipe(ends) == 0); }
    ~Pipe() {
        close(ends[0]);
        close(ends[1]);
    }
    void signal() { REQUIRE(write(ends[1], "x", 1) == 1); }
    void wait() {
        char c;
        REQUIRE(read(ends[0], &c, 1) == 1);
    }
    int ends[2];
};

TEST(flock_excludes) {
    make_file("f", "0123456789");
    const scratch::Fd a = open_file("f", O_RDONLY);
    const scratch::Fd b = open_file("f", O_RDONLY);
    CHECK_OK(flock(a, LOCK_SH));
    CHECK_OK(flock(b, LOCK_SH | LOCK_NB));
    CHECK_ERRNO(flock(b, LOCK_EX | LOCK_NB), EWOULDBLOCK);
    CHECK_OK(flock(b, LOCK_UN));
    CHECK_OK(flock(a, LOCK_EX));
    CHECK_OK(flock(a, LOCK_EX | LOCK_NB));
    CHECK_ERRNO(flock(b, LOCK_SH | LOCK_NB), EWOULDBLOCK);
    CHECK_OK(flock(a, LOCK_SH));
    CHECK_OK(flock(b, LOCK_SH | LOCK_NB));
    CHECK_OK(flock(b, LOCK_UN));
    CHECK_OK(flock(b, LOCK_UN));
}

TEST(flock_lost_by_a_failed_conversion) {
    const scratch::Fd a = open_file("f", O_RDONLY);
    const scratch::Fd b = open_file("f", O_RDONLY);
    const scratch::Fd c = open_file("f", O_RDONLY);
    CHECK_OK(flock(a, LOCK_SH));
    CHECK_OK(flock(b, LOCK_SH));
    CHECK_ERRNO(flock(b, LOCK_EX | LOCK_NB), EWOULDBLOCK);
    CHECK_OK(flock(a, LOCK_UN));
    CHECK_OK(flock(c, LOCK_EX | LOCK_NB));
}

TEST(flock_belongs_to_the_open_file) {
    const scratch::Fd other = open_file("f", O_RDONLY);
    scratch::Fd a = open_file("f", O_RDONLY);
    CHECK_OK(flock(a, LOCK_EX));
    scratch::Fd copy(dup(a));
    a.close_now();
    CHECK_ERRNO(flock(other, LOCK_SH | LOCK_NB), EWOULDBLOCK);
    CHECK_CHILD([&] { CHECK_OK(flock(copy, LOCK_EX | LOCK_NB)); });
    CHECK_ERRNO(flock(other, LOCK_SH | LOCK_NB), EWOULDBLOCK);
    copy.close_now();
    CHECK_OK(flock(other, LOCK_EX | LOCK_NB));
}

TEST(flock_waits) {
    const scratch::Fd a = open_file("f", O_RDONLY);
    CHECK_OK(flock(a, LOCK_EX));
    Pipe ready;
    const pid_t child = check::start_child([&] {
        const scratch::Fd b = open_file("f", O_RDONLY);
        ready.signal();
        CHECK_OK(flock(b, LOCK_EX));
    });
    ready.wait();
    sleep_ms(30);
    CHECK_EQ(waitpid(child, nullptr, WNOHANG), 0);
    CHECK_OK(flock(a, LOCK_UN));
    CHECK_EXIT(check::wait_status(child), 0);
}

TEST(flock_wait_ends_with_a_signal) {
    const scratch::Fd a = open_file("f", O_RDONLY);
    CHECK_OK(flock(a, LOCK_EX));
    CHECK_CHILD([&] {
        const scratch::Fd b = open_file("f", O_RDONLY);
        struct sigaction action{};
        action.sa_handler = [](int) {};
        CHECK_OK(sigaction(SIGALRM, &action, nullptr));
        alarm(1);
        CHECK_ERRNO(flock(b, LOCK_EX), EINTR);
    });
}

TEST(flock_errors) {
    const scratch::Fd a = open_file("f", O_RDONLY);
    const scratch::Fd path(open("f", O_PATH));
    CHECK_ERRNO(flock(-1, LOCK_EX), EBADF);
    CHECK_ERRNO(flock(path, LOCK_EX), EBADF);
    CHECK_ERRNO(flock(a, 0), EINVAL);
    CHECK_ERRNO(flock(a, LOCK_EX | LOCK_SH), EINVAL);
    CHECK_ERRNO(flock(a, 64), EINVAL);
}

TEST(record_locks_split_and_merge) {
    const scratch::Fd fd = open_file("f", O_RDWR);
    CHECK_OK(set(fd, F_WRLCK, 10, 100));
    CHECK_EQ(seen_by_others(F_RDLCK, 0, 0), "write 10 100");
    CHECK_EQ(seen_by_others(F_WRLCK, 0, 10), "free");
    CHECK_EQ(seen_by_others(F_WRLCK, 110, 0), "free");
    CHECK_OK(set(fd, F_UNLCK, 50, 10));
    CHECK_EQ(seen_by_others(F_RDLCK, 0, 50), "write 10 40");
    CHECK_EQ(seen_by_others(F_RDLCK, 50, 10), "free");
    CHECK_EQ(seen_by_others(F_RDLCK, 60, 0), "write 60 50");
    CHECK_OK(set(fd, F_RDLCK, 20, 10));
    CHECK_EQ(seen_by_others(F_RDLCK, 20, 10), "free");
    CHECK_EQ(seen_by_others(F_WRLCK, 20, 1), "read 20 10");
    CHECK_EQ(seen_by_others(F_WRLCK, 30, 1), "write 30 20");
    CHECK_OK(set(fd, F_WRLCK, 20, 40));
    CHECK_EQ(seen_by_others(F_RDLCK, 0, 0), "write 10 100");
    CHECK_OK(set(fd, F_WRLCK, 110, 0));
    CHECK_EQ(seen_by_others(F_RDLCK, 0, 0), "write 10 0");
    CHECK_OK(set(fd, F_UNLCK, 0, 0));
    CHECK_EQ(seen_by_others(F_WRLCK, 0, 0), "free");
}

TEST(record_lock_ranges) {
    const scratch::Fd fd = open_file("f", O_RDWR);
    struct flock lock = range(F_WRLCK, -5, 0, SEEK_END);
    CHECK_OK(fcntl(fd, F_SETLK, &lock));
    CHECK_EQ(seen_by_others(F_RDLCK, 0, 0), "write 5 0");
    CHECK_OK(set(fd, F_UNLCK, 0, 0));
    CHECK_EQ(lseek(fd, 4, SEEK_SET), 4);
    lock = range(F_WRLCK, 2, -3, SEEK_CUR);
    CHECK_OK(fcntl(fd, F_SETLK, &lock));
    CHECK_EQ(seen_by_others(F_RDLCK, 0, 0), "write 3 3");
    CHECK_OK(set(fd, F_UNLCK, 0, 0));
    CHECK_ERRNO(set(fd, F_WRLCK, -1, 1), EINVAL);
    CHECK_ERRNO(set(fd, F_WRLCK, 1, -2), EINVAL);
    CHECK_ERRNO(set(fd, F_WRLCK, INT64_MAX, 2), EOVERFLOW);
    lock = range(F_WRLCK, INT64_MAX, 1, SEEK_END);
    CHECK_ERRNO(fcntl(fd, F_SETLK, &lock), EOVERFLOW);
    lock = range(F_WRLCK, 0, 1, 7);
    CHECK_ERRNO(fcntl(fd, F_SETLK, &lock), EINVAL);
}

TEST(record_locks_exclude_other_processes) {
    const scratch::Fd fd = open_file("f", O_RDWR);
    CHECK_OK(set(fd, F_RDLCK, 0, 10));
    CHECK_CHILD([&] {
        // Not inherited by fork.
        CHECK_OK(set(fd, F_RDLCK, 0, 10));
        const int result = set(fd, F_WRLCK, 5, 1);
        CHECK(result == -1 && (errno == EAGAIN || errno == EACCES));
        CHECK_OK(set(fd, F_WRLCK, 10, 1));
    });
    // The child's locks went with it.
    CHECK_OK(set(fd, F_WRLCK, 0, 0));
    CHECK_OK(set(fd, F_UNLCK, 0, 0));
}

TEST(record_locks_go_with_any_close) {
    const scratch::Fd fd = open_file("f", O_RDWR);
    CHECK_OK(set(fd, F_WRLCK, 0, 10));
    open_file("f", O_RDONLY).close_now();
    CHECK_EQ(seen_by_others(F_WRLCK, 0, 0), "free");
    CHECK_OK(set(fd, F_WRLCK, 0, 10));
    const scratch::Fd null = open_file("/dev/null", O_RDWR);
    const scratch::Fd copy(dup(fd));
    CHECK_OK(dup2(null, copy));
    CHECK_EQ(seen_by_others(F_WRLCK, 0, 0), "free");
}

ROLE(others) {
    REQUIRE(argument_count == 1 && chdir(arguments[0]) == 0);
    return seen_by_others(F_WRLCK, 0, 0) == "write 3 4" ? 0 : 1;
}

TEST(record_locks_survive_execve) {
    CHECK_CHILD([&] {
        const int fd = open("f", O_RDWR);
        CHECK_OK(set(fd, F_WRLCK, 3, 4));
        execl("/proc/self/exe", "test", "--role", "others", directory.path().c_str(), nullptr);
        check::failed(__FILE__, __LINE__, "execl");
    });
    CHECK_EQ(seen_by_others(F_WRLCK, 0, 0), "free");
}

TEST(record_lock_waits) {
    const scratch::Fd fd = open_file("f", O_RDWR);
    CHECK_OK(set(fd, F_WRLCK, 0, 10));
    Pipe ready;
    const pid_t child = check::start_child([&] {
        ready.signal();
        CHECK_OK(set_and_wait(fd, F_RDLCK, 5, 1));
    });
    ready.wait();
    sleep_ms(30);
    CHECK_EQ(waitpid(child, nullptr, WNOHANG), 0);
    CHECK_OK(set(fd, F_RDLCK, 0, 10));
    CHECK_EXIT(check::wait_status(child), 0);
    CHECK_OK(set(fd, F_UNLCK, 0, 0));
}

TEST(record_lock_wait_ends_with_a_signal) {
    const scratch::Fd fd = open_file("f", O_RDWR);
    CHECK_OK(set(fd, F_WRLCK, 0, 10));
    CHECK_CHILD([&] {
        struct sigaction action{};
        action.sa_handler = [](int) {};
        CHECK_OK(sigaction(SIGALRM, &action, nullptr));
        alarm(1);
        CHECK_ERRNO(set_and_wait(fd, F_WRLCK, 0, 10), EINTR);
    });
    CHECK_OK(set(fd, F_UNLCK, 0, 0));
}

TEST(record_lock_deadlock) {
    const scratch::Fd fd = open_file("f", O_RDWR);
    CHECK_OK(set(fd, F_WRLCK, 0, 1));
    Pipe ready;
    const pid_t child = check::start_child([&] {
        CHECK_OK(set(fd, F_WRLCK, 1, 1));
        ready.signal();
        CHECK_OK(set_and_wait(fd, F_WRLCK, 0, 1));
    });
    ready.wait();
    // Until the child waits this waits, too, so the error comes to one of them; here it is this one.
    sleep_ms(100);
    CHECK_ERRNO(set_and_wait(fd, F_WRLCK, 1, 1), EDEADLK);
    CHECK_OK(set(fd, F_UNLCK, 0, 1));
    CHECK_EXIT(check::wait_status(child), 0);
}

TEST(record_lock_errors) {
    const scratch::Fd reader = open_file("f", O_RDONLY);
    const scratch::Fd writer = open_file("f", O_WRONLY);
    const scratch::Fd path(open("f", O_PATH));
    CHECK_ERRNO(set(reader, F_WRLCK, 0, 1), EBADF);
    CHECK_ERRNO(set(writer, F_RDLCK, 0, 1), EBADF);
    CHECK_ERRNO(set(path, F_RDLCK, 0, 1), EBADF);
    CHECK_ERRNO(set(-1, F_RDLCK, 0, 1), EBADF);
    CHECK_ERRNO(set(writer, 9, 0, 1), EINVAL);
    CHECK_ERRNO(fcntl(writer, F_SETLK, bad_address()), EFAULT);
    struct flock lock = range(F_UNLCK, 0, 1);
    CHECK_ERRNO(fcntl(writer, F_GETLK, &lock), EINVAL);
}

TEST(ofd_locks) {
    const scratch::Fd a = open_file("f", O_RDWR);
    const scratch::Fd b = open_file("f", O_RDWR);
    CHECK_OK(set_ofd(a, F_WRLCK, 0, 10));
    CHECK_ERRNO(set_ofd(b, F_RDLCK, 5, 1), EAGAIN);
    CHECK_ERRNO(set(b, F_RDLCK, 5, 1), EAGAIN);
    struct flock lock = range(F_WRLCK, 0, 0);
    CHECK_OK(fcntl(b, F_OFD_GETLK, &lock));
    CHECK_EQ(lock.l_type, F_WRLCK);
    CHECK_EQ(lock.l_len, 10);
    CHECK_EQ(lock.l_pid, -1);
    CHECK_EQ(seen_by_others(F_WRLCK, 0, 0), "write 0 10 pid -1");
    // Closing another descriptor of the file changes nothing; fork shares it.
    open_file("f", O_RDONLY).close_now();
    CHECK_CHILD([&] { CHECK_OK(set_ofd(a, F_RDLCK, 0, 10)); });
    CHECK_OK(set_ofd(b, F_RDLCK, 5, 1));
    CHECK_OK(set_ofd(b, F_UNLCK, 0, 0));
    CHECK_OK(set_ofd(a, F_UNLCK, 0, 0));
    lock = range(F_WRLCK, 0, 0);
    lock.l_pid = 1;
    CHECK_ERRNO(fcntl(a, F_OFD_SETLK, &lock), EINVAL);
}

TEST(ofd_locks_go_with_the_open_file) {
    const scratch::Fd b = open_file("f", O_RDWR);
    scratch::Fd a = open_file("f", O_RDWR);
    CHECK_OK(set_ofd(a, F_WRLCK, 0, 10));
    scratch::Fd copy(dup(a));
    a.close_now();
    CHECK_ERRNO(set_ofd(b, F_RDLCK, 5, 1), EAGAIN);
    copy.close_now();
    CHECK_OK(set_ofd(b, F_RDLCK, 5, 1));
}

TEST(flock_and_record_locks_are_independent) {
    const scratch::Fd a = open_file("f", O_RDWR);
    const scratch::Fd b = open_file("f", O_RDWR);
    CHECK_OK(flock(a, LOCK_EX));
    CHECK_OK(set_ofd(b, F_WRLCK, 0, 0));
}

}  // namespace

TEST_MAIN()
