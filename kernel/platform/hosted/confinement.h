// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <span>

#include "platform/hosted/hosted_main.h"

namespace kernel::platform::hosted {

// What is left to the kernel process once it runs guests, should one of them get hold of it:
//  - files: reading below `roots`, changing below those that are writable (Landlock, where the host has it);
//  - system calls: the list in confinement.cc (seccomp). No program can be executed, no executable memory made, no
//  socket
//    opened, no text typed into the terminal; anything else ends the kernel with a message;
//  - when started by root: of root's capabilities only those to reach files (for writable roots also to change them)
//  and to
//    signal the guest processes, which run as another user. It stays user 0, because as anybody else it could not
//    show root's files.
// Open descriptors stay usable. Holds for the calling thread and those it creates: call it while there is only one,
// after start_stub_platform(). False when the host refuses the system call filter.
bool confine_kernel_process(std::span<const HostRoot> roots);

}  // namespace kernel::platform::hosted
