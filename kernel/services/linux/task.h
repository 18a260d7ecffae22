// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <atomic>
#include <optional>

#include "abi/linux/process.h"
#include "abi/linux/signal.h"
#include "core/mm/address_space.h"
#include "core/object/handle_table.h"
#include "core/object/object.h"
#include "core/sched/thread.h"
#include "core/sched/timer.h"
#include "lib/guarded.h"
#include "lib/list.h"
#include "lib/string.h"
#include "platform/user_context.h"
#include "services/linux/fs_context.h"
#include "services/linux/rseq.h"
#include "services/linux/signal_state.h"
#include "services/security/credentials.h"

namespace kernel::linux_abi {

class Process;

struct CpuUsage {
    std::uint64_t user_ns = 0;
    std::uint64_t system_ns = 0;
    std::uint64_t minor_faults = 0;
    std::uint64_t voluntary_switches = 0;
    std::uint64_t involuntary_switches = 0;
    std::uint64_t max_resident_bytes = 0;

    void add(const CpuUsage& other);
};

// What a new task starts from.
struct TaskParts {
    RefPtr<Process> process;
    RefPtr<mm::AddressSpace> space;
    RefPtr<object::HandleTable> handles;
    RefPtr<FsContext> fs;
    RefPtr<security::Credentials> credentials;
    OwnPtr<platform::UserContext> context;
};

inline constexpr std::size_t kTaskNameBytes = 16;  // with the terminating zero, prctl(2)
using TaskName = std::array<char, kTaskNameBytes>;

// A Linux thread: the user half (context), the kernel half (a sched::Thread that runs run()), and what Linux keeps for
// each thread. Functions are for the task's own thread unless they say otherwise.
class Task final : public object::Object {
public:
    static Result<RefPtr<Task>> create(int tid, TaskParts parts);
    object::ObjectType type() const override { return object::ObjectType::Thread; }
    // The task that executes the caller; only on a kernel thread that belongs to one.
    static Task& current();

    // Makes the kernel half run. The task must be in the process tree.
    void start();

    int tid() const { return tid_.load(std::memory_order_relaxed); }
    // execve by another thread than the leader, under the process tree's lock.
    void set_tid(int tid) { tid_.store(tid, std::memory_order_relaxed); }
    Process& process() const { return *process_; }
    mm::AddressSpace& space() const { return *space_; }
    platform::UserContext& context() const { return *context_; }
    sched::Thread& thread() const { return *thread_; }
    object::HandleTable& handles() const { return *handles_; }
    FsContext& fs() const { return *fs_; }
    // From any thread.
    RefPtr<security::Credentials> credentials() const;
    RefPtr<object::HandleTable> shared_handles() const;
    RefPtr<FsContext> shared_fs() const;
    void set_credentials(RefPtr<security::Credentials> credentials);
    void set_handles(RefPtr<object::HandleTable> handles);
    // execve: the new program.
    void replace_program(RefPtr<mm::AddressSpace> space, OwnPtr<platform::UserContext> context);

    // Any thread.
    TaskName name() const;
    void set_name(std::string_view name);

    // Signals. The mask is written by the task alone and read by senders.
    abi::SignalMask blocked() const { return blocked_.load(std::memory_order_acquire); }
    void set_blocked(abi::SignalMask mask);
    // ppoll, pselect, sigsuspend: a mask for the duration of the call; the old one comes back when the call ends
    // without a handler, and else when the handler returns.
    void set_temporary_mask(abi::SignalMask mask);
    void restore_mask();
    // The mask that a signal frame must save; forgets a temporary one.
    abi::SignalMask take_mask_for_frame();
    SpinGuarded<PendingSignals, Rank::SignalQueue>& pending() { return pending_; }
    abi::SignalStack& signal_stack() { return signal_stack_; }
    // While in sigtimedwait: the blocked signals that it takes. Any thread.
    bool waits_for(int signal) const {
        return (waited_signals_.load(std::memory_order_acquire) & abi::signal_bit(signal)) != 0;
    }
    void set_waited_signals(abi::SignalMask mask) { waited_signals_.store(mask, std::memory_order_release); }
    bool is_on_signal_stack(std::uint64_t stack_pointer) const;

    // Makes the task look at its signals and flags soon: ends an interruptible wait, or its stay in user mode. Any
    // thread.
    void kick();
    // Its own thread: the same for its next way out of the kernel, after a change of its own that kicks nobody.
    void recheck() { recheck_ = true; }
    // Its own thread: forgets kicks so far, before it looks at what they may have been about.
    void clear_interrupt() {
        recheck_ = true;
        thread_->clear_interrupt();
    }
    RestartableSequences& rseq() { return rseq_; }
    // The next way out of the kernel counts as one to another CPU.
    void forget_cpu() { seen_cpu_ = RestartableSequences::kUnknownCpu; }
    // Which stay in user mode this is, a number of its own, or none at the moment. Any thread.
    static constexpr std::uint64_t kNotInUser = 0;
    std::uint64_t user_stay() const { return in_user_.load() ? user_stays_.load() : kNotInUser; }
    // Ends its stay in user mode, nothing else. Any thread, and interrupt handlers.
    void poke();
    // Asks the task to end at its next way out of the kernel. From any thread.
    void request_exit();
    bool exit_requested() const { return exit_requested_.load(std::memory_order_acquire); }
    // exit(2): ends this thread alone.
    void begin_exit(int exit_code = 0) {
        exit_code_ = exit_code;
        recheck_ = true;
        exit_requested_.store(true, std::memory_order_release);
    }
    int exit_code() const { return exit_code_; }

    UserPtr<std::int32_t>& clear_child_tid() { return clear_child_tid_; }
    UserPtr<abi::RobustListHead>& robust_list() { return robust_list_; }
    // An absolute deadline that a restarted sleep goes on with.
    std::optional<std::uint64_t>& restart_deadline_ns() { return restart_deadline_ns_; }
    // execve and sigreturn set the registers themselves: the dispatcher leaves rax alone.
    void keep_registers() { keep_registers_ = true; }

    // The fault or exception that raised the latest synchronous signal.
    const platform::Trap& last_trap() const { return last_trap_; }

    // What the scheduler does not know of sched(7) and ioprio_set(2). Any thread.
    struct SchedulingNotes {
        std::atomic<bool> batch = false;  // SCHED_BATCH, which is scheduled like SCHED_OTHER
        std::atomic<bool> reset_on_fork = false;
        std::atomic<std::uint16_t> io_priority = 0;
    };
    SchedulingNotes& scheduling_notes() { return scheduling_notes_; }

    // Processor time and faults so far. Any thread.
    CpuUsage usage() const;
    void count_fault();
    std::uint64_t minor_faults() const { return minor_faults_.load(std::memory_order_relaxed); }

    // Runs user code until the task must end.
    void run();
    // Drops what the task shares with others, on its way out.
    void release_resources();

    // Guarded by the process tree's lock.
    ListNode process_node;
    bool counted_as_stopped = false;

private:
    friend class kernel::ObjectMaker;
    Task(int tid, TaskParts parts);
    ~Task() override;
    static void thread_entry(void* argument);
    void update_rseq();
    void handle_other_trap(const platform::Trap& trap);
    void handle_syscall();
    bool may_call_again(Error error, std::uint64_t number);
    void handle_fault(const platform::Trap& trap);
    // Tells others that the task is in user mode; false when it has to look at its signals and flags first.
    bool claim_user_mode();
    void watch_cpu_time();
    // False when the task must end.
    bool prepare_user_entry();

    std::atomic<int> tid_;
    const RefPtr<Process> process_;
    mm::SpaceUser space_;
    OwnPtr<platform::UserContext> context_;
    RefPtr<sched::Thread> thread_;
    RefPtr<object::HandleTable> handles_;
    RefPtr<FsContext> fs_;
    RefPtr<security::Credentials> credentials_;
    TaskName name_{};
    // Guards the pointers above against readers on other threads; the task itself is their only writer.
    mutable Spinlock<Rank::TaskShared> shared_lock_;

    std::atomic<abi::SignalMask> blocked_ = 0;
    std::atomic<abi::SignalMask> waited_signals_ = 0;
    std::optional<abi::SignalMask> saved_mask_;
    SpinGuarded<PendingSignals, Rank::SignalQueue> pending_;
    abi::SignalStack signal_stack_{0, abi::kSsDisable, 0, 0};
    std::atomic<bool> exit_requested_ = false;
    std::atomic<bool> in_user_ = false;  // between the last look at the flags and the return of enter_user
    bool recheck_ = true;
    std::atomic<std::uint64_t> user_stays_ = 0;
    sched::Timer cpu_timer_;  // when the process's timers have to be looked at, if it stays in user mode
    unsigned seen_cpu_ = RestartableSequences::kUnknownCpu;  // where it entered user mode last
    // Set when user code was interrupted where it did not ask for it, with how often it had been off the CPU before.
    bool left_between_instructions_ = false;
    std::uint64_t switches_before_ = 0;
    bool was_away() const { return left_between_instructions_ && thread_->switches() != switches_before_; }
    RestartableSequences rseq_;
    bool keep_registers_ = false;
    int exit_code_ = 0;
    UserPtr<std::int32_t> clear_child_tid_{};
    UserPtr<abi::RobustListHead> robust_list_{};
    std::optional<std::uint64_t> restart_deadline_ns_;
    std::atomic<std::uint64_t> minor_faults_ = 0;
    platform::Trap last_trap_{};
    SchedulingNotes scheduling_notes_;
};

// Of all tasks since boot.
std::uint64_t total_page_faults();

}  // namespace kernel::linux_abi
