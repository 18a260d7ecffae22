// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include "lib/list.h"
#include "services/vfs/dentry.h"
#include "services/vfs/inode.h"

namespace kernel::vfs {

// Where inodes and dentries are destroyed: one after the other, never one inside another. Without it the last reference
// to the end of a long chain (a path of thousands of directories) would run its destructors as a recursion of that
// depth on a kernel stack. What is destroyed here may have been buried by another thread. So references are dropped
// with no lock held that ranks after Rank::Directory, and destructors take none that ranks before Rank::Overlay, and do
// not wait.
class Graveyard {
public:
    static void bury(Dentry& dentry);
    static void bury(Inode& inode);

private:
    struct Graves {
        IntrusiveList<Inode, &Inode::graveyard_node_> inodes;
        IntrusiveList<Dentry, &Dentry::graveyard_node_> dentries;
        bool being_emptied = false;
    };
    struct Globals;

    static void empty();
};

}  // namespace kernel::vfs
