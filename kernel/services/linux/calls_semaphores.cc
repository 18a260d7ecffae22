// SPDX-License-Identifier: MIT OR Apache-2.0
// semget(2), semop(2), semctl(2).
#include "lib/immortal.h"
#include "services/linux/poll_files.h"
#include "services/linux/process.h"
#include "services/linux/semaphore_set.h"
#include "services/linux/signals.h"
#include "services/linux/syscalls.h"
#include "services/linux/task.h"

namespace kernel::linux_abi {
namespace {

constexpr std::int32_t kMaxSemaphores = 32000;  // SEMMSL
constexpr std::uint64_t kMaxOperations = 500;   // SEMOPM

Immortal<IpcTable<SemaphoreSet>> sets;

Result<std::int64_t> operate(Task& task, std::int32_t id, UserPtr<abi::Sembuf> address, std::uint64_t count,
                             std::uint64_t deadline_ns) {
    if (count == 0 || id < 0) {
        return Error::InvalidArgument;
    }
    if (count > kMaxOperations) {
        return Error::ArgumentListTooLong;
    }
    Vector<abi::Sembuf> operations;
    TRY(operations.resize(count));
    TRY(task.space().read_user_array(address, operations.span()));
    const RefPtr<SemaphoreSet> set = TRY(sets->find(id));
    bool alters = false;
    for (const abi::Sembuf& operation : operations) {
        if (operation.number >= set->count()) {
            return Error::FileTooLarge;
        }
        alters = alters || operation.change != 0;
    }
    TRY(set->check_access(*task.credentials(), alters ? IpcAccess::Write : IpcAccess::Read));
    while (true) {
        const Result<> done = set->operate(operations.span(), task.process().pid(), deadline_ns);
        // signal(7): never restarted.
        if (!done && done.error() == Error::Interrupted && !must_answer_interrupt(task)) {
            continue;
        }
        TRY(Result<>(done));
        return 0;
    }
}

Result<std::int64_t> control_values(Task& task, SemaphoreSet& set, std::int32_t command, VirtAddr array) {
    Vector<std::uint16_t> values;
    TRY(values.resize(set.count()));
    const UserPtr<std::uint16_t> place{array};
    if (command == abi::kSemGetall) {
        TRY(set.check_access(*task.credentials(), IpcAccess::Read));
        set.copy_values(values.span());
        TRY(task.space().write_user_array(place, std::span<const std::uint16_t>(values.span())));
        return 0;
    }
    TRY(set.check_access(*task.credentials(), IpcAccess::Write));
    TRY(task.space().read_user_array(place, values.span()));
    TRY(set.set_values(values.span(), task.process().pid()));
    return 0;
}

Result<std::int64_t> control_one(Task& task, SemaphoreSet& set, std::int32_t number, std::int32_t command,
                                 std::uint64_t argument) {
    if (number < 0 || static_cast<std::size_t>(number) >= set.count()) {
        return Error::InvalidArgument;
    }
    const auto index = static_cast<std::size_t>(number);
    const bool alters = command == abi::kSemSetval;
    TRY(set.check_access(*task.credentials(), alters ? IpcAccess::Write : IpcAccess::Read));
    switch (command) {
        case abi::kSemGetval:
            return set.value(index);
        case abi::kSemGetpid:
            return set.last_pid(index);
        case abi::kSemGetncnt:
            return set.waiters(index, false);
        case abi::kSemGetzcnt:
            return set.waiters(index, true);
        default:
            TRY(set.set_value(index, static_cast<std::uint32_t>(argument), task.process().pid()));
            return 0;
    }
}

}  // namespace

void undo_semaphores(int pid) {
    sets->for_each([&](SemaphoreSet& set) { set.undo(pid); });
}

Result<std::int64_t> sys_semget(Task& task, Int key, Int count, Hex flags) {
    const auto bits = static_cast<std::uint32_t>(flags);
    if (count < 0 || count > kMaxSemaphores) {
        return Error::InvalidArgument;
    }
    const auto make = [&]() -> Result<RefPtr<SemaphoreSet>> {
        if (count == 0) {
            return Error::InvalidArgument;
        }
        return SemaphoreSet::create(key, bits, *task.credentials(), static_cast<std::uint32_t>(count.value));
    };
    const auto check = [&](const SemaphoreSet& set) -> Result<> {
        return static_cast<std::size_t>(count) > set.count() ? Result<>(Error::InvalidArgument) : Result<>();
    };
    return TRY(sets->get(task, key, bits, make, check));
}

Result<std::int64_t> sys_semop(Task& task, Int id, UserPtr<abi::Sembuf> operations, Size count) {
    return operate(task, id, operations, count, platform::kNoDeadline);
}

Result<std::int64_t> sys_semtimedop(Task& task, Int id, UserPtr<abi::Sembuf> operations, Size count,
                                    UserPtr<abi::Timespec> timeout) {
    const std::uint64_t deadline_ns = TRY(read_deadline(task, timeout));
    return operate(task, id, operations, count, deadline_ns);
}

Result<std::int64_t> sys_semctl(Task& task, Int id, Int number, Int command, Hex argument) {
    if (id < 0) {
        return Error::InvalidArgument;
    }
    const RefPtr<security::Credentials> credentials = task.credentials();
    const UserPtr<abi::SemidDs> buffer{VirtAddr{argument}};
    switch (command) {
        case abi::kIpcStat: {
            const RefPtr<SemaphoreSet> set = TRY(sets->find(id));
            TRY(set->check_access(*credentials, IpcAccess::Read));
            TRY(task.space().write_user(buffer, set->status()));
            return 0;
        }
        case abi::kIpcSet: {
            const abi::SemidDs wanted = TRY(task.space().read_user(buffer));
            const RefPtr<SemaphoreSet> set = TRY(sets->find(id));
            TRY(set->check_owner(*credentials));
            set->set_owner(wanted.perm);
            set->note_changed();
            return 0;
        }
        case abi::kIpcRmid: {
            const RefPtr<SemaphoreSet> set = TRY(sets->find(id));
            TRY(set->check_owner(*credentials));
            (void)sets->remove(*set);
            set->wake_everybody();
            return 0;
        }
        case abi::kSemGetall:
        case abi::kSemSetall:
            return control_values(task, *TRY(sets->find(id)), command, VirtAddr{argument});
        case abi::kSemGetval:
        case abi::kSemGetpid:
        case abi::kSemGetncnt:
        case abi::kSemGetzcnt:
        case abi::kSemSetval:
            return control_one(task, *TRY(sets->find(id)), number, command, argument);
        default:
            return Error::InvalidArgument;
    }
}

}  // namespace kernel::linux_abi
