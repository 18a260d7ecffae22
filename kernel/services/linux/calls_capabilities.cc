// SPDX-License-Identifier: MIT OR Apache-2.0
// capget(2), capset(2), setfsuid(2), setfsgid(2); capabilities(7).
#include "abi/linux/process.h"
#include "services/linux/process.h"
#include "services/linux/process_tree.h"
#include "services/linux/syscalls.h"
#include "services/linux/task.h"

namespace kernel::linux_abi {
namespace {

using security::Capability;
using security::CapabilitySet;
using security::CredentialValues;

enum CapabilityVersion : std::uint32_t { kVersion1 = 0x19980330, kVersion2 = 0x20071026, kVersion3 = 0x20080522 };

// How many 32-bit parts a version has; with an unknown one the caller learns which is known.
Result<std::size_t> parts_of_version(Task& task, UserPtr<abi::CapabilityHeader> header, std::uint32_t version) {
    switch (version) {
        case kVersion1:
            return std::size_t{1};
        case kVersion2:
        case kVersion3:
            return std::size_t{2};
        default:
            TRY(task.space().write_user(UserPtr<std::uint32_t>{header.address}, kVersion3));
            return Error::InvalidArgument;
    }
}

std::uint32_t part_of(CapabilitySet set, std::size_t part) {
    return static_cast<std::uint32_t>(set.bits >> (32 * part));
}

Result<CredentialValues> values_of(Task& task, std::int32_t pid) {
    if (pid < 0) {
        return Error::InvalidArgument;
    }
    if (pid == 0 || pid == task.tid()) {
        return task.credentials()->values();
    }
    const RefPtr<Task> target = process_tree::find_task(pid);
    if (!target) {
        return Error::NoSuchProcess;
    }
    return target->credentials()->values();
}

bool is_subset(CapabilitySet set, std::uint64_t of) {
    return (set.bits & ~of) == 0;
}

// setfsuid(2), setfsgid(2): they tell what was before, and nothing else.
Result<std::int64_t> set_filesystem_id(Task& task, std::uint32_t id, Capability capability, bool is_user) {
    const RefPtr<security::Credentials> current = task.credentials();
    CredentialValues values = current->values();
    std::uint32_t& own = is_user ? values.user_filesystem : values.group_filesystem;
    const std::uint32_t old = own;
    const bool is_own = is_user ? id == values.user_real || id == values.user_effective || id == values.user_saved
                                : id == values.group_real || id == values.group_effective || id == values.group_saved;
    if (id == UINT32_MAX || id == old || (!is_own && !current->capable(capability))) {
        return old;
    }
    own = id;
    if (is_user) {
        // capabilities(7), "Effect of user ID changes on capabilities": those that concern files.
        constexpr std::uint64_t kFileCapabilities =
            CapabilitySet::bit(Capability::Chown) | CapabilitySet::bit(Capability::DacOverride) |
            CapabilitySet::bit(Capability::DacReadSearch) | CapabilitySet::bit(Capability::FileOwner) |
            CapabilitySet::bit(Capability::FileSetId) | CapabilitySet::bit(Capability::LinuxImmutable) |
            CapabilitySet::bit(Capability::MakeNode) | CapabilitySet::bit(Capability::MacOverride);
        if (old == 0) {
            values.effective.bits &= ~kFileCapabilities;
        } else if (id == 0) {
            values.effective.bits |= values.permitted.bits & kFileCapabilities;
        }
    }
    task.set_credentials(TRY(current->with_values(values)));
    return old;
}

}  // namespace

Result<std::int64_t> sys_capget(Task& task, UserPtr<abi::CapabilityHeader> header, UserPtr<abi::CapabilityData> data) {
    const abi::CapabilityHeader request = TRY(task.space().read_user(header));
    const Result<std::size_t> parts = parts_of_version(task, header, request.version);
    if (!parts) {
        // Asking for the version only is no error.
        return data || parts.error() != Error::InvalidArgument ? Result<std::int64_t>(parts.error())
                                                               : Result<std::int64_t>(0);
    }
    const CredentialValues values = TRY(values_of(task, request.pid));
    if (!data) {
        return Error::BadAddress;
    }
    for (std::size_t part = 0; part < *parts; ++part) {
        TRY(task.space().write_user(
            data + part, abi::CapabilityData{part_of(values.effective, part), part_of(values.permitted, part),
                                             part_of(values.inheritable, part)}));
    }
    return 0;
}

Result<std::int64_t> sys_capset(Task& task, UserPtr<abi::CapabilityHeader> header, UserPtr<abi::CapabilityData> data) {
    const abi::CapabilityHeader request = TRY(task.space().read_user(header));
    const std::size_t parts = TRY(parts_of_version(task, header, request.version));
    if (request.pid != 0 && request.pid != task.tid()) {
        return Error::NotPermitted;
    }
    CapabilitySet effective, permitted, inheritable;
    for (std::size_t part = 0; part < parts; ++part) {
        const abi::CapabilityData wanted = TRY(task.space().read_user(data + part));
        effective.bits |= std::uint64_t{wanted.effective} << (32 * part);
        permitted.bits |= std::uint64_t{wanted.permitted} << (32 * part);
        inheritable.bits |= std::uint64_t{wanted.inheritable} << (32 * part);
    }
    const std::uint64_t known = CapabilitySet::all().bits;
    effective.bits &= known;
    permitted.bits &= known;
    inheritable.bits &= known;
    const RefPtr<security::Credentials> current = task.credentials();
    CredentialValues values = current->values();
    const bool may_inherit_more = current->capable(Capability::SetCapabilities);
    if ((!may_inherit_more && !is_subset(inheritable, values.inheritable.bits | values.permitted.bits)) ||
        !is_subset(inheritable, values.inheritable.bits | values.bounding.bits) ||
        !is_subset(permitted, values.permitted.bits) || !is_subset(effective, permitted.bits)) {
        return Error::NotPermitted;
    }
    values.effective = effective;
    values.permitted = permitted;
    values.inheritable = inheritable;
    values.ambient.bits &= permitted.bits & inheritable.bits;
    task.set_credentials(TRY(current->with_values(values)));
    return 0;
}

Result<std::int64_t> sys_setfsuid(Task& task, Int uid) {
    return set_filesystem_id(task, static_cast<std::uint32_t>(uid.value), Capability::SetUid, true);
}

Result<std::int64_t> sys_setfsgid(Task& task, Int gid) {
    return set_filesystem_id(task, static_cast<std::uint32_t>(gid.value), Capability::SetGid, false);
}

}  // namespace kernel::linux_abi
