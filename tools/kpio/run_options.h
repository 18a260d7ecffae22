// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kpio {

struct BindOption {
    std::string_view host;
    std::string_view guest;
    bool read_only = false;
};

// What `kpio run` was told; nothing has been looked up on the host yet. Views are of the command line.
struct RunOptions {
    std::optional<std::string_view> root{};
    std::vector<BindOption> binds{};
    bool writable = false;
    std::optional<std::uint64_t> memory_bytes{};
    std::optional<unsigned> cpus{};
    std::vector<std::string_view> environment{};
    std::optional<std::string_view> working_directory{};
    bool trace = false;
    std::optional<std::string_view> trace_file{};
    bool statistics = false;
    bool quiet = false;
    bool help = false;
    std::vector<std::string_view> arguments{};
};

// The error is one sentence for the user.
std::expected<RunOptions, std::string> parse_run_options(std::span<const std::string_view> words);

std::string run_help();

}  // namespace kpio
