// SPDX-License-Identifier: MIT OR Apache-2.0
// Pseudo-terminals from both ends, pty(7), ptmx(4), ioctl_tty(2). What a terminal does with what is typed is tty_line's
// business.
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>

#include <algorithm>

#include "system/support/check.h"

namespace {

struct Pair {
    int master = -1;
    int slave = -1;
    std::string name;

    Pair() {
        REQUIRE((master = posix_openpt(O_RDWR | O_NOCTTY)) >= 0);
        REQUIRE(grantpt(master) == 0 && unlockpt(master) == 0);
        name = ptsname(master);
        REQUIRE((slave = open(name.c_str(), O_RDWR | O_NOCTTY)) >= 0);
    }
    ~Pair() {
        close(slave);
        close(master);
    }
    Pair(const Pair&) = delete;
    Pair& operator=(const Pair&) = delete;

    // Bytes go through as they are.
    void make_raw() const {
        termios settings{};
        CHECK_OK(tcgetattr(slave, &settings));
        cfmakeraw(&settings);
        CHECK_OK(tcsetattr(slave, TCSANOW, &settings));
    }
};

void set_non_blocking(int fd, bool on = true) {
    const int flags = fcntl(fd, F_GETFL);
    CHECK_OK(fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK));
}

std::string read_some(int fd) {
    char text[8192];
    const ssize_t count = read(fd, text, sizeof(text));
    return count < 0 ? std::string("!") + strerrorname_np(errno) : std::string(text, static_cast<std::size_t>(count));
}

int events_of(int fd) {
    pollfd entry{fd, POLLIN | POLLOUT | POLLPRI, 0};
    CHECK(poll(&entry, 1, 0) >= 0);
    return entry.revents;
}

// Linux moves bytes from one end to the other in the background.
bool has_events(int fd, int mask, int expected) {
    for (int i = 0; i < 2000; ++i) {
        if ((events_of(fd) & mask) == expected) {
            return true;
        }
        usleep(1000);
    }
    return false;
}
constexpr int kAll = POLLIN | POLLOUT | POLLPRI | POLLHUP | POLLERR;

// Writes until it would block.
std::size_t fill(int fd, std::string_view piece) {
    set_non_blocking(fd);
    std::size_t total = 0;
    while (true) {
        const ssize_t count = write(fd, piece.data(), piece.size());
        if (count < 0) {
            CHECK_EQ(errno, EAGAIN);
            break;
        }
        total += static_cast<std::size_t>(count);
        REQUIRE(total < 10'000'000);
    }
    set_non_blocking(fd, false);
    return total;
}

}  // namespace

TEST(a_pair_has_a_name_while_its_master_is_open) {
    std::string name;
    {
        const Pair pair;
        name = pair.name;
        CHECK(name.starts_with("/dev/pts/"));
        char text[64];
        CHECK_EQ(ttyname_r(pair.slave, text, sizeof(text)), 0);
        CHECK_EQ(std::string(text), name);
        struct stat by_name{};
        struct stat by_file{};
        CHECK_OK(stat(name.c_str(), &by_name));
        CHECK_OK(fstat(pair.slave, &by_file));
        CHECK(S_ISCHR(by_name.st_mode));
        CHECK_EQ(by_name.st_rdev, by_file.st_rdev);
        CHECK_EQ(by_name.st_ino, by_file.st_ino);
        CHECK_EQ(by_name.st_uid, geteuid());
        unsigned number = 999;
        CHECK_OK(ioctl(pair.master, TIOCGPTN, &number));
        CHECK_EQ("/dev/pts/" + std::to_string(number), name);
        CHECK(isatty(pair.master) == 1 && isatty(pair.slave) == 1);
        winsize size{1, 1, 1, 1};
        CHECK_OK(ioctl(pair.slave, TIOCGWINSZ, &size));
        CHECK(size.ws_row == 0 && size.ws_col == 0);
        close(pair.slave);
    }
    CHECK_EQ(access(name.c_str(), F_OK), -1);
    CHECK_EQ(errno, ENOENT);
}

TEST(a_locked_terminal_cannot_be_opened) {
    const int master = posix_openpt(O_RDWR | O_NOCTTY);
    REQUIRE(master >= 0);
    int locked = -1;
    CHECK_OK(ioctl(master, TIOCGPTLCK, &locked));
    CHECK_EQ(locked, 1);
    const std::string name = ptsname(master);
    CHECK_EQ(open(name.c_str(), O_RDWR | O_NOCTTY), -1);
    CHECK_EQ(errno, EIO);
    CHECK_EQ(ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY), -1);
    CHECK_EQ(errno, EIO);
    CHECK_OK(unlockpt(master));
    const int peer = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    CHECK_OK(peer);
    CHECK_EQ(fcntl(peer, F_GETFD), FD_CLOEXEC);
    char text[64];
    CHECK_EQ(ttyname_r(peer, text, sizeof(text)), 0);
    CHECK_EQ(std::string(text), name);
    const int slave = open(name.c_str(), O_RDWR | O_NOCTTY);
    CHECK_OK(slave);
    close(slave);
    close(peer);
    close(master);
}

TEST(bytes_travel_both_ways) {
    const Pair pair;
    CHECK_EQ(write(pair.slave, "one\ntwo", 7), 7);
    CHECK_EQ(read_some(pair.master), std::string("one\r\ntwo"));
    CHECK_EQ(write(pair.master, "typed\n", 6), 6);
    CHECK_EQ(read_some(pair.slave), std::string("typed\n"));
    CHECK_EQ(read_some(pair.master), std::string("typed\r\n"));
    pair.make_raw();
    CHECK_EQ(write(pair.slave, "a\nb", 3), 3);
    CHECK_EQ(read_some(pair.master), std::string("a\nb"));
    CHECK_EQ(write(pair.master, "\x03\x04\r", 3), 3);
    CHECK_EQ(read_some(pair.slave), std::string("\x03\x04\r"));
    int waiting = -1;
    CHECK_EQ(write(pair.slave, "12345", 5), 5);
    CHECK(has_events(pair.master, POLLIN, POLLIN));
    CHECK_OK(ioctl(pair.master, FIONREAD, &waiting));
    CHECK_EQ(waiting, 5);
}

TEST(readiness_is_exact) {
    const Pair pair;
    CHECK(has_events(pair.master, kAll, POLLOUT));
    CHECK(has_events(pair.slave, kAll, POLLOUT));
    CHECK_EQ(write(pair.master, "half", 4), 4);
    CHECK(has_events(pair.slave, kAll, POLLOUT));
    CHECK(has_events(pair.master, kAll, POLLIN | POLLOUT));  // the echo
    CHECK_EQ(write(pair.master, "\n", 1), 1);
    CHECK(has_events(pair.slave, kAll, POLLIN | POLLOUT));
    set_non_blocking(pair.slave);
    CHECK_EQ(read_some(pair.slave), std::string("half\n"));
    CHECK_EQ(read_some(pair.slave), std::string("!EAGAIN"));
    set_non_blocking(pair.master);
    CHECK_EQ(read_some(pair.master), std::string("half\r\n"));
    CHECK_EQ(read_some(pair.master), std::string("!EAGAIN"));
}

TEST(a_full_terminal_makes_its_writers_wait) {
    const Pair pair;
    pair.make_raw();
    const std::string block(1000, 'o');
    const std::size_t written = fill(pair.slave, block);
    CHECK(written >= 1000);
    CHECK(has_events(pair.slave, POLLOUT, 0));
    // A blocked writer goes on when the master reads, and nothing is lost.
    const pid_t child = fork();
    if (child == 0) {
        close(pair.master);
        _exit(write(pair.slave, "end", 3) == 3 ? 0 : 1);
    }
    std::string all;
    while (all.size() < written + 3) {
        all += read_some(pair.master);
    }
    CHECK_EQ(all.substr(0, written), std::string(written, 'o'));
    CHECK_EQ(all.substr(written), std::string("end"));
    CHECK_EQ(check::wait_status(child), 0);
}

TEST(a_full_input_makes_the_master_wait) {
    const Pair pair;
    pair.make_raw();
    const std::size_t written = fill(pair.master, std::string(1000, 'i'));
    CHECK(written >= 1000);
    CHECK(has_events(pair.master, POLLOUT, 0));
    std::string all;
    set_non_blocking(pair.slave);
    while (all.size() < written) {
        const std::string some = read_some(pair.slave);
        if (some != "!EAGAIN") {
            all += some;
        }
    }
    CHECK_EQ(all, std::string(written, 'i'));
    CHECK(has_events(pair.master, POLLOUT, POLLOUT));
}

TEST(the_master_learns_that_nobody_has_the_terminal_open) {
    Pair pair;
    CHECK_EQ(write(pair.slave, "rest", 4), 4);
    const int second = open(pair.name.c_str(), O_RDWR | O_NOCTTY);
    CHECK_OK(second);
    close(pair.slave);
    CHECK(has_events(pair.master, POLLHUP, 0));
    close(second);
    CHECK(has_events(pair.master, POLLHUP | POLLIN, POLLHUP | POLLIN));
    CHECK_EQ(read_some(pair.master), std::string("rest"));
    CHECK_EQ(read_some(pair.master), std::string("!EIO"));
    // Opened again it is as before.
    pair.slave = open(pair.name.c_str(), O_RDWR | O_NOCTTY);
    CHECK_OK(pair.slave);
    CHECK(has_events(pair.master, POLLHUP, 0));
    CHECK_EQ(write(pair.slave, "again", 5), 5);
    CHECK_EQ(read_some(pair.master), std::string("again"));
}

TEST(closing_the_master_hangs_the_session_up) {
    int master;
    int ready[2];
    REQUIRE(pipe(ready) == 0);
    const pid_t child = forkpty(&master, nullptr, nullptr, nullptr);
    REQUIRE(child >= 0);
    if (child == 0) {
        // The leader of a session whose terminal this is.
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGHUP);
        sigaddset(&set, SIGCONT);
        sigprocmask(SIG_BLOCK, &set, nullptr);
        char own[64];
        const bool named = ttyname_r(STDIN_FILENO, own, sizeof(own)) == 0;
        const bool leads = tcgetsid(STDIN_FILENO) == getpid() && tcgetpgrp(STDIN_FILENO) == getpgrp();
        if (write(ready[1], "x", 1) != 1) {
            _exit(9);
        }
        const int signal = sigwaitinfo(&set, nullptr);
        char byte;
        const bool ended = read(STDIN_FILENO, &byte, 1) == 0;
        const bool refused = write(STDOUT_FILENO, "x", 1) == -1 && errno == EIO;
        termios settings{};
        const bool dead = tcgetattr(STDIN_FILENO, &settings) == -1 && errno == EIO;
        const bool gone = open("/dev/tty", O_RDWR) == -1 && errno == ENXIO;
        _exit(!named ? 1 : !leads ? 2 : signal != SIGHUP ? 3 : !ended ? 4 : !refused ? 5 : !dead ? 6 : !gone ? 7 : 0);
    }
    char byte;
    CHECK_EQ(read(ready[0], &byte, 1), 1);
    close(master);
    CHECK_EQ(check::wait_status(child), 0);
    close(ready[0]);
    close(ready[1]);
}

TEST(a_hung_up_terminal_wakes_its_readers) {
    Pair pair;
    const pid_t child = fork();
    if (child == 0) {
        close(pair.master);
        char byte;
        // The one that waits gets an error, the next the end of the file.
        const bool failed = read(pair.slave, &byte, 1) == -1 && errno == EIO;
        _exit(failed && read(pair.slave, &byte, 1) == 0 ? 0 : 1);
    }
    check::wait_until_asleep(child);
    close(pair.master);
    pair.master = -1;
    CHECK_EQ(check::wait_status(child), 0);
    CHECK(has_events(pair.slave, POLLHUP | POLLIN, POLLHUP | POLLIN));
}

TEST(window_sizes_are_shared_and_signalled) {
    int master;
    const winsize size{30, 100, 0, 0};
    int ready[2];
    REQUIRE(pipe(ready) == 0);
    const pid_t child = forkpty(&master, nullptr, nullptr, &size);
    if (child == 0) {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGWINCH);
        sigprocmask(SIG_BLOCK, &set, nullptr);
        winsize before{};
        const bool right = ioctl(STDIN_FILENO, TIOCGWINSZ, &before) == 0 && before.ws_row == 30 && before.ws_col == 100;
        if (write(ready[1], "x", 1) != 1) {
            _exit(9);
        }
        const int signal = sigwaitinfo(&set, nullptr);
        winsize after{};
        const bool changed = ioctl(STDIN_FILENO, TIOCGWINSZ, &after) == 0 && after.ws_row == 40 && after.ws_col == 101;
        _exit(!right ? 1 : signal != SIGWINCH ? 2 : !changed ? 3 : 0);
    }
    char byte;
    CHECK_EQ(read(ready[0], &byte, 1), 1);
    const winsize larger{40, 101, 0, 0};
    CHECK_OK(ioctl(master, TIOCSWINSZ, &larger));
    CHECK_EQ(check::wait_status(child), 0);
    close(master);
}

TEST(the_master_sees_settings_and_group) {
    int master;
    int ready[2];
    REQUIRE(pipe(ready) == 0);
    const pid_t child = forkpty(&master, nullptr, nullptr, nullptr);
    if (child == 0) {
        char byte;
        _exit(read(ready[0], &byte, 1) == 1 ? 0 : 1);
    }
    pid_t group = -1;
    for (int i = 0; i < 1000 && group != child; ++i) {
        CHECK_OK(ioctl(master, TIOCGPGRP, &group));
        usleep(1000);
    }
    CHECK_EQ(group, child);
    termios settings{};
    CHECK_OK(tcgetattr(master, &settings));
    CHECK((settings.c_lflag & ICANON) != 0);
    CHECK_EQ(write(ready[1], "x", 1), 1);
    CHECK_EQ(check::wait_status(child), 0);
    close(master);
}

TEST(packet_mode_tells_what_happened) {
    const Pair pair;
    const int on = 1;
    CHECK_OK(ioctl(pair.master, TIOCPKT, &on));
    int mode = 0;
    CHECK_OK(ioctl(pair.master, TIOCGPKT, &mode));
    CHECK_EQ(mode, 1);
    CHECK_EQ(write(pair.slave, "data", 4), 4);
    CHECK_EQ(read_some(pair.master), std::string("\0data", 5));
    CHECK_OK(tcflush(pair.slave, TCIFLUSH));
    CHECK(has_events(pair.master, POLLPRI, POLLPRI));
    CHECK_EQ(read_some(pair.master), std::string("\x01", 1));
}

TEST(many_pairs_have_different_names) {
    std::vector<int> masters;
    std::vector<std::string> names;
    for (int i = 0; i < 20; ++i) {
        masters.push_back(posix_openpt(O_RDWR | O_NOCTTY));
        REQUIRE(masters.back() >= 0);
        names.push_back(ptsname(masters.back()));
    }
    std::ranges::sort(names);
    CHECK(std::ranges::adjacent_find(names) == names.end());
    for (const int master : masters) {
        close(master);
    }
}

TEST(bad_arguments_are_errors) {
    const Pair pair;
    CHECK_EQ(ioctl(pair.master, TIOCGPTN, 8), -1);
    CHECK_EQ(errno, EFAULT);
    CHECK_EQ(ioctl(pair.slave, TIOCGPTN, 8), -1);
    CHECK_EQ(errno, ENOTTY);
    CHECK_EQ(write(pair.slave, reinterpret_cast<const void*>(8), 10), -1);
    CHECK_EQ(errno, EFAULT);
    CHECK_EQ(read(pair.master, reinterpret_cast<void*>(8), 0), 0);
    const int hang = 0x7777;
    CHECK_EQ(ioctl(pair.master, TIOCSIG, hang), -1);
    CHECK_EQ(errno, EINVAL);
    CHECK_EQ(lseek(pair.master, 0, SEEK_CUR), -1);
    CHECK_EQ(errno, ESPIPE);
}

TEST_MAIN()
