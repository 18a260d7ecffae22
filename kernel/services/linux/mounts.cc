// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/mounts.h"

#include "lib/guarded.h"
#include "lib/immortal.h"

namespace kernel::linux_abi {
namespace {

Immortal<SpinGuarded<RefPtr<vfs::MountNamespace>, Rank::FsContext>> current;

}  // namespace

void set_mount_namespace(RefPtr<vfs::MountNamespace> mounts) {
    current->with([&](RefPtr<vfs::MountNamespace>& value) { value.swap(mounts); });
}

RefPtr<vfs::MountNamespace> mount_namespace() {
    return current->with([](RefPtr<vfs::MountNamespace>& value) { return value; });
}

}  // namespace kernel::linux_abi
