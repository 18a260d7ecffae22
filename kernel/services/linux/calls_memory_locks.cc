// SPDX-License-Identifier: MIT OR Apache-2.0
// mincore(2), mlock(2) and its like. Nothing is ever swapped out, so locked memory need only be brought in; what
// remains of a lock is that clean pages of files may leave.
#include <algorithm>
#include <array>

#include "services/linux/process.h"
#include "services/linux/syscalls.h"
#include "services/linux/task.h"

namespace kernel::linux_abi {
namespace {

enum LockAllFlags : std::uint64_t { kMclCurrent = 1, kMclFuture = 2, kMclOnFault = 4 };
constexpr std::uint64_t kMlockOnFault = 1;

struct Range {
    VirtAddr start{};
    VirtAddr end{};
};

// As mlock(2) rounds it. Errors: InvalidArgument (it wraps around).
Result<Range> rounded(VirtAddr address, std::uint64_t bytes) {
    const VirtAddr start = address.page_down();
    // A length near the end of the type wraps around to nothing there, too.
    const auto end = start.checked_add(align_up(bytes + (address - start), kPageSize));
    if (!end) {
        return Error::InvalidArgument;
    }
    return Range{start, *end};
}

// RLIMIT_MEMLOCK, getrlimit(2). What was locked before is not counted.
Result<> check_lock_limit(Task& task, std::uint64_t bytes) {
    if (task.credentials()->capable(security::Capability::IpcLock)) {
        return {};
    }
    const std::uint64_t limit = task.process().limit(abi::kRlimitMemlock).current;
    if (limit == 0) {
        return Error::NotPermitted;
    }
    return bytes > limit ? Error::NoMemory : Result<>();
}

// Brings the pages of the range in as far as they can be used. Errors: NoMemory (a part is not mapped).
Result<> bring_in(mm::AddressSpace& space, Range range) {
    VirtAddr covered = range.start;
    while (covered < range.end) {
        const auto region = space.region_at_or_after(covered);
        if (!region || region->start > covered) {
            return Error::NoMemory;
        }
        const VirtAddr end = std::min(region->end, range.end);
        const bool own_copy = !region->shared && mm::allows(region->access, mm::Access::Write);
        if (region->access != mm::Access::None) {
            const auto advice = own_copy ? mm::Advice::PopulateWrite : mm::Advice::Populate;
            // Beyond the end of a file there is nothing to be locked.
            if (const Result<> done = space.advise(covered, end - covered, advice);
                !done && done.error() != Error::Io) {
                return done.error() == Error::NoMemory ? Error::WouldBlock : done.error();
            }
        }
        covered = end;
    }
    return {};
}

Result<> check_mapped(mm::AddressSpace& space, Range range) {
    return space.advise(range.start, range.end - range.start, mm::Advice::Normal);
}

Result<std::int64_t> lock_range(Task& task, VirtAddr address, std::uint64_t bytes, bool on_fault) {
    const Range range = TRY(rounded(address, bytes));
    TRY(check_lock_limit(task, range.end - range.start));
    if (range.start == range.end) {
        return 0;
    }
    TRY(check_mapped(task.space(), range));
    if (!on_fault) {
        TRY(bring_in(task.space(), range));
    }
    return 0;
}

}  // namespace

Result<std::int64_t> sys_mincore(Task& task, Address address, Size length, Address states) {
    if (!address.value.is_page_aligned()) {
        return Error::InvalidArgument;
    }
    const auto end = address.value.checked_add(length);
    if (!end || *end > platform::kUserMax) {
        return Error::NoMemory;
    }
    std::array<std::byte, 256> chunk;
    VirtAddr page = address;
    VirtAddr out = states;
    while (page < *end) {
        std::size_t count = 0;
        for (; count < chunk.size() && page < *end; ++count, page += kPageSize) {
            chunk[count] = std::byte{static_cast<std::uint8_t>(TRY(task.space().is_resident(page)) ? 1 : 0)};
        }
        TRY(task.space().copy_out(out, std::span(chunk).first(count)));
        out += count;
    }
    return 0;
}

Result<std::int64_t> sys_mlock(Task& task, Address address, Size length) {
    return lock_range(task, address, length, false);
}

Result<std::int64_t> sys_mlock2(Task& task, Address address, Size length, Hex flags) {
    if ((flags & UINT32_MAX & ~kMlockOnFault) != 0) {
        return Error::InvalidArgument;
    }
    return lock_range(task, address, length, (flags & kMlockOnFault) != 0);
}

Result<std::int64_t> sys_munlock(Task& task, Address address, Size length) {
    const Range range = TRY(rounded(address, length));
    TRY(check_mapped(task.space(), range));
    return 0;
}

Result<std::int64_t> sys_mlockall(Task& task, Hex flags) {
    constexpr std::uint64_t kKnown = kMclCurrent | kMclFuture | kMclOnFault;
    const std::uint64_t wanted = flags & UINT32_MAX;
    if (wanted == 0 || (wanted & ~kKnown) != 0 || wanted == kMclOnFault) {
        return Error::InvalidArgument;
    }
    const std::uint64_t bytes = (wanted & kMclCurrent) != 0 ? task.space().usage().virtual_bytes : 0;
    TRY(check_lock_limit(task, bytes));
    if ((wanted & kMclCurrent) == 0 || (wanted & kMclOnFault) != 0) {
        return 0;
    }
    for (auto region = task.space().region_at_or_after({}); region;
         region = task.space().region_at_or_after(region->end)) {
        (void)bring_in(task.space(), {region->start, region->end});  // what cannot come in stays out, mlockall(2)
    }
    return 0;
}

Result<std::int64_t> sys_munlockall(Task&) {
    return 0;
}

}  // namespace kernel::linux_abi
