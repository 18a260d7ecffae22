// SPDX-License-Identifier: MIT OR Apache-2.0
// ioctl_tty(2).
#include "services/linux/process.h"
#include "services/linux/process_tree.h"
#include "services/linux/signals.h"
#include "services/linux/task.h"
#include "services/linux/terminal.h"

namespace kernel::linux_abi {
namespace {

template <class T>
Result<std::uint64_t> put(vfs::Ioctl& request, const T& value) {
    TRY(request.space.write_user(UserPtr<T>{VirtAddr{request.argument}}, value));
    return 0;
}

template <class T>
Result<T> get(vfs::Ioctl& request) {
    return request.space.read_user(UserPtr<T>{VirtAddr{request.argument}});
}

enum FlushQueue : std::uint64_t { kTciflush = 0, kTcoflush = 1, kTcioflush = 2 };

}  // namespace

Result<std::uint64_t> Terminal::set_termios(vfs::Ioctl& request) {
    const abi::Termios fresh = TRY(get<abi::Termios>(request));
    TRY(check_background(Task::current(), abi::kSigttou));
    if (request.command == abi::kTcsetsf) {
        flush_input();
    }
    state_.with([&](State& state) { state.discipline.set_termios(fresh); });
    input_room_queue_.wake_all();
    input_queue_.wake_all();
    output_queue_.wake_all();
    return 0;
}

Result<std::uint64_t> Terminal::set_foreground_group(Task& task, vfs::Ioctl& request) {
    TRY(check_background(task, abi::kSigttou));
    const std::int32_t group = TRY(get<std::int32_t>(request));
    const int session = process_tree::session_of(task.process());
    if (session != session_id()) {
        return Error::NotTerminal;
    }
    if (group < 0) {
        return Error::InvalidArgument;
    }
    if (!process_tree::group_exists(group)) {
        return Error::NoSuchProcess;
    }
    if (!process_tree::group_exists_in_session(group, session)) {
        return Error::NotPermitted;
    }
    state_.with([&](State& state) { state.foreground_group = group; });
    return 0;
}

// TIOCSCTTY without stealing: a session leader without a terminal takes a terminal without a session.
Result<std::uint64_t> Terminal::take_control(Task& task) {
    const RefPtr<Session> session = process_tree::session(task.process());
    if (session && session->terminal() == this) {
        return 0;
    }
    if (!session || session->id() != task.process().pid() || session->terminal() ||
        session_id() != process_tree::kNoSession) {
        return Error::NotPermitted;
    }
    adopt_session(task.process());
    return 0;
}

Result<std::uint64_t> Terminal::ioctl(vfs::Ioctl& request, Side side) {
    Task& task = Task::current();
    if (is_hung_up()) {
        return Error::Io;
    }
    // The master may ask for group and session of a terminal that is not its own.
    const bool is_own = side == Side::Master || process_tree::session_of(task.process()) == session_id();
    switch (request.command) {
        case abi::kTcgets:
            return put(request, state_.with([](const State& s) { return s.discipline.termios(); }));
        case abi::kTcsets:
        case abi::kTcsetsw:
        case abi::kTcsetsf:
            return set_termios(request);
        case abi::kTiocgwinsz:
            return put(request, state_.with([](const State& s) { return s.size; }));
        case abi::kTiocswinsz:
            set_window_size(TRY(get<abi::WindowSize>(request)));
            return 0;
        case abi::kTiocgpgrp:
            if (!is_own) {
                return Error::NotTerminal;
            }
            return put(request, static_cast<std::int32_t>(foreground_group()));
        case abi::kTiocspgrp:
            return set_foreground_group(task, request);
        case abi::kTiocgsid:
            if (!is_own) {
                return Error::NotTerminal;
            }
            return put(request, static_cast<std::int32_t>(session_id()));
        case abi::kTiocsctty:
            return take_control(task);
        case abi::kTiocnotty: {
            const RefPtr<Session> session = process_tree::session(task.process());
            if (!session || !is_own) {
                return Error::NotTerminal;
            }
            if (session->id() == task.process().pid()) {
                session_ended(session->id());
            }
            session->set_terminal({});
            return 0;
        }
        case abi::kFionread:
            return put(request,
                       static_cast<std::int32_t>(state_.with([](const State& s) { return s.discipline.available(); })));
        case abi::kTiocoutq:
            return put(request, std::int32_t{0});
        case abi::kTcflsh:
            if (request.argument > kTcioflush) {
                return Error::InvalidArgument;
            }
            if (request.argument != kTcoflush) {
                flush_input();
            }
            return 0;
        case abi::kTiocgetd:
            return put(request, std::int32_t{0});  // N_TTY
        case abi::kTiocsetd:
            return TRY(get<std::int32_t>(request)) == 0 ? Result<std::uint64_t>(0)
                                                        : Result<std::uint64_t>(Error::InvalidArgument);
        case abi::kTcsbrk:
        case abi::kTcxonc:
        case abi::kTiocexcl:
        case abi::kTiocnxcl:
            return 0;
        default:
            return Error::NotTerminal;
    }
}

}  // namespace kernel::linux_abi
