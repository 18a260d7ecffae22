// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/console.h"

#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <termios.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <csignal>

#include "platform/hosted/host_syscall.h"
#include "platform/hosted/shutdown.h"
#include "platform/hosted/terminal.h"
#include "platform/hosted/vcpu.h"

namespace kernel::platform {
namespace hosted {
namespace {

constexpr int kInput = 0;
constexpr int kOutput = 1;
constexpr int kError = 2;
int trace_output = kError;

ConsoleKind kind{};

// --- mode of the outer terminal

termios original_mode{};
std::atomic<bool> raw_wanted = false;
std::atomic<bool> mode_changed = false;

bool in_foreground() {
    int group = 0;
    return host_syscall(SYS_ioctl, kInput, TIOCGPGRP, &group) == 0 && group == getpgrp();
}

// Not from the background: the host would stop us, and the terminal is not ours to change.
void apply_raw_mode() {
    if (!in_foreground()) {
        return;
    }
    termios raw = original_mode;
    cfmakeraw(&raw);
    mode_changed.store(true);
    tcsetattr(kInput, TCSANOW, &raw);
}

// --- what each output stream can do

enum class OutputKind : unsigned char {
    Plain,   // files: write() does not wait for anybody
    NoWait,  // pipes and sockets on hosts that can write without waiting
    Polled,  // terminals, and pipes elsewhere: ask first, then write no more than surely fits
};
std::array<std::atomic<OutputKind>, 3> output_kinds{};  // by ConsoleStream

int descriptor_of(ConsoleStream stream) {
    switch (stream) {
        case ConsoleStream::Output:
            return kOutput;
        case ConsoleStream::Error:
            return kError;
        case ConsoleStream::Trace:
            return trace_output;
    }
    return kError;
}

OutputKind output_kind(int descriptor) {
    struct stat status{};
    if (fstat(descriptor, &status) != 0) {
        return OutputKind::Plain;
    }
    if (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode)) {
        return OutputKind::NoWait;
    }
    return S_ISCHR(status.st_mode) && isatty(descriptor) != 0 ? OutputKind::Polled : OutputKind::Plain;
}

// Blocks until the other side takes output. False when it never will, or when we shall end meanwhile.
bool wait_until_writable(int descriptor) {
    for (;;) {
        pollfd entry{.fd = descriptor, .events = POLLOUT, .revents = 0};
        const HostResult result = host_syscall(SYS_poll, &entry, 1, -1);
        if (result > 0) {
            return (entry.revents & POLLOUT) != 0;
        }
        if (end_was_requested() || (host_failed(result) && host_errno(result) != EINTR)) {
            return false;
        }
    }
}

HostResult write_some(int descriptor, std::atomic<OutputKind>& kind_of_stream, std::span<const std::byte> bytes) {
    if (kind_of_stream.load(std::memory_order_relaxed) == OutputKind::NoWait) {
        // SAFETY: iovec is not const-correct; the call only reads.
        const iovec part{.iov_base = const_cast<std::byte*>(bytes.data()), .iov_len = bytes.size()};
        const HostResult result = host_syscall(SYS_pwritev2, descriptor, &part, 1, -1, -1, RWF_NOWAIT);
        if (!host_failed(result) || host_errno(result) != EOPNOTSUPP) {
            return result;
        }
        kind_of_stream.store(OutputKind::Polled, std::memory_order_relaxed);
    }
    if (kind_of_stream.load(std::memory_order_relaxed) == OutputKind::Polled) {
        // A pipe that is writable has room for PIPE_BUF bytes (pipe(7)).
        pollfd entry{.fd = descriptor, .events = POLLOUT, .revents = 0};
        if (host_syscall(SYS_poll, &entry, 1, 0) == 0) {
            return -EAGAIN;
        }
        bytes = bytes.first(std::min<std::size_t>(bytes.size(), PIPE_BUF));
    }
    return host_syscall(SYS_write, descriptor, bytes.data(), bytes.size());
}

// --- waiting for input

// 1 while the watcher is to look. It is a host thread of its own, because a vCPU that runs a guest cannot poll.
std::atomic<std::uint32_t> watching = 0;
std::atomic<bool> watcher_exists = false;

void* watch_input(void*) {
    for (;;) {
        while (watching.load() == 0) {
            host_syscall(SYS_futex, &watching, FUTEX_WAIT_PRIVATE, 0, nullptr, nullptr, 0);
        }
        pollfd entry{.fd = kInput, .events = POLLIN, .revents = 0};
        if (host_syscall(SYS_poll, &entry, 1, -1) > 0) {
            watching.store(0);
            raise_interrupt(0, Interrupts::Console);
        }
    }
    return nullptr;
}

Result<> start_watcher() {
    // Signals are for the vCPUs.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, std::size_t{32} * 1024);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_t thread;
    const int status = pthread_create(&thread, &attributes, watch_input, nullptr);
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (status != 0) {
        watcher_exists.store(false);
        return std::unexpected(Error::NoMemory);
    }
    return {};
}

Result<> watch_for_input() {
    watching.store(1);
    if (!watcher_exists.exchange(true)) {
        return start_watcher();
    }
    host_syscall(SYS_futex, &watching, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
    return {};
}

}  // namespace

void restore_terminal() {
    if (mode_changed.exchange(false)) {
        tcsetattr(kInput, TCSANOW, &original_mode);
    }
}

bool terminal_is_raw() {
    return mode_changed.load(std::memory_order_relaxed) && kind.error_is_terminal;
}

void renew_terminal_mode() {
    if (raw_wanted.load()) {
        apply_raw_mode();
    }
}

void set_up_console(int trace_descriptor) {
    trace_output = trace_descriptor >= 0 ? trace_descriptor : kError;
    kind.input_is_terminal = tcgetattr(kInput, &original_mode) == 0;
    for (const ConsoleStream stream : {ConsoleStream::Output, ConsoleStream::Error, ConsoleStream::Trace}) {
        output_kinds[static_cast<std::size_t>(stream)].store(output_kind(descriptor_of(stream)));
    }
    kind.output_is_terminal = output_kinds[static_cast<std::size_t>(ConsoleStream::Output)] == OutputKind::Polled;
    kind.error_is_terminal = output_kinds[static_cast<std::size_t>(ConsoleStream::Error)] == OutputKind::Polled;
}

}  // namespace hosted

Result<std::size_t> console_write(ConsoleStream stream, std::span<const std::byte> bytes) {
    const int descriptor = hosted::descriptor_of(stream);
    auto& kind_of_stream = hosted::output_kinds[static_cast<std::size_t>(stream)];
    for (;;) {
        const hosted::HostResult result = hosted::write_some(descriptor, kind_of_stream, bytes);
        if (!hosted::host_failed(result)) {
            return static_cast<std::size_t>(result);
        }
        switch (hosted::host_errno(result)) {
            case EINTR:
                break;
            case EAGAIN:
                if (!hosted::wait_until_writable(descriptor)) {
                    return std::unexpected(Error::Io);
                }
                break;
            case ENOSPC:
            case EDQUOT:
                return std::unexpected(Error::NoSpace);
            default:
                return std::unexpected(Error::Io);
        }
    }
}

Result<std::size_t> console_read(std::span<std::byte> bytes) {
    for (;;) {
        pollfd entry{.fd = hosted::kInput, .events = POLLIN, .revents = 0};
        const hosted::HostResult ready = hosted::host_syscall(SYS_poll, &entry, 1, 0);
        if (ready == 0) {
            TRY(hosted::watch_for_input());
            return std::unexpected(Error::WouldBlock);
        }
        if ((entry.revents & POLLNVAL) != 0) {
            return std::size_t{0};  // started without a standard input
        }
        const hosted::HostResult result = hosted::host_syscall(SYS_read, hosted::kInput, bytes.data(), bytes.size());
        if (!hosted::host_failed(result)) {
            return static_cast<std::size_t>(result);
        }
        if (hosted::host_errno(result) == EAGAIN) {
            TRY(hosted::watch_for_input());
            return std::unexpected(Error::WouldBlock);
        }
        if (hosted::host_errno(result) != EINTR) {
            return std::unexpected(Error::Io);
        }
    }
}

ConsoleKind console_kind() {
    return hosted::kind;
}

std::optional<ConsoleSize> console_size() {
    for (const int descriptor : {hosted::kOutput, hosted::kInput, hosted::kError}) {
        winsize size{};
        if (hosted::host_syscall(SYS_ioctl, descriptor, TIOCGWINSZ, &size) == 0 && size.ws_row != 0) {
            return ConsoleSize{.rows = size.ws_row, .columns = size.ws_col};
        }
    }
    return std::nullopt;
}

void console_set_raw(bool raw) {
    if (!hosted::kind.input_is_terminal) {
        return;
    }
    hosted::raw_wanted.store(raw);
    if (raw) {
        hosted::apply_raw_mode();
        // Whoever handles a terminal waits for the interrupt; it need not ask first.
        static_cast<void>(hosted::watch_for_input());
    } else {
        hosted::restore_terminal();
    }
}

}  // namespace kernel::platform
