// SPDX-License-Identifier: MIT OR Apache-2.0
// pipe(7): pipe(2), pipe2(2), capacity, atomicity, SIGPIPE, signals; fifo(7); pipes opened again through /proc.
#include <poll.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "system/support/scratch.h"

namespace {

using scratch::bad_address;

scratch::Directory directory;

struct Pipe {
    explicit Pipe(int flags = 0) {
        int ends[2] = {-1, -1};
        CHECK_OK(pipe2(ends, flags));
        reader = ends[0];
        writer = ends[1];
    }
    ~Pipe() {
        close_reader();
        close_writer();
    }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    void close_reader() { close_one(reader); }
    void close_writer() { close_one(writer); }
    static void close_one(int& fd) {
        if (fd >= 0) {
            close(std::exchange(fd, -1));
        }
    }
    int reader = -1;
    int writer = -1;
};

std::size_t fill(int fd) {
    std::size_t total = 0;
    const std::string block(4096, 'f');
    for (ssize_t count = write(fd, block.data(), block.size()); count > 0;
         count = write(fd, block.data(), block.size())) {
        total += static_cast<std::size_t>(count);
    }
    return total;
}

TEST(bytes_come_in_order) {
    const Pipe p;
    char text[16];
    CHECK_EQ(write(p.writer, "abc", 3), 3);
    CHECK_EQ(write(p.writer, "def", 3), 3);
    CHECK_EQ(read(p.reader, text, 2), 2);
    CHECK_EQ(read(p.reader, text + 2, 16 - 2), 4);
    CHECK_EQ(std::string(text, 6), "abcdef");
}

TEST(errors_of_the_call) {
    CHECK_ERRNO(static_cast<int>(syscall(SYS_pipe, bad_address())), EFAULT);
    CHECK_ERRNO(static_cast<int>(syscall(SYS_pipe2, bad_address(), 0)), EFAULT);
    int ends[2];
    CHECK_ERRNO(pipe2(ends, O_CREAT), EINVAL);
    // Nothing is left open by the failures.
    CHECK_OK(pipe(ends));
    CHECK_EQ(ends[1], ends[0] + 1);
    close(ends[0]);
    close(ends[1]);
    char byte = 0;
    const Pipe p;
    CHECK_ERRNO(write(p.reader, &byte, 1), EBADF);
    CHECK_ERRNO(read(p.writer, &byte, 1), EBADF);
    CHECK_ERRNO(write(p.writer, bad_address(), 1), EFAULT);
    CHECK_EQ(write(p.writer, "x", 1), 1);
    CHECK_ERRNO(read(p.reader, bad_address(), 1), EFAULT);
    CHECK_EQ(read(p.reader, &byte, 1), 1);
    CHECK_EQ(byte, 'x');
}

TEST(end_of_file) {
    Pipe p;
    char text[8];
    CHECK_EQ(write(p.writer, "rest", 4), 4);
    p.close_writer();
    CHECK_EQ(read(p.reader, text, 8), 4);
    CHECK_EQ(read(p.reader, text, 8), 0);
    CHECK_EQ(read(p.reader, text, 8), 0);
}

volatile sig_atomic_t pipe_signals = 0;
siginfo_t pipe_signal;

TEST(nobody_reads) {
    Pipe p;
    p.close_reader();
    struct sigaction action{};
    action.sa_sigaction = [](int, siginfo_t* info, void*) {
        pipe_signals = pipe_signals + 1;
        pipe_signal = *info;
    };
    action.sa_flags = SA_SIGINFO;
    CHECK_OK(sigaction(SIGPIPE, &action, nullptr));
    CHECK_ERRNO(write(p.writer, "x", 1), EPIPE);
    CHECK_EQ(pipe_signals, 1);
    CHECK_EQ(pipe_signal.si_code, SI_USER);
    CHECK_EQ(pipe_signal.si_pid, getpid());
    CHECK_EQ(write(p.writer, "", 0), 0);
    signal(SIGPIPE, SIG_IGN);
    CHECK_ERRNO(write(p.writer, "x", 1), EPIPE);
    signal(SIGPIPE, SIG_DFL);
    CHECK_SIGNALED(check::child_status([&] { (void)!write(p.writer, "x", 1); }), SIGPIPE);
}

TEST(the_reader_leaves_during_a_write) {
    pipe_signals = 0;
    struct sigaction action{};
    action.sa_handler = [](int) { pipe_signals = pipe_signals + 1; };
    CHECK_OK(sigaction(SIGPIPE, &action, nullptr));
    Pipe p;
    std::thread reader([&] {
        char byte = 0;
        CHECK_EQ(read(p.reader, &byte, 1), 1);
        usleep(20'000);
        p.close_reader();
    });
    const std::string much(1 << 20, 'm');
    const ssize_t count = write(p.writer, much.data(), much.size());
    reader.join();
    CHECK(count > 0 && count < (1 << 20));
    CHECK_EQ(pipe_signals, 1);
    signal(SIGPIPE, SIG_DFL);
}

TEST(non_blocking) {
    const Pipe p(O_NONBLOCK);
    char text[5000] = {};
    CHECK_ERRNO(read(p.reader, text, 1), EAGAIN);
    CHECK_EQ(fill(p.writer), 65536);
    CHECK_ERRNO(write(p.writer, "x", 1), EAGAIN);
    CHECK_EQ(read(p.reader, text, 4096), 4096);
    CHECK_EQ(write(p.writer, text, 5000), 4096);  // more than PIPE_BUF: in part
    CHECK_ERRNO(write(p.writer, text, 4096), EAGAIN);
}

TEST(small_writes_are_whole) {
    const Pipe p(O_NONBLOCK);
    CHECK_EQ(fill(p.writer), 65536);
    char text[4096];
    CHECK_EQ(read(p.reader, text, 4000), 4000);
    CHECK_ERRNO(write(p.writer, text, 4096), EAGAIN);
    CHECK_EQ(read(p.reader, text, 96), 96);
    CHECK_EQ(write(p.writer, text, 4096), 4096);
}

TEST(capacity) {
    const Pipe p(O_NONBLOCK);
    CHECK_EQ(fcntl(p.reader, F_GETPIPE_SZ), 65536);
    CHECK_EQ(fcntl(p.writer, F_SETPIPE_SZ, 5000), 8192);
    CHECK_EQ(fcntl(p.reader, F_GETPIPE_SZ), 8192);
    CHECK_EQ(fill(p.writer), 8192);
    CHECK_ERRNO(fcntl(p.writer, F_SETPIPE_SZ, 4096), EBUSY);
    CHECK_EQ(fcntl(p.writer, F_SETPIPE_SZ, 100'000), 131072);
    CHECK_EQ(fill(p.writer), 131072 - 8192);
    std::string all(131072, '\0');
    CHECK_EQ(read(p.reader, all.data(), all.size()), 131072);
    CHECK_EQ(all, std::string(131072, 'f'));
    CHECK_EQ(fcntl(p.writer, F_SETPIPE_SZ, 0), 4096);
    CHECK_ERRNO(fcntl(p.writer, F_SETPIPE_SZ, 0x80000001U), EINVAL);
    const scratch::Fd file = scratch::open_file("not_a_pipe", O_CREAT | O_RDWR);
    CHECK_ERRNO(fcntl(file, F_GETPIPE_SZ), EBADF);
    CHECK_ERRNO(fcntl(file, F_SETPIPE_SZ, 4096), EBADF);
    CHECK_EXIT(scratch::as_other_user([] {
                   const Pipe own;
                   CHECK_ERRNO(fcntl(own.writer, F_SETPIPE_SZ, 1 << 21), EPERM);
                   CHECK_EQ(fcntl(own.writer, F_SETPIPE_SZ, 1 << 20), 1 << 20);
               }),
               0);
}

TEST(blocking_exchange_with_a_child) {
    Pipe there;
    Pipe back;
    const pid_t child = check::start_child([&] {
        there.close_writer();
        int number = 0;
        while (read(there.reader, &number, sizeof(number)) == sizeof(number)) {
            ++number;
            CHECK_EQ(write(back.writer, &number, sizeof(number)), static_cast<ssize_t>(sizeof(number)));
        }
    });
    for (int i = 0; i < 1000; ++i) {
        int number = i;
        CHECK_EQ(write(there.writer, &number, sizeof(number)), static_cast<ssize_t>(sizeof(number)));
        CHECK_EQ(read(back.reader, &number, sizeof(number)), static_cast<ssize_t>(sizeof(number)));
        if (!CHECK_EQ(number, i + 1)) {
            break;
        }
    }
    there.close_writer();
    CHECK_EXIT(check::wait_status(child), 0);
}

TEST(a_large_write_waits_for_its_reader) {
    Pipe p;
    constexpr std::size_t kBytes = 1'000'000;
    const pid_t child = check::start_child([&] {
        p.close_reader();
        std::string text(kBytes, '\0');
        for (std::size_t i = 0; i < kBytes; ++i) {
            text[i] = static_cast<char>(i % 251);
        }
        CHECK_EQ(write(p.writer, text.data(), text.size()), static_cast<ssize_t>(kBytes));
    });
    p.close_writer();
    std::size_t got = 0;
    bool right = true;
    char chunk[10'000];
    for (ssize_t count = read(p.reader, chunk, sizeof(chunk)); count > 0;
         count = read(p.reader, chunk, sizeof(chunk))) {
        for (ssize_t i = 0; i < count; ++i) {
            right = right && chunk[i] == static_cast<char>(got++ % 251);
        }
    }
    CHECK(right);
    CHECK_EQ(got, kBytes);
    CHECK_EXIT(check::wait_status(child), 0);
}

TEST(writers_do_not_mix) {
    Pipe p;
    std::vector<pid_t> children;
    for (char name = 'a'; name < 'd'; ++name) {
        children.push_back(check::start_child([&] {
            const std::string message(2000, name);
            for (int i = 0; i < 100; ++i) {
                CHECK_EQ(write(p.writer, message.data(), message.size()), 2000);
            }
        }));
    }
    p.close_writer();
    std::string all;
    char chunk[3000];
    for (ssize_t count = read(p.reader, chunk, sizeof(chunk)); count > 0;
         count = read(p.reader, chunk, sizeof(chunk))) {
        all.append(chunk, static_cast<std::size_t>(count));
    }
    CHECK_EQ(all.size(), 600'000);
    for (std::size_t i = 0; i + 2000 <= all.size(); i += 2000) {
        if (!CHECK_EQ(all.substr(i, 2000), std::string(2000, all[i]))) {
            break;
        }
    }
    for (const pid_t child : children) {
        CHECK_EXIT(check::wait_status(child), 0);
    }
}

volatile sig_atomic_t alarms = 0;

void set_alarm_handler(int flags) {
    struct sigaction action{};
    action.sa_handler = [](int) { alarms = alarms + 1; };
    action.sa_flags = flags;
    CHECK_OK(sigaction(SIGUSR1, &action, nullptr));
}

// Signals this process when it waits.
pid_t start_signaller() {
    const pid_t target = getpid();
    return check::start_child([=] {
        check::wait_until_asleep(target);
        kill(target, SIGUSR1);
    });
}

TEST(a_signal_ends_a_wait) {
    set_alarm_handler(0);
    const Pipe p;
    char byte = 0;
    alarms = 0;
    pid_t child = start_signaller();
    CHECK_ERRNO(read(p.reader, &byte, 1), EINTR);
    CHECK_EQ(alarms, 1);
    CHECK_EXIT(check::wait_status(child), 0);
    CHECK_OK(fcntl(p.writer, F_SETFL, O_NONBLOCK));
    fill(p.writer);
    CHECK_OK(fcntl(p.writer, F_SETFL, 0));
    child = start_signaller();
    CHECK_ERRNO(write(p.writer, &byte, 1), EINTR);
    CHECK_EXIT(check::wait_status(child), 0);
}

TEST(a_signal_after_a_part_keeps_the_part) {
    set_alarm_handler(SA_RESTART);
    const Pipe p;
    const std::string much(100'000, 'm');
    const pid_t child = start_signaller();
    CHECK_EQ(write(p.writer, much.data(), much.size()), 65536);
    CHECK_EXIT(check::wait_status(child), 0);
}

TEST(a_wait_is_restarted) {
    set_alarm_handler(SA_RESTART);
    alarms = 0;
    Pipe p;
    const pid_t target = getpid();
    const pid_t child = check::start_child([&] {
        check::wait_until_asleep(target);
        kill(target, SIGUSR1);
        usleep(30'000);
        CHECK_EQ(write(p.writer, "y", 1), 1);
    });
    char byte = 0;
    CHECK_EQ(read(p.reader, &byte, 1), 1);
    CHECK_EQ(byte, 'y');
    CHECK_EQ(alarms, 1);
    CHECK_EXIT(check::wait_status(child), 0);
}

TEST(vectors_through_a_pipe) {
    const Pipe p;
    char a[] = "hello ";
    char b[] = "world";
    const iovec out[] = {{a, 6}, {b, 5}};
    CHECK_EQ(writev(p.writer, out, 2), 11);
    char c[4];
    char d[20];
    const iovec in[] = {{c, 4}, {d, 20}};
    CHECK_EQ(readv(p.reader, in, 2), 11);
    CHECK_EQ(std::string(c, 4) + std::string(d, 7), "hello world");
}

TEST(fifo_ends_wait_for_each_other) {
    CHECK_OK(mkfifo("fifo", 0600));
    const pid_t child = check::start_child([] {
        const scratch::Fd writer = scratch::open_file("fifo", O_WRONLY);
        CHECK_EQ(write(writer, "through", 7), 7);
    });
    const scratch::Fd reader = scratch::open_file("fifo", O_RDONLY);
    char text[16];
    std::size_t got = 0;
    for (ssize_t count = read(reader, text + got, sizeof(text) - got); count > 0;
         count = read(reader, text + got, sizeof(text) - got)) {
        got += static_cast<std::size_t>(count);
    }
    CHECK_EQ(std::string(text, got), "through");
    CHECK_EXIT(check::wait_status(child), 0);
}

TEST(fifo_without_a_partner) {
    CHECK_ERRNO(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO);
    const scratch::Fd reader = scratch::open_file("fifo", O_RDONLY | O_NONBLOCK);
    char byte = 0;
    CHECK_EQ(read(reader, &byte, 1), 0);
    pollfd polled{reader, POLLIN, 0};
    CHECK_EQ(poll(&polled, 1, 0), 0);
    {
        const scratch::Fd writer = scratch::open_file("fifo", O_WRONLY | O_NONBLOCK);
        CHECK_ERRNO(read(reader, &byte, 1), EAGAIN);
        CHECK_EQ(write(writer, "x", 1), 1);
    }
    CHECK_EQ(poll(&polled, 1, 0), 1);
    CHECK_EQ(polled.revents, POLLIN | POLLHUP);
    CHECK_EQ(read(reader, &byte, 1), 1);
    CHECK_EQ(read(reader, &byte, 1), 0);
    const scratch::Fd both = scratch::open_file("fifo", O_RDWR);
    CHECK_EQ(write(both, "z", 1), 1);
    CHECK_EQ(read(both, &byte, 1), 1);
    CHECK_EQ(byte, 'z');
}

TEST(opening_a_fifo_is_interrupted) {
    set_alarm_handler(0);
    const pid_t child = start_signaller();
    CHECK_ERRNO(open("fifo", O_RDONLY), EINTR);
    CHECK_EXIT(check::wait_status(child), 0);
}

TEST(a_fifo_forgets_when_all_have_left) {
    {
        const scratch::Fd both = scratch::open_file("fifo", O_RDWR);
        CHECK_EQ(write(both, "lost", 4), 4);
    }
    const scratch::Fd both = scratch::open_file("fifo", O_RDWR | O_NONBLOCK);
    char byte = 0;
    CHECK_ERRNO(read(both, &byte, 1), EAGAIN);
}

TEST(opened_again_through_proc) {
    const Pipe p;
    struct stat status{};
    CHECK_OK(fstat(p.reader, &status));
    char text[64];
    const std::string name = "/proc/self/fd/" + std::to_string(p.writer);
    const ssize_t length = readlink(name.c_str(), text, sizeof(text));
    CHECK_EQ(std::string(text, static_cast<std::size_t>(length)), "pipe:[" + std::to_string(status.st_ino) + "]");
    const scratch::Fd again = scratch::open_file(name.c_str(), O_WRONLY);
    CHECK_EQ(write(again, "via proc", 8), 8);
    CHECK_EQ(read(p.reader, text, sizeof(text)), 8);
    struct stat same{};
    CHECK_OK(fstat(again, &same));
    CHECK_EQ(same.st_ino, status.st_ino);
}

}  // namespace

TEST_MAIN()
