// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/write_denial.h"

namespace kernel::linux_abi {

Result<RefPtr<WriteDenial>> WriteDenial::create(vfs::Inode& inode) {
    RefPtr<WriteDenial> denial = TRY(make_ref<WriteDenial>(inode));
    TRY(inode.deny_writing());
    denial->denies_ = true;
    return denial;
}

WriteDenial::~WriteDenial() {
    if (denies_) {
        inode_->allow_writing();
    }
}

}  // namespace kernel::linux_abi
