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
#include "services/linux/session.h"
#include "services/linux/signal_state.h"
#include "services/linux/task.h"
#include "services/vfs/path.h"

namespace kernel::linux_abi {

struct CpuUsage {
    std::uint64_t user_ns = 0;
    std::uint64_t system_ns = 0;
    std::uint64_t minor_faults = 0;
    std::uint64_t voluntary_switches = 0;
    std::uint64_t involuntary_switches = 0;
    std::uint64_t max_resident_bytes = 0;

    void add(const CpuUsage& other);
};

enum class ProcessState : std::uint8_t { Running, Stopped, Zombie };

// What the process tree's lock guards of a process: who is whose parent, group and session, and how it ended.
struct ProcessLinks {
    class Process* parent = nullptr;  // null only for the reaper and for reaped processes
    IntrusiveList<Task, &Task::process_node> tasks;
    unsigned task_count = 0;
    int group_id = 0;
    RefPtr<Session> session;
    ProcessState state = ProcessState::Running;
    bool exiting = false;         // exit_group or a fatal signal: every task must end
    bool has_executed = false;    // setpgid(2): EACCES afterwards
    int wait_status = 0;          // as wait4(2) reports it, once exiting
    int exit_signal = 0;          // what the parent gets when it ends
    bool stop_unreported = false;      // a stop that no wait has seen
    bool continue_unreported = false;
    int stop_signal = 0;
    Task* exec_task = nullptr;    // a task in execve that waits for the others to end
    CpuUsage own_usage;           // of tasks that have ended
    CpuUsage children_usage;      // of children that were waited for
};

// A Linux process: a thread group and what its threads share.
class Process final : public object::Object {
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
    };
    Program program() const;
    void set_program(Program program);

    // Signals for the process as a whole.
    SpinGuarded<PendingSignals, Rank::SignalQueue>& pending() { return pending_; }

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
    // The absolute time of alarm(2)'s signal; 0 means none.
    std::atomic<std::uint64_t>& alarm_deadline_ns() { return alarm_deadline_ns_; }

    // For process_tree.cc, under its lock.
    ProcessLinks& links() { return links_; }
    ListNode sibling_node;

  private:
    friend class kernel::ObjectMaker;
    Process(int pid, RefPtr<mm::AddressSpace> space, RefPtr<SignalActions> actions, const Limits& limits);
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
    sched::WaitQueue child_event_;
    sched::WaitQueue task_event_;
    sched::WaitQueue vfork_event_;
    std::atomic<bool> uses_parent_memory_ = false;
    std::atomic<int> parent_death_signal_ = 0;
    std::atomic<bool> dumpable_ = true;
    std::atomic<std::uint64_t> alarm_deadline_ns_ = 0;
    ProcessLinks links_;
};

}  // namespace kernel::linux_abi
