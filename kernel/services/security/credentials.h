// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "lib/ref.h"
#include "lib/result.h"
#include "lib/vector.h"
#include "services/security/capability.h"

namespace kernel::security {

inline constexpr std::size_t kMaxGroups = 65536;  // NGROUPS_MAX

// The identity of a process, credentials(7). The file-system ids are what file permissions are checked against.
struct CredentialValues {
    std::uint32_t user_real = 0, user_effective = 0, user_saved = 0, user_filesystem = 0;
    std::uint32_t group_real = 0, group_effective = 0, group_saved = 0, group_filesystem = 0;
    CapabilitySet permitted, effective, inheritable, ambient;
    CapabilitySet bounding = CapabilitySet::all();
    std::uint32_t secure_bits = 0;
    bool no_new_privileges = false;
};

// Immutable, so that threads share it without a lock: changing one's credentials means making new ones.
class Credentials final : public RefCounted {
public:
    // Errors: NoMemory, InvalidArgument (too many groups).
    static Result<RefPtr<Credentials>> create(const CredentialValues& values, std::span<const std::uint32_t> groups);
    // User 0 with all capabilities.
    static Result<RefPtr<Credentials>> create_root();
    // The same supplementary groups, other values.
    Result<RefPtr<Credentials>> with_values(const CredentialValues& values) const;

    const CredentialValues& values() const { return values_; }
    // Ascending.
    std::span<const std::uint32_t> groups() const { return groups_.span(); }
    std::uint32_t file_user() const { return values_.user_filesystem; }
    std::uint32_t file_group() const { return values_.group_filesystem; }
    bool capable(Capability capability) const { return values_.effective.has(capability); }
    // The file-system group or a supplementary one.
    bool in_group(std::uint32_t group) const;
    // As access(2) checks: the real ids in the place of the effective ones, capabilities as an exec by that user would
    // get.
    Result<RefPtr<Credentials>> for_access_check() const;

private:
    friend class kernel::ObjectMaker;
    Credentials(const CredentialValues& values, Vector<std::uint32_t> groups)
        : values_(values), groups_(std::move(groups)) {}

    CredentialValues values_;
    Vector<std::uint32_t> groups_;
};

}  // namespace kernel::security
