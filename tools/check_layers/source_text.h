// SPDX-License-Identifier: MIT OR Apache-2.0
// A C++ source file split into what the rules look at: code without comments and literals, and the comments.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace check_layers {

struct SourceLine {
    std::string code;     // comments and the contents of literals removed; `#include "x"` keeps its path
    std::string comment;  // text of the comments on this line, without the slashes

    bool has_code() const { return code.find_first_not_of(" \t\r") != std::string::npos; }
};

// Never fails: text that is no valid C++ gives some lines, and the compiler reports it.
std::vector<SourceLine> split_source(std::string_view text);

// The identifiers in a line of code, in order.
std::vector<std::string_view> identifiers(std::string_view code);

}  // namespace check_layers
