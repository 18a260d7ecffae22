// SPDX-License-Identifier: MIT OR Apache-2.0
// How tasks and processes leave the tree, and how parents learn of it: exit(2), wait(2).
#include <utility>

#include "lib/scope_guard.h"
#include "services/linux/process_tree_state.h"
#include "services/linux/signals.h"

namespace kernel::linux_abi::process_tree {
namespace {

std::uint64_t key(int id) {
    return static_cast<std::uint64_t>(id);
}

int child_code(int wait_status) {
    if ((wait_status & 0x7f) == 0) {
        return abi::kCldExited;
    }
    return (wait_status & 0x80) != 0 ? abi::kCldDumped : abi::kCldKilled;
}

int child_status(int wait_status) {
    return (wait_status & 0x7f) == 0 ? (wait_status >> 8) & 0xff : wait_status & 0x7f;
}

// Takes a zombie out of the tree. The returned reference is dropped outside of the lock.
RefPtr<Process> remove_zombie(Tree& t, Process& process) {
    ProcessLinks& links = process.links();
    if (links.parent != nullptr) {
        CpuUsage& sum = links.parent->links().children_usage;
        sum.add(links.own_usage);
        sum.add(links.children_usage);
        links.parent->links().children.remove(process);
        links.parent = nullptr;
    }
    links.session.reset();
    t.processes.erase(key(process.pid()));
    return RefPtr<Process>::adopt(process);
}

// What leave() finds out under the lock and does after it.
struct Departure {
    RefPtr<Process> parent;
    RefPtr<Process> removed;
    bool process_ended = false;
    int exit_signal = 0;
    int wait_status = 0;
    int group = 0;
};

bool parent_does_not_wait(Tree& t, Process& parent) {
    if (&parent == t.reaper.get()) {
        return true;
    }
    const RefPtr<SignalActions> actions = parent.actions();
    const abi::Sigaction action = actions->get(abi::kSigchld);
    return action.handler == abi::kSigIgn || (action.flags & abi::kSaNocldwait) != 0;
}

// The reaper collects its zombies at once; others wait for it to.
void adopt_children(Tree& t, Process& process, ProcessList& removed) {
    ProcessLinks& links = process.links();
    while (Process* child = links.children.pop_front()) {
        child->links().parent = t.reaper.get();
        t.reaper->links().children.push_back(*child);
        child->links().exit_signal = abi::kSigchld;
        child->set_parent_died();
        if (child->links().state == ProcessState::Zombie) {
            removed.push_back(*remove_zombie(t, *child).release());
        }
    }
}

// `removed` takes references that must be dropped outside of the lock.
Departure depart(Tree& t, Task& task, ProcessList& removed) {
    Departure result;
    Process& process = task.process();
    ProcessLinks& links = process.links();
    links.own_usage.add(task.usage());
    links.tasks.remove(task);
    --links.task_count;
    if (std::exchange(task.counted_as_stopped, false)) {
        --links.stopped_tasks;
    }
    --links.leaving_count;
    --t.task_count;
    t.tasks.erase(key(task.tid()));
    if (links.task_count != 0) {
        return result;
    }
    // Without exit_group it is the last thread's status that counts.
    if (!links.exiting) {
        links.wait_status = exit_status_word(task.exit_code());
    }

    result.process_ended = true;
    links.exiting = true;
    links.state = ProcessState::Zombie;
    result.parent = RefPtr<Process>(*links.parent);
    result.exit_signal = links.exit_signal;
    result.wait_status = links.wait_status;
    result.group = links.group_id;
    adopt_children(t, process, removed);
    if (parent_does_not_wait(t, *links.parent) && links.exit_signal == abi::kSigchld) {
        result.removed = remove_zombie(t, process);
    }
    return result;
}

bool has_stopped_member(int group) {
    bool stopped = false;
    for_each_in_group(group, [&](Process& process) {
        stopped = stopped || is_stopped(process);
        return !stopped;
    });
    return stopped;
}

// POSIX: a group that becomes orphaned while members are stopped gets SIGHUP and SIGCONT.
void hang_up_if_newly_orphaned(int group) {
    if (group <= kReaperPid || !is_orphaned_group(group) || !has_stopped_member(group)) {
        return;
    }
    (void)send_to_group(group, kernel_signal(abi::kSighup), nullptr);
    (void)send_to_group(group, kernel_signal(abi::kSigcont), nullptr);
}

bool matches(Process& child, const Process& parent, const WaitSelector& selector) {
    const ProcessLinks& links = child.links();
    const bool is_clone = links.exit_signal != abi::kSigchld;
    if ((selector.options & abi::kWall) == 0 && is_clone != ((selector.options & abi::kWclone) != 0)) {
        return false;
    }
    if ((selector.options & abi::kWnothread) != 0 && links.parent_tid != selector.caller_tid) {
        return false;
    }
    switch (selector.type) {
        case abi::kPPid:
            return child.pid() == selector.id;
        case abi::kPPgid:
            return links.group_id == (selector.id == 0 ? const_cast<Process&>(parent).links().group_id : selector.id);
        default:
            return true;
    }
}

std::optional<WaitedChild> news_of(Process& child, std::uint32_t options) {
    ProcessLinks& links = child.links();
    WaitedChild result;
    result.pid = child.pid();
    result.usage = links.own_usage;
    result.usage.add(links.children_usage);
    if (links.state == ProcessState::Zombie && (options & abi::kWexited) != 0) {
        result.status = links.wait_status;
        result.code = child_code(links.wait_status);
        return result;
    }
    if (links.state == ProcessState::Stopped && links.stop_unreported && (options & abi::kWstopped) != 0) {
        if ((options & abi::kWnowait) == 0) {
            links.stop_unreported = false;
        }
        result.status = stop_status_word(links.stop_signal);
        result.code = abi::kCldStopped;
        return result;
    }
    if (links.continue_unreported && links.state == ProcessState::Running && (options & abi::kWcontinued) != 0) {
        if ((options & abi::kWnowait) == 0) {
            links.continue_unreported = false;
        }
        result.status = kContinuedStatusWord;
        result.code = abi::kCldContinued;
        return result;
    }
    return std::nullopt;
}

}  // namespace

void notify_parent(Process& parent, Process& child, int code, int status) {
    const RefPtr<SignalActions> actions = parent.actions();
    const abi::Sigaction action = actions->get(abi::kSigchld);
    const bool about_stop = code == abi::kCldStopped || code == abi::kCldContinued;
    if (!about_stop || (action.flags & abi::kSaNocldstop) == 0) {
        abi::Siginfo info{};
        info.signal = abi::kSigchld;
        info.code = code;
        info.child.pid = child.pid();
        info.child.uid = child.last_uid();
        info.child.status = status;
        const CpuUsage usage = usage_of(child);
        constexpr std::uint64_t kTickNs = 1'000'000'000 / abi::kClockTicksPerSecond;
        info.child.utime = static_cast<std::int64_t>(usage.user_ns / kTickNs);
        info.child.stime = static_cast<std::int64_t>(usage.system_ns / kTickNs);
        (void)send_to_process(parent, info);
    }
    parent.child_event().wake_all();
}

bool is_last_task(Task& task) {
    return tree.with(
        [&](Tree&) { return ++task.process().links().leaving_count == task.process().links().task_count; });
}

int wait_status_of(Process& process) {
    return tree.with([&](Tree&) { return process.links().wait_status; });
}

void leave(Task& task) {
    RefPtr<Process> process(task.process());
    process->set_last_uid(task.credentials()->values().user_real);
    ProcessList removed_children;
    const Departure departure = tree.with([&](Tree& t) { return depart(t, task, removed_children); });
    while (Process* removed = removed_children.pop_front()) {
        const RefPtr<Process> reaped = RefPtr<Process>::adopt(*removed);
        reaped->end_event().wake_all();
    }
    // The tree's reference.
    RefPtr<Task>::adopt(task).reset();
    process->task_event().wake_all();
    if (!departure.process_ended) {
        report_complete_stop(*process);
        return;
    }

    process->end_event().wake_all();
    for (RefPtr<Process> child = next_process(kFirstPid); child; child = next_process(child->pid() + 1)) {
        if (!child->take_parent_died()) {
            continue;
        }
        const int death_signal = child->parent_death_signal().load();
        if (death_signal != 0) {
            (void)send_to_process(*child, kernel_signal(death_signal));
        }
        if (const int group = group_of(*child); group != departure.group) {
            hang_up_if_newly_orphaned(group);
        }
    }
    hang_up_if_newly_orphaned(departure.group);
    if (departure.exit_signal == abi::kSigchld) {
        notify_parent(*departure.parent, *process, child_code(departure.wait_status),
                      child_status(departure.wait_status));
    } else {
        if (departure.exit_signal != 0) {
            (void)send_to_process(*departure.parent, kernel_signal(departure.exit_signal));
        }
        departure.parent->child_event().wake_all();
    }
}

bool was_reaped(Process& process) {
    return tree.with([&](Tree& t) { return t.processes.get(key(process.pid())) != &process; });
}

Result<std::optional<WaitedChild>> take_child_event(Process& parent, const WaitSelector& selector) {
    RefPtr<Process> removed;
    const ScopeGuard tell([&] {
        if (removed) {
            removed->end_event().wake_all();
        }
    });
    return tree.with([&](Tree& t) -> Result<std::optional<WaitedChild>> {
        bool candidates = false;
        for (Process& child : parent.links().children) {
            if (!matches(child, parent, selector)) {
                continue;
            }
            candidates = true;
            std::optional<WaitedChild> news = news_of(child, selector.options);
            if (!news) {
                continue;
            }
            news->uid = child.last_uid();
            if (child.links().state == ProcessState::Zombie && (selector.options & abi::kWnowait) == 0) {
                removed = remove_zombie(t, child);
            }
            return news;
        }
        if (!candidates) {
            return Error::NoChild;
        }
        return std::optional<WaitedChild>();
    });
}

}  // namespace kernel::linux_abi::process_tree
