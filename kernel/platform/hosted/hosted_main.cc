// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/hosted/hosted_main.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <algorithm>

#include "lib/log.h"
#include "platform/entry.h"
#include "platform/hosted/confinement.h"
#include "platform/hosted/guest_memory.h"
#include "platform/hosted/host_clock.h"
#include "platform/hosted/shutdown.h"
#include "platform/hosted/stub_platform.h"
#include "platform/hosted/terminal.h"
#include "platform/hosted/vcpu.h"

namespace kernel::platform::hosted {
namespace {

// The kernel's own memory (heap, page tables of our own, frame bookkeeping) for that much guest memory. It is only
// address space until it is touched.
std::uint64_t kernel_zone_bytes(std::uint64_t guest_bytes) {
    constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
    return std::clamp(guest_bytes / 8, 64 * kMiB, 4096 * kMiB);
}

// A closed standard stream's number would be given to the next descriptor that we open, say guest memory.
void fill_standard_streams() {
    for (const int descriptor : {0, 1, 2}) {
        if (fcntl(descriptor, F_GETFD) < 0) {
            // The lowest free number is this one, because the ones below are taken.
            static_cast<void>(open("/dev/null", descriptor == 0 ? O_RDONLY : O_WRONLY));
        }
    }
}

[[noreturn]] void refuse(std::string_view what) {
    log_write("kpio: ");
    log_write(what);
    log_write("; `kpio check` tells more\n");
    end_process(kStatusKernelFailure);
}

// Guests cost descriptors (listeners, process handles). No core file: it would hold all guests' memory.
void set_up_limits() {
    rlimit files{};
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    const rlimit core{.rlim_cur = 0, .rlim_max = 0};
    setrlimit(RLIMIT_CORE, &core);
}

}  // namespace

void hosted_start(const HostedOptions& options) {
    fill_standard_streams();
    set_up_clock(options.start_ns);
    set_up_user_clock();
    umask(0);  // permissions are the guest's business
    set_up_limits();
    if (!set_up_frames(options.memory_bytes, kernel_zone_bytes(options.memory_bytes))) {
        refuse("the host gives no memory (address space limit, or memfd_create is not allowed)");
    }
    if (const Result<> started = start_stub_platform(); !started.has_value()) {
        refuse(start_failure_text());
    }
    set_up_boot_cpu(options.cpus);
    set_up_console(options.trace_descriptor);
    set_up_signals();
    if (options.confine && !confine_kernel_process(options.roots)) {
        refuse("the host does not let us confine ourselves (seccomp)");
    }
    kernel_main();
}

}  // namespace kernel::platform::hosted
