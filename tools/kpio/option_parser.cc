// SPDX-License-Identifier: MIT OR Apache-2.0
#include "kpio/option_parser.h"

#include <algorithm>
#include <charconv>

namespace kpio {
namespace {

std::string quoted(std::string_view text) {
    return "'" + std::string(text) + "'";
}

// Insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
std::size_t edit_distance(std::string_view from, std::string_view to) {
    std::vector<std::vector<std::size_t>> table(from.size() + 1, std::vector<std::size_t>(to.size() + 1));
    for (std::size_t i = 0; i <= from.size(); ++i) {
        for (std::size_t j = 0; j <= to.size(); ++j) {
            if (i == 0 || j == 0) {
                table[i][j] = i + j;
                continue;
            }
            const std::size_t replace = table[i - 1][j - 1] + (from[i - 1] == to[j - 1] ? 0 : 1);
            table[i][j] = std::min({table[i - 1][j] + 1, table[i][j - 1] + 1, replace});
            if (i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1]) {
                table[i][j] = std::min(table[i][j], table[i - 2][j - 2] + 1);
            }
        }
    }
    return table[from.size()][to.size()];
}

std::unexpected<std::string> unknown_option(std::span<const OptionSpec> specs, std::string_view word) {
    std::string message = "unknown option " + quoted(word);
    std::vector<std::string_view> names;
    for (const OptionSpec& spec : specs) {
        names.push_back(spec.name);
    }
    const std::string_view name = word.substr(std::min(word.find_first_not_of('-'), word.size()));
    if (const auto suggestion = nearest(name.substr(0, name.find('=')), names)) {
        message += "; did you mean '--" + std::string(*suggestion) + "'?";
    }
    return std::unexpected(message);
}

const OptionSpec* find_long(std::span<const OptionSpec> specs, std::string_view name) {
    const auto found = std::ranges::find(specs, name, &OptionSpec::name);
    return found == specs.end() ? nullptr : &*found;
}

const OptionSpec* find_short(std::span<const OptionSpec> specs, std::string_view word) {
    if (word.size() != 2) {
        return nullptr;
    }
    const auto found = std::ranges::find(specs, word[1], &OptionSpec::letter);
    return found == specs.end() ? nullptr : &*found;
}

}  // namespace

std::expected<ParsedLine, std::string> parse_options(std::span<const OptionSpec> specs,
                                                     std::span<const std::string_view> words) {
    ParsedLine line;
    std::size_t at = 0;
    for (; at < words.size(); ++at) {
        const std::string_view word = words[at];
        if (word == "--") {
            ++at;
            break;
        }
        if (word.size() < 2 || word[0] != '-') {
            break;
        }
        const bool is_long = word.starts_with("--");
        const std::size_t equals = is_long ? word.find('=') : std::string_view::npos;
        const OptionSpec* spec = is_long ? find_long(specs, word.substr(2, equals - 2)) : find_short(specs, word);
        if (spec == nullptr) {
            return unknown_option(specs, word);
        }
        ParsedOption option{.spec = spec, .value = std::nullopt};
        if (equals != std::string_view::npos) {
            option.value = word.substr(equals + 1);
        } else if (spec->value == ValueKind::Required) {
            if (at + 1 == words.size()) {
                return std::unexpected("option " + quoted(word) + " needs a value: " + std::string(spec->placeholder));
            }
            option.value = words[++at];
        }
        if (spec->value == ValueKind::None && option.value.has_value()) {
            return std::unexpected("option " + quoted(word.substr(0, equals)) + " takes no value");
        }
        line.options.push_back(option);
    }
    line.rest.assign(words.begin() + static_cast<std::ptrdiff_t>(at), words.end());
    return line;
}

std::optional<std::string_view> nearest(std::string_view word, std::span<const std::string_view> candidates) {
    // A third of the letters may be wrong; a beginning counts as well.
    std::optional<std::string_view> best;
    std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
    for (const std::string_view candidate : candidates) {
        const bool begins = word.size() >= 2 && candidate.starts_with(word);
        const std::size_t distance = begins ? 1 : edit_distance(word, candidate);
        if (distance < best_distance) {
            best = candidate;
            best_distance = distance;
        }
    }
    return best;
}

std::string describe_options(std::span<const OptionSpec> specs) {
    constexpr std::size_t kColumn = 26;
    std::string text;
    for (const OptionSpec& spec : specs) {
        std::string line = "  ";
        line += spec.letter != 0 ? std::string{'-', spec.letter, ',', ' '} : std::string();
        line += "--" + std::string(spec.name);
        if (spec.value == ValueKind::Required) {
            line += " " + std::string(spec.placeholder);
        } else if (spec.value == ValueKind::Optional) {
            line += "[=" + std::string(spec.placeholder) + "]";
        }
        line.resize(std::max(line.size() + 2, kColumn), ' ');
        text += line + std::string(spec.help) + "\n";
    }
    return text;
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc() || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

std::optional<std::uint64_t> parse_bytes(std::string_view text) {
    const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    const auto number = parse_number(text.substr(0, digits));
    std::string_view unit = text.substr(digits);
    if (!number.has_value()) {
        return std::nullopt;
    }
    constexpr std::string_view kUnits = "KMGT";
    std::uint64_t factor = 1;
    if (!unit.empty() && unit != "B") {
        const std::size_t power = kUnits.find(unit[0] >= 'a' ? static_cast<char>(unit[0] - 'a' + 'A') : unit[0]);
        unit.remove_prefix(1);
        if (power == std::string_view::npos || !(unit.empty() || unit == "B" || unit == "iB")) {
            return std::nullopt;
        }
        factor = std::uint64_t{1} << (10 * (power + 1));
    }
    std::uint64_t bytes = 0;
    if (__builtin_mul_overflow(*number, factor, &bytes)) {
        return std::nullopt;
    }
    return bytes;
}

}  // namespace kpio
