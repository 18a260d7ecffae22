// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/task_exit.h"

#include "services/linux/futex.h"
#include "services/linux/process.h"
#include "services/linux/process_tree.h"
#include "services/linux/semaphore_set.h"
#include "services/linux/signals.h"
#include "services/linux/terminal.h"

namespace kernel::linux_abi {
namespace {

FirstProcessEnded first_process_ended = nullptr;

// set_tid_address(2): pthread_join waits for this word.
void clear_child_tid(Task& task) {
    const UserPtr<std::int32_t> word = task.clear_child_tid();
    if (word.is_null()) {
        return;
    }
    if (task.space().write_user(word, 0)) {
        (void)futex_wake_word(task.space(), word.address, 1);
    }
}

void give_up_terminal(Process& process) {
    const RefPtr<Session> session = process_tree::session(process);
    if (!session || session->id() != process.pid()) {
        return;
    }
    const RefPtr<Terminal> terminal = session->terminal();
    if (!terminal) {
        return;
    }
    terminal->session_ended(session->id());
    session->set_terminal({});
}

}  // namespace

void release_vfork_parent(Process& process) {
    process.set_uses_parent_memory(false);
    process.vfork_event().wake_all();
}

void set_first_process_handler(FirstProcessEnded handler) {
    first_process_ended = handler;
}

void end_task(Task& task) {
    RefPtr<Process> process(task.process());
    pass_on_shared_signals(task, ~abi::SignalMask{0});
    exit_robust_futexes(task);
    clear_child_tid(task);
    const bool is_last = process_tree::is_last_task(task);
    task.release_resources();
    if (is_last) {
        process->timers().end();
        undo_semaphores(process->pid());
        // The space goes before the parent is told, so that a waited-for child's memory is free again.
        process->exchange_space({}).reset();
        process->set_program({});
        give_up_terminal(*process);
    }
    if (is_last) {
        release_vfork_parent(*process);
    }
    process_tree::leave(task);
    if (process->pid() == process_tree::kFirstPid && process_tree::state_of(*process) == ProcessState::Zombie &&
        first_process_ended != nullptr) {
        first_process_ended(process_tree::wait_status_of(*process));
    }
}

}  // namespace kernel::linux_abi
