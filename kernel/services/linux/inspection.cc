// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/inspection.h"

#include "services/linux/process.h"

namespace kernel::linux_abi {

bool may_inspect(Task& caller, Task& target, InspectAs as) {
    if (&caller.process() == &target.process()) {
        return true;
    }
    const RefPtr<security::Credentials> own = caller.credentials();
    const RefPtr<security::Credentials> other = target.credentials();
    const security::CredentialValues& a = own->values();
    const security::CredentialValues& b = other->values();
    const std::uint32_t user = as == InspectAs::RealUser ? a.user_real : a.user_filesystem;
    const std::uint32_t group = as == InspectAs::RealUser ? a.group_real : a.group_filesystem;
    const bool same_user = user == b.user_real && user == b.user_effective && user == b.user_saved &&
                           group == b.group_real && group == b.group_effective && group == b.group_saved;
    const bool no_more_capable = (b.permitted.bits & ~a.permitted.bits) == 0;
    return (same_user && no_more_capable && target.process().dumpable()) ||
           own->capable(security::Capability::SysPtrace);
}

}  // namespace kernel::linux_abi
