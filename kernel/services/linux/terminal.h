// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
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

// Where a terminal's output goes: the console now, the other end of a pseudo-terminal later. Called under the terminal's lock.
class TerminalOutput {
  public:
    // Takes what it can without blocking for long; at least one byte unless it is gone (Io).
    virtual Result<std::size_t> write(std::span<const std::byte> bytes) = 0;

  protected:
    ~TerminalOutput() = default;
};

// A terminal: line discipline, window size, controlling session. tty(4), ioctl_tty(2).
class Terminal final : public RefCounted {
  public:
    // `output` lives as long as the system.
    static Result<RefPtr<Terminal>> create(TerminalOutput& output);

    // Keyboard input, from an interrupt handler or a thread; never blocks.
    void receive(std::span<const char> bytes);
    void receive_end();
    // A new size tells the foreground group by SIGWINCH.
    void set_window_size(const abi::WindowSize& size);

    // For files of this terminal. Errors: RestartSyscall, WouldBlock, Io (background process of an orphaned group).
    Result<std::size_t> read(mm::IoBuffer& to, bool non_blocking);
    Result<std::size_t> write(mm::IoBuffer& from, bool non_blocking);
    Result<vfs::PollEvents> poll(vfs::PollRegistrar* registrar);
    Result<std::uint64_t> ioctl(vfs::Ioctl& request);

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
    };
    explicit Terminal(TerminalOutput& output) : output_(output) {}

    Result<> check_background(Task& task, int signal);
    Result<> wait_for_input(bool non_blocking);
    void write_transformed(State& state, std::span<const char> text);
    Result<std::uint64_t> set_termios(vfs::Ioctl& request);
    Result<std::uint64_t> set_foreground_group(Task& task, vfs::Ioctl& request);
    Result<std::uint64_t> take_control(Task& task);

    TerminalOutput& output_;
    mutable SpinGuarded<State, Rank::Terminal> state_;
    sched::WaitQueue input_queue_;
    sched::WaitQueue output_queue_;
};

// An open file on the terminal.
Result<RefPtr<vfs::File>> open_terminal(RefPtr<Terminal> terminal, vfs::OpenRequest&& request);

}  // namespace kernel::linux_abi
