// SPDX-License-Identifier: MIT OR Apache-2.0
#include "kpio/run_options.h"

#include <array>

#include "kpio/option_parser.h"
#include "platform/cpu.h"

namespace kpio {
namespace {

constexpr std::uint64_t kMinimumMemory = std::uint64_t{16} << 20;
constexpr std::uint64_t kMaximumMemory = std::uint64_t{1} << 44;

constexpr std::array kRunOptions = std::to_array<OptionSpec>({
    {"root", 0, ValueKind::Required, "DIR", "use DIR of the host as the guest's /, under a layer in memory"},
    {"bind", 0, ValueKind::Required, "HOST:GUEST[:ro]", "show a file or directory of the host; writable unless :ro"},
    {"rw", 0, ValueKind::None, "", "let the guest change the working directory (with --root: DIR) on the host"},
    {"memory", 0, ValueKind::Required, "N", "memory of the guest, e.g. 512M (default: half of the host's)"},
    {"cpus", 0, ValueKind::Required, "N", "processors of the guest (default: the host's, at most 4)"},
    {"env", 0, ValueKind::Required, "K=V", "set a variable; without =V pass the caller's on"},
    {"cwd", 0, ValueKind::Required, "DIR", "start in this directory of the guest"},
    {"trace", 0, ValueKind::Optional, "FILE", "print system calls to standard error or FILE"},
    {"stats", 0, ValueKind::None, "", "print times, system calls and memory at the end"},
    {"quiet", 'q', ValueKind::None, "", "no messages of the kernel's own"},
    {"help", 'h', ValueKind::None, "", "print this text"},
});

using Status = std::expected<void, std::string>;

Status fail(std::string_view option, std::string_view value, std::string_view expected) {
    return std::unexpected("--" + std::string(option) + " " + std::string(value) + ": " + std::string(expected));
}

Status add_bind(RunOptions& options, std::string_view text) {
    BindOption bind;
    std::string_view rest = text;
    if (rest.ends_with(":ro") || rest.ends_with(":rw")) {
        bind.read_only = rest.ends_with(":ro");
        rest.remove_suffix(3);
    }
    const std::size_t colon = rest.find(':');
    if (colon == 0 || colon == std::string_view::npos || colon + 1 == rest.size()) {
        return fail("bind", text, "expected HOST:GUEST or HOST:GUEST:ro");
    }
    bind.host = rest.substr(0, colon);
    bind.guest = rest.substr(colon + 1);
    if (bind.guest[0] != '/') {
        return fail("bind", text, "the path in the guest must begin with /");
    }
    options.binds.push_back(bind);
    return {};
}

Status set_memory(RunOptions& options, std::string_view text) {
    options.memory_bytes = parse_bytes(text);
    if (!options.memory_bytes.has_value()) {
        return fail("memory", text, "expected a size such as 512M or 2G");
    }
    if (*options.memory_bytes < kMinimumMemory || *options.memory_bytes > kMaximumMemory) {
        return fail("memory", text, "must be between 16M and 16T");
    }
    return {};
}

Status set_cpus(RunOptions& options, std::string_view text) {
    const auto number = parse_number(text);
    if (!number.has_value() || *number == 0 || *number > kernel::platform::kMaxCpus) {
        return fail("cpus", text, "expected a number from 1 to " + std::to_string(kernel::platform::kMaxCpus));
    }
    options.cpus = static_cast<unsigned>(*number);
    return {};
}

Status apply(RunOptions& options, const ParsedOption& option) {
    const std::string_view name = option.spec->name;
    const std::string_view value = option.value.value_or("");
    if (name == "root") {
        options.root = value;
    } else if (name == "bind") {
        return add_bind(options, value);
    } else if (name == "rw") {
        options.writable = true;
    } else if (name == "memory") {
        return set_memory(options, value);
    } else if (name == "cpus") {
        return set_cpus(options, value);
    } else if (name == "env") {
        if (value.empty() || value[0] == '=') {
            return fail(name, value, "expected NAME=VALUE");
        }
        options.environment.push_back(value);
    } else if (name == "cwd") {
        if (!value.starts_with('/')) {
            return fail(name, value, "must be an absolute path of the guest");
        }
        options.working_directory = value;
    } else if (name == "trace") {
        options.trace = true;
        options.trace_file = option.value;
        if (option.value.has_value() && value.empty()) {
            return fail("trace=", value, "expected a file name");
        }
    } else if (name == "stats") {
        options.statistics = true;
    } else if (name == "quiet") {
        options.quiet = true;
    } else if (name == "help") {
        options.help = true;
    }
    return {};
}

}  // namespace

std::expected<RunOptions, std::string> parse_run_options(std::span<const std::string_view> words) {
    auto line = parse_options(kRunOptions, words);
    if (!line.has_value()) {
        return std::unexpected(line.error());
    }
    RunOptions options;
    for (const ParsedOption& option : line->options) {
        if (const Status applied = apply(options, option); !applied.has_value()) {
            return std::unexpected(applied.error());
        }
    }
    options.arguments = std::move(line->rest);
    return options;
}

std::string run_help() {
    return "Usage: kpio run [OPTION…] [--] [PROGRAM [ARGUMENT…]]\n"
           "\n"
           "Runs a Linux program inside the KPIO kernel; without a program, a shell.\n"
           "\n"
           "The guest sees the host's /usr, /bin, /sbin, /lib*, /etc without secrets, the working directory and the\n"
           "directory of a program that is named by path. What it changes there lies in memory and is gone at the "
           "end.\n"
           "Everything else of the host does not exist for it unless it is bound.\n"
           "\n"
           "Options:\n" +
           describe_options(kRunOptions) +
           "\n"
           "Exit status: the program's (128+n when signal n ended it); 125 when kpio itself fails, 126 when the "
           "program\n"
           "cannot be executed, 127 when there is no such program.\n";
}

}  // namespace kpio
