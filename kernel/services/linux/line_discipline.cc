// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/line_discipline.h"

#include <algorithm>

#include "abi/linux/signal.h"

namespace kernel::linux_abi {
namespace {

constexpr unsigned kTabWidth = 8;
constexpr std::uint8_t kDisabled = 0;  // _POSIX_VDISABLE

bool is_control(char c) {
    return static_cast<unsigned char>(c) < ' ' || c == 0x7f;
}
bool is_utf8_continuation(char c) {
    return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}
bool is_word_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || (c & 0x80) != 0;
}

}  // namespace

abi::Termios default_termios() {
    abi::Termios t{};
    t.input_flags = abi::kIcrnl | abi::kIxon | abi::kIutf8;
    t.output_flags = abi::kOpost | abi::kOnlcr;
    t.control_flags = abi::kB38400 | abi::kCs8 | abi::kCread | abi::kHupcl;
    t.local_flags = abi::kIsig | abi::kIcanon | abi::kEcho | abi::kEchoe | abi::kEchok | abi::kEchoctl | abi::kEchoke |
                    abi::kIexten;
    auto& c = t.control_characters;
    c[abi::kVintr] = 3, c[abi::kVquit] = 28, c[abi::kVerase] = 127, c[abi::kVkill] = 21, c[abi::kVeof] = 4,
    c[abi::kVtime] = 0;
    c[abi::kVmin] = 1, c[abi::kVstart] = 17, c[abi::kVstop] = 19, c[abi::kVsusp] = 26, c[abi::kVreprint] = 18;
    c[abi::kVdiscard] = 15, c[abi::kVwerase] = 23, c[abi::kVlnext] = 22;
    return t;
}

void LineDiscipline::set_termios(const abi::Termios& termios) {
    const bool was_canonical = is_canonical();
    termios_ = termios;
    if (was_canonical && !is_canonical()) {
        committed_ = head_;
        // End marks mean nothing outside of canonical mode.
        marks_.fill(Mark::None);
    } else if (!was_canonical && is_canonical()) {
        // What was typed raw counts as one finished line.
        if (head_ != tail_) {
            marks_[index(head_ - 1)] = Mark::LineEnd;
        }
        committed_ = head_;
    }
    if ((termios.input_flags & abi::kIxon) == 0) {
        stopped_ = false;
    }
}

bool LineDiscipline::is(abi::ControlCharacter which, char character) const {
    const std::uint8_t value = termios_.control_characters[which];
    return value != kDisabled && value == static_cast<std::uint8_t>(character);
}

char LineDiscipline::map_input(char character, bool& ignore) const {
    ignore = false;
    if ((termios_.input_flags & abi::kIstrip) != 0) {
        character = static_cast<char>(character & 0x7f);
    }
    if (character == '\r') {
        ignore = (termios_.input_flags & abi::kIgncr) != 0;
        if ((termios_.input_flags & abi::kIcrnl) != 0) {
            return '\n';
        }
    } else if (character == '\n' && (termios_.input_flags & abi::kInlcr) != 0) {
        return '\r';
    }
    return character;
}

int LineDiscipline::signal_of(char character) const {
    if (!has(abi::kIsig)) {
        return 0;
    }
    if (is(abi::kVintr, character)) {
        return abi::kSigint;
    }
    if (is(abi::kVquit, character)) {
        return abi::kSigquit;
    }
    if (is(abi::kVsusp, character)) {
        return abi::kSigtstp;
    }
    return 0;
}

int LineDiscipline::receive(char character, EchoSink& echo) {
    bool ignore = false;
    character = map_input(character, ignore);
    if (ignore) {
        return 0;
    }
    if (literal_next_) {
        literal_next_ = false;
        append(character, Mark::None);
        echo_character(character, echo);
        if (!is_canonical()) {
            committed_ = head_;
        }
        return 0;
    }
    if ((termios_.input_flags & abi::kIxon) != 0) {
        const bool stop = is(abi::kVstop, character);
        const bool start = is(abi::kVstart, character) || (stopped_ && (termios_.input_flags & abi::kIxany) != 0);
        if (stop || start) {
            stopped_ = stop && !start;
            return 0;
        }
    }
    if (const int signal = signal_of(character); signal != 0) {
        if (!has(abi::kNoflsh)) {
            flush_input();
        }
        if (has(abi::kEcho)) {
            echo_character(character, echo);
        }
        return signal;
    }
    if (is_canonical() && edit_line(character, echo)) {
        return 0;
    }
    append(character, Mark::None);
    if (has(abi::kEcho)) {
        echo_character(character, echo);
    }
    if (!is_canonical()) {
        committed_ = head_;
    }
    return 0;
}

// Canonical mode's own keys; true if the character was one.
bool LineDiscipline::edit_line(char character, EchoSink& echo) {
    const bool extended = has(abi::kIexten);
    if (is(abi::kVerase, character)) {
        erase_character(echo);
    } else if (is(abi::kVkill, character)) {
        erase_line(echo);
    } else if (extended && is(abi::kVwerase, character)) {
        erase_word(echo);
    } else if (extended && is(abi::kVlnext, character)) {
        literal_next_ = true;
    } else if (is(abi::kVeof, character)) {
        finish_line(character, Mark::EndOfFile);
    } else if (character == '\n') {
        if (has(abi::kEcho) || has(abi::kEchonl)) {
            echo_raw('\n', echo);
        }
        finish_line(character, Mark::LineEnd);
    } else if (is(abi::kVeol, character) || (extended && is(abi::kVeol2, character))) {
        if (has(abi::kEcho)) {
            echo_character(character, echo);
        }
        finish_line(character, Mark::LineEnd);
    } else if (extended && is(abi::kVreprint, character)) {
        echo_character(character, echo);
        echo_raw('\n', echo);
        for (std::size_t p = committed_; p != head_; ++p) {
            echo_character(buffer_[index(p)], echo);
        }
    } else {
        if (head_ == committed_) {
            line_start_column_ = column_;
        }
        return false;
    }
    return true;
}

void LineDiscipline::append(char character, Mark mark) {
    // The last place is kept for the end of a line; what does not fit is lost, as on Linux.
    const std::size_t limit = mark != Mark::None || !is_canonical() ? kBufferBytes : kBufferBytes - 1;
    if (head_ - tail_ >= limit) {
        return;
    }
    buffer_[index(head_)] = character;
    marks_[index(head_)] = mark;
    ++head_;
}

void LineDiscipline::finish_line(char character, Mark mark) {
    if (head_ - tail_ >= kBufferBytes) {
        return;
    }
    append(character, mark);
    committed_ = head_;
}

void LineDiscipline::erase_character(EchoSink& echo) {
    if (head_ == committed_) {
        return;
    }
    char erased = buffer_[index(--head_)];
    while ((termios_.input_flags & abi::kIutf8) != 0 && is_utf8_continuation(erased) && head_ != committed_) {
        erased = buffer_[index(--head_)];
    }
    if (!has(abi::kEcho)) {
        return;
    }
    if (!has(abi::kEchoe)) {
        echo_character(static_cast<char>(termios_.control_characters[abi::kVerase]), echo);
        return;
    }
    unsigned column = line_start_column_;
    for (std::size_t p = committed_; p != head_; ++p) {
        column += width_of(buffer_[index(p)], column);
    }
    for (unsigned width = width_of(erased, column); width != 0; --width) {
        echo_raw('\b', echo);
        echo_raw(' ', echo);
        echo_raw('\b', echo);
    }
}

void LineDiscipline::erase_word(EchoSink& echo) {
    bool in_word = false;
    while (head_ != committed_) {
        const bool word = is_word_character(buffer_[index(head_ - 1)]);
        if (in_word && !word) {
            return;
        }
        in_word = in_word || word;
        erase_character(echo);
    }
}

void LineDiscipline::erase_line(EchoSink& echo) {
    if (has(abi::kEchoke) && has(abi::kEchoe) && has(abi::kEcho)) {
        while (head_ != committed_) {
            erase_character(echo);
        }
        return;
    }
    head_ = committed_;
    if (!has(abi::kEcho)) {
        return;
    }
    echo_character(static_cast<char>(termios_.control_characters[abi::kVkill]), echo);
    if (has(abi::kEchok)) {
        echo_raw('\n', echo);
    }
}

unsigned LineDiscipline::width_of(char character, unsigned column) const {
    if (character == '\t') {
        return kTabWidth - column % kTabWidth;
    }
    if (is_control(character)) {
        return has(abi::kEchoctl) ? 2 : 0;
    }
    return (termios_.input_flags & abi::kIutf8) != 0 && is_utf8_continuation(character) ? 0 : 1;
}

void LineDiscipline::echo_character(char character, EchoSink& echo) {
    if (!has(abi::kEcho)) {
        return;
    }
    if (is_control(character) && character != '\t' && character != '\n' && has(abi::kEchoctl)) {
        echo_raw('^', echo);
        echo_raw(static_cast<char>(character ^ 0x40), echo);
        return;
    }
    echo_raw(character, echo);
}

void LineDiscipline::echo_raw(char character, EchoSink& echo) {
    std::array<char, 8> bytes{};
    const std::size_t count = transform_output(character, bytes);
    for (std::size_t i = 0; i < count; ++i) {
        echo.echo(bytes[i]);
    }
}

std::size_t LineDiscipline::transform_output(char character, std::span<char, 8> bytes) {
    const std::uint32_t flags = termios_.output_flags;
    bytes[0] = character;
    const bool process = (flags & abi::kOpost) != 0;
    switch (character) {
        case '\n':
            if (process && (flags & (abi::kOnlcr | abi::kOnlret)) != 0) {
                column_ = 0;
            }
            if (!process || (flags & abi::kOnlcr) == 0) {
                return 1;
            }
            bytes[0] = '\r';
            bytes[1] = '\n';
            return 2;
        case '\r':
            if (process && (flags & abi::kOnocr) != 0 && column_ == 0) {
                return 0;
            }
            if (process && (flags & abi::kOcrnl) != 0) {
                bytes[0] = '\n';
            }
            column_ = 0;
            return 1;
        case '\t': {
            const unsigned width = kTabWidth - column_ % kTabWidth;
            column_ += width;
            if (!process || (flags & abi::kTabdly) != abi::kXtabs) {
                return 1;
            }
            std::fill_n(bytes.begin(), width, ' ');
            return width;
        }
        case '\b':
            if (column_ != 0) {
                --column_;
            }
            return 1;
        default:
            if (process && (flags & abi::kOlcuc) != 0 && character >= 'a' && character <= 'z') {
                bytes[0] = static_cast<char>(character - 'a' + 'A');
            }
            if (!is_control(character) && !is_utf8_continuation(character)) {
                ++column_;
            }
            return 1;
    }
}

bool LineDiscipline::has_input(std::size_t minimum) const {
    if (ended_) {
        return true;
    }
    if (is_canonical()) {
        return committed_ != tail_;
    }
    return head_ - tail_ >= minimum;
}

std::size_t LineDiscipline::available() const {
    std::size_t count = 0;
    for (std::size_t p = tail_; p != committed_; ++p) {
        count += marks_[index(p)] == Mark::EndOfFile ? 0 : 1;
    }
    return count;
}

std::size_t LineDiscipline::input_room() const {
    if (is_canonical() && committed_ == tail_) {
        return kBufferBytes;
    }
    return kBufferBytes - (head_ - tail_);
}

std::size_t LineDiscipline::read(std::span<char> bytes) {
    std::size_t count = 0;
    while (tail_ != committed_) {
        const std::size_t at = index(tail_);
        if (is_canonical() && marks_[at] == Mark::EndOfFile) {
            // An end mark ends the line before it, even if the buffer is just full, and is not itself read.
            ++tail_;
            break;
        }
        if (count == bytes.size()) {
            break;
        }
        bytes[count++] = buffer_[at];
        ++tail_;
        if (is_canonical() && marks_[at] == Mark::LineEnd) {
            break;
        }
    }
    return count;
}

void LineDiscipline::flush_input() {
    tail_ = committed_ = head_;
    literal_next_ = false;
}

}  // namespace kernel::linux_abi
