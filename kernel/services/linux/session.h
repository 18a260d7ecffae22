// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include "lib/guarded.h"
#include "lib/lock_rank.h"
#include "lib/ref.h"
#include "services/vfs/file.h"

namespace kernel::linux_abi {

class Terminal;

// A session and its controlling terminal, credentials(7).
class Session final : public RefCounted {
public:
    static Result<RefPtr<Session>> create(int id);
    int id() const { return id_; }

    RefPtr<Terminal> terminal() const;
    void set_terminal(RefPtr<Terminal> terminal);

private:
    friend class kernel::ObjectMaker;
    explicit Session(int id);
    ~Session() override;
    const int id_;
    mutable SpinGuarded<RefPtr<Terminal>, Rank::Session> terminal_;
};

}  // namespace kernel::linux_abi
