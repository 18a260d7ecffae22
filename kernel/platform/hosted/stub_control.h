// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include "platform/hosted/seccomp_filter.h"
#include "platform/hosted/stub/layout.h"

namespace kernel::platform::hosted {

// What makes a stub's messages and filters: everything its leader and the set-up of its threads will read.
struct StubIdentity {
    unsigned number = 0;
    std::uint32_t generation = 0;
};

// Fills a new stub's control page. Its leader makes a mapper and a thread in slot 0 of its own accord.
void prepare_stub(StubArena& arena, StubIdentity identity, Transport transport, const Filter& guest,
                  const Filter& mapper);

// Has the leader make a thread in the slot. The one before must have reported.
void request_stub_thread(StubArena& arena, unsigned slot);

}  // namespace kernel::platform::hosted
