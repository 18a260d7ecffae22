// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <span>
#include <string_view>

namespace kpio {

// The commands of kpio. Each takes the words after its name and gives the exit status.
int run_command(std::span<const std::string_view> words);
int check_command(std::span<const std::string_view> words);

// Prints "kpio: message" to standard error and gives the status for kpio's own mistakes.
int fail(std::string_view message);

void print(std::string_view text);

}  // namespace kpio
