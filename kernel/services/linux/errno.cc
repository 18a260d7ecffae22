// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/errno.h"

namespace kernel::linux_abi {

int errno_of(Error error) {
    switch (error) {
#define X(kernel_error, number, name) \
    case Error::kernel_error:         \
        return number;
        KPIO_LINUX_ERRNOS(X)
#undef X
        default:
            return 4;  // EINTR: the restart errors and Killed, where nobody resolved them
    }
}

const char* errno_name(int number) {
    switch (number) {
#define X(kernel_error, value, name) \
    case value:                      \
        return #name;
        KPIO_LINUX_ERRNOS(X)
#undef X
        default:
            return "E?";
    }
}

}  // namespace kernel::linux_abi
