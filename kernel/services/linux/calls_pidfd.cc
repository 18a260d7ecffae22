// SPDX-License-Identifier: MIT OR Apache-2.0
// pidfd_open(2), pidfd_send_signal(2), pidfd_getfd(2).
#include "abi/linux/events.h"
#include "services/linux/file_arguments.h"
#include "services/linux/inspection.h"
#include "services/linux/process_file.h"
#include "services/linux/process_tree.h"
#include "services/linux/signals.h"
#include "services/linux/syscalls.h"

namespace kernel::linux_abi {
namespace {

// What the caller gives as details of its signal. Errors: BadAddress, InvalidArgument, NotPermitted.
Result<abi::Siginfo> read_details(Task& task, const Process& target, std::int32_t signal, UserPtr<abi::Siginfo> info) {
    if (!info) {
        return user_signal(signal, abi::kSiUser, task);
    }
    abi::Siginfo details = TRY(task.space().read_user(info));
    details.padding0 = 0;  // the kernel's own mark of timers
    if (details.signal != signal) {
        return Error::InvalidArgument;
    }
    if (forges_kernel_origin(details) && &target != &task.process()) {
        return Error::NotPermitted;
    }
    return details;
}

}  // namespace

Result<std::int64_t> sys_pidfd_open(Task& task, Pid pid, Hex flags) {
    const auto bits = static_cast<std::uint32_t>(flags);
    if ((bits & ~std::uint32_t{abi::kPidfdNonblock}) != 0 || pid <= 0) {
        return Error::InvalidArgument;
    }
    RefPtr<Process> process = process_tree::find_process(pid);
    if (!process) {
        return process_tree::find_task(pid) ? Error::NotFound : Error::NoSuchProcess;
    }
    RefPtr<ProcessFile> file =
        TRY(ProcessFile::create(anonymous_request(task, (bits & abi::kPidfdNonblock) != 0), std::move(process)));
    return insert_file(task, std::move(file), true);
}

Result<std::int64_t> sys_pidfd_send_signal(Task& task, Fd fd, SignalArg signal, InStruct<abi::Siginfo> info,
                                           Hex flags) {
    const auto bits = static_cast<std::uint32_t>(flags);
    const bool known = bits == 0 || bits == abi::kPidfdSignalGroup || bits == abi::kPidfdSignalProcessGroup;
    if (!known) {
        return Error::InvalidArgument;
    }
    const RefPtr<ProcessFile> file = TRY(process_file_of(task, fd));
    Process& target = file->process();
    const abi::Siginfo details = TRY(read_details(task, target, signal, info));
    if (signal != 0 && !is_valid_signal(signal)) {
        return Error::InvalidArgument;
    }
    if (process_tree::was_reaped(target)) {
        return Error::NoSuchProcess;
    }
    if (bits == abi::kPidfdSignalProcessGroup) {
        TRY(send_to_group(target.pid(), details, &task));
        return 0;
    }
    if (!may_signal(task, target, signal)) {
        return Error::NotPermitted;
    }
    if (signal != 0) {
        TRY(send_to_process(target, details));
    }
    return 0;
}

Result<std::int64_t> sys_pidfd_getfd(Task& task, Fd fd, Fd target_fd, Unsigned flags) {
    if (flags != 0) {
        return Error::InvalidArgument;
    }
    const RefPtr<ProcessFile> file = TRY(process_file_of(task, fd));
    const RefPtr<Task> target = process_tree::any_task(file->process());
    if (!target) {
        return Error::NoSuchProcess;
    }
    if (!may_inspect(task, *target, InspectAs::RealUser)) {
        return Error::NotPermitted;
    }
    const RefPtr<object::HandleTable> handles = target->shared_handles();
    if (!handles) {
        return Error::NoSuchProcess;
    }
    object::Slot slot = TRY(handles->get_slot(target_fd));
    return TRY(task.handles().insert(std::move(slot.object), slot.rights, object::HandleFlags::CloseOnExec));
}

}  // namespace kernel::linux_abi
