// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include "lib/guarded.h"
#include "lib/lock_rank.h"
#include "lib/ref.h"
#include "services/vfs/path.h"

namespace kernel::linux_abi {

// What CLONE_FS shares: root, working directory, umask.
class FsContext : public RefCounted {
public:
    static Result<RefPtr<FsContext>> create(vfs::Path root, vfs::Path working_directory, std::uint32_t umask);
    Result<RefPtr<FsContext>> clone() const;

    vfs::Path root() const;
    vfs::Path working_directory() const;
    std::uint32_t umask() const;
    void set_root(vfs::Path path);
    void set_working_directory(vfs::Path path);
    std::uint32_t exchange_umask(std::uint32_t mask);

private:
    friend class kernel::ObjectMaker;
    struct State {
        vfs::Path root;
        vfs::Path working_directory;
        std::uint32_t umask = 022;
    };
    FsContext() = default;
    mutable SpinGuarded<State, Rank::FsContext> state_;
};

}  // namespace kernel::linux_abi
