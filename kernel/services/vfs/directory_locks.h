// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <compare>

#include "services/vfs/inode.h"

namespace kernel::vfs {

// The locks of a few directories at once, without deadlock: taken in the order of their addresses, each once. Nulls are
// ignored. Whoever holds one directory's lock by itself takes no second one.
class DirectoryLocks : NonCopyable {
public:
    explicit DirectoryLocks(std::array<Inode*, 3> directories) KPIO_NO_THREAD_SAFETY_ANALYSIS {
        for (Inode* const directory : directories) {
            if (directory != nullptr) {
                locks_[count_++] = &directory->directory_lock();
            }
        }
        const auto end = locks_.begin() + static_cast<std::ptrdiff_t>(count_);
        // The built-in < says nothing about unrelated objects; this order is total.
        std::sort(locks_.begin(), end, [](const Inode::DirectoryLock* left, const Inode::DirectoryLock* right) {
            return std::compare_three_way()(left, right) < 0;
        });
        count_ = static_cast<std::size_t>(std::unique(locks_.begin(), end) - locks_.begin());
        for (std::size_t i = 0; i < count_; ++i) {
            locks_[i]->lock(LockOrder::SameRankByAddress);
        }
    }
    ~DirectoryLocks() KPIO_NO_THREAD_SAFETY_ANALYSIS {
        while (count_ != 0) {
            locks_[--count_]->unlock();
        }
    }

private:
    std::array<Inode::DirectoryLock*, 3> locks_{};
    std::size_t count_ = 0;
};

}  // namespace kernel::vfs
