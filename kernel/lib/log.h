// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "lib/format.h"

namespace kernel {

enum class LogLevel : std::uint8_t { Error, Warning, Info };

// Receives one complete line with its newline. Implemented by main or the platform, in unit tests by tests/support. May
// be called from several CPUs at once and with locks held up to Rank::Log; does not block.
void log_write(std::string_view line);

inline constexpr std::size_t kLogLineBytes = 512;

void log_unchecked(LogLevel level, std::string_view format, std::span<const FormatArgument> arguments);

namespace detail {
template <class... Args>
void log_at(LogLevel level, FormatString<Args...> format, const Args&... args) {
    if constexpr (sizeof...(Args) == 0) {
        log_unchecked(level, format.text(), {});
    } else {
        const FormatArgument arguments[] = {FormatArgument(args)...};
        log_unchecked(level, format.text(), arguments);
    }
}
}  // namespace detail

// Lines longer than kLogLineBytes are cut. No newline at the end of the format.
template <class... Args>
void log_error(FormatString<Args...> format, const Args&... args) {
    detail::log_at<Args...>(LogLevel::Error, format, args...);
}
template <class... Args>
void log_warn(FormatString<Args...> format, const Args&... args) {
    detail::log_at<Args...>(LogLevel::Warning, format, args...);
}
template <class... Args>
void log_info(FormatString<Args...> format, const Args&... args) {
    detail::log_at<Args...>(LogLevel::Info, format, args...);
}

}  // namespace kernel
