// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include "lib/lock_checker.h"
#include "lib/mutex.h"
#include "lib/types.h"

namespace kernel::vfs {

// One activity at a time, where a lock cannot be used because the activity may call a pager or touch user memory:
// positions of open files, writes of one inode. Not ranked and not seen by the lock checker; the rule that keeps it
// free of deadlocks is in the README: position before inode, one of each, and no pager waits for a turn. Waiting is not
// interruptible.
class Turn : NonCopyable {
public:
    // May block; no spinlock is held.
    void take() {
        assert_may_block();
        core_.lock();
    }
    void give_back() { core_.unlock(); }

    class Holder : NonCopyable {
    public:
        explicit Holder(Turn& turn) : turn_(turn) { turn_.take(); }
        ~Holder() { turn_.give_back(); }

    private:
        Turn& turn_;
    };

private:
    MutexCore core_;
};

}  // namespace kernel::vfs
