// SPDX-License-Identifier: MIT OR Apache-2.0
// shmget(2), shmat(2), shmdt(2), shmctl(2).
#include <algorithm>

#include "core/mm/address_space.h"
#include "core/mm/memory_object.h"
#include "lib/immortal.h"
#include "services/linux/ipc_table.h"
#include "services/linux/process.h"
#include "services/linux/syscalls.h"
#include "services/linux/task.h"

namespace kernel::linux_abi {
namespace {

constexpr std::uint64_t kMaxSegmentBytes = std::uint64_t{1} << 46;

// Each region that maps the segment refers to it (MapRequest::backing_name), so the references tell how often it is
// attached; its memory goes with the last.
class Segment final : public IpcObject {
public:
    static Result<RefPtr<Segment>> create(std::int32_t key, std::uint32_t mode, Task& task, std::uint64_t bytes) {
        RefPtr<mm::AnonymousObject> memory = TRY(mm::AnonymousObject::create(align_up(bytes, kPageSize)));
        return make_ref<Segment>(key, mode, task, bytes, std::move(memory));
    }
    std::uint64_t bytes() const { return bytes_; }
    mm::MemoryObject& memory() const { return *memory_; }
    void note_attached(int pid) {
        times_.with([&](Times& times) {
            times.attach_s = ipc_now_s();
            times.last_pid = pid;
        });
    }
    void note_detached(int pid) {
        times_.with([&](Times& times) {
            times.detach_s = ipc_now_s();
            times.last_pid = pid;
        });
    }
    void note_changed() {
        times_.with([](Times& times) { times.change_s = ipc_now_s(); });
    }
    // The caller has one reference.
    abi::ShmidDs status() const {
        const std::uint32_t own = is_removed() ? 1 : 2;
        const std::uint32_t references = reference_count();
        return times_.with([&](const Times& times) {
            abi::ShmidDs status{};
            status.perm = permissions();
            status.bytes = bytes_;
            status.attach_time = times.attach_s;
            status.detach_time = times.detach_s;
            status.change_time = times.change_s;
            status.creator_pid = creator_pid_;
            status.last_pid = times.last_pid;
            status.attachments = references > own ? references - own : 0;
            return status;
        });
    }

private:
    friend class kernel::ObjectMaker;
    struct Times {
        std::int64_t attach_s = 0, detach_s = 0, change_s = 0;
        int last_pid = 0;
    };
    Segment(std::int32_t key, std::uint32_t mode, Task& task, std::uint64_t bytes, RefPtr<mm::AnonymousObject> memory)
        : IpcObject(key, mode, *task.credentials()),
          bytes_(bytes),
          memory_(std::move(memory)),
          creator_pid_(task.process().pid()) {
        note_changed();
    }
    ~Segment() override = default;

    const std::uint64_t bytes_;
    const RefPtr<mm::AnonymousObject> memory_;
    const int creator_pid_;
    SpinGuarded<Times, Rank::Pipe> times_;
};

Immortal<IpcTable<Segment>> segments;

// Of an attached segment, the region that begins at the address.
std::optional<mm::RegionInfo> attached_region(mm::AddressSpace& space, VirtAddr address) {
    std::optional<mm::RegionInfo> region = space.region_at_or_after(address);
    if (!region || region->start != address || !region->backing_name || region->object_offset != 0 ||
        region->backing_name->type() != object::ObjectType::Other) {
        return std::nullopt;
    }
    return region;
}

}  // namespace

Result<std::int64_t> sys_shmget(Task& task, Int key, Size bytes, Hex flags) {
    const auto bits = static_cast<std::uint32_t>(flags);
    const auto make = [&]() -> Result<RefPtr<Segment>> {
        if (bytes == 0 || bytes > kMaxSegmentBytes) {
            return Error::InvalidArgument;
        }
        return Segment::create(key, bits, task, bytes);
    };
    const auto check = [&](const Segment& segment) -> Result<> {
        return bytes > segment.bytes() ? Result<>(Error::InvalidArgument) : Result<>();
    };
    return TRY(segments->get(task, key, bits, make, check));
}

Result<std::int64_t> sys_shmat(Task& task, Int id, Address address, Hex flags) {
    const auto bits = static_cast<std::uint32_t>(flags);
    const bool read_only = (bits & abi::kShmRdonly) != 0;
    VirtAddr place = address;
    if (!place.is_page_aligned()) {
        if ((bits & abi::kShmRnd) == 0) {
            return Error::InvalidArgument;
        }
        place = place.page_down();
    }
    if (place.is_null() && (bits & abi::kShmRemap) != 0) {
        return Error::InvalidArgument;
    }
    const RefPtr<Segment> segment = TRY(segments->find(id));
    TRY(segment->check_access(*task.credentials(), static_cast<IpcAccess>(read_only ? 0444u : 0666u)));
    mm::MapRequest request;
    request.address = place;
    request.bytes = align_up(segment->bytes(), kPageSize);
    request.access = read_only ? mm::Access::Read : mm::Access::Read | mm::Access::Write;
    if ((bits & abi::kShmExec) != 0) {
        request.access = request.access | mm::Access::Execute;
    }
    if (read_only) {
        request.max_access = mm::Access::Read | mm::Access::Execute;
    }
    request.fixed = !place.is_null();
    request.no_replace = request.fixed && (bits & abi::kShmRemap) == 0;
    request.shared = true;
    request.object = RefPtr<mm::MemoryObject>(segment->memory());
    request.backing_name = segment;
    const Result<VirtAddr> mapped = task.space().map(request);
    if (!mapped) {
        return mapped.error() == Error::Exists ? Error::InvalidArgument : mapped.error();
    }
    segment->note_attached(task.process().pid());
    return static_cast<std::int64_t>(mapped->value);
}

Result<std::int64_t> sys_shmdt(Task& task, Address address) {
    if (!VirtAddr(address).is_page_aligned()) {
        return Error::InvalidArgument;
    }
    const std::optional<mm::RegionInfo> first = attached_region(task.space(), address);
    if (!first) {
        return Error::InvalidArgument;
    }
    // Only segments have backing names of this type.
    const RefPtr<Segment> segment = static_ref_cast<Segment>(first->backing_name);
    // Parts that were protected differently are regions of their own; holes between them stay what they are.
    const VirtAddr start = address;
    const VirtAddr end = start + align_up(segment->bytes(), kPageSize);
    for (VirtAddr next = start; next < end;) {
        const std::optional<mm::RegionInfo> region = task.space().region_at_or_after(next);
        if (!region || region->start >= end) {
            break;
        }
        if (region->backing_name == segment && region->object_offset == region->start - start) {
            TRY(task.space().unmap(region->start, std::min(region->end, end) - region->start));
        }
        next = region->end;
    }
    segment->note_detached(task.process().pid());
    return 0;
}

Result<std::int64_t> sys_shmctl(Task& task, Int id, Int command, UserPtr<abi::ShmidDs> buffer) {
    if (id < 0 || command < 0) {
        return Error::InvalidArgument;
    }
    const RefPtr<security::Credentials> credentials = task.credentials();
    switch (command) {
        case abi::kIpcStat: {
            const RefPtr<Segment> segment = TRY(segments->find(id));
            TRY(segment->check_access(*credentials, IpcAccess::Read));
            TRY(task.space().write_user(buffer, segment->status()));
            return 0;
        }
        case abi::kIpcSet: {
            const abi::ShmidDs wanted = TRY(task.space().read_user(buffer));
            const RefPtr<Segment> segment = TRY(segments->find(id));
            TRY(segment->check_owner(*credentials));
            segment->set_owner(wanted.perm);
            segment->note_changed();
            return 0;
        }
        case abi::kIpcRmid: {
            const RefPtr<Segment> segment = TRY(segments->find(id));
            TRY(segment->check_owner(*credentials));
            (void)segments->remove(*segment);
            return 0;
        }
        case abi::kShmLock:
        case abi::kShmUnlock: {
            // Nothing is ever swapped out.
            const RefPtr<Segment> segment = TRY(segments->find(id));
            TRY(segment->check_owner(*credentials));
            return 0;
        }
        default:
            return Error::InvalidArgument;
    }
}

}  // namespace kernel::linux_abi
