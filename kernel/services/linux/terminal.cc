// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/terminal.h"

#include <algorithm>

#include "core/mm/io_buffer.h"
#include "platform/clock.h"
#include "services/linux/process.h"
#include "services/linux/process_tree.h"
#include "services/linux/signals.h"
#include "services/linux/task.h"

namespace kernel::linux_abi {
namespace {

constexpr std::uint64_t kTenthNs = 100'000'000;
constexpr std::size_t kChunkBytes = 256;
// What one character of output may become: a tab in spaces.
constexpr std::size_t kMostBytesOfACharacter = 8;

// Collects what is echoed, so that it goes out in few writes.
class BufferedEcho final : public EchoSink {
public:
    explicit BufferedEcho(TerminalOutput& output) : output_(output) {}
    ~BufferedEcho() { flush(); }
    void echo(char character) override {
        if (used_ == text_.size()) {
            flush();
        }
        text_[used_++] = character;
    }
    void flush() {
        std::span<const std::byte> rest = std::as_bytes(std::span(text_).first(used_));
        used_ = 0;
        while (!rest.empty()) {
            const Result<std::size_t> written = output_.write(rest);
            if (!written || *written == 0) {
                return;
            }
            rest = rest.subspan(*written);
        }
    }

private:
    TerminalOutput& output_;
    std::array<char, kChunkBytes> text_{};
    std::size_t used_ = 0;
};

}  // namespace

Result<RefPtr<Terminal>> Terminal::create(RefPtr<TerminalOutput> output, const abi::Termios& settings) {
    RefPtr<Terminal> terminal = TRY(make_ref<Terminal>(std::move(output)));
    terminal->state_.with([&](State& state) { state.discipline.set_termios(settings); });
    return terminal;
}

void Terminal::receive(std::span<const char> bytes) {
    bool was_stopped = false;
    bool is_stopped = false;
    for (const char byte : bytes) {
        int group = 0;
        const int signal = state_.with([&](State& state) {
            BufferedEcho echo(*output_);
            group = state.foreground_group;
            was_stopped = was_stopped || state.discipline.is_stopped();
            const int raised = state.discipline.receive(byte, echo);
            is_stopped = state.discipline.is_stopped();
            return raised;
        });
        if (signal != 0 && group != 0) {
            (void)send_to_group(group, kernel_signal(signal), nullptr);
        }
    }
    output_->announce(TerminalOutput::Event::Written);
    if (was_stopped != is_stopped) {
        output_->announce(is_stopped ? TerminalOutput::Event::Stopped : TerminalOutput::Event::Started);
    }
    input_queue_.wake_all();
    if (output_queue_.has_waiters() && !state_.with([](State& s) { return s.discipline.is_stopped(); })) {
        output_queue_.wake_all();
    }
}

void Terminal::receive_end() {
    state_.with([](State& state) { state.discipline.receive_end(); });
    input_queue_.wake_all();
}

std::size_t Terminal::input_room() const {
    return state_.with([](const State& state) { return state.hung_up ? SIZE_MAX : state.discipline.input_room(); });
}

bool Terminal::is_hung_up() const {
    return state_.with([](const State& state) { return state.hung_up; });
}

void Terminal::hang_up() {
    const int session = session_id();
    const bool first = state_.with([](State& state) { return !std::exchange(state.hung_up, true); });
    if (!first) {
        return;
    }
    if (const RefPtr<Process> leader = session == 0 ? RefPtr<Process>() : process_tree::find_process(session)) {
        (void)send_to_process(*leader, kernel_signal(abi::kSighup));
        (void)send_to_process(*leader, kernel_signal(abi::kSigcont));
        if (const RefPtr<Session> owner = process_tree::session(*leader); owner && owner->terminal().get() == this) {
            owner->set_terminal({});
        }
    }
    session_ended(session);
    input_queue_.wake_all();
    output_queue_.wake_all();
}

void Terminal::file_opened() {
    if (state_.with([](State& state) { return state.files++ == 0; })) {
        output_->set_in_use(true);
    }
}

void Terminal::file_closed() {
    if (state_.with([](State& state) { return --state.files == 0; })) {
        output_->set_in_use(false);
    }
}

void Terminal::flush_input() {
    state_.with([](State& state) { state.discipline.flush_input(); });
    output_->announce(TerminalOutput::Event::InputFlushed);
    input_room_queue_.wake_all();
}

void Terminal::set_window_size(const abi::WindowSize& size) {
    int group = 0;
    state_.with([&](State& state) {
        const bool changed = state.size.rows != size.rows || state.size.columns != size.columns;
        state.size = size;
        if (changed) {
            group = state.foreground_group;
        }
    });
    if (group != 0) {
        (void)send_to_group(group, kernel_signal(abi::kSigwinch), nullptr);
    }
}

int Terminal::session_id() const {
    return state_.with([](const State& state) { return state.session_id; });
}

int Terminal::foreground_group() const {
    return state_.with([](const State& state) { return state.foreground_group; });
}

// POSIX 11.1.4: a process of a background group may not read, and may not write when TOSTOP says so.
Result<> Terminal::check_background(Task& task, int signal) {
    Process& process = task.process();
    const int group = process_tree::group_of(process);
    const bool in_background = state_.with([&](const State& state) {
        return state.session_id == process_tree::kNoSession ? false : state.foreground_group != group;
    });
    if (!in_background || process_tree::session_of(process) != session_id()) {
        return {};
    }
    const bool unheard =
        (task.blocked() & abi::signal_bit(signal)) != 0 || process.actions()->get(signal).handler == abi::kSigIgn;
    if (unheard) {
        return signal == abi::kSigttin ? Result<>(Error::Io) : Result<>();
    }
    if (process_tree::is_orphaned_group(group)) {
        return Error::Io;
    }
    (void)send_to_group(group, kernel_signal(signal), nullptr);
    task.thread().interrupt();
    return Error::RestartSyscall;
}

// VMIN and VTIME, termios(3) "Canonical and noncanonical mode".
Result<> Terminal::wait_for_input(bool non_blocking) {
    while (true) {
        std::size_t wanted = 1;
        std::uint64_t timeout_ns = 0;
        bool has_some = false;
        bool poll_only = false;
        const bool ready = state_.with([&](State& state) {
            LineDiscipline& d = state.discipline;
            if (state.hung_up) {
                return true;
            }
            if (d.is_canonical()) {
                return d.has_input();
            }
            wanted = std::max<std::size_t>(d.minimum(), 1);
            timeout_ns = d.time_tenths() * kTenthNs;
            poll_only = d.minimum() == 0 && timeout_ns == 0;
            has_some = d.available() != 0;
            return poll_only || d.has_input(d.minimum() == 0 ? 1 : d.minimum());
        });
        if (ready) {
            return {};
        }
        if (non_blocking) {
            return has_some ? Result<>() : Error::WouldBlock;
        }
        // With VMIN > 0 the timer starts with the first byte.
        const bool timed =
            timeout_ns != 0 && (has_some || state_.with([](State& s) { return s.discipline.minimum() == 0; }));
        sched::WaitOptions options{.interruptible = true};
        if (timed) {
            options.deadline_ns = platform::monotonic_ns() + timeout_ns;
        }
        const std::size_t before = state_.with([](State& s) { return s.discipline.available(); });
        const auto changed = [&] {
            return state_.with([&](State& s) {
                return s.hung_up || s.discipline.has_input(wanted) || s.discipline.available() != before;
            });
        };
        const Result<> waited = sched::wait_until(input_queue_, changed, options);
        // As on Linux: who waits at that moment learns it by an error, who comes later by the end of the file.
        if (waited && is_hung_up()) {
            return Error::Io;
        }
        if (waited) {
            continue;
        }
        if (waited.error() == Error::TimedOut) {
            return {};
        }
        return Error::RestartSyscall;
    }
}

Result<std::size_t> Terminal::read(mm::IoBuffer& to, bool non_blocking) {
    if (to.remaining() == 0 || is_hung_up()) {
        return std::size_t{0};
    }
    TRY(check_background(Task::current(), abi::kSigttin));
    TRY(wait_for_input(non_blocking));
    std::array<char, kChunkBytes> chunk;
    std::size_t total = 0;
    while (to.remaining() != 0) {
        const std::size_t room = std::min<std::uint64_t>(chunk.size(), to.remaining());
        bool more = false;
        const std::size_t count = state_.with([&](State& state) {
            const std::size_t n = state.discipline.read(std::span(chunk).first(room));
            // A line that is longer than the chunk goes on; a finished one ends the read.
            more = n == room && chunk[n - 1] != '\n' && state.discipline.available() != 0;
            return n;
        });
        const std::span<const std::byte> bytes = std::as_bytes(std::span(chunk).first(count));
        const Result<std::size_t> copied = to.copy_from(bytes);
        if (!copied) {
            return total != 0 ? Result<std::size_t>(total) : copied;
        }
        total += *copied;
        if (!more) {
            break;
        }
    }
    input_room_queue_.wake_all();
    return total;
}

// As many characters as there is room for. Returns how many.
std::size_t Terminal::write_transformed(State& state, std::span<const char> text) {
    BufferedEcho out(*output_);
    std::array<char, kMostBytesOfACharacter> bytes{};
    std::size_t room = output_->room();
    for (std::size_t done = 0; done < text.size(); ++done) {
        if (room < bytes.size()) {
            return done;
        }
        const std::size_t count = state.discipline.transform_output(text[done], bytes);
        for (std::size_t i = 0; i < count; ++i) {
            out.echo(bytes[i]);
        }
        room -= count;
    }
    return text.size();
}

Result<> Terminal::wait_for_output(bool non_blocking) {
    const auto can_write = [&] {
        return state_.with([&](State& s) {
            return s.hung_up || (!s.discipline.is_stopped() && output_->room() >= kMostBytesOfACharacter);
        });
    };
    if (!can_write()) {
        if (non_blocking) {
            return Error::WouldBlock;
        }
        if (!sched::wait_until(output_queue_, can_write, {.interruptible = true})) {
            return Error::RestartSyscall;
        }
    }
    return is_hung_up() ? Result<>(Error::Io) : Result<>();
}

Result<std::size_t> Terminal::write(mm::IoBuffer& from, bool non_blocking) {
    const bool stops_background =
        state_.with([](State& state) { return (state.discipline.termios().local_flags & abi::kTostop) != 0; });
    if (stops_background) {
        TRY(check_background(Task::current(), abi::kSigttou));
    }
    std::size_t total = 0;
    std::array<char, kChunkBytes> chunk;
    while (from.remaining() != 0) {
        const std::size_t size = std::min<std::uint64_t>(chunk.size(), from.remaining());
        const Result<std::size_t> copied = from.copy_to(std::as_writable_bytes(std::span(chunk).first(size)));
        if (!copied) {
            return total != 0 ? Result<std::size_t>(total) : copied;
        }
        std::span<const char> rest = std::span(chunk).first(*copied);
        while (!rest.empty()) {
            const Result<> possible = wait_for_output(non_blocking);
            if (!possible) {
                return total != 0 ? Result<std::size_t>(total) : Result<std::size_t>(possible.error());
            }
            const std::size_t done = state_.with([&](State& state) { return write_transformed(state, rest); });
            output_->announce(TerminalOutput::Event::Written);
            rest = rest.subspan(done);
            total += done;
        }
    }
    return total;
}

Result<vfs::PollEvents> Terminal::poll(vfs::PollRegistrar* registrar) {
    if (registrar != nullptr) {
        TRY(registrar->watch(input_queue_));
        TRY(registrar->watch(output_queue_));
    }
    return state_.with([this](const State& state) {
        vfs::PollEvents events = vfs::PollEvents::None;
        if (state.hung_up) {
            return vfs::kAlwaysReady | vfs::PollEvents::Error | vfs::PollEvents::HangUp;
        }
        const LineDiscipline& d = state.discipline;
        const std::size_t minimum = d.is_canonical() || d.time_tenths() != 0 || d.minimum() == 0 ? 1 : d.minimum();
        if (d.has_input(minimum)) {
            events |= vfs::PollEvents::In | vfs::PollEvents::ReadNormal;
        }
        if (!d.is_stopped() && output_->room() >= kMostBytesOfACharacter) {
            events |= vfs::PollEvents::Out | vfs::PollEvents::WriteNormal;
        }
        return events;
    });
}

void Terminal::adopt_session(Process& process) {
    const RefPtr<Session> session = process_tree::session(process);
    if (!session || session->id() != process.pid() || session->terminal()) {
        return;
    }
    const int group = process_tree::group_of(process);
    const bool taken = state_.with([&](State& state) {
        if (state.session_id != process_tree::kNoSession) {
            return false;
        }
        state.session_id = session->id();
        state.foreground_group = group;
        return true;
    });
    if (taken) {
        session->set_terminal(RefPtr<Terminal>(*this));
    }
}

void Terminal::session_ended(int session_id) {
    int group = 0;
    state_.with([&](State& state) {
        if (state.session_id != session_id) {
            return;
        }
        group = std::exchange(state.foreground_group, 0);
        state.session_id = process_tree::kNoSession;
    });
    if (group == 0) {
        return;
    }
    (void)send_to_group(group, kernel_signal(abi::kSighup), nullptr);
    (void)send_to_group(group, kernel_signal(abi::kSigcont), nullptr);
}

}  // namespace kernel::linux_abi
