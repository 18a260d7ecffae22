// SPDX-License-Identifier: MIT OR Apache-2.0
#include "lib/format.h"

#include "lib/assert.h"

namespace kernel {

FormatBuffer::FormatBuffer(std::span<char> storage) : storage_(storage) {
    terminate();
}

void FormatBuffer::terminate() {
    if (!storage_.empty()) {
        storage_[stored()] = '\0';
    }
}

void FormatBuffer::clear() {
    size_ = 0;
    terminate();
}

void FormatBuffer::put(char character) {
    put_repeated(character, 1);
}

void FormatBuffer::put_repeated(char character, std::size_t count) {
    for (std::size_t i = 0; i < count && size_ + i < room(); ++i) {
        storage_[size_ + i] = character;
    }
    size_ += count;
    terminate();
}

void FormatBuffer::put(std::string_view text) {
    const std::size_t start = stored();
    size_ += text.size();
    const std::size_t copied = stored() - start;
    if (copied != 0) {
        __builtin_memmove(&storage_[start], text.data(), copied);
    }
    terminate();
}

void FormatBuffer::insert_fill(std::size_t start, char fill, std::size_t count) {
    const std::size_t end = stored();
    size_ += count;
    // Backwards, because source and destination overlap.
    for (std::size_t i = end; i > start; --i) {
        if (i - 1 + count < room()) {
            storage_[i - 1 + count] = storage_[i - 1];
        }
    }
    for (std::size_t i = start; i < start + count && i < room(); ++i) {
        storage_[i] = fill;
    }
    terminate();
}

namespace {

struct Digits {
    std::array<char, 64> text{};
    std::size_t first = 64;

    std::string_view view() const { return {text.data() + first, text.size() - first}; }
};

Digits to_digits(std::uint64_t number, unsigned base, bool upper_case) {
    constexpr std::string_view kLower = "0123456789abcdef";
    constexpr std::string_view kUpper = "0123456789ABCDEF";
    const std::string_view alphabet = upper_case ? kUpper : kLower;
    Digits digits;
    do {
        digits.text[--digits.first] = alphabet[number % base];
        number /= base;
    } while (number != 0);
    return digits;
}

unsigned base_of(char type) {
    switch (type) {
        case 'x':
        case 'X':
        case 'p':
            return 16;
        case 'o':
            return 8;
        case 'b':
            return 2;
        default:
            return 10;
    }
}

std::string_view prefix_of(char type) {
    switch (type) {
        case 'x':
        case 'p':
            return "0x";
        case 'X':
            return "0X";
        case 'o':
            return "0";
        case 'b':
            return "0b";
        default:
            return "";
    }
}

// Brings what was put since `start` to the width.
void pad(FormatBuffer& out, std::size_t start, const FormatSpec& spec, char default_align) {
    const std::size_t length = out.wanted_size() - start;
    if (length >= spec.width) {
        return;
    }
    const std::size_t missing = spec.width - length;
    const char align = spec.align == '\0' ? default_align : spec.align;
    const std::size_t before = align == '<' ? 0 : align == '>' ? missing : missing / 2;
    if (before != 0) {
        out.insert_fill(start, spec.fill, before);
    }
    out.put_repeated(spec.fill, missing - before);
}

}  // namespace

void FormatArgument::print_number(FormatBuffer& out, const FormatSpec& spec) const {
    const std::size_t start = out.wanted_size();
    const bool negative = kind_ == FormatKind::Signed && static_cast<std::int64_t>(number_) < 0;
    const std::uint64_t magnitude = negative ? 0 - number_ : number_;
    const char type = kind_ == FormatKind::Pointer ? 'p' : spec.type;
    const Digits digits = to_digits(magnitude, base_of(type), type == 'X');
    if (negative) {
        out.put('-');
    }
    if (spec.alternate || type == 'p') {
        out.put(prefix_of(type));
    }
    if (spec.zero_pad && spec.align == '\0') {
        const std::size_t length = out.wanted_size() - start + digits.view().size();
        if (length < spec.width) {
            out.put_repeated('0', spec.width - length);
        }
    }
    out.put(digits.view());
    pad(out, start, spec, '>');
}

void FormatArgument::print(FormatBuffer& out, const FormatSpec& spec) const {
    const std::size_t start = out.wanted_size();
    const bool as_number = spec.type != '\0' && spec.type != 's' && spec.type != 'c';
    switch (kind_) {
        case FormatKind::Signed:
        case FormatKind::Unsigned:
        case FormatKind::Pointer:
            if (spec.type != 'c') {
                print_number(out, spec);
                return;
            }
            out.put(static_cast<char>(number_));
            break;
        case FormatKind::Bool:
            if (as_number) {
                print_number(out, spec);
                return;
            }
            out.put(number_ != 0 ? std::string_view("true") : std::string_view("false"));
            break;
        case FormatKind::Character:
            if (as_number) {
                print_number(out, spec);
                return;
            }
            out.put(static_cast<char>(number_));
            break;
        case FormatKind::Text:
            out.put(text_);
            break;
        case FormatKind::Custom:
            print_(out, object_);
            break;
    }
    pad(out, start, spec, '<');
}

void format_unchecked(FormatBuffer& out, std::string_view text, std::span<const FormatArgument> arguments) {
    std::size_t used = 0;
    std::size_t position = 0;
    while (position < text.size()) {
        const std::size_t brace = text.find_first_of("{}", position);
        out.put(text.substr(position, brace == text.npos ? text.npos : brace - position));
        if (brace == text.npos) {
            return;
        }
        position = brace + 1;
        if (position < text.size() && text[position] == text[brace]) {
            out.put(text[brace]);
            ++position;
            continue;
        }
        FormatSpec spec;
        const bool well_formed = detail::parse_placeholder(text, position, spec);
        KASSERT(well_formed && used < arguments.size());
        arguments[used++].print(out, spec);
    }
}

void format_value(FormatBuffer& out, Error error) {
    out.put(error_name(error));
}
void format_value(FormatBuffer& out, VirtAddr address) {
    format_to(out, "{:#x}", address.value);
}
void format_value(FormatBuffer& out, FrameNumber frame) {
    format_to(out, "frame {:#x}", frame_value(frame));
}

}  // namespace kernel
