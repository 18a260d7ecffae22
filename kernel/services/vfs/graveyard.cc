// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/vfs/graveyard.h"

#include "lib/guarded.h"
#include "lib/immortal.h"

namespace kernel::vfs {

struct Graveyard::Globals {
    static Immortal<SpinGuarded<Graves, Rank::Graveyard>> graves;
};

Immortal<SpinGuarded<Graveyard::Graves, Rank::Graveyard>> Graveyard::Globals::graves;

void Graveyard::bury(Dentry& dentry) {
    const bool others_dig = Globals::graves->with([&](Graves& graves) {
        graves.dentries.push_back(dentry);
        return std::exchange(graves.being_emptied, true);
    });
    if (!others_dig) {
        empty();
    }
}

void Graveyard::bury(Inode& inode) {
    const bool others_dig = Globals::graves->with([&](Graves& graves) {
        graves.inodes.push_back(inode);
        return std::exchange(graves.being_emptied, true);
    });
    if (!others_dig) {
        empty();
    }
}

void Graveyard::empty() {
    while (true) {
        Dentry* dentry = nullptr;
        Inode* inode = nullptr;
        Globals::graves->with([&](Graves& graves) {
            dentry = graves.dentries.pop_front();
            if (dentry == nullptr) {
                inode = graves.inodes.pop_front();
            }
            graves.being_emptied = dentry != nullptr || inode != nullptr;
        });
        if (dentry != nullptr) {
            dentry->destroy();
        } else if (inode != nullptr) {
            inode->destroy();
        } else {
            return;
        }
    }
}

}  // namespace kernel::vfs
