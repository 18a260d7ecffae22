// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include "lib/format.h"
#include "lib/result.h"
#include "lib/string.h"

namespace kernel {

Result<> append_unchecked(String& out, std::string_view text, std::span<const FormatArgument> arguments);

// Like format_to, into a string that grows: for text whose length has no bound. Error::NoMemory leaves `out` as it was.
// No argument is (part of) `out`.
template <class... Args>
Result<> append_format(String& out, FormatString<Args...> format, const Args&... args) {
    if constexpr (sizeof...(Args) == 0) {
        return append_unchecked(out, format.text(), {});
    } else {
        const FormatArgument arguments[] = {FormatArgument(args)...};
        return append_unchecked(out, format.text(), arguments);
    }
}

}  // namespace kernel
