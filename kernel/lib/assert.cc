// SPDX-License-Identifier: MIT OR Apache-2.0
#include "lib/assert.h"

#include "lib/format.h"

namespace kernel {

void assertion_failed(const char* condition, const char* file, int line) {
    InlineFormatBuffer<256> message;
    format_to(message, "assertion failed: {} at {}:{}", condition, file, line);
    panic(message.c_str());
}

}  // namespace kernel
