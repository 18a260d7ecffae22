// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include "abi/linux/signal.h"
#include "lib/result.h"
#include "services/linux/process.h"
#include "services/linux/task.h"

// All processes and tasks: ids, parents and children, groups and sessions, states. One spinlock (Rank::Process) guards
// the tree; nothing under it blocks or touches user memory. Processes that lose their parent go to the reaper (pid 1),
// which is the kernel's own and collects them at once.
namespace kernel::linux_abi::process_tree {

inline constexpr int kReaperPid = 1;
inline constexpr int kFirstPid = 2;
inline constexpr int kMaxPid = 4194304;
inline constexpr int kNoSession = 0;

// Call once at boot. The reaper is a process without tasks. `max_tasks` bounds the tasks of the whole system.
Result<> initialize(unsigned max_tasks, RefPtr<Process> reaper);

// A fresh id for a process or task. Errors: WouldBlock (limit of tasks reached; logged once), NoMemory.
Result<int> reserve_id();
void release_id(int id);

// Makes a task (and the process when it is its first) visible. `parent` null: a child of the reaper.
// Errors: NoMemory; RestartAlways when the parent process is ending (the caller will never see it).
Result<> add_process(Process* parent, int parent_tid, Process& process, Task& first, int exit_signal);
Result<> add_task(Task& task);

RefPtr<Process> find_process(int pid);
RefPtr<Task> find_task(int tid);
// The first process whose pid is at least `pid`, and the first task of a process with at least that tid; for /proc.
RefPtr<Process> next_process(int pid);
RefPtr<Task> next_task(const Process& process, int tid);
// Any live task of the process; null when it is a zombie.
RefPtr<Task> any_task(Process& process);
// Tasks of a real user, for RLIMIT_NPROC.
unsigned task_count_of_user(std::uint32_t user);
unsigned process_count();
unsigned task_count();
unsigned max_tasks();
// The id that was given out last, for /proc/loadavg.
int latest_id();

// Tells every task of the process to end with this wait status (first caller wins). From any thread.
void begin_group_exit(Process& process, int wait_status);
bool is_exiting(Process& process);
// The calling task leaves; the last one of a process turns it into a zombie, hands its children to the reaper and tells
// the parent. The tree's reference to the task is dropped.
void leave(Task& task);
// True for exactly one task of an ending process: the one after which none is left. Call once, on the way out.
bool is_last_task(Task& task);
// Of an ended process.
int wait_status_of(Process& process);
// execve with several threads: ends all others and waits for that. The caller takes over the process's id if it is not
// the leader. Errors: RestartAlways (another exec or an exit was first).
Result<> become_only_task(Task& task);

// Stop and continue. stop_process: each task stops on its way to user mode; the stop has happened when all have.
void stop_process(Process& process, int signal);
// A task of a stopped process has come to rest. When it is the last one, the parent learns of the stop.
void note_task_stopped(Task& task);
// False once the process was continued, even if it is stopped again by now: then the task has to come to rest anew.
bool is_at_rest(Task& task);
void continue_process(Process& process);
bool is_stopped(Process& process);
ProcessState state_of(Process& process);

struct WaitSelector {
    abi::WaitIdType type = abi::kPAll;
    int id = 0;
    std::uint32_t options = 0;  // WEXITED, WSTOPPED, WCONTINUED, WNOWAIT, __WNOTHREAD, __WALL, __WCLONE
    int caller_tid = 0;         // for __WNOTHREAD
};
struct WaitedChild {
    int pid = 0;
    std::uint32_t uid = 0;
    int status = 0;  // wait status word
    int code = 0;    // CLD_*
    CpuUsage usage;
};
// Takes one matching child's state change without blocking; nothing when there are children but none with news.
// Errors: NoChild.
Result<std::optional<WaitedChild>> take_child_event(Process& parent, const WaitSelector& selector);

// Its number may belong to somebody else by now.
bool was_reaped(Process& process);

int parent_pid(Process& process);
int exit_signal_of(Process& process);
int group_of(Process& process);
int session_of(Process& process);
RefPtr<Session> session(Process& process);
// setpgid(2), setsid(2) with their errors.
Result<> set_group(Process& caller, int pid, int group);
Result<int> start_session(Process& process);
bool group_exists(int group);
bool group_exists_in_session(int group, int session);
// POSIX "orphaned process group": nobody in the session outside of the group is a parent of a member.
bool is_orphaned_group(int group);
void mark_executed(Process& process);

CpuUsage usage_of(Process& process);
CpuUsage children_usage_of(Process& process);

// Calls visit for each live process of a group (or of all: group 0) without the tree's lock held; stops at false.
template <class Visitor>
void for_each_in_group(int group, Visitor visit) {
    for (RefPtr<Process> p = next_process(kFirstPid); p; p = next_process(p->pid() + 1)) {
        if ((group == 0 || group_of(*p) == group) && !visit(*p)) {
            return;
        }
    }
}

}  // namespace kernel::linux_abi::process_tree
