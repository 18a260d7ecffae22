// SPDX-License-Identifier: MIT OR Apache-2.0
// Process groups and sessions: setpgid(2), setsid(2), credentials(7).
#include "services/linux/process_tree_state.h"

namespace kernel::linux_abi::process_tree {
namespace {

bool group_is_in_session(Tree& t, int group, int session) {
    bool found = false;
    t.for_each_process([&](Process& process) {
        const ProcessLinks& links = process.links();
        found = found || (links.group_id == group && links.session && links.session->id() == session);
    });
    return found;
}

int session_id(const ProcessLinks& links) {
    return links.session ? links.session->id() : 0;
}

}  // namespace

int parent_pid(Process& process) {
    return tree.with([&](Tree&) {
        const Process* parent = process.links().parent;
        return parent == nullptr ? 0 : parent->pid();
    });
}

int exit_signal_of(Process& process) {
    return tree.with([&](Tree&) { return process.links().exit_signal; });
}

int group_of(Process& process) {
    return tree.with([&](Tree&) { return process.links().group_id; });
}

int session_of(Process& process) {
    return tree.with([&](Tree&) { return session_id(process.links()); });
}

RefPtr<Session> session(Process& process) {
    return tree.with([&](Tree&) { return process.links().session; });
}

Result<> set_group(Process& caller, int pid, int group) {
    return tree.with([&](Tree& t) -> Result<> {
        Process* target = pid == 0 ? &caller : t.processes.get(static_cast<std::uint64_t>(pid));
        if (target == nullptr) {
            return Error::NoSuchProcess;
        }
        ProcessLinks& links = target->links();
        if (target != &caller) {
            if (links.parent != &caller) {
                return Error::NoSuchProcess;
            }
            if (session_id(links) != session_id(caller.links())) {
                return Error::NotPermitted;
            }
            if (links.has_executed) {
                return Error::AccessDenied;
            }
        }
        if (session_id(links) == target->pid()) {
            return Error::NotPermitted;
        }
        const int wanted = group == 0 ? target->pid() : group;
        if (wanted != target->pid() && !group_is_in_session(t, wanted, session_id(caller.links()))) {
            return Error::NotPermitted;
        }
        links.group_id = wanted;
        return {};
    });
}

Result<int> start_session(Process& process) {
    RefPtr<Session> fresh = TRY(Session::create(process.pid()));
    return tree.with([&](Tree& t) -> Result<int> {
        bool leads_group = false;
        t.for_each_process(
            [&](Process& other) { leads_group = leads_group || other.links().group_id == process.pid(); });
        // The first process leads its group from the beginning, and has no session yet.
        leads_group = leads_group && process.links().session != nullptr;
        if (leads_group) {
            return Error::NotPermitted;
        }
        process.links().group_id = process.pid();
        process.links().session.swap(fresh);
        return process.pid();
    });
}

bool group_exists(int group) {
    return tree.with([&](Tree& t) {
        bool exists = false;
        t.for_each_process([&](Process& process) { exists = exists || process.links().group_id == group; });
        return exists;
    });
}

bool group_exists_in_session(int group, int session) {
    return tree.with([&](Tree& t) { return group_is_in_session(t, group, session); });
}

bool is_orphaned_group(int group) {
    return tree.with([&](Tree& t) {
        bool anchored = false;
        t.for_each_process([&](Process& process) {
            const ProcessLinks& links = process.links();
            if (links.group_id != group || links.state == ProcessState::Zombie || links.parent == nullptr) {
                return;
            }
            const ProcessLinks& up = links.parent->links();
            anchored = anchored || (up.group_id != group && session_id(up) == session_id(links) && session_id(up) != 0);
        });
        return !anchored;
    });
}

}  // namespace kernel::linux_abi::process_tree
