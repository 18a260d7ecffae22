// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/power.h"

#include <sys/syscall.h>

#include "platform/hosted/host_syscall.h"
#include "platform/hosted/shutdown.h"
#include "platform/hosted/stub_platform.h"
#include "platform/hosted/terminal.h"

namespace kernel::platform {

void hosted::end_process(int status) {
    stop_stub_platform();
    restore_terminal();
    // Without the C library's exit handlers: other vCPUs are still running.
    for (;;) {
        host_syscall(SYS_exit_group, status);
    }
}

void power_off(int status) {
    hosted::end_process(status);
}

}  // namespace kernel::platform
