// SPDX-License-Identifier: MIT OR Apache-2.0
#include "main/command_line.h"

#include <array>
#include <optional>

#include "lib/log.h"
#include "main/boot_options.h"
#include "platform/boot.h"

namespace kernel::main {
namespace {

constexpr std::size_t kMaxWords = 64;
constexpr std::size_t kMaxBytes = 4096;

struct Words {
    std::array<std::string_view, kMaxWords> items;
    std::size_t count = 0;
    std::span<const std::string_view> all() const { return std::span(items).first(count); }
    void add(std::string_view word) {
        if (count < items.size()) {
            items[count++] = word;
        } else {
            log_warn("command line: more than {} words, \"{}\" is ignored", kMaxWords, word);
        }
    }
};

// Everything that the options point to, for ever.
struct Storage {
    std::array<char, kMaxBytes> text{};
    Words words, arguments, environment;
    BootOptions options;
};
Storage storage;

// Splits at spaces outside of quotes, which disappear.
void split(std::string_view line) {
    char* out = storage.text.data();
    const char* const end = out + storage.text.size();
    const char* word = out;
    bool in_word = false;
    char quote = '\0';
    const auto finish = [&] {
        if (in_word) {
            storage.words.add(std::string_view(word, static_cast<std::size_t>(out - word)));
        }
        in_word = false;
    };
    for (const char c : line) {
        if (out == end) {
            break;
        }
        if (quote == '\0' && (c == ' ' || c == '\t' || c == '\n')) {
            finish();
            continue;
        }
        if (!in_word) {
            word = out;
        }
        in_word = true;
        if (quote == '\0' && (c == '"' || c == '\'')) {
            quote = c;
        } else if (c == quote) {
            quote = '\0';
        } else {
            *out++ = c;
        }
    }
    finish();
}

std::optional<std::uint32_t> parse_number(std::string_view text) {
    constexpr std::uint64_t kBase = 10;
    if (text.empty()) {
        return std::nullopt;
    }
    std::uint64_t number = 0;
    for (const char c : text) {
        if (c < '0' || c > '9') {
            return std::nullopt;
        }
        number = number * kBase + static_cast<std::uint64_t>(c - '0');
        if (number > UINT32_MAX) {
            return std::nullopt;
        }
    }
    return static_cast<std::uint32_t>(number);
}

void set_number(std::string_view key, std::string_view value, std::uint32_t& target) {
    if (const std::optional<std::uint32_t> number = parse_number(value)) {
        target = *number;
    } else {
        log_warn("command line: {}={} is no number", key, value);
    }
}

void apply(std::string_view word) {
    const std::size_t equals = word.find('=');
    const std::string_view key = word.substr(0, equals);
    const std::string_view value = equals == std::string_view::npos ? std::string_view() : word.substr(equals + 1);
    BootOptions& options = storage.options;
    if (key == "trace") {
        options.trace = true;
    } else if (key == "stats") {
        options.statistics = true;
    } else if (key == "quiet") {
        options.quiet = true;
    } else if (key == "cwd") {
        options.working_directory = value;
    } else if (key == "env") {
        storage.environment.add(value);
    } else if (key == "uid") {
        set_number(key, value, options.uid);
    } else if (key == "gid") {
        set_number(key, value, options.gid);
    } else if (key == "threads") {
        set_number(key, value, options.max_threads);
    } else if (key == "handles") {
        set_number(key, value, options.max_handles);
    } else {
        log_warn("command line: unknown word \"{}\"", word);
    }
}

}  // namespace

void apply_boot_command_line() {
    const std::string_view line = platform::boot_command_line();
    if (line.empty()) {
        return;
    }
    split(line);
    bool program = false;
    for (const std::string_view word : storage.words.all()) {
        if (program) {
            storage.arguments.add(word);
        } else if (word == "--") {
            program = true;
        } else {
            apply(word);
        }
    }
    storage.options.arguments = storage.arguments.all();
    storage.options.environment = storage.environment.all();
    set_boot_options(storage.options);
}

}  // namespace kernel::main
