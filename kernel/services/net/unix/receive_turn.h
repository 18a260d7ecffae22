// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include "lib/mutex.h"
#include "services/net/unix/socket.h"

namespace kernel::net::unix_domain {

// Held by the one that copies out of a socket's queue: what is in front stays there. Waiting for bytes happens without
// it.
class Socket::ReceiveTurn : NonCopyable {
public:
    explicit ReceiveTurn(Socket& socket) : core_(socket.receive_turn_) {
        assert_may_block();
        core_.lock();
    }
    ~ReceiveTurn() { core_.unlock(); }

private:
    MutexCore& core_;
};

}  // namespace kernel::net::unix_domain
