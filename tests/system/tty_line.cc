// SPDX-License-Identifier: MIT OR Apache-2.0
// The terminal: canonical input with editing, echo, end of file, signals from keys, job control, raw mode, window size.
// `--role inside` is the program at the terminal; `--role drive COMMAND…` makes a pseudo-terminal, runs the command on
// it and types. Without arguments it drives itself.
#include <poll.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>

#include <optional>

#include "system/support/check.h"

namespace {

void say_line(const std::string& text) {
    check::say("@" + text);
}

// What one read gives, or the name of the error.
std::string read_once() {
    char text[256];
    const ssize_t count = read(STDIN_FILENO, text, sizeof(text));
    return count < 0 ? std::string("!") + strerrorname_np(errno) : std::string(text, static_cast<std::size_t>(count));
}

// Tells the driver to type, then reads.
std::string ask(const char* step) {
    say_line(step);
    return read_once();
}

termios attributes() {
    termios settings{};
    CHECK_OK(tcgetattr(STDIN_FILENO, &settings));
    return settings;
}

void install(int number, void (*handler)(int)) {
    struct sigaction action{};
    action.sa_handler = handler;
    CHECK_OK(sigaction(number, &action, nullptr));
}

void editing() {
    const termios settings = attributes();
    CHECK((settings.c_lflag & ICANON) != 0 && (settings.c_lflag & ECHO) != 0 && (settings.c_lflag & ISIG) != 0);
    CHECK((settings.c_iflag & ICRNL) != 0 && (settings.c_oflag & OPOST) != 0);
    CHECK_EQ(settings.c_cc[VINTR], 3);
    CHECK_EQ(ask("plain"), std::string("hello\n"));
    CHECK_EQ(ask("erase"), std::string("ac\n"));
    CHECK_EQ(ask("kill"), std::string("hi\n"));
    CHECK_EQ(ask("word"), std::string("one three\n"));
    CHECK_EQ(ask("end"), std::string());
    CHECK_EQ(ask("part"), std::string("part"));
    CHECK_EQ(ask("quoted"), std::string("\x03\n"));
    // Lines are given one by one, and a short read leaves the rest.
    say_line("lines");
    char two[2];
    CHECK_EQ(read(STDIN_FILENO, two, 2), 2);
    CHECK(two[0] == 'f' && two[1] == 'i');
    CHECK_EQ(read_once(), std::string("rst\n"));
    CHECK_EQ(read_once(), std::string("second\n"));
}

void signals_from_keys() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    CHECK_OK(sigprocmask(SIG_BLOCK, &set, nullptr));
    const timespec limit{10, 0};
    for (const char* step : {"interrupt", "flushed"}) {
        say_line(step);
        siginfo_t info{};
        CHECK_EQ(sigtimedwait(&set, &info, &limit), SIGINT);
        CHECK_EQ(info.si_code, SI_KERNEL);
        // What was typed before the key is gone.
        pollfd poll_fd{STDIN_FILENO, POLLIN, 0};
        CHECK_EQ(poll(&poll_fd, 1, 0), 0);
    }
    CHECK_OK(sigprocmask(SIG_UNBLOCK, &set, nullptr));
    CHECK_EQ(ask("plain"), std::string("hello\n"));
}

void set_foreground(pid_t group) {
    signal(SIGTTOU, SIG_IGN);
    CHECK_OK(tcsetpgrp(STDIN_FILENO, group));
    signal(SIGTTOU, SIG_DFL);
}

void job_control() {
    CHECK_EQ(tcgetpgrp(STDIN_FILENO), getpgrp());
    CHECK_EQ(tcgetsid(STDIN_FILENO), getsid(0));
    CHECK_ERRNO(tcsetpgrp(STDIN_FILENO, 4'000'000), ESRCH);
    CHECK_ERRNO(tcsetpgrp(STDIN_FILENO, -1), EINVAL);
    int status = 0;
    // A background reader is stopped, continued in the foreground, and reads.
    pid_t child = check::start_child([] {
        setpgid(0, 0);
        CHECK_EQ(read_once(), std::string("hello\n"));
    });
    setpgid(child, child);
    CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
    CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTIN);
    set_foreground(child);
    CHECK_OK(kill(child, SIGCONT));
    say_line("plain");
    CHECK_EXIT(check::wait_status(child), 0);
    set_foreground(getpgrp());
    // Keys reach the foreground group alone.
    child = check::start_child([] {
        setpgid(0, 0);
        pause();
    });
    setpgid(child, child);
    set_foreground(child);
    say_line("stop");
    CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
    CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTSTP);
    CHECK_OK(kill(child, SIGCONT));
    say_line("interrupt");
    CHECK_SIGNALED(check::wait_status(child), SIGINT);
    set_foreground(getpgrp());
    // Output of the background stops only with TOSTOP; ignoring the signal lets it through.
    termios settings = attributes();
    settings.c_lflag |= TOSTOP;
    CHECK_OK(tcsetattr(STDIN_FILENO, TCSANOW, &settings));
    child = check::start_child([] {
        setpgid(0, 0);
        (void)!write(STDOUT_FILENO, "background\n", 11);
    });
    CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
    CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTOU);
    settings.c_lflag &= ~static_cast<tcflag_t>(TOSTOP);
    CHECK_OK(tcsetattr(STDIN_FILENO, TCSANOW, &settings));
    CHECK_OK(kill(child, SIGCONT));
    CHECK_EXIT(check::wait_status(child), 0);
}

void raw_mode() {
    const termios before = attributes();
    termios raw = before;
    cfmakeraw(&raw);
    CHECK_OK(tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw));
    CHECK_EQ(ask("raw"), std::string("\x03"));
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 1;
    CHECK_OK(tcsetattr(STDIN_FILENO, TCSANOW, &raw));
    CHECK_EQ(read_once(), std::string());  // after a tenth of a second
    raw.c_cc[VMIN] = 3;
    raw.c_cc[VTIME] = 0;
    CHECK_OK(tcsetattr(STDIN_FILENO, TCSANOW, &raw));
    CHECK_EQ(ask("three"), std::string("abc"));
    CHECK_OK(tcsetattr(STDIN_FILENO, TCSANOW, &before));
    pollfd poll_fd{STDIN_FILENO, POLLIN, 0};
    CHECK_EQ(poll(&poll_fd, 1, 0), 0);
    say_line("plain");
    CHECK_EQ(poll(&poll_fd, 1, 10'000), 1);
    CHECK_EQ(poll_fd.revents, POLLIN);
    CHECK_EQ(read_once(), std::string("hello\n"));
}

void window_size() {
    winsize size{};
    CHECK_OK(ioctl(STDIN_FILENO, TIOCGWINSZ, &size));
    CHECK(size.ws_row == 33 && size.ws_col == 99);
    install(SIGWINCH, [](int) {});
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGWINCH);
    CHECK_OK(sigprocmask(SIG_BLOCK, &set, nullptr));
    say_line("resize");
    const timespec limit{10, 0};
    CHECK_EQ(sigtimedwait(&set, nullptr, &limit), SIGWINCH);
    CHECK_OK(ioctl(STDIN_FILENO, TIOCGWINSZ, &size));
    CHECK(size.ws_row == 44 && size.ws_col == 111);
}

void not_a_terminal() {
    int fds[2];
    REQUIRE(pipe(fds) == 0);
    termios settings;
    winsize size;
    CHECK_ERRNO(tcgetattr(fds[0], &settings), ENOTTY);
    CHECK_ERRNO(ioctl(fds[0], TIOCGWINSZ, &size), ENOTTY);
    CHECK_ERRNO(tcgetpgrp(fds[0]), ENOTTY);
    CHECK_ERRNO(ioctl(STDIN_FILENO, TIOCGWINSZ, nullptr), EFAULT);
    CHECK_ERRNO(ioctl(STDIN_FILENO, TCGETS, nullptr), EFAULT);
    CHECK_EQ(isatty(fds[0]), 0);
    CHECK_EQ(isatty(STDIN_FILENO), 1);
    const int controlling = open("/dev/tty", O_RDWR);
    CHECK_OK(controlling);
    CHECK_EQ(isatty(controlling), 1);
    CHECK_CHILD([&] {
        setsid();
        CHECK_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
    });
    close(controlling);
    close(fds[0]);
    close(fds[1]);
}

// What the driver types for each step, and what the terminal must show of it (nullptr: not looked at).
struct Step {
    const char* name;
    const char* keys;
    const char* echo;
};

constexpr Step kSteps[] = {
    {"plain", "hello\r", "hello\r\n"},
    {"erase",
     "ab\x7f"
     "c\r",
     "ab\b \bc\r\n"},
    {"kill", "xyz\x15hi\r", nullptr},
    {"word", "one two\x17three\r", nullptr},
    {"end", "\x04", nullptr},
    {"part", "part\x04", "part"},
    {"quoted", "\x16\x03\r", "^C\r\n"},
    {"lines", "first\rsecond\r", "first\r\nsecond\r\n"},
    {"interrupt", "\x03", "^C"},
    {"flushed", "lost\x03", nullptr},
    {"stop", "\x1a", "^Z"},
    {"raw", "\x03", nullptr},
    {"three", "abc", nullptr},
};

class Driver {
public:
    explicit Driver(char** command) {
        winsize size{};
        size.ws_row = 33;
        size.ws_col = 99;
        child_ = forkpty(&master_, nullptr, nullptr, &size);
        if (child_ == 0) {
            execvp(command[0], command);
            _exit(127);
        }
    }

    // The command's exit status; checks fail on the way.
    int play() {
        while (receive()) {
            while (const auto name = next_step()) {
                type(*name);
            }
        }
        int status = 0;
        kill(child_, SIGHUP);
        waitpid(child_, &status, 0);
        check::say(report_ + seen_);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 100;
    }

private:
    // A whole "@NAME" line (without a carriage return in raw mode), which is taken out together with what came before.
    std::optional<std::string> next_step() {
        const std::size_t mark = seen_.find('@');
        const std::size_t end = seen_.find('\n', mark == std::string::npos ? seen_.size() : mark);
        if (end == std::string::npos) {
            return std::nullopt;
        }
        std::string name = seen_.substr(mark + 1, end - mark - 1);
        if (name.ends_with('\r')) {
            name.pop_back();
        }
        report_ += seen_.substr(0, mark);
        seen_.erase(0, end + 1);
        return name;
    }

    bool receive() {
        pollfd poll_fd{master_, POLLIN, 0};
        if (poll(&poll_fd, 1, 20'000) <= 0) {
            check::failed(__FILE__, __LINE__, "no answer from the terminal");
            return false;
        }
        char text[1024];
        const ssize_t count = read(master_, text, sizeof(text));
        if (count <= 0) {
            return false;
        }
        seen_.append(text, static_cast<std::size_t>(count));
        return true;
    }

    void type(const std::string& name) {
        if (name == "resize") {
            winsize size{};
            size.ws_row = 44;
            size.ws_col = 111;
            CHECK_OK(ioctl(master_, TIOCSWINSZ, &size));
            return;
        }
        for (const Step& step : kSteps) {
            if (name == step.name) {
                const std::string_view keys(step.keys);
                CHECK_EQ(write(master_, keys.data(), keys.size()), keys.size());
                const std::string echo = step.echo != nullptr ? step.echo : "";
                while (seen_.find(echo) == std::string::npos) {
                    if (!receive()) {
                        check::failed(__FILE__, __LINE__, "echo of " + name);
                        return;
                    }
                }
                return;
            }
        }
        check::failed(__FILE__, __LINE__, "unknown step " + name);
    }

    int master_ = -1;
    pid_t child_ = -1;
    std::string seen_;
    std::string report_;
};

}  // namespace

ROLE(inside) {
    editing();
    signals_from_keys();
    job_control();
    raw_mode();
    window_size();
    not_a_terminal();
    return check::failures == 0 ? 0 : 1;
}

ROLE(drive) {
    const int status = Driver(arguments).play();
    CHECK_EQ(status, 0);
    return check::failures == 0 ? 0 : 1;
}

TEST(at_a_pseudo_terminal) {
    const int master = posix_openpt(O_RDWR);
    if (master < 0) {
        check::skip("no pseudo-terminals here");
    }
    close(master);
    std::string strings[] = {check::program_path, "--role", "inside"};
    char* command[] = {strings[0].data(), strings[1].data(), strings[2].data(), nullptr};
    CHECK_EQ(Driver(command).play(), 0);
}

TEST_MAIN()
