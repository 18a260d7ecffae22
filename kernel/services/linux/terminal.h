// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstdint>

#include "abi/linux/tty.h"
#include "core/sched/wait_queue.h"
#include "lib/guarded.h"
#include "lib/lock_rank.h"
#include "lib/ref.h"
#include "services/linux/line_discipline.h"
#include "services/vfs/file.h"

namespace kernel::linux_abi {

class Process;
class Task;

// Where a terminal's output goes: the console, or the master of a pseudo-terminal. The first two are called under the
// terminal's lock.
class TerminalOutput : public RefCounted {
public:
    // How many bytes write() takes now.
    virtual std::size_t room() { return SIZE_MAX; }
    // Takes what it can without blocking for long; at least one byte if there is room, unless it is gone (Io).
    virtual Result<std::size_t> write(std::span<const std::byte> bytes) = 0;

    // Something has been written, or held back by Ctrl-S or let go again, or thrown away.
    enum class Event : std::uint8_t { Written, Stopped, Started, InputFlushed };
    virtual void announce(Event) {}
    // The terminal has its first open file, or has lost its last one.
    virtual void set_in_use(bool) {}
};

// A terminal: line discipline, window size, controlling session. tty(4), ioctl_tty(2).
class Terminal final : public RefCounted {
public:
    static Result<RefPtr<Terminal>> create(RefPtr<TerminalOutput> output,
                                           const abi::Termios& settings = default_termios());

    // Keyboard input, from an interrupt handler or a thread; never blocks. What is more than input_room() may be lost.
    void receive(std::span<const char> bytes);
    void receive_end();
    std::size_t input_room() const;
    // Woken when there may be room for input again.
    sched::WaitQueue& input_room_queue() { return input_room_queue_; }
    // There may be room for output again.
    void output_has_room() { output_queue_.wake_all(); }
    // The other end has gone: SIGHUP and SIGCONT for the session, end of file for readers, Io for everything else.
    void hang_up();
    // A new size tells the foreground group by SIGWINCH.
    void set_window_size(const abi::WindowSize& size);

    // For files of this terminal. Errors: RestartSyscall, WouldBlock, Io (background process of an orphaned group).
    Result<std::size_t> read(mm::IoBuffer& to, bool non_blocking);
    Result<std::size_t> write(mm::IoBuffer& from, bool non_blocking);
    Result<vfs::PollEvents> poll(vfs::PollRegistrar* registrar);
    enum class Side : std::uint8_t { Terminal, Master };
    Result<std::uint64_t> ioctl(vfs::Ioctl& request, Side side = Side::Terminal);
    // Open files on it are counted, for the output to know.
    void file_opened();
    void file_closed();

    int session_id() const;
    int foreground_group() const;
    // Makes it the session's controlling terminal if both are free, as open(2) without O_NOCTTY does.
    void adopt_session(Process& process);
    // The session leader has ended: SIGHUP and SIGCONT to the foreground group, and the terminal belongs to nobody.
    void session_ended(int session_id);

private:
    friend class kernel::ObjectMaker;
    struct State {
        LineDiscipline discipline;
        abi::WindowSize size{24, 80, 0, 0};
        int session_id = 0;
        int foreground_group = 0;
        unsigned files = 0;
        bool hung_up = false;
    };
    explicit Terminal(RefPtr<TerminalOutput> output) : output_(std::move(output)) {}

    Result<> check_background(Task& task, int signal);
    Result<> wait_for_input(bool non_blocking);
    std::size_t write_transformed(State& state, std::span<const char> text);
    Result<> wait_for_output(bool non_blocking);
    bool is_hung_up() const;
    void flush_input();
    Result<std::uint64_t> set_termios(vfs::Ioctl& request);
    Result<std::uint64_t> set_foreground_group(Task& task, vfs::Ioctl& request);
    Result<std::uint64_t> take_control(Task& task);

    const RefPtr<TerminalOutput> output_;
    mutable SpinGuarded<State, Rank::Terminal> state_;
    sched::WaitQueue input_queue_;
    sched::WaitQueue output_queue_;
    sched::WaitQueue input_room_queue_;
};

// An open file on the terminal, which becomes the caller's controlling terminal if it can, unless the request says not.
Result<RefPtr<vfs::File>> open_terminal(const RefPtr<Terminal>& terminal, vfs::OpenRequest&& request);

}  // namespace kernel::linux_abi
