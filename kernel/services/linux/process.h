// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <array>
#include <atomic>

#include "abi/linux/types.h"
#include "core/mm/address_space.h"
#include "core/object/object.h"
#include "core/sched/wait_queue.h"
#include "lib/guarded.h"
#include "lib/list.h"
#include "lib/string.h"
#include "services/linux/process_timers.h"
#include "services/linux/session.h"
#include "services/linux/signal_state.h"
#include "services/linux/task.h"
#include "services/linux/write_denial.h"
#include "services/vfs/path.h"

namespace kernel::linux_abi {

enum class ProcessState : std::uint8_t { Running, Stopped, Zombie };

class Process;

// Woken when a signal is queued for a process or one of its tasks. An object of its own, because epoll sets of other
// processes may watch it for longer than the process lives (signalfd(2)).
struct SignalEvent final : RefCounted {
    sched::WaitQueue queue;
};

// A process's place in its parent's list of children. A base class, so that the list can be declared before Process.
struct ProcessNode {
    ListNode sibling_node;
};
using ProcessList = IntrusiveList<Process, &ProcessNode::sibling_node>;

// What the process tree's lock guards of a process: who is whose parent, group and session, and how it ended.
struct ProcessLinks {
    Process* parent = nullptr;  // null only for the reaper and for reaped processes
    ProcessList children;
    IntrusiveList<Task, &Task::process_node> tasks;
    unsigned task_count = 0;
    unsigned leaving_count = 0;  // tasks that are on their way out
    int group_id = 0;
    RefPtr<Session> session;
    ProcessState state = ProcessState::Running;
    bool exiting = false;          // exit_group or a fatal signal: every task must end
    bool has_executed = false;     // setpgid(2): EACCES afterwards
    int wait_status = 0;           // as wait4(2) reports it, once exiting
    int parent_tid = 0;            // the thread of the parent that made it, for __WNOTHREAD
    int exit_signal = 0;           // what the parent gets when it ends
    bool stop_unreported = false;  // a stop that no wait has seen
    bool continue_unreported = false;
    int stop_signal = 0;
    unsigned stopped_tasks = 0;  // of a stopped process: those that have come to rest
    bool stop_complete = false;  // all have, and the parent knows
    Task* exec_task = nullptr;   // a task in execve that waits for the others to end
    CpuUsage own_usage;          // of tasks that have ended
    CpuUsage children_usage;     // of children that were waited for
};

// A Linux process: a thread group and what its threads share.
class Process final : public object::Object, public ProcessNode {
public:
    using Limits = std::array<abi::Rlimit, abi::kRlimitCount>;

    static Result<RefPtr<Process>> create(int pid, RefPtr<mm::AddressSpace> space, RefPtr<SignalActions> actions,
                                          const Limits& limits);
    object::ObjectType type() const override { return object::ObjectType::Process; }

    int pid() const { return pid_; }

    // The address space changes at execve only.
    RefPtr<mm::AddressSpace> space() const;
    RefPtr<mm::AddressSpace> exchange_space(RefPtr<mm::AddressSpace> space);
    RefPtr<SignalActions> actions() const;
    void set_actions(RefPtr<SignalActions> actions);

    abi::Rlimit limit(unsigned resource) const;
    Limits limits() const;
    void set_limit(unsigned resource, const abi::Rlimit& limit);

    // What the program is, for /proc: the executable's path and where arguments and environment lie on the stack.
    struct Program {
        vfs::Path executable;
        VirtAddr arguments_start{}, arguments_end{}, environment_start{}, environment_end{};
        RefPtr<WriteDenial> write_denial{};  // of the executable
    };
    Program program() const;
    void set_program(Program program);

    // Signals for the process as a whole.
    SpinGuarded<PendingSignals, Rank::SignalQueue>& pending() { return pending_; }

    SignalEvent& signal_event() { return *signal_event_; }
    // The process has ended, or was waited for: pidfds are polled here.
    sched::WaitQueue& end_event() { return end_event_; }

    // A child changed its state; parents in wait4 sleep here.
    sched::WaitQueue& child_event() { return child_event_; }
    // A task ended, stopped or continued; execve and stopped tasks sleep here.
    sched::WaitQueue& task_event() { return task_event_; }
    // A vfork child execed or ended: its parent sleeps here (on the child's queue).
    sched::WaitQueue& vfork_event() { return vfork_event_; }
    bool uses_parent_memory() const { return uses_parent_memory_.load(std::memory_order_acquire); }
    void set_uses_parent_memory(bool value) { uses_parent_memory_.store(value, std::memory_order_release); }

    std::uint64_t start_ns() const { return start_ns_; }
    std::atomic<int>& parent_death_signal() { return parent_death_signal_; }
    std::atomic<bool>& dumpable() { return dumpable_; }
    std::atomic<std::uint32_t>& barrier_registrations() { return barrier_registrations_; }  // membarrier(2)
    std::atomic<int>& oom_score_adjustment() { return oom_score_adjustment_; }              // proc(5)
    std::atomic<std::uint32_t>& persona() { return persona_; }                              // personality(2)
    ProcessTimers& timers() { return timers_; }

    // The real user when a task of it ended last, for those who wait for it.
    std::uint32_t last_uid() const { return last_uid_.load(std::memory_order_relaxed); }
    void set_last_uid(std::uint32_t uid) { last_uid_.store(uid, std::memory_order_relaxed); }
    // prctl(PR_SET_PDEATHSIG): set when the parent has gone, taken once by whoever sends the signal.
    void set_parent_died() { parent_died_.store(true, std::memory_order_release); }
    bool take_parent_died() { return parent_died_.exchange(false, std::memory_order_acq_rel); }

    // For the process tree, under its lock.
    ProcessLinks& links() { return links_; }

private:
    friend class kernel::ObjectMaker;
    Process(int pid, RefPtr<mm::AddressSpace> space, RefPtr<SignalActions> actions, const Limits& limits,
            RefPtr<SignalEvent> signal_event);
    ~Process() override;

    struct Shared {
        RefPtr<mm::AddressSpace> space;
        RefPtr<SignalActions> actions;
        Limits limits;
        Program program;
    };

    const int pid_;
    const std::uint64_t start_ns_;
    mutable SpinGuarded<Shared, Rank::ProcessShared> shared_;
    SpinGuarded<PendingSignals, Rank::SignalQueue> pending_;
    const RefPtr<SignalEvent> signal_event_;
    sched::WaitQueue end_event_;
    sched::WaitQueue child_event_;
    sched::WaitQueue task_event_;
    sched::WaitQueue vfork_event_;
    std::atomic<bool> uses_parent_memory_ = false;
    std::atomic<int> parent_death_signal_ = 0;
    std::atomic<bool> dumpable_ = true;
    std::atomic<std::uint32_t> persona_ = 0;
    std::atomic<int> oom_score_adjustment_ = 0;
    std::atomic<std::uint32_t> barrier_registrations_ = 0;
    ProcessTimers timers_;
    std::atomic<std::uint32_t> last_uid_ = 0;
    std::atomic<bool> parent_died_ = false;
    ProcessLinks links_;
};

}  // namespace kernel::linux_abi
