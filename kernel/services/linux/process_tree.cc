// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/process_tree.h"

#include <utility>

#include "lib/log.h"
#include "services/linux/process_tree_state.h"
#include "services/linux/signals.h"

namespace kernel::linux_abi::process_tree {

constinit SpinGuarded<Tree, Rank::Process> tree;

namespace {

std::uint64_t key(int id) {
    return static_cast<std::uint64_t>(id);
}

template <class T>
RefPtr<T> reference(T* object) {
    return object == nullptr ? RefPtr<T>() : RefPtr<T>(*object);
}

// A group or session keeps its number reserved while it has members, setpgid(2).
bool id_is_used(Tree& t, int id) {
    if (t.processes.get(key(id)) != nullptr || t.tasks.get(key(id)) != nullptr) {
        return true;
    }
    if (!t.wrapped) {
        return false;
    }
    bool used = false;
    t.for_each_process([&](Process& process) {
        const ProcessLinks& links = process.links();
        used = used || links.group_id == id || (links.session && links.session->id() == id);
    });
    return used;
}

int take_free_id(Tree& t) {
    while (true) {
        const int id = t.next_id;
        t.next_id = id == kMaxPid ? kFirstPid : id + 1;
        t.wrapped = t.wrapped || t.next_id == kFirstPid;
        if (!id_is_used(t, id)) {
            return id;
        }
    }
}

template <class F>
void for_each_task(Process& process, F&& visit) {
    for (Task& task : process.links().tasks) {
        visit(task);
    }
}

}  // namespace

Result<> initialize(unsigned max_tasks, RefPtr<Process> reaper) {
    return tree.with([&](Tree& t) -> Result<> {
        t.max_tasks = max_tasks;
        TRY(t.processes.set(key(kReaperPid), reaper.get()));
        t.reaper = std::move(reaper);
        t.reaper->links().group_id = kReaperPid;
        return {};
    });
}

Result<int> reserve_id() {
    bool report = false;
    unsigned limit = 0;
    const Result<int> id = tree.with([&](Tree& t) -> Result<int> {
        limit = t.max_tasks;
        if (t.task_count >= t.max_tasks) {
            report = !std::exchange(t.limit_reported, true);
            return Error::WouldBlock;
        }
        ++t.task_count;
        return take_free_id(t);
    });
    if (report) {
        log_warn("the limit of {} threads is reached; creating more fails with EAGAIN", limit);
    }
    return id;
}

void release_id(int) {
    tree.with([](Tree& t) { --t.task_count; });
}

Result<> add_process(Process* parent, int parent_tid, Process& process, Task& first, int exit_signal) {
    return tree.with([&](Tree& t) -> Result<> {
        Process& actual_parent = parent != nullptr ? *parent : *t.reaper;
        ProcessLinks& up = actual_parent.links();
        if (up.exiting) {
            return Error::RestartAlways;
        }
        TRY(t.processes.set(key(process.pid()), &process));
        if (const Result<> added = t.tasks.set(key(first.tid()), &first); !added) {
            t.processes.erase(key(process.pid()));
            return added;
        }
        process.add_reference();
        first.add_reference();
        ProcessLinks& links = process.links();
        links.parent = &actual_parent;
        links.exit_signal = exit_signal;
        links.parent_tid = parent_tid;
        links.group_id = parent != nullptr ? up.group_id : process.pid();
        links.session = up.session;
        links.tasks.push_back(first);
        links.task_count = 1;
        up.children.push_back(process);
        return {};
    });
}

Result<> add_task(Task& task) {
    return tree.with([&](Tree& t) -> Result<> {
        ProcessLinks& links = task.process().links();
        if (links.exiting || links.exec_task != nullptr) {
            return Error::RestartAlways;
        }
        TRY(t.tasks.set(key(task.tid()), &task));
        task.add_reference();
        links.tasks.push_back(task);
        ++links.task_count;
        return {};
    });
}

RefPtr<Process> find_process(int pid) {
    if (pid <= 0) {
        return {};
    }
    return tree.with([&](Tree& t) { return reference(t.processes.get(key(pid))); });
}

RefPtr<Task> find_task(int tid) {
    if (tid <= 0) {
        return {};
    }
    return tree.with([&](Tree& t) { return reference(t.tasks.get(key(tid))); });
}

RefPtr<Process> next_process(int pid) {
    return tree.with([&](Tree& t) {
        const auto entry = t.processes.next(key(pid));
        return entry ? reference(entry->value) : RefPtr<Process>();
    });
}

RefPtr<Task> next_task(const Process& process, int tid) {
    return tree.with([&](Tree&) {
        Task* best = nullptr;
        for_each_task(const_cast<Process&>(process), [&](Task& task) {
            if (task.tid() >= tid && (best == nullptr || task.tid() < best->tid())) {
                best = &task;
            }
        });
        return reference(best);
    });
}

RefPtr<Task> any_task(Process& process) {
    return next_task(process, 0);
}

unsigned process_count() {
    return tree.with([](Tree& t) { return static_cast<unsigned>(t.processes.size()) - 1; });
}

unsigned task_count() {
    return tree.with([](Tree& t) { return t.task_count; });
}

unsigned max_tasks() {
    return tree.with([](Tree& t) { return t.max_tasks; });
}

int latest_id() {
    return tree.with([](Tree& t) { return t.next_id - 1; });
}

unsigned task_count_of_user(std::uint32_t user) {
    return tree.with([&](Tree& t) {
        unsigned count = 0;
        t.tasks.for_each(
            [&](std::uint64_t, Task* task) { count += task->credentials()->values().user_real == user ? 1 : 0; });
        return count;
    });
}

void begin_group_exit(Process& process, int wait_status) {
    tree.with([&](Tree&) {
        ProcessLinks& links = process.links();
        if (links.exiting || links.state == ProcessState::Zombie) {
            return;
        }
        links.exiting = true;
        links.wait_status = wait_status;
        links.state = ProcessState::Running;
        for_each_task(process, [](Task& task) { task.request_exit(); });
    });
    process.task_event().wake_all();
}

bool is_exiting(Process& process) {
    return tree.with([&](Tree&) { return process.links().exiting; });
}

Result<> become_only_task(Task& task) {
    Process& process = task.process();
    const Result<> begun = tree.with([&](Tree&) -> Result<> {
        ProcessLinks& links = process.links();
        if (links.exiting || links.exec_task != nullptr) {
            return Error::RestartAlways;
        }
        links.exec_task = &task;
        for_each_task(process, [&](Task& other) {
            if (&other != &task) {
                other.request_exit();
            }
        });
        return {};
    });
    TRY(begun);
    const auto alone = [&] { return tree.with([&](Tree&) { return process.links().task_count == 1; }); };
    (void)sched::wait_until(process.task_event(), alone);
    return tree.with([&](Tree& t) -> Result<> {
        ProcessLinks& links = process.links();
        links.exec_task = nullptr;
        if (links.exiting) {
            return Error::RestartAlways;
        }
        if (task.tid() == process.pid()) {
            return {};
        }
        // The task becomes the leader. Putting it under the other number cannot need memory that taking it away does
        // not free, but the order must be: insert, then erase.
        TRY(t.tasks.set(key(process.pid()), &task));
        t.tasks.erase(key(task.tid()));
        task.set_tid(process.pid());
        return {};
    });
}

void continue_process(Process& process) {
    RefPtr<Process> parent;
    tree.with([&](Tree&) {
        ProcessLinks& links = process.links();
        if (links.state != ProcessState::Stopped) {
            return;
        }
        links.state = ProcessState::Running;
        links.stop_unreported = false;
        links.continue_unreported = true;
        links.stopped_tasks = 0;
        links.stop_complete = false;
        for_each_task(process, [](Task& task) { task.counted_as_stopped = false; });
        parent = reference(links.parent);
    });
    if (!parent) {
        return;
    }
    process.task_event().wake_all();
    notify_parent(*parent, process, abi::kCldContinued, abi::kSigcont);
}

void stop_process(Process& process, int signal) {
    tree.with([&](Tree&) {
        ProcessLinks& links = process.links();
        if (links.exiting || links.state != ProcessState::Running) {
            return;
        }
        links.state = ProcessState::Stopped;
        links.stop_signal = signal;
        links.continue_unreported = false;
        for_each_task(process, [](Task& task) { task.kick(); });
    });
}

void note_task_stopped(Task& task) {
    Process& process = task.process();
    tree.with([&](Tree&) {
        ProcessLinks& links = process.links();
        if (links.state != ProcessState::Stopped || task.counted_as_stopped) {
            return;
        }
        task.counted_as_stopped = true;
        ++links.stopped_tasks;
    });
    report_complete_stop(process);
}

void report_complete_stop(Process& process) {
    RefPtr<Process> parent;
    int signal = 0;
    tree.with([&](Tree&) {
        ProcessLinks& links = process.links();
        const bool complete = links.state == ProcessState::Stopped && links.stopped_tasks == links.task_count;
        if (!complete || links.stop_complete) {
            return;
        }
        links.stop_complete = true;
        links.stop_unreported = true;
        signal = links.stop_signal;
        parent = reference(links.parent);
    });
    if (parent) {
        notify_parent(*parent, process, abi::kCldStopped, signal);
    }
}

bool is_at_rest(Task& task) {
    return tree.with(
        [&](Tree&) { return task.process().links().state == ProcessState::Stopped && task.counted_as_stopped; });
}

bool is_stopped(Process& process) {
    return state_of(process) == ProcessState::Stopped;
}

ProcessState state_of(Process& process) {
    return tree.with([&](Tree&) { return process.links().state; });
}

void mark_executed(Process& process) {
    tree.with([&](Tree&) { process.links().has_executed = true; });
}

CpuUsage usage_of(Process& process) {
    return tree.with([&](Tree&) {
        CpuUsage usage = process.links().own_usage;
        for_each_task(process, [&](Task& task) { usage.add(task.usage()); });
        return usage;
    });
}

CpuUsage children_usage_of(Process& process) {
    return tree.with([&](Tree&) { return process.links().children_usage; });
}

}  // namespace kernel::linux_abi::process_tree
