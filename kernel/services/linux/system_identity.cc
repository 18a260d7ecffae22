// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/system_identity.h"

#include "lib/guarded.h"

namespace kernel::linux_abi {
namespace {

struct Names {
    ChangeableName host = ChangeableName::truncated("kpio");
    ChangeableName domain = ChangeableName::truncated("(none)");
};
SpinGuarded<Names, Rank::FsContext> names;

}  // namespace

ChangeableName host_name() {
    return names.with([](const Names& all) { return all.host; });
}

ChangeableName domain_name() {
    return names.with([](const Names& all) { return all.domain; });
}

void set_host_name(const ChangeableName& name) {
    names.with([&](Names& all) { all.host = name; });
}

void set_domain_name(const ChangeableName& name) {
    names.with([&](Names& all) { all.domain = name; });
}

}  // namespace kernel::linux_abi
