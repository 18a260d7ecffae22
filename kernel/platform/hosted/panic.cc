// SPDX-License-Identifier: MIT OR Apache-2.0
// lib's hooks for messages and for the end.
#include <sys/syscall.h>
#include <sys/uio.h>
#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>

#include "lib/assert.h"
#include "lib/log.h"
#include "platform/hosted/host_syscall.h"
#include "platform/hosted/shutdown.h"
#include "platform/hosted/terminal.h"

namespace kernel {

using platform::hosted::host_syscall;

// One writev for a line, so that lines of several CPUs do not mix. What standard error does not take is lost.
void log_write(std::string_view line) {
    constexpr int kStandardError = 2;
    const bool raw = platform::hosted::terminal_is_raw() && line.ends_with('\n');
    if (raw) {
        line.remove_suffix(1);
    }
    constexpr std::string_view kEnd = "\r\n";
    const auto part = [](std::string_view text) {
        // SAFETY: iovec is not const-correct; writev only reads.
        return iovec{.iov_base = const_cast<char*>(text.data()), .iov_len = text.size()};
    };
    const std::array parts{part(line), part(kEnd)};
    host_syscall(SYS_writev, kStandardError, parts.data(), raw ? 2 : 1);
}

void panic(const char* message) {
    static std::atomic<bool> panicked = false;
    if (!panicked.exchange(true)) {
        log_write("kpio: kernel panic: ");
        log_write(message);
        log_write("\n");
    }
    platform::hosted::end_process(platform::hosted::kStatusKernelFailure);
}

}  // namespace kernel
