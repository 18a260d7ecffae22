// SPDX-License-Identifier: MIT OR Apache-2.0
// The loop of a task between user mode and kernel: traps in, results and signals out.
#include "core/sched/scheduler.h"
#include "lib/bytes.h"
#include "lib/log.h"
#include "platform/clock.h"
#include "services/linux/errno.h"
#include "services/linux/out_of_memory.h"
#include "services/linux/process.h"
#include "services/linux/process_tree.h"
#include "services/linux/signals.h"
#include "services/linux/syscalls.h"
#include "services/linux/task.h"
#include "services/linux/trace.h"

namespace kernel::linux_abi {
namespace {

// x86 exception numbers, Intel SDM volume 3, table 6-1.
enum Vector : std::uint8_t {
    kDivideError = 0,
    kDebug = 1,
    kBreakpoint = 3,
    kOverflow = 4,
    kBoundRange = 5,
    kInvalidOpcode = 6,
    kDeviceNotAvailable = 7,
    kInvalidTss = 10,
    kSegmentNotPresent = 11,
    kStackFault = 12,
    kGeneralProtection = 13,
    kX87Error = 16,
    kAlignmentCheck = 17,
    kSimdError = 19,
};

// Which floating-point exceptions are raised and not masked: x87 status and control words, or MXCSR. Intel SDM volume
// 1, 8.5 and 10.2.3.
std::uint32_t unmasked_float_exceptions(std::uint8_t vector, std::span<const std::byte> xstate) {
    constexpr std::size_t kControlWord = 0, kStatusWord = 2, kMxcsr = 24, kMxcsrMaskShift = 7;
    constexpr std::uint32_t kAll = 0x3f;
    if (vector == kX87Error) {
        return read_unaligned<std::uint16_t>(xstate, kStatusWord) &
               ~std::uint32_t{read_unaligned<std::uint16_t>(xstate, kControlWord)} & kAll;
    }
    const auto mxcsr = read_unaligned<std::uint32_t>(xstate, kMxcsr);
    return mxcsr & ~(mxcsr >> kMxcsrMaskShift) & kAll;
}

int float_signal_code(std::uint32_t exceptions) {
    constexpr std::uint32_t kInvalid = 1, kDenormal = 2, kDivide = 4, kOverflowed = 8, kUnderflow = 16, kPrecision = 32;
    if ((exceptions & kInvalid) != 0) {
        return abi::kFpeFltinv;
    }
    if ((exceptions & kDivide) != 0) {
        return abi::kFpeFltdiv;
    }
    if ((exceptions & kOverflowed) != 0) {
        return abi::kFpeFltovf;
    }
    if ((exceptions & (kUnderflow | kDenormal)) != 0) {
        return abi::kFpeFltund;
    }
    if ((exceptions & kPrecision) != 0) {
        return abi::kFpeFltres;
    }
    return abi::kFpeFltinv;
}

abi::Siginfo signal_of_exception(std::uint8_t vector, VirtAddr instruction, std::span<const std::byte> xstate) {
    switch (vector) {
        case kDivideError:
            return fault_signal(abi::kSigfpe, abi::kFpeIntdiv, instruction);
        case kDebug:
            return fault_signal(abi::kSigtrap, abi::kTrapTrace, instruction);
        case kBreakpoint:
            return kernel_signal(abi::kSigtrap);
        case kInvalidOpcode:
            return fault_signal(abi::kSigill, abi::kIllIllopn, instruction);
        case kX87Error:
        case kSimdError:
            return fault_signal(abi::kSigfpe, float_signal_code(unmasked_float_exceptions(vector, xstate)),
                                instruction);
        case kAlignmentCheck:
            return fault_signal(abi::kSigbus, abi::kBusAdraln, VirtAddr{0});
        case kStackFault:
        case kSegmentNotPresent:
            return kernel_signal(abi::kSigbus);
        default:
            return kernel_signal(abi::kSigsegv);
    }
}

abi::Siginfo signal_of_fault(Error error, VirtAddr address) {
    switch (error) {
        case Error::AccessDenied:
            return fault_signal(abi::kSigsegv, abi::kSegvAccerr, address);
        case Error::Io:
            return fault_signal(abi::kSigbus, abi::kBusAdrerr, address);
        case Error::NoMemory:
            return kernel_signal(abi::kSigkill);
        default:
            return fault_signal(abi::kSigsegv, abi::kSegvMaperr, address);
    }
}

}  // namespace

// The way of a system call runs through run(), handle_syscall() and the platform's enter_user(), which lie side by side
// ([[gnu::hot]]); whatever is rarer stands apart ([[gnu::noinline]]).
[[gnu::hot, gnu::noinline]] void Task::run() {
    while (true) {
        sched::schedule_on_trap_return();
        const bool plain = !process_->timers().counts_cpu();
        if (!(plain && claim_user_mode()) && !prepare_user_entry()) {
            return;
        }
        sched::note_user_entry();
        const platform::Trap trap = context_->enter_user();
        sched::note_user_exit();
        in_user_.store(false, std::memory_order_relaxed);
        if (trap.kind == platform::TrapKind::Syscall) [[likely]] {
            handle_syscall();
        } else {
            handle_other_trap(trap);
        }
    }
}

// Timers that count processor time: fires what is due, and sees to it that the task comes back for the next.
void Task::watch_cpu_time() {
    const std::uint64_t left_ns = process_->timers().run_cpu_timers();
    if (left_ns == UINT64_MAX) {
        return;
    }
    cpu_timer_.arm(checked_add(platform::monotonic_ns(), left_ns).value_or(platform::kNoDeadline));
}

// Whoever has news for the task kicks it, and what it does to itself sets recheck_: without either nothing can have
// changed since the last complete look.
bool Task::claim_user_mode() {
    if (recheck_ || thread_->cpu() != seen_cpu_ || was_away()) {
        return false;
    }
    left_between_instructions_ = false;
    // Only this thread writes it.
    user_stays_.store(user_stays_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    // Whoever kicks from now on sends an interrupt to this CPU; whoever did before is seen here.
    in_user_.store(true);
    if (!thread_->interrupt_pending()) [[likely]] {
        return true;
    }
    in_user_.store(false, std::memory_order_relaxed);
    return false;
}

// The complete look.
[[gnu::noinline]] bool Task::prepare_user_entry() {
    while (true) {
        sched::schedule_on_trap_return();
        clear_interrupt();
        if (exit_requested()) {
            return false;
        }
        if (process_->timers().counts_cpu()) {
            watch_cpu_time();
        }
        if (process_tree::is_stopped(*process_) || has_deliverable_signal(*this)) {
            if (deliver_signals(*this, nullptr) == Delivered::MustExit) {
                return false;
            }
            continue;
        }
        restore_mask();
        update_rseq();
        if (has_deliverable_signal(*this)) {
            continue;
        }
        recheck_ = false;
        if (claim_user_mode()) {
            return true;
        }
    }
}

// In a critical section no calls are made, so only a trap between instructions can have been in one.
void Task::update_rseq() {
    const unsigned cpu = thread_->cpu();
    if (was_away()) {
        rseq_leave_critical_section(*this);
    }
    left_between_instructions_ = false;
    if (cpu != seen_cpu_) {
        rseq_note_cpu(*this, cpu);
    }
    seen_cpu_ = cpu;
}

void Task::handle_syscall() {
    const platform::SyscallFrame frame = context_->syscall();
    const syscall::Row* const row = kSyscallTable.find(frame.number);
    keep_registers_ = false;
    restart_deadline_ns_.reset();
    Result<std::int64_t> result = Error::NotImplemented;
    do {
        result = calls_are_observed() ? dispatch_observed(*this, row, frame) : syscall::dispatch(row, this, frame);
        if (keep_registers_) {
            return;
        }
    } while (!result && is_restart(result.error()) && may_call_again(result.error(), frame.number));
    if (keep_registers_) {
        return;
    }
    const std::int64_t value = result ? *result : -static_cast<std::int64_t>(errno_of(result.error()));
    context_->set_syscall_result(static_cast<std::uint64_t>(value));
}

// After a call that a signal ended. False, with keep_registers_, when a handler or the end comes first.
[[gnu::noinline]] bool Task::may_call_again(Error error, std::uint64_t number) {
    clear_interrupt();
    const RestartState restart{error, number};
    keep_registers_ = deliver_signals(*this, &restart) != Delivered::Nothing;
    if (!keep_registers_) {
        restore_mask();
    }
    return !keep_registers_;
}

[[gnu::noinline]] void Task::handle_other_trap(const platform::Trap& trap) {
    left_between_instructions_ = rseq_.is_registered();
    switches_before_ = thread_->switches();
    switch (trap.kind) {
        case platform::TrapKind::Syscall:
        case platform::TrapKind::Interrupt:
            break;
        case platform::TrapKind::Fault:
            handle_fault(trap);
            break;
        case platform::TrapKind::Exception: {
            last_trap_ = trap;
            const Result<platform::Registers*> registers = context_->registers();
            if (!registers) {
                break;  // the next entry finds it dead
            }
            force_signal(*this, signal_of_exception(trap.vector, VirtAddr{(*registers)->rip}, context_->xstate()));
            break;
        }
        case platform::TrapKind::BadSyscall:
            // Only the 64-bit SYSCALL convention exists here.
            context_->set_syscall_result(
                static_cast<std::uint64_t>(-static_cast<std::int64_t>(errno_of(Error::NotImplemented))));
            break;
        case platform::TrapKind::Dead:
            process_tree::begin_group_exit(*process_, signal_status_word(abi::kSigkill, false));
            begin_exit();
            break;
    }
}

void Task::handle_fault(const platform::Trap& trap) {
    count_fault();
    const Result<> handled = space_->handle_fault(trap.fault_address, trap.fault_access, (trap.error_code & 1) != 0);
    if (handled) {
        return;
    }
    last_trap_ = trap;
    if (handled.error() == Error::NoMemory && make_room_after_fault(*this)) {
        return;
    }
    force_signal(*this, signal_of_fault(handled.error(), trap.fault_address));
}

}  // namespace kernel::linux_abi
