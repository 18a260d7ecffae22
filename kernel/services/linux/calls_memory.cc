// SPDX-License-Identifier: MIT OR Apache-2.0
// mmap(2), munmap(2), mprotect(2), mremap(2), madvise(2), msync(2), brk(2).
#include "abi/linux/mman.h"
#include "services/linux/syscalls.h"
#include "services/linux/task.h"
#include "services/vfs/file.h"
#include "services/vfs/seals.h"

namespace kernel::linux_abi {
namespace {

mm::Access access_of(std::uint32_t protection) {
    mm::Access access = mm::Access::None;
    if ((protection & abi::kProtRead) != 0) {
        access = access | mm::Access::Read;
    }
    if ((protection & abi::kProtWrite) != 0) {
        access = access | mm::Access::Read | mm::Access::Write;
    }
    if ((protection & abi::kProtExec) != 0) {
        access = access | mm::Access::Read | mm::Access::Execute;
    }
    return access;
}

constexpr std::uint32_t kKnownProtection =
    abi::kProtRead | abi::kProtWrite | abi::kProtExec | abi::kProtGrowsdown | abi::kProtGrowsup;

// The file's share in a mapping, with the permission checks of mmap(2). The turn of a file that can be sealed is taken
// until the mapping is there.
Result<> attach_file(Task& task, std::int32_t fd, std::int64_t offset, mm::MapRequest& request,
                     std::optional<vfs::Turn::Holder>& turn) {
    const RefPtr<object::Object> object = TRY(task.handles().get(fd));
    if (object->type() != object::ObjectType::File) {
        return Error::BadHandle;
    }
    const auto& file = static_cast<vfs::File&>(*object);
    if (file.is_path_only()) {
        return Error::BadHandle;
    }
    if (!file.is_readable()) {
        return Error::AccessDenied;
    }
    if (request.shared && !file.is_writable()) {
        if (mm::allows(request.access, mm::Access::Write)) {
            return Error::AccessDenied;
        }
        request.max_access = mm::Access::Read | mm::Access::Execute;
    }
    vfs::Inode* const inode = file.inode();
    if (request.shared && inode != nullptr && inode->seals() != nullptr) {
        turn.emplace(inode->write_turn());
        if (vfs::is_sealed(*inode, vfs::kSealWrite | vfs::kSealFutureWrite)) {
            if (mm::allows(request.access, mm::Access::Write)) {
                return Error::NotPermitted;
            }
            request.max_access = mm::Access::Read | mm::Access::Execute;
        }
    }
    request.object = TRY(static_cast<vfs::File&>(*object).memory_object());
    request.object_offset = static_cast<std::uint64_t>(offset);
    request.backing_name = object;
    return {};
}

Result<> attach_anonymous(mm::MapRequest& request) {
    if (!request.shared) {
        return {};
    }
    request.object = TRY(mm::AnonymousObject::create(align_up(request.bytes, kPageSize)));
    return {};
}

std::optional<mm::Advice> advice_of(std::int32_t advice) {
    switch (advice) {
        case abi::kMadvDontneed:
            return mm::Advice::DontNeed;
        case abi::kMadvFree:
            return mm::Advice::Free;
        case abi::kMadvRemove:
            return mm::Advice::Remove;
        case abi::kMadvWillneed:
            return mm::Advice::WillNeed;
        case abi::kMadvPopulateRead:
            return mm::Advice::Populate;
        case abi::kMadvPopulateWrite:
            return mm::Advice::PopulateWrite;
        case abi::kMadvNormal:
        case abi::kMadvRandom:
        case abi::kMadvSequential:
        case abi::kMadvMergeable:
        case abi::kMadvUnmergeable:
        case abi::kMadvHugepage:
        case abi::kMadvNohugepage:
        case abi::kMadvDontdump:
        case abi::kMadvDodump:
        case abi::kMadvCold:
        case abi::kMadvPageout:
            return mm::Advice::Normal;
        default:
            return std::nullopt;
    }
}

}  // namespace

Result<std::int64_t> sys_mmap(Task& task, Address address, Size length, ProtectionArg protection, MapFlagsArg flags,
                              Fd fd, Offset offset) {
    const std::uint32_t type = flags & abi::kMapType;
    if (length == 0 || (static_cast<std::uint64_t>(offset) & (kPageSize - 1)) != 0) {
        return Error::InvalidArgument;
    }
    if (type != abi::kMapShared && type != abi::kMapPrivate && type != abi::kMapSharedValidate) {
        return Error::InvalidArgument;
    }
    mm::MapRequest request;
    request.bytes = length;
    request.address =
        (flags & (abi::kMapFixed | abi::kMapFixedNoreplace)) != 0 ? address.value : address.value.page_up();
    if (!align_up_checked(length.value, kPageSize)) {
        return Error::NoMemory;
    }
    if ((flags & abi::kMapAnonymous) == 0 &&
        !checked_add(static_cast<std::uint64_t>(offset), align_up(length.value, kPageSize))) {
        return Error::Overflow;
    }
    request.access = access_of(protection);
    request.fixed = (flags & (abi::kMapFixed | abi::kMapFixedNoreplace)) != 0;
    request.no_replace = (flags & abi::kMapFixedNoreplace) != 0;
    request.below_4gib = (flags & abi::kMap32Bit) != 0;
    request.shared = type != abi::kMapPrivate;
    request.grows_down = (flags & abi::kMapGrowsdown) != 0;
    request.populate = (flags & (abi::kMapPopulate | abi::kMapLocked)) != 0;
    if (request.fixed && length > platform::kUserMax.value) {
        return Error::NoMemory;
    }
    if (request.fixed && address.value.value > platform::kUserMax.value - length) {
        return Error::NoMemory;
    }
    std::optional<vfs::Turn::Holder> turn;
    if ((flags & abi::kMapAnonymous) != 0) {
        TRY(attach_anonymous(request));
    } else {
        TRY(attach_file(task, fd, offset, request, turn));
    }
    const VirtAddr mapped = TRY(task.space().map(request));
    return static_cast<std::int64_t>(mapped.value);
}

Result<std::int64_t> sys_munmap(Task& task, Address address, Size length) {
    TRY(task.space().unmap(address, length));
    return 0;
}

Result<std::int64_t> sys_mprotect(Task& task, Address address, Size length, ProtectionArg protection) {
    if ((protection & ~kKnownProtection) != 0) {
        return Error::InvalidArgument;
    }
    constexpr std::uint32_t kGrows = abi::kProtGrowsdown | abi::kProtGrowsup;
    if (!address.value.is_page_aligned() || (protection & kGrows) == kGrows) {
        return Error::InvalidArgument;
    }
    if (length == 0) {
        return 0;
    }
    VirtAddr start = address;
    if ((protection & kGrows) != 0) {
        // The whole of a stack from its present beginning; no mapping grows up here.
        const std::optional<mm::RegionInfo> region = task.space().region_at_or_after(address);
        if (!region || region->start > start) {
            return Error::NoMemory;
        }
        if (!region->grows_down || (protection & abi::kProtGrowsup) != 0) {
            return Error::InvalidArgument;
        }
        start = region->start;
    }
    TRY(task.space().protect(start, length + (address.value - start), access_of(protection)));
    return 0;
}

Result<std::int64_t> sys_mremap(Task& task, Address old_address, Size old_length, Size new_length, Hex flags,
                                Address new_address) {
    if ((flags & ~std::uint64_t{abi::kMremapMaymove | abi::kMremapFixed | abi::kMremapDontunmap}) != 0) {
        return Error::InvalidArgument;
    }
    mm::RemapOptions options;
    options.may_move = (flags & abi::kMremapMaymove) != 0;
    options.keep_old = (flags & abi::kMremapDontunmap) != 0;
    if ((flags & abi::kMremapFixed) != 0) {
        if (!options.may_move) {
            return Error::InvalidArgument;
        }
        options.fixed = new_address.value;
    }
    const VirtAddr moved = TRY(task.space().remap(old_address, old_length, new_length, options));
    return static_cast<std::int64_t>(moved.value);
}

Result<std::int64_t> sys_madvise(Task& task, Address address, Size length, Int advice) {
    const std::optional<mm::Advice> known = advice_of(advice);
    if (!known || !address.value.is_page_aligned()) {
        return Error::InvalidArgument;
    }
    if (!align_up_checked(length.value, kPageSize)) {
        return Error::InvalidArgument;
    }
    if (length == 0) {
        return 0;
    }
    TRY(task.space().advise(address, length, *known));
    return 0;
}

Result<std::int64_t> sys_msync(Task& task, Address address, Size length, Hex flags) {
    constexpr std::uint64_t kKnown = abi::kMsAsync | abi::kMsInvalidate | abi::kMsSync;
    if ((flags & ~kKnown) != 0 || ((flags & abi::kMsAsync) != 0 && (flags & abi::kMsSync) != 0)) {
        return Error::InvalidArgument;
    }
    if (!address.value.is_page_aligned()) {
        return Error::InvalidArgument;
    }
    TRY(task.space().sync(address, length));
    return 0;
}

Result<std::int64_t> sys_brk(Task& task, Address address) {
    return static_cast<std::int64_t>(task.space().set_break(address).value);
}

}  // namespace kernel::linux_abi
