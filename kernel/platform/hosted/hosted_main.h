// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstdint>
#include <span>

namespace kernel::platform::hosted {

// A file or directory of the host that open_host_root() will be asked for; all others are out of the kernel's reach.
struct HostRoot {
    const char* path;
    bool writable;
};

// What the host gives to the kernel.
struct HostedOptions {
    std::uint64_t memory_bytes = 0;  // that guests can have, page cache and memory file systems included
    unsigned cpus = 1;
    std::uint64_t start_ns = 0;  // of the host's CLOCK_MONOTONIC: time zero of the kernel's clock; 0: now
    int trace_descriptor = -1;   // where ConsoleStream::Trace writes; -1: standard error
    std::span<const HostRoot> roots{};
    bool confine = true;  // off only to debug the kernel itself
};

// Turns the calling process into the kernel: sets up memory, CPU 0, guests and confinement, then kernel_main(). Called
// from main() while the process has one thread. Prints a message and exits with status 125 when the host refuses.
[[noreturn]] void hosted_start(const HostedOptions& options);

}  // namespace kernel::platform::hosted
