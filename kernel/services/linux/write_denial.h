// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include "lib/ref.h"
#include "lib/result.h"
#include "services/vfs/inode.h"

namespace kernel::linux_abi {

// While it lives nobody can open the file for writing: a program that runs, execve(2) and open(2), ETXTBSY.
class WriteDenial final : public RefCounted {
public:
    // Errors: TextBusy (somebody has it open for writing), NoMemory.
    static Result<RefPtr<WriteDenial>> create(vfs::Inode& inode);

private:
    friend class kernel::ObjectMaker;
    explicit WriteDenial(vfs::Inode& inode) : inode_(inode) {}
    ~WriteDenial() override;

    const RefPtr<vfs::Inode> inode_;
    bool denies_ = false;
};

}  // namespace kernel::linux_abi
