// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstdint>

#include "lib/own.h"
#include "lib/result.h"
#include "platform/hosted/seccomp_filter.h"
#include "platform/hosted/stub_process.h"

namespace kernel::platform::hosted {

// The kernel process's side of the zygote: orders stubs, keeps a few ready, and receives their listeners.
// The host threads of stubs send these themselves, by code and from memory that no guest can change.

// A running stub with a mapper and one thread or more. Errors: NoMemory, WouldBlock (limits of the host or of the
// arena).
Result<ReadyStub> take_stub();

// Takes over a stub whose threads all wait in the handler and that has nothing mapped. False, and nothing is changed,
// when there are enough.
bool keep_stub(ReadyStub& stub);

// A further thread, in a slot without one. Errors: NoMemory, WouldBlock; Killed when the stub must be killed, because a
// thread is in it that cannot be reached.
Result<OwnPtr<GuestThread>> make_guest_thread(StubArena& arena, StubIdentity identity, unsigned slot);

// Gives up the process id, number and frame pages of a stub that has been killed and will run no guest code again.
void forget_stub(const ReadyStub& stub);

}  // namespace kernel::platform::hosted
