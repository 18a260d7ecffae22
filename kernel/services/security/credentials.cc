// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/security/credentials.h"

#include <algorithm>

namespace kernel::security {

Result<RefPtr<Credentials>> Credentials::create(const CredentialValues& values, std::span<const std::uint32_t> groups) {
    if (groups.size() > kMaxGroups) {
        return Error::InvalidArgument;
    }
    Vector<std::uint32_t> sorted;
    TRY(sorted.append(groups));
    std::sort(sorted.begin(), sorted.end());
    return make_ref<Credentials>(values, std::move(sorted));
}

Result<RefPtr<Credentials>> Credentials::create_root() {
    CredentialValues values;
    values.permitted = CapabilitySet::all();
    values.effective = CapabilitySet::all();
    return create(values, {});
}

Result<RefPtr<Credentials>> Credentials::with_values(const CredentialValues& values) const {
    return create(values, groups_.span());
}

bool Credentials::in_group(std::uint32_t group) const {
    return group == values_.group_filesystem || std::binary_search(groups_.begin(), groups_.end(), group);
}

Result<RefPtr<Credentials>> Credentials::for_access_check() const {
    CredentialValues values = values_;
    values.user_filesystem = values.user_real;
    values.group_filesystem = values.group_real;
    // access(2) on Linux: unless SECBIT_NO_SETUID_FIXUP, a real user 0 has its permitted capabilities, others none.
    values.effective = values.user_real == 0 ? values.permitted : CapabilitySet{};
    return with_values(values);
}

}  // namespace kernel::security
