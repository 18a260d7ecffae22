// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include "core/sched/wait_queue.h"

// What wake-ups of a socket's queues announce, in the bits of poll(2).
namespace kernel::net::unix_domain {

inline constexpr sched::WakeReason kBecameReadable =
    0x1 | 0x2 | 0x40 | 0x80;                                               // POLLIN, POLLPRI, POLLRDNORM, POLLRDBAND
inline constexpr sched::WakeReason kBecameWritable = 0x4 | 0x100 | 0x200;  // POLLOUT, POLLWRNORM, POLLWRBAND

}  // namespace kernel::net::unix_domain
