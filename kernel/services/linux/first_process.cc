// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/console.h"
#include "services/linux/exec.h"
#include "services/linux/process.h"
#include "services/linux/process_tree.h"

namespace kernel::linux_abi {
namespace {

// The task cannot execute its program before it exists, and cannot exist without a user half: it starts with an empty
// space and registers that are never used.
Result<RefPtr<Task>> create_bare_task(FirstProcess& parts, int id) {
    RefPtr<mm::AddressSpace> space = TRY(mm::AddressSpace::create());
    RefPtr<SignalActions> actions = TRY(SignalActions::create());
    TaskParts task_parts;
    task_parts.process = TRY(Process::create(id, space, std::move(actions), parts.limits));
    task_parts.space = std::move(space);
    task_parts.handles = std::move(parts.handles);
    task_parts.fs = std::move(parts.fs);
    task_parts.credentials = std::move(parts.credentials);
    return Task::create(id, std::move(task_parts));
}

}  // namespace

Result<RefPtr<Process>> start_first_process(FirstProcess parts, std::string_view program, ProgramArguments arguments) {
    const int id = TRY(process_tree::reserve_id());
    const RefPtr<Task> task = TRY(create_bare_task(parts, id));
    TRY(process_tree::add_process(nullptr, 0, task->process(), *task, abi::kSigchld));
    TRY(process_tree::start_session(task->process()));
    if (const RefPtr<Terminal> terminal = console_terminal()) {
        terminal->adopt_session(task->process());
    }
    RefPtr<vfs::File> file = TRY(open_program(*task, task->fs().working_directory(), program));
    TRY(execute(*task, std::move(file), program, std::move(arguments)));
    task->start();
    return RefPtr<Process>(task->process());
}

}  // namespace kernel::linux_abi
