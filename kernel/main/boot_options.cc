// SPDX-License-Identifier: MIT OR Apache-2.0
#include "main/boot_options.h"

namespace kernel::main {
namespace {
BootOptions options;
}

void set_boot_options(const BootOptions& chosen) {
    options = chosen;
}
const BootOptions& boot_options() {
    return options;
}

}  // namespace kernel::main
