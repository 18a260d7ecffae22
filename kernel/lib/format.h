// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

#include "lib/error.h"
#include "lib/types.h"
#include "lib/user_ptr.h"

// A small std::format: {[:[[fill]align][#][0][width][type]]} with align < > ^, type d x X o b c s p. No argument
// numbers, no precision, no floating point. Format strings are checked at compile time.

namespace kernel {

// Collects text in memory of a fixed size, always NUL-terminated. What does not fit is dropped but counted.
class FormatBuffer : NonCopyable {
public:
    // An empty span is allowed: then the buffer only measures.
    explicit FormatBuffer(std::span<char> storage);

    void put(char character);
    void put(std::string_view text);
    void put_repeated(char character, std::size_t count);

    std::string_view view() const { return {storage_.data(), stored()}; }
    // "" for an empty span.
    const char* c_str() const { return storage_.empty() ? "" : storage_.data(); }
    // The length that the whole text has, stored or not.
    std::size_t wanted_size() const { return size_; }
    bool truncated() const { return size_ > stored(); }
    void clear();

    // Moves what was put since wanted_size() was `start` to the right and fills the gap.
    void insert_fill(std::size_t start, char fill, std::size_t count);

private:
    std::size_t room() const { return storage_.empty() ? 0 : storage_.size() - 1; }
    std::size_t stored() const { return size_ < room() ? size_ : room(); }
    void terminate();

    std::span<char> storage_;
    std::size_t size_ = 0;
};

namespace detail {
template <std::size_t N>
struct FormatStorage {
    std::array<char, N> storage;
};
}  // namespace detail

// With N bytes of its own, the terminating NUL included.
template <std::size_t N>
class InlineFormatBuffer : private detail::FormatStorage<N>, public FormatBuffer {
public:
    InlineFormatBuffer() : FormatBuffer(this->storage) {}
};

struct FormatSpec {
    char fill = ' ';
    char align = '\0';
    bool alternate = false;
    bool zero_pad = false;
    char type = '\0';
    std::uint32_t width = 0;
};

enum class FormatKind : std::uint8_t { Signed, Unsigned, Bool, Character, Text, Pointer, Custom };

// To make a type printable with {}, declare in its namespace: void format_value(FormatBuffer&, const T&).
void format_value(FormatBuffer& out, Error error);
void format_value(FormatBuffer& out, VirtAddr address);
void format_value(FormatBuffer& out, FrameNumber frame);
template <class T>
void format_value(FormatBuffer& out, UserPtr<T> pointer) {
    format_value(out, pointer.address);
}

template <class T>
concept HasFormatValue = requires(FormatBuffer& out, const T& value) { format_value(out, value); };

template <class T>
constexpr FormatKind format_kind_of() {
    using Plain = std::remove_cvref_t<T>;
    if constexpr (std::same_as<Plain, bool>) {
        return FormatKind::Bool;
    } else if constexpr (std::same_as<Plain, char>) {
        return FormatKind::Character;
    } else if constexpr (std::signed_integral<Plain>) {
        return FormatKind::Signed;
    } else if constexpr (std::unsigned_integral<Plain>) {
        return FormatKind::Unsigned;
    } else if constexpr (HasFormatValue<Plain>) {
        return FormatKind::Custom;
    } else if constexpr (std::is_convertible_v<const Plain&, std::string_view>) {
        return FormatKind::Text;
    } else if constexpr (std::is_pointer_v<Plain> || std::is_null_pointer_v<Plain>) {
        return FormatKind::Pointer;
    } else {
        static_assert(HasFormatValue<Plain>, "this type has no format_value(FormatBuffer&, const T&)");
    }
}

// One argument, its type erased. Refers to the value, so it lives no longer than the call.
class FormatArgument {
public:
    template <class T>
    FormatArgument(const T& value) : kind_(format_kind_of<T>()) {
        if constexpr (format_kind_of<T>() == FormatKind::Signed) {
            number_ = static_cast<std::uint64_t>(static_cast<std::int64_t>(value));
            bits_ = sizeof(T) * 8;
        } else if constexpr (format_kind_of<T>() == FormatKind::Custom) {
            object_ = &value;
            print_ = [](FormatBuffer& out, const void* object) { format_value(out, *static_cast<const T*>(object)); };
        } else if constexpr (format_kind_of<T>() == FormatKind::Text) {
            if constexpr (std::is_pointer_v<T>) {
                text_ = value == nullptr ? std::string_view("(null)") : std::string_view(value);
            } else {
                text_ = value;
            }
        } else if constexpr (format_kind_of<T>() == FormatKind::Pointer) {
            // SAFETY: only the address is printed.
            number_ = reinterpret_cast<std::uintptr_t>(static_cast<const volatile void*>(value));
        } else if constexpr (format_kind_of<T>() == FormatKind::Character) {
            number_ = static_cast<unsigned char>(value);
        } else {
            number_ = static_cast<std::uint64_t>(value);
        }
    }

    void print(FormatBuffer& out, const FormatSpec& spec) const;

private:
    void print_number(FormatBuffer& out, const FormatSpec& spec) const;

    FormatKind kind_;
    std::uint8_t bits_ = 64;
    std::uint64_t number_ = 0;
    std::string_view text_;
    const void* object_ = nullptr;
    void (*print_)(FormatBuffer&, const void*) = nullptr;
};

namespace detail {

// Not constexpr: reaching it while a format string is checked is a compile-time error that shows the reason.
void format_string_error(const char* reason);

constexpr bool is_align(char character) {
    return character == '<' || character == '>' || character == '^';
}

// Parses what stands between the braces, from just behind '{' to behind '}'. Returns false when malformed.
constexpr bool parse_placeholder(std::string_view text, std::size_t& position, FormatSpec& spec) {
    const auto peek = [&](std::size_t ahead = 0) {
        return position + ahead < text.size() ? text[position + ahead] : '\0';
    };
    if (peek() == '}') {
        ++position;
        return true;
    }
    if (peek() != ':') {
        return false;
    }
    ++position;
    if (is_align(peek(1))) {
        spec.fill = peek();
        spec.align = peek(1);
        position += 2;
    } else if (is_align(peek())) {
        spec.align = peek();
        ++position;
    }
    if (peek() == '#') {
        spec.alternate = true;
        ++position;
    }
    if (peek() == '0') {
        spec.zero_pad = true;
        ++position;
    }
    while (peek() >= '0' && peek() <= '9') {
        spec.width = spec.width * 10 + static_cast<std::uint32_t>(peek() - '0');
        if (spec.width > 1000) {
            return false;
        }
        ++position;
    }
    if (peek() != '}') {
        spec.type = peek();
        ++position;
    }
    if (peek() != '}') {
        return false;
    }
    ++position;
    return true;
}

constexpr bool type_fits(FormatKind kind, char type) {
    const auto one_of = [type](std::string_view types) { return type == '\0' || types.find(type) != types.npos; };
    switch (kind) {
        case FormatKind::Signed:
        case FormatKind::Unsigned:
            return one_of("dxXobc");
        case FormatKind::Bool:
            return one_of("sd");
        case FormatKind::Character:
            return one_of("cdxX");
        case FormatKind::Text:
            return one_of("s");
        case FormatKind::Pointer:
            return one_of("p");
        case FormatKind::Custom:
            return one_of("");
    }
    return false;
}

constexpr const char* check_format(std::string_view text, std::span<const FormatKind> kinds) {
    std::size_t used = 0;
    for (std::size_t position = 0; position < text.size();) {
        const char character = text[position++];
        const bool doubled = position < text.size() && text[position] == character;
        if ((character == '{' || character == '}') && doubled) {
            ++position;
        } else if (character == '}') {
            return "a lone } is written }}";
        } else if (character == '{') {
            FormatSpec spec;
            if (!parse_placeholder(text, position, spec)) {
                return "malformed placeholder";
            }
            if (used == kinds.size()) {
                return "more placeholders than arguments";
            }
            if (!type_fits(kinds[used], spec.type)) {
                return "this type character does not fit the argument";
            }
            if (spec.zero_pad && kinds[used] != FormatKind::Signed && kinds[used] != FormatKind::Unsigned) {
                return "only numbers are padded with zeros";
            }
            ++used;
        }
    }
    return used == kinds.size() ? nullptr : "more arguments than placeholders";
}

}  // namespace detail

// A literal that was checked against the types of the arguments.
template <class... Args>
class BasicFormatString {
public:
    template <class Text>
        requires std::is_convertible_v<const Text&, std::string_view>
    consteval BasicFormatString(const Text& text) : text_(text) {
        constexpr std::array<FormatKind, sizeof...(Args)> kKinds{format_kind_of<Args>()...};
        if (const char* reason = detail::check_format(text_, kKinds); reason != nullptr) {
            detail::format_string_error(reason);
        }
    }
    constexpr std::string_view text() const { return text_; }

private:
    std::string_view text_;
};

template <class... Args>
using FormatString = BasicFormatString<std::type_identity_t<Args>...>;

// `text` has been checked against the arguments.
void format_unchecked(FormatBuffer& out, std::string_view text, std::span<const FormatArgument> arguments);

// Appends to `out`.
template <class... Args>
void format_to(FormatBuffer& out, FormatString<Args...> format, const Args&... args) {
    if constexpr (sizeof...(Args) == 0) {
        format_unchecked(out, format.text(), {});
    } else {
        const FormatArgument arguments[] = {FormatArgument(args)...};
        format_unchecked(out, format.text(), arguments);
    }
}

}  // namespace kernel
