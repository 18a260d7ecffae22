// SPDX-License-Identifier: MIT OR Apache-2.0
// futex(2), set_robust_list(2), set_tid_address(2).
#include "platform/clock.h"
#include "services/linux/futex.h"
#include "services/linux/process.h"
#include "services/linux/process_tree.h"
#include "services/linux/resource_usage.h"
#include "services/linux/syscalls.h"
#include "services/linux/task.h"

namespace kernel::linux_abi {
namespace {

// FUTEX_WAIT's timeout is relative, that of the others absolute, of the clock that the flag chooses.
Result<std::uint64_t> deadline_of(Task& task, std::uint32_t operation, std::uint32_t command, VirtAddr timeout) {
    if (timeout.is_null()) {
        return platform::kNoDeadline;
    }
    const std::uint64_t time_ns = TRY(ns_of(TRY(task.space().read_user(UserPtr<abi::Timespec>{timeout}))));
    const std::uint64_t now_ns = platform::monotonic_ns();
    std::uint64_t wait_ns = time_ns;
    if (command != abi::kFutexWait) {
        const std::uint64_t clock_ns = (operation & abi::kFutexClockRealtime) != 0 ? platform::realtime_ns() : now_ns;
        wait_ns = time_ns > clock_ns ? time_ns - clock_ns : 0;
    }
    return checked_add(now_ns, wait_ns).value_or(platform::kNoDeadline);
}

// FUTEX_WAKE_OP: an operation on the second word, and a comparison with what it was, packed into one number.
struct WakeOperation {
    std::uint32_t operation, comparison;
    std::int32_t operand, compared;
};

WakeOperation decode(std::uint32_t packed) {
    const auto sign_extend = [](std::uint32_t twelve_bits) {
        return static_cast<std::int32_t>(twelve_bits << 20) >> 20;
    };
    WakeOperation result{packed >> 28 & 7, packed >> 24 & 15, sign_extend(packed >> 12 & 0xfff),
                         sign_extend(packed & 0xfff)};
    constexpr std::uint32_t kShiftOperand = 8;
    if ((packed >> 28 & kShiftOperand) != 0) {
        result.operand = static_cast<std::int32_t>(1u << (static_cast<std::uint32_t>(result.operand) & 31));
    }
    return result;
}

Result<std::uint32_t> apply(std::uint32_t operation, std::uint32_t value, std::uint32_t operand) {
    switch (operation) {
        case 0:
            return operand;
        case 1:
            return value + operand;
        case 2:
            return value | operand;
        case 3:
            return value & ~operand;
        case 4:
            return value ^ operand;
        default:
            return Error::NotImplemented;
    }
}

Result<bool> compare(std::uint32_t comparison, std::int32_t value, std::int32_t with) {
    switch (comparison) {
        case 0:
            return value == with;
        case 1:
            return value != with;
        case 2:
            return value < with;
        case 3:
            return value <= with;
        case 4:
            return value > with;
        case 5:
            return value >= with;
        default:
            return Error::NotImplemented;
    }
}

Result<std::int64_t> wake_with_operation(Task& task, VirtAddr word, VirtAddr word2, bool is_private,
                                         std::uint32_t count, std::uint32_t count2, std::uint32_t packed) {
    const WakeOperation op = decode(packed);
    mm::AddressSpace& space = task.space();
    std::uint32_t old = TRY(space.load_u32(word2));
    while (true) {
        const std::uint32_t fresh = TRY(apply(op.operation, old, static_cast<std::uint32_t>(op.operand)));
        const std::uint32_t seen = TRY(space.compare_exchange_u32(word2, old, fresh));
        if (seen == old) {
            break;
        }
        old = seen;
    }
    const bool second = TRY(compare(op.comparison, static_cast<std::int32_t>(old), op.compared));
    std::int64_t woken = TRY(futex_wake(space, word, is_private, count));
    if (second) {
        woken += TRY(futex_wake(space, word2, is_private, count2));
    }
    return woken;
}

}  // namespace

Result<std::int64_t> sys_futex(Task& task, UserPtr<std::uint32_t> word, FutexOperationArg operation, Unsigned value,
                               Address timeout_or_value2, UserPtr<std::uint32_t> word2, Unsigned value3) {
    const std::uint32_t command = operation & abi::kFutexCommandMask;
    const bool is_private = (operation & abi::kFutexPrivateFlag) != 0;
    const auto value2 = static_cast<std::uint32_t>(timeout_or_value2.value.value);
    if (!word.is_aligned()) {
        return Error::InvalidArgument;
    }
    switch (command) {
        case abi::kFutexWait:
        case abi::kFutexWaitBitset: {
            if (command == abi::kFutexWaitBitset && value3 == 0) {
                return Error::InvalidArgument;
            }
            FutexWait wait;
            wait.word = word.address;
            wait.private_word = is_private;
            wait.expected = value;
            wait.bits = command == abi::kFutexWait ? abi::kFutexBitsetMatchAny : value3.value;
            // A restarted relative wait keeps its first deadline.
            if (!task.restart_deadline_ns()) {
                task.restart_deadline_ns() = TRY(deadline_of(task, operation, command, timeout_or_value2));
            }
            wait.deadline_ns = *task.restart_deadline_ns();
            Result<> waited = futex_wait(task, wait);
            if (!waited && waited.error() == Error::RestartSyscall && command == abi::kFutexWait &&
                !timeout_or_value2.is_null()) {
                return Error::RestartBlock;
            }
            TRY(std::move(waited));
            return 0;
        }
        case abi::kFutexWake:
            return futex_wake(task.space(), word.address, is_private, value);
        case abi::kFutexWakeBitset:
            if (value3 == 0) {
                return Error::InvalidArgument;
            }
            return futex_wake(task.space(), word.address, is_private, value, value3);
        case abi::kFutexRequeue:
        case abi::kFutexCmpRequeue: {
            if (!word2.is_aligned() || static_cast<std::int32_t>(value) < 0 || static_cast<std::int32_t>(value2) < 0) {
                return Error::InvalidArgument;
            }
            FutexRequeue request{word.address, word2.address, is_private, value, value2, {}};
            if (command == abi::kFutexCmpRequeue) {
                request.expected = value3.value;
            }
            return futex_requeue(task.space(), request);
        }
        case abi::kFutexWakeOp:
            if (!word2.is_aligned()) {
                return Error::InvalidArgument;
            }
            return wake_with_operation(task, word.address, word2.address, is_private, value, value2, value3);
        default:
            return Error::NotImplemented;
    }
}

Result<std::int64_t> sys_set_robust_list(Task& task, UserPtr<abi::RobustListHead> head, Size length) {
    if (length != sizeof(abi::RobustListHead)) {
        return Error::InvalidArgument;
    }
    task.robust_list() = head;
    return 0;
}

Result<std::int64_t> sys_get_robust_list(Task& task, Pid pid, UserPtr<std::uint64_t> head,
                                         UserPtr<std::uint64_t> length) {
    RefPtr<Task> target(task);
    if (pid != 0) {
        target = process_tree::find_task(pid);
    }
    if (!target) {
        return Error::NoSuchProcess;
    }
    if (&target->process() != &task.process() && !task.credentials()->capable(security::Capability::SysPtrace)) {
        return Error::NotPermitted;
    }
    TRY(task.space().write_user(length, sizeof(abi::RobustListHead)));
    TRY(task.space().write_user(head, target->robust_list().address.value));
    return 0;
}

Result<std::int64_t> sys_set_tid_address(Task& task, UserPtr<std::int32_t> tid) {
    task.clear_child_tid() = tid;
    return task.tid();
}

}  // namespace kernel::linux_abi
