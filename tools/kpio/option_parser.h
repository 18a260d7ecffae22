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

enum class ValueKind : std::uint8_t {
    None,      // --name
    Required,  // --name VALUE, --name=VALUE
    Optional,  // --name, --name=VALUE
};

struct OptionSpec {
    std::string_view name;  // without the dashes
    char letter = 0;        // of the short form, without value; 0: none
    ValueKind value = ValueKind::None;
    std::string_view placeholder;  // of the value, in the help text
    std::string_view help;
};

struct ParsedOption {
    const OptionSpec* spec;
    std::optional<std::string_view> value;
};

struct ParsedLine {
    std::vector<ParsedOption> options;   // in the order of the command line
    std::vector<std::string_view> rest;  // from the first word that is no option, or after "--"
};

// Options end at the first other word, so that those of the program to run are left alone. The error is a sentence for
// the user, with a suggestion where one is near.
std::expected<ParsedLine, std::string> parse_options(std::span<const OptionSpec> specs,
                                                     std::span<const std::string_view> words);

// The candidate that `word` is most likely a mistyped form of.
std::optional<std::string_view> nearest(std::string_view word, std::span<const std::string_view> candidates);

// One line for each option, for help texts.
std::string describe_options(std::span<const OptionSpec> specs);

// "512M" and the like: K, M, G, T are powers of 1024, with or without a following "B" or "iB".
std::optional<std::uint64_t> parse_bytes(std::string_view text);

std::optional<std::uint64_t> parse_number(std::string_view text);

}  // namespace kpio
