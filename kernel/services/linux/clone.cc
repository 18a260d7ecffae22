// SPDX-License-Identifier: MIT OR Apache-2.0
// New processes and threads: clone(2), fork(2), vfork(2).
#include "lib/bytes.h"
#include "lib/scope_guard.h"
#include "services/linux/file_arguments.h"
#include "services/linux/process.h"
#include "services/linux/process_file.h"
#include "services/linux/process_tree.h"
#include "services/linux/scheduling_policy.h"
#include "services/linux/syscalls.h"
#include "services/linux/task.h"

namespace kernel::linux_abi {
namespace {

struct CloneRequest {
    std::uint64_t flags = 0;  // without the exit signal
    int exit_signal = 0;
    std::uint64_t stack_pointer = 0;  // 0: the parent's
    std::uint64_t tls = 0;
    UserPtr<std::int32_t> parent_tid{};
    UserPtr<std::int32_t> child_tid{};
    UserPtr<std::int32_t> pidfd{};
};

constexpr std::uint64_t kNamespaceFlags = abi::kCloneNewns | abi::kCloneNewcgroup | abi::kCloneNewuts |
                                          abi::kCloneNewipc | abi::kCloneNewuser | abi::kCloneNewpid |
                                          abi::kCloneNewnet;

bool has(const CloneRequest& request, std::uint64_t flag) {
    return (request.flags & flag) != 0;
}

Result<> check(const CloneRequest& request) {
    if (has(request, abi::kCloneSighand) && !has(request, abi::kCloneVm)) {
        return Error::InvalidArgument;
    }
    if (has(request, abi::kCloneThread) && !has(request, abi::kCloneSighand)) {
        return Error::InvalidArgument;
    }
    if (has(request, abi::kCloneClearSighand) && has(request, abi::kCloneSighand)) {
        return Error::InvalidArgument;
    }
    if (has(request, kNamespaceFlags | abi::kCloneIntoCgroup)) {
        return Error::InvalidArgument;
    }
    if (has(request, abi::kClonePidfd) && has(request, abi::kCloneThread | abi::kCloneDetached)) {
        return Error::InvalidArgument;
    }
    if (request.exit_signal < 0 || request.exit_signal > abi::kSignalCount) {
        return Error::InvalidArgument;
    }
    return {};
}

// What the child's registers are: the parent's, with 0 as the call's result.
Result<platform::Registers> child_registers(Task& parent, const CloneRequest& request) {
    platform::Registers registers = *TRY(parent.context().registers());
    registers.rax = 0;
    if (request.stack_pointer != 0) {
        registers.rsp = request.stack_pointer;
    }
    if (has(request, abi::kCloneSettls)) {
        if (request.tls >= platform::kUserMax.value) {
            return Error::NotPermitted;
        }
        registers.fs_base = request.tls;
    }
    return registers;
}

Result<RefPtr<SignalActions>> child_actions(Process& parent, const CloneRequest& request) {
    RefPtr<SignalActions> actions = parent.actions();
    if (has(request, abi::kCloneSighand)) {
        return actions;
    }
    RefPtr<SignalActions> copy = TRY(actions->clone());
    if (has(request, abi::kCloneClearSighand)) {
        copy->reset_all();
    }
    return copy;
}

Result<TaskParts> child_parts(Task& parent, const CloneRequest& request, int id) {
    TaskParts parts;
    const platform::Registers registers = TRY(child_registers(parent, request));
    parts.credentials = parent.credentials();
    parts.handles = has(request, abi::kCloneFiles) ? parent.shared_handles() : TRY(parent.handles().clone());
    parts.fs = has(request, abi::kCloneFs) ? parent.shared_fs() : TRY(parent.fs().clone());
    if (has(request, abi::kCloneVm)) {
        parts.space = RefPtr<mm::AddressSpace>(parent.space());
    } else {
        parts.space = TRY(parent.space().fork(VirtAddr{registers.rsp}));
        parts.space->prefault(VirtAddr{registers.rip}, 1, mm::Access::Execute);
    }
    if (has(request, abi::kCloneThread)) {
        parts.process = RefPtr<Process>(parent.process());
    } else {
        RefPtr<SignalActions> actions = TRY(child_actions(parent.process(), request));
        parts.process = TRY(Process::create(id, parts.space, std::move(actions), parent.process().limits()));
        parts.process->set_program(parent.process().program());
        parts.process->dumpable().store(parent.process().dumpable().load());
        parts.process->oom_score_adjustment().store(parent.process().oom_score_adjustment().load());
        parts.process->persona().store(parent.process().persona().load());
    }
    parts.context = TRY(platform::UserContext::create(parts.space->page_map(), registers));
    TRY(parts.context->set_xstate(parent.context().xstate()));
    return parts;
}

void inherit(Task& parent, Task& child, const CloneRequest& request) {
    const TaskName name = parent.name();
    child.set_name(std::string_view(name.data()));
    child.set_blocked(parent.blocked());
    // rseq(2): a copy of the memory has the structure where the parent's has it.
    if (!has(request, abi::kCloneVm)) {
        child.rseq() = parent.rseq();
    }
    // Both were valid for the parent.
    inherit_scheduling(parent, child);
    (void)child.thread().set_affinity(parent.thread().affinity());
    // clone(2): a thread that shares memory has no alternate stack, unless its parent waits for it.
    if (!has(request, abi::kCloneVm) || has(request, abi::kCloneVfork)) {
        child.signal_stack() = parent.signal_stack();
    }
    if (has(request, abi::kCloneChildCleartid)) {
        child.clear_child_tid() = request.child_tid;
    }
}

// Not a failure of the call if the words cannot be written, as on Linux.
void store_ids(Task& parent, Task& child, const CloneRequest& request) {
    if (has(request, abi::kCloneParentSettid)) {
        (void)parent.space().write_user(request.parent_tid, child.tid());
    }
    if (has(request, abi::kCloneChildSettid)) {
        (void)child.space().write_user(request.child_tid, child.tid());
    }
}

Result<> add_to_tree(Task& parent, Task& child, const CloneRequest& request) {
    if (has(request, abi::kCloneThread)) {
        return process_tree::add_task(child);
    }
    if (!has(request, abi::kCloneParent)) {
        return process_tree::add_process(&parent.process(), parent.tid(), child.process(), child, request.exit_signal);
    }
    // A sibling: its end is told as the caller's own will be, whatever the flags say.
    const RefPtr<Process> grandparent = process_tree::find_process(process_tree::parent_pid(parent.process()));
    if (!grandparent) {
        return Error::RestartAlways;
    }
    return process_tree::add_process(grandparent.get(), 0, child.process(), child,
                                     process_tree::exit_signal_of(parent.process()));
}

// vfork(2): the parent sleeps until the child has left the shared memory. Only death ends the wait earlier.
void wait_for_vfork(Task& parent, Process& child) {
    (void)sched::wait_until(child.vfork_event(),
                            [&] { return !child.uses_parent_memory() || parent.exit_requested(); });
}

// RLIMIT_NPROC, getrlimit(2): for others than user 0 and those with a capability that lifts it.
Result<> check_process_limit(Task& parent) {
    const std::uint64_t limit = parent.process().limit(abi::kRlimitNproc).current;
    const RefPtr<security::Credentials> who = parent.credentials();
    const std::uint32_t user = who->values().user_real;
    if (user == 0 || who->capable(security::Capability::SysResource) || who->capable(security::Capability::SysAdmin)) {
        return {};
    }
    if (limit == abi::kRlimInfinity || process_tree::task_count_of_user(user) < limit) {
        return {};
    }
    return Error::WouldBlock;
}

// CLONE_PIDFD: the descriptor's number is written before there is a child, so that a bad address costs none.
class ChildDescriptor : NonCopyable {
public:
    explicit ChildDescriptor(Task& parent) : parent_(parent) {}
    ~ChildDescriptor() {
        if (fd_ >= 0) {
            parent_.handles().cancel(fd_);
        }
    }
    Result<> prepare(const CloneRequest& request, RefPtr<Process> child) {
        if (!has(request, abi::kClonePidfd)) {
            return {};
        }
        file_ = TRY(ProcessFile::create(anonymous_request(parent_, false), std::move(child)));
        fd_ = TRY(ReservedHandle::reserve(parent_));
        return parent_.space().write_user(request.pidfd, fd_);
    }
    void install() {
        if (fd_ < 0) {
            return;
        }
        const object::Rights rights = rights_of(*file_);
        parent_.handles().install(std::exchange(fd_, -1), std::move(file_), rights, object::HandleFlags::CloseOnExec);
    }

private:
    Task& parent_;
    RefPtr<ProcessFile> file_;
    int fd_ = -1;
};

Result<std::int64_t> do_clone(Task& parent, const CloneRequest& request) {
    TRY(check(request));
    TRY(check_process_limit(parent));
    const int id = TRY(process_tree::reserve_id());
    ScopeGuard release([&] { process_tree::release_id(id); });
    TaskParts parts = TRY(child_parts(parent, request, id));
    RefPtr<Process> child_process = parts.process;
    RefPtr<Task> child = TRY(Task::create(id, std::move(parts)));
    inherit(parent, *child, request);
    const bool is_vfork = has(request, abi::kCloneVfork) && !has(request, abi::kCloneThread);
    if (is_vfork) {
        child_process->set_uses_parent_memory(true);
    }
    ChildDescriptor descriptor(parent);
    TRY(descriptor.prepare(request, child_process));
    TRY(add_to_tree(parent, *child, request));
    release.dismiss();
    descriptor.install();
    store_ids(parent, *child, request);
    child->start();
    if (is_vfork) {
        wait_for_vfork(parent, *child_process);
    }
    return id;
}

}  // namespace

Result<std::int64_t> sys_clone(Task& task, CloneFlagsArg flags, Address stack, UserPtr<std::int32_t> parent_tid,
                               UserPtr<std::int32_t> child_tid, Address tls) {
    CloneRequest request;
    request.flags = flags & ~std::uint64_t{abi::kCloneSignalMask};
    request.exit_signal = static_cast<int>(flags & abi::kCloneSignalMask);
    request.stack_pointer = stack.value.value;
    request.tls = tls.value.value;
    // clone(2): one place for two things.
    if (has(request, abi::kClonePidfd) && has(request, abi::kCloneParentSettid)) {
        return Error::InvalidArgument;
    }
    request.pidfd = parent_tid;
    request.parent_tid = parent_tid;
    request.child_tid = child_tid;
    // Not among this call's flags, clone(2).
    if (has(request, abi::kCloneClearSighand | abi::kCloneIntoCgroup)) {
        return Error::InvalidArgument;
    }
    return do_clone(task, request);
}

Result<std::int64_t> sys_clone3(Task& task, InStruct<abi::CloneArgs> arguments, Size size) {
    if (size < abi::kCloneArgsSizeVersion0) {
        return Error::InvalidArgument;
    }
    if (size > kPageSize) {
        return Error::ArgumentListTooLong;
    }
    abi::CloneArgs args{};
    const std::uint64_t known = std::min<std::uint64_t>(size, sizeof(args));
    TRY(task.space().copy_in(as_writable_bytes_of(args).first(known), arguments.address));
    for (std::uint64_t i = known; i < size; ++i) {
        if (TRY(task.space().read_user(UserPtr<std::uint8_t>{arguments.address + i})) != 0) {
            return Error::ArgumentListTooLong;
        }
    }
    if (args.set_tid_count != 0 || (args.flags & (abi::kCloneSignalMask | abi::kCloneDetached)) != 0 ||
        args.exit_signal > abi::kCloneSignalMask || (args.stack == 0) != (args.stack_bytes == 0)) {
        return Error::InvalidArgument;
    }
    const bool without_signal = (args.flags & (abi::kCloneThread | abi::kCloneParent)) != 0;
    if (without_signal && args.exit_signal != 0) {
        return Error::InvalidArgument;
    }
    CloneRequest request;
    request.flags = args.flags;
    request.exit_signal = static_cast<int>(args.exit_signal);
    request.stack_pointer = args.stack + args.stack_bytes;
    request.tls = args.tls;
    request.pidfd = UserPtr<std::int32_t>{VirtAddr{args.pidfd}};
    request.parent_tid = UserPtr<std::int32_t>{VirtAddr{args.parent_tid}};
    request.child_tid = UserPtr<std::int32_t>{VirtAddr{args.child_tid}};
    return do_clone(task, request);
}

Result<std::int64_t> sys_fork(Task& task) {
    CloneRequest request;
    request.exit_signal = abi::kSigchld;
    return do_clone(task, request);
}

Result<std::int64_t> sys_vfork(Task& task) {
    CloneRequest request;
    request.flags = abi::kCloneVfork | abi::kCloneVm;
    request.exit_signal = abi::kSigchld;
    return do_clone(task, request);
}

}  // namespace kernel::linux_abi
