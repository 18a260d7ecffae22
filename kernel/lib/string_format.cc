// SPDX-License-Identifier: MIT OR Apache-2.0
#include "lib/string_format.h"

#include <array>

namespace kernel {

Result<> append_unchecked(String& out, std::string_view text, std::span<const FormatArgument> arguments) {
    InlineFormatBuffer<128> on_stack;
    format_unchecked(on_stack, text, arguments);
    if (!on_stack.truncated()) {
        return out.append(on_stack.view());
    }
    // Too long for the stack: now the length is known, so a second pass writes in place.
    const std::size_t start = out.size();
    TRY(out.resize(start + on_stack.wanted_size()));
    // The string's terminating NUL is the buffer's.
    FormatBuffer in_place(std::span(out.data() + start, on_stack.wanted_size() + 1));
    format_unchecked(in_place, text, arguments);
    return {};
}

}  // namespace kernel
