// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/console.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <csignal>
#include <string>

#include "platform/cpu.h"
#include "platform/hosted/host_clock.h"
#include "platform/hosted/shutdown.h"
#include "platform/hosted/terminal.h"
#include "platform/hosted/vcpu.h"

namespace kernel::platform {
namespace {

struct Streams {
    int input, output, error;
};

// Runs in a child whose standard streams are the given ones; gives its exit status.
template <class Body>
pid_t start_with(const Streams& streams, bool own_terminal, Body&& body) {
    const pid_t child = fork();
    if (child != 0) {
        return child;
    }
    if (own_terminal) {
        setsid();
        ioctl(streams.input, TIOCSCTTY, 0);
    }
    const std::array from{streams.input, streams.output, streams.error};
    for (int descriptor = 0; descriptor < 3; ++descriptor) {
        dup2(from[static_cast<std::size_t>(descriptor)], descriptor);
    }
    hosted::set_up_clock();
    hosted::set_up_boot_cpu(1);
    hosted::set_up_console(-1);
    hosted::set_up_signals();
    _exit(body());
}

int status_of(pid_t child) {
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text));
}

std::string read_some(int descriptor) {
    std::array<char, 256> buffer;
    const ssize_t count = read(descriptor, buffer.data(), buffer.size());
    return {buffer.data(), count > 0 ? static_cast<std::size_t>(count) : 0};
}

struct Pipe {
    Pipe() { EXPECT_EQ(pipe(ends.data()), 0); }
    ~Pipe() {
        close(ends[0]);
        close(ends[1]);
    }
    std::array<int, 2> ends{};
};

class Terminal {
public:
    Terminal() : outer_(posix_openpt(O_RDWR | O_NOCTTY)) {
        grantpt(outer_);
        unlockpt(outer_);
        inner_ = open(ptsname(outer_), O_RDWR | O_NOCTTY);
    }
    ~Terminal() {
        close(inner_);
        close(outer_);
    }
    int outer() const { return outer_; }
    int inner() const { return inner_; }
    bool is_raw() const {
        termios mode{};
        tcgetattr(inner_, &mode);
        return (mode.c_lflag & ICANON) == 0;
    }

private:
    int outer_;
    int inner_ = -1;
};

void wait_for(const auto& condition) {
    for (int i = 0; i < 2000 && !condition(); ++i) {
        usleep(1000);
    }
    EXPECT_TRUE(condition());
}

TEST(Console, KnowsWhatItsStreamsAre) {
    Terminal terminal;
    Pipe pipe;
    const pid_t child = start_with({terminal.inner(), pipe.ends[1], terminal.inner()}, true, [] {
        const ConsoleKind kind = console_kind();
        return kind.input_is_terminal && !kind.output_is_terminal && kind.error_is_terminal ? 0 : 1;
    });
    EXPECT_EQ(status_of(child), 0);
}

TEST(Console, InputWakesTheCpu) {
    Pipe input;
    Pipe output;
    const pid_t child = start_with({input.ends[0], output.ends[1], 2}, false, [] {
        std::array<std::byte, 16> bytes;
        for (int round = 0; round < 3; ++round) {
            const auto nothing = console_read(bytes);
            if (nothing.has_value() || nothing.error() != Error::WouldBlock) {
                return 1;
            }
            console_write(ConsoleStream::Output, bytes_of("?")).value();
            idle_until_interrupt();
            if (!has(take_interrupts(), Interrupts::Console)) {
                return 2;
            }
            const auto count = console_read(bytes);
            if (count.value_or(0) != 2) {
                return 3;
            }
        }
        return 0;
    });
    for (int round = 0; round < 3; ++round) {
        EXPECT_EQ(read_some(output.ends[0]), "?");
        EXPECT_EQ(write(input.ends[1], "ab", 2), 2);
    }
    EXPECT_EQ(status_of(child), 0);
}

TEST(Console, EndOfInputIsZeroBytes) {
    Pipe input;
    close(std::exchange(input.ends[1], -1));
    const pid_t child = start_with({input.ends[0], 1, 2}, false, [] {
        std::array<std::byte, 16> bytes;
        return static_cast<int>(console_read(bytes).value_or(99));
    });
    EXPECT_EQ(status_of(child), 0);
}

TEST(Console, OutputWaitsForASlowReaderAndFailsWithoutOne) {
    Pipe output;
    const pid_t child = start_with({0, output.ends[1], 2}, false, [&] {
        close(output.ends[0]);
        std::array<std::byte, 10'000> bytes{};
        for (std::size_t total = 0; total < 1'000'000;) {
            const auto written = console_write(ConsoleStream::Output, bytes);
            if (!written.has_value() || *written == 0) {
                return 1;
            }
            total += *written;
        }
        if (console_write(ConsoleStream::Output, bytes_of("end")).value_or(0) != 3) {
            return 2;
        }
        // The other side goes away now.
        for (;;) {
            const auto written = console_write(ConsoleStream::Output, bytes);
            if (!written.has_value()) {
                return written.error() == Error::Io ? 0 : 3;
            }
        }
    });
    close(std::exchange(output.ends[1], -1));
    std::string last;
    for (std::string text = read_some(output.ends[0]); !text.empty(); text = read_some(output.ends[0])) {
        last = text;
        if (text.contains("end")) {
            break;
        }
    }
    close(std::exchange(output.ends[0], -1));
    EXPECT_EQ(status_of(child), 0);
}

TEST(Console, RawModeIsUndoneAtTheEnd) {
    for (const bool orderly : {true, false}) {
        Terminal terminal;
        EXPECT_FALSE(terminal.is_raw());
        const pid_t child = start_with({terminal.inner(), terminal.inner(), terminal.inner()}, true, [orderly] {
            console_set_raw(true);
            while (!hosted::end_was_requested()) {
                idle_until_interrupt();
                static_cast<void>(take_interrupts());
            }
            if (orderly) {
                hosted::end_process(7);
            }
            for (;;) {
                idle_until_interrupt();  // does not obey
                static_cast<void>(take_interrupts());
            }
            return 0;
        });
        wait_for([&] { return terminal.is_raw(); });
        kill(child, SIGTERM);
        if (!orderly) {
            for (int i = 0; i < 2; ++i) {
                usleep(20'000);
                kill(child, SIGTERM);
            }
        }
        EXPECT_EQ(status_of(child), orderly ? 7 : 128 + SIGTERM);
        EXPECT_FALSE(terminal.is_raw());
    }
}

TEST(Console, FaultOfTheKernelIsReportedAndGivesTheTerminalBack) {
    Terminal terminal;
    Pipe error;
    const pid_t child = start_with({terminal.inner(), terminal.inner(), error.ends[1]}, true, [] {
        console_set_raw(true);
        raise(SIGBUS);
        return 0;
    });
    EXPECT_EQ(status_of(child), hosted::kStatusKernelFailure);
    EXPECT_FALSE(terminal.is_raw());
    EXPECT_TRUE(read_some(error.ends[0]).contains("kernel panic"));
}

TEST(Console, SizeChangesAreConsoleInterrupts) {
    Terminal terminal;
    Pipe ready;
    const pid_t child = start_with({terminal.inner(), terminal.inner(), ready.ends[1]}, true, [] {
        console_write(ConsoleStream::Error, bytes_of("r")).value();
        for (Interrupts seen = Interrupts::None; !has(seen, Interrupts::Console); seen = take_interrupts()) {
            idle_until_interrupt();
        }
        const auto size = console_size();
        return size.has_value() && size->rows == 33 && size->columns == 99 ? 0 : 1;
    });
    EXPECT_EQ(read_some(ready.ends[0]), "r");
    const winsize size{.ws_row = 33, .ws_col = 99, .ws_xpixel = 0, .ws_ypixel = 0};
    ioctl(terminal.outer(), TIOCSWINSZ, &size);
    EXPECT_EQ(status_of(child), 0);
}

}  // namespace
}  // namespace kernel::platform
