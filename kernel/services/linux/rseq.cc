// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/rseq.h"

#include "platform/page_map.h"
#include "services/linux/signals.h"
#include "services/linux/syscalls.h"
#include "services/linux/task.h"

namespace kernel::linux_abi {
namespace {

constexpr std::uint64_t kRseqBytes = sizeof(abi::Rseq);
enum RseqFlags : std::uint32_t { kUnregister = 1 };

UserPtr<std::uint64_t> section_pointer(const RestartableSequences& rseq) {
    return UserPtr<std::uint64_t>{rseq.area.address + offsetof(abi::Rseq, critical_section)};
}

// Errors: InvalidArgument (a section that cannot be), BadAddress.
Result<> check_section(Task& task, const abi::RseqSection& section) {
    const std::uint64_t limit = platform::kUserMax.value;
    constexpr std::uint64_t kSignatureBytes = sizeof(std::uint32_t);
    const bool wraps = section.start + section.bytes < section.start;
    if (section.version != 0 || section.flags != 0 || section.start >= limit || wraps ||
        section.start + section.bytes > limit || section.abort_handler >= limit ||
        section.abort_handler < kSignatureBytes || section.abort_handler - section.start < section.bytes) {
        return Error::InvalidArgument;
    }
    const VirtAddr signature{section.abort_handler - kSignatureBytes};
    if (TRY(task.space().read_user(UserPtr<std::uint32_t>{signature})) != task.rseq().signature) {
        return Error::InvalidArgument;
    }
    return {};
}

Result<> leave_section(Task& task) {
    const UserPtr<std::uint64_t> pointer = section_pointer(task.rseq());
    const VirtAddr address{TRY(task.space().read_user(pointer))};
    if (address.is_null()) {
        return {};
    }
    const abi::RseqSection section = TRY(task.space().read_user(UserPtr<abi::RseqSection>{address}));
    TRY(check_section(task, section));
    platform::Registers& registers = *TRY(task.context().registers());
    const bool inside = registers.rip - section.start < section.bytes;
    TRY(task.space().write_user(pointer, 0));
    if (inside) {
        registers.rip = section.abort_handler;
    }
    return {};
}

void punish(Task& task, const Result<>& outcome) {
    if (!outcome) {
        force_signal(task, kernel_signal(abi::kSigsegv));
    }
}

}  // namespace

void rseq_note_cpu(Task& task, unsigned cpu) {
    if (task.rseq().is_registered()) {
        const abi::RseqCpu both{cpu, cpu};
        punish(task, task.space().write_user(UserPtr<abi::RseqCpu>{task.rseq().area.address}, both));
    }
}

void rseq_leave_critical_section(Task& task) {
    if (task.rseq().is_registered()) {
        punish(task, leave_section(task));
    }
}

Result<std::int64_t> sys_rseq(Task& task, UserPtr<abi::Rseq> area, Unsigned length, Unsigned flags,
                              Unsigned signature) {
    RestartableSequences& rseq = task.rseq();
    if ((flags & kUnregister) != 0) {
        if ((flags & ~std::uint32_t{kUnregister}) != 0 || !rseq.is_registered() || area.address != rseq.area.address ||
            length != kRseqBytes) {
            return Error::InvalidArgument;
        }
        if (signature != rseq.signature) {
            return Error::NotPermitted;
        }
        constexpr abi::RseqCpu kNone{0, RestartableSequences::kUnknownCpu};
        TRY(task.space().write_user(UserPtr<abi::RseqCpu>{area.address}, kNone));
        rseq = {};
        return 0;
    }
    if (flags != 0) {
        return Error::InvalidArgument;
    }
    if (rseq.is_registered()) {
        if (area.address != rseq.area.address || length != kRseqBytes) {
            return Error::InvalidArgument;
        }
        return signature != rseq.signature ? Error::NotPermitted : Error::Busy;
    }
    if (area.address.value % kRseqBytes != 0 || length != kRseqBytes) {
        return Error::InvalidArgument;
    }
    if (area.is_null() || area.address > platform::kUserMax - kRseqBytes) {
        return Error::BadAddress;
    }
    rseq = {area, signature};
    task.forget_cpu();
    return 0;
}

}  // namespace kernel::linux_abi
