// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace kpio {

enum class CheckState : std::uint8_t {
    Good,
    Limited,  // works, but slower or with less
    Missing,  // kpio run will not work
};

struct Check {
    std::string name;
    CheckState state = CheckState::Good;
    std::string found;
    std::string advice{};  // what to change
};

// Tries out on this host what the hosted platform needs. Takes some milliseconds.
std::vector<Check> check_host();

// "6.1.0-13-cloud-amd64" as 6001; 0 when it is no version.
unsigned parse_kernel_version(const std::string& release);

}  // namespace kpio
