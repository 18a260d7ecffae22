// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/task.h"

#include <algorithm>
#include <utility>

#include "core/sched/scheduler.h"
#include "services/linux/process.h"
#include "services/linux/process_tree.h"
#include "services/linux/signals.h"
#include "services/linux/task_exit.h"

namespace kernel::linux_abi {
namespace {
constinit std::atomic<std::uint64_t> page_faults = 0;
}

Task::Task(int tid, TaskParts parts)
    : tid_(tid),
      process_(std::move(parts.process)),
      space_(std::move(parts.space)),
      context_(std::move(parts.context)),
      handles_(std::move(parts.handles)),
      fs_(std::move(parts.fs)),
      credentials_(std::move(parts.credentials)),
      cpu_timer_([](void* task) { static_cast<Task*>(task)->poke(); }, this) {}

Task::~Task() = default;

Result<RefPtr<Task>> Task::create(int tid, TaskParts parts) {
    RefPtr<Task> task = TRY(make_ref<Task>(tid, std::move(parts)));
    task->thread_ = TRY(sched::Thread::create("task", &Task::thread_entry, task.get()));
    task->thread_->owner = task.get();
    return task;
}

Task& Task::current() {
    return *static_cast<Task*>(sched::Thread::current().owner);
}

void Task::start() {
    // The thread's own reference, dropped in thread_entry.
    add_reference();
    thread_->start();
}

void Task::thread_entry(void* argument) {
    RefPtr<Task> self = RefPtr<Task>::adopt(*static_cast<Task*>(argument));
    self->run();
    end_task(*self);
}

RefPtr<security::Credentials> Task::credentials() const {
    LockGuard guard(shared_lock_);
    return credentials_;
}

RefPtr<object::HandleTable> Task::shared_handles() const {
    LockGuard guard(shared_lock_);
    return handles_;
}

RefPtr<FsContext> Task::shared_fs() const {
    LockGuard guard(shared_lock_);
    return fs_;
}

void Task::set_credentials(RefPtr<security::Credentials> credentials) {
    LockGuard guard(shared_lock_);
    credentials_.swap(credentials);
}

void Task::set_handles(RefPtr<object::HandleTable> handles) {
    {
        LockGuard guard(shared_lock_);
        handles_.swap(handles);
    }
    // The old table may close files here, which may block: no lock is held.
}

void Task::release_resources() {
    RefPtr<object::HandleTable> handles;
    RefPtr<FsContext> fs;
    {
        LockGuard guard(shared_lock_);
        handles.swap(handles_);
        fs.swap(fs_);
    }
    handles.reset();
    fs.reset();
    context_.reset();
    space_.reset();
}

void Task::replace_program(RefPtr<mm::AddressSpace> space, OwnPtr<platform::UserContext> context) {
    context_ = std::move(context);
    space_ = mm::SpaceUser(std::move(space));
    signal_stack_ = {0, abi::kSsDisable, 0, 0};
    clear_child_tid_ = {};
    robust_list_ = {};
    rseq_ = {};
    restart_deadline_ns_.reset();
    keep_registers_ = true;
}

void Task::count_fault() {
    minor_faults_.fetch_add(1, std::memory_order_relaxed);
    page_faults.fetch_add(1, std::memory_order_relaxed);
}

std::uint64_t total_page_faults() {
    return page_faults.load(std::memory_order_relaxed);
}

CpuUsage Task::usage() const {
    const sched::ThreadTimes times = thread_->times();
    CpuUsage usage;
    usage.user_ns = times.user_ns;
    usage.system_ns = times.system_ns;
    usage.voluntary_switches = times.voluntary_switches;
    usage.involuntary_switches = times.involuntary_switches;
    usage.minor_faults = minor_faults();
    return usage;
}

TaskName Task::name() const {
    LockGuard guard(shared_lock_);
    return name_;
}

void Task::set_name(std::string_view name) {
    TaskName fresh{};
    std::copy_n(name.begin(), std::min(name.size(), fresh.size() - 1), fresh.begin());
    thread_->set_name(std::string_view(fresh.data()));
    LockGuard guard(shared_lock_);
    name_ = fresh;
}

void Task::set_blocked(abi::SignalMask mask) {
    mask &= ~kUnblockable;
    const abi::SignalMask newly_blocked = mask & ~blocked();
    blocked_.store(mask, std::memory_order_release);
    recheck_ = true;
    if (newly_blocked != 0) {
        pass_on_shared_signals(*this, newly_blocked);
    }
}

void Task::set_temporary_mask(abi::SignalMask mask) {
    saved_mask_ = blocked();
    set_blocked(mask);
    // What has been waiting behind the old mask comes now; nobody will send it again.
    if (has_deliverable_signal(*this)) {
        thread_->interrupt();
    }
}

void Task::restore_mask() {
    if (!saved_mask_) {
        return;
    }
    set_blocked(*saved_mask_);
    saved_mask_.reset();
}

abi::SignalMask Task::take_mask_for_frame() {
    const abi::SignalMask mask = saved_mask_.value_or(blocked());
    saved_mask_.reset();
    return mask;
}

// sigaltstack(2): an AUTODISARM stack counts as unused, because it is disabled while a handler runs.
bool Task::is_on_signal_stack(std::uint64_t stack_pointer) const {
    if ((signal_stack_.flags & abi::kSsAutodisarm) != 0) {
        return false;
    }
    return stack_pointer > signal_stack_.address && stack_pointer - signal_stack_.address <= signal_stack_.bytes;
}

void Task::request_exit() {
    exit_requested_.store(true, std::memory_order_release);
    kick();
}

void Task::kick() {
    thread_->interrupt();
    poke();
}

void Task::poke() {
    if (in_user_.load()) {
        platform::send_ipi(thread_->cpu());
    }
}

}  // namespace kernel::linux_abi
