// SPDX-License-Identifier: MIT OR Apache-2.0
#include <unistd.h>
#include <array>
#include <string>
#include <vector>

#include "kpio/commands.h"
#include "kpio/option_parser.h"
#include "main/boot_options.h"

namespace kpio {
namespace {

constexpr std::string_view kHelp =
    "Usage: kpio COMMAND [ARGUMENT…]\n"
    "\n"
    "  run     run a Linux program inside the KPIO kernel (kpio run --help)\n"
    "  check   tell whether this machine is suitable and what to change\n"
    "\n"
    "  --help, --version\n";

struct Command {
    std::string_view name;
    int (*function)(std::span<const std::string_view> words);
};

constexpr std::array kCommands{Command{"run", run_command}, Command{"check", check_command}};

void write_all(int descriptor, std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = write(descriptor, text.data(), text.size());
        if (written <= 0) {
            return;
        }
        text.remove_prefix(static_cast<std::size_t>(written));
    }
}

int unknown_command(std::string_view name) {
    std::string message = "unknown command '" + std::string(name) + "'";
    std::vector<std::string_view> names{"help", "version"};
    for (const Command& command : kCommands) {
        names.push_back(command.name);
    }
    if (const auto suggestion = nearest(name, names)) {
        message += "; did you mean '" + std::string(*suggestion) + "'?";
    } else {
        message += "; to run a program: kpio run " + std::string(name);
    }
    return fail(message);
}

}  // namespace

int fail(std::string_view message) {
    write_all(STDERR_FILENO, "kpio: " + std::string(message) + "\n");
    return kernel::main::kStatusKernelError;
}

void print(std::string_view text) {
    write_all(STDOUT_FILENO, text);
}

}  // namespace kpio

int main(int argc, char** argv) {
    const std::vector<std::string_view> words(argv + (argc > 0 ? 1 : 0), argv + argc);
    if (words.empty()) {
        kpio::fail("a command is missing; see kpio --help");
        return kernel::main::kStatusKernelError;
    }
    const std::string_view name = words[0];
    if (name == "--help" || name == "-h" || name == "help") {
        kpio::print(kpio::kHelp);
        return 0;
    }
    if (name == "--version" || name == "version") {
        kpio::print("kpio " KPIO_VERSION "\n");
        return 0;
    }
    for (const kpio::Command& command : kpio::kCommands) {
        if (command.name == name) {
            return command.function(std::span(words).subspan(1));
        }
    }
    return kpio::unknown_command(name);
}
