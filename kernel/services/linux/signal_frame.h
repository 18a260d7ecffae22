// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include "lib/result.h"
#include "services/linux/task.h"

// The frame that a handler finds on its stack, as arch/x86/kernel/signal_64.c lays it out.
namespace kernel::linux_abi {

// Pushes the frame and points the registers to the handler. Errors: BadAddress (the stack cannot be written), Killed.
Result<> push_signal_frame(Task& task, platform::Registers& registers, const abi::Sigaction& action,
                           const abi::Siginfo& info);

// rt_sigreturn(2): registers, vector state, mask and alternate stack from the frame under the stack pointer. Nothing of
// it is trusted. Errors: BadAddress, InvalidArgument (a state that the processor would refuse).
Result<> pop_signal_frame(Task& task, platform::Registers& registers);

}  // namespace kernel::linux_abi
