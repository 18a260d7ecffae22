// SPDX-License-Identifier: MIT OR Apache-2.0
#include "lib/log.h"

#include <array>

namespace kernel {
namespace {

std::string_view prefix_of(LogLevel level) {
    switch (level) {
        case LogLevel::Error:
            return "kpio: ";
        case LogLevel::Warning:
            return "kpio: warning: ";
        case LogLevel::Info:
            return "";
    }
    return "";
}

}  // namespace

void log_unchecked(LogLevel level, std::string_view format, std::span<const FormatArgument> arguments) {
    // One byte is set aside so that a line that was cut still ends with its newline.
    std::array<char, kLogLineBytes> storage;
    FormatBuffer line(std::span(storage).first(kLogLineBytes - 1));
    line.put(prefix_of(level));
    format_unchecked(line, format, arguments);
    const std::size_t length = line.view().size();
    storage[length] = '\n';
    log_write({storage.data(), length + 1});
}

}  // namespace kernel
