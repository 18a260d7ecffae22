// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include "platform/hosted/seccomp_filter.h"
#include "platform/hosted/stub/layout.h"

namespace kernel::platform::hosted {

// What start_stub_platform has set up; constant afterwards.
int zygote_socket();
int arena_descriptor();
StubArena& stub_arena(unsigned number);
const Filter& guest_filter();
const Filter& mapper_filter();

// Orders the stub that the first program will run in.
void order_first_stub();

}  // namespace kernel::platform::hosted
