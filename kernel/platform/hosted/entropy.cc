// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/entropy.h"

#include <sys/random.h>
#include <cerrno>

#include "lib/assert.h"

namespace kernel::platform {

void fill_random(std::span<std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t count = getrandom(bytes.data(), bytes.size(), 0);
        if (count < 0 && errno != EINTR) {
            panic("the host gives no random numbers");
        }
        if (count > 0) {
            bytes = bytes.subspan(static_cast<std::size_t>(count));
        }
    }
}

}  // namespace kernel::platform
