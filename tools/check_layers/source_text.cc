// SPDX-License-Identifier: MIT OR Apache-2.0
#include "check_layers/source_text.h"

#include <cctype>
#include <cstddef>
#include <utility>

namespace check_layers {
namespace {

bool is_word(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

bool is_digit(char c) {
    return std::isdigit(static_cast<unsigned char>(c)) != 0;
}

class Splitter {
public:
    explicit Splitter(std::string_view text) : text_(text) {}

    std::vector<SourceLine> run() {
        while (position_ < text_.size()) {
            step();
        }
        if (!line_.code.empty() || !line_.comment.empty()) {
            end_line();
        }
        return std::move(lines_);
    }

private:
    bool at(std::string_view expected) const { return text_.substr(position_).starts_with(expected); }

    void end_line() { lines_.push_back(std::exchange(line_, {})); }

    void step() {
        const char c = text_[position_];
        if (c == '\n') {
            end_line();
            ++position_;
        } else if (at("//")) {
            line_comment();
        } else if (at("/*")) {
            block_comment();
        } else if (is_include_path()) {
            include_path();
        } else if (c == '"') {
            string_literal();
        } else if (c == '\'') {
            quoted('\'');
        } else if (is_word(c)) {
            word();
        } else {
            line_.code += c;
            ++position_;
        }
    }

    void line_comment() {
        position_ += 2;
        while (position_ < text_.size() && text_[position_] != '\n') {
            line_.comment += text_[position_++];
        }
    }

    void block_comment() {
        position_ += 2;
        line_.code += ' ';
        while (position_ < text_.size() && !at("*/")) {
            if (text_[position_] == '\n') {
                end_line();
            } else {
                line_.comment += text_[position_];
            }
            ++position_;
        }
        position_ += 2;
    }

    bool is_include_path() const {
        const std::size_t start = line_.code.find_first_not_of(" \t");
        return text_[position_] == '"' && start != std::string::npos && line_.code[start] == '#' &&
               line_.code.find("include", start) != std::string::npos;
    }

    void include_path() {
        do {
            line_.code += text_[position_++];
        } while (position_ < text_.size() && text_[position_] != '"' && text_[position_] != '\n');
        if (position_ < text_.size() && text_[position_] == '"') {
            line_.code += text_[position_++];
        }
    }

    void string_literal() {
        if (!line_.code.empty() && line_.code.back() == 'R') {
            raw_string();
        } else {
            quoted('"');
        }
    }

    void quoted(char quote) {
        line_.code += quote;
        ++position_;
        while (position_ < text_.size() && text_[position_] != quote && text_[position_] != '\n') {
            const bool escaped = text_[position_] == '\\' && position_ + 1 < text_.size() && !at("\\\n");
            position_ += escaped ? 2 : 1;
        }
        if (position_ < text_.size() && text_[position_] == quote) {
            line_.code += quote;
            ++position_;
        }
    }

    void raw_string() {
        const std::size_t open = text_.find('(', position_);
        if (open == std::string_view::npos) {
            ++position_;
            return;
        }
        const std::string end = ")" + std::string(text_.substr(position_ + 1, open - position_ - 1)) + "\"";
        line_.code += "\"";
        position_ = open + 1;
        while (position_ < text_.size() && !at(end)) {
            if (text_[position_] == '\n') {
                end_line();
            }
            ++position_;
        }
        position_ += end.size();
        line_.code += "\"";
    }

    // A whole identifier or number: the quotes inside a number are digit separators.
    void word() {
        const bool number = is_digit(text_[position_]);
        while (position_ < text_.size() && (is_word(text_[position_]) || (number && text_[position_] == '\''))) {
            line_.code += text_[position_++];
        }
    }

    std::string_view text_;
    std::size_t position_ = 0;
    SourceLine line_;
    std::vector<SourceLine> lines_;
};

}  // namespace

std::vector<SourceLine> split_source(std::string_view text) {
    return Splitter(text).run();
}

std::vector<std::string_view> identifiers(std::string_view code) {
    std::vector<std::string_view> result;
    std::size_t position = 0;
    while (position < code.size()) {
        if (!is_word(code[position])) {
            ++position;
            continue;
        }
        const std::size_t start = position;
        while (position < code.size() && is_word(code[position])) {
            ++position;
        }
        if (!is_digit(code[start])) {
            result.push_back(code.substr(start, position - start));
        }
    }
    return result;
}

}  // namespace check_layers
