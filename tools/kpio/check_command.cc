// SPDX-License-Identifier: MIT OR Apache-2.0
#include <algorithm>
#include <string>

#include "kpio/commands.h"
#include "kpio/host_checks.h"

namespace kpio {
namespace {

std::string_view word_for(CheckState state) {
    switch (state) {
        case CheckState::Good:
            return "ok";
        case CheckState::Limited:
            return "limited";
        case CheckState::Missing:
            return "MISSING";
    }
    return "";
}

}  // namespace

int check_command(std::span<const std::string_view> words) {
    if (!words.empty()) {
        if (words[0] == "--help" || words[0] == "-h") {
            print("Usage: kpio check\n\nTells whether this machine can run KPIO. Exit status: 0 yes, 1 no.\n");
            return 0;
        }
        return fail("check takes no arguments");
    }
    const std::vector<Check> checks = check_host();
    std::string table;
    for (const Check& check : checks) {
        constexpr std::size_t kNameColumn = 24;
        constexpr std::size_t kStateColumn = 9;
        std::string line = check.name;
        line.resize(std::max(line.size() + 1, kNameColumn), ' ');
        std::string state(word_for(check.state));
        state.resize(kStateColumn, ' ');
        table += line + state + check.found + "\n";
        if (check.state != CheckState::Good && !check.advice.empty()) {
            table += std::string(kNameColumn + kStateColumn, ' ') + "-> " + check.advice + "\n";
        }
    }
    const bool suitable =
        std::ranges::none_of(checks, [](const Check& check) { return check.state == CheckState::Missing; });
    table += suitable ? "\nThis host can run KPIO.\n" : "\nThis host cannot run KPIO until what is MISSING is there.\n";
    print(table);
    return suitable ? 0 : 1;
}

}  // namespace kpio
