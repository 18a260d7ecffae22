// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <expected>
#include <type_traits>
#include <utility>

#include "lib/assert.h"
#include "lib/error.h"

namespace kernel {

// A value or an Error. `return value;`, `return Error::X;` and `return std::unexpected(Error::X);` all work, as does
// `return {};` for Result<>.
template <class T = void>
class [[nodiscard]] Result : public std::expected<T, Error> {
    using Base = std::expected<T, Error>;

public:
    using Base::Base;
    constexpr Result() = default;
    constexpr Result(Error error) : Base(std::unexpect, error) {}
    constexpr Result(Base&& base) : Base(std::move(base)) {}

    // Unlike the standard's value() this never throws: asking an error for its value is a bug.
    constexpr T& value() & {
        KASSERT(this->has_value());
        return **this;
    }
    constexpr const T& value() const& {
        KASSERT(this->has_value());
        return **this;
    }
    constexpr T&& value() && {
        KASSERT(this->has_value());
        return std::move(**this);
    }
};

template <>
class [[nodiscard]] Result<void> : public std::expected<void, Error> {
    using Base = std::expected<void, Error>;

public:
    using Base::Base;
    constexpr Result() = default;
    constexpr Result(Error error) : Base(std::unexpect, error) {}
    constexpr Result(Base&& base) : Base(std::move(base)) {}

    constexpr void value() const { KASSERT(this->has_value()); }
};

namespace detail {

template <class T>
constexpr T take_value(std::expected<T, Error>& result) {
    if constexpr (!std::is_void_v<T>) {
        return std::move(*result);
    }
}

template <class T>
constexpr T must_value(std::expected<T, Error>&& result, const char* expression, const char* file, int line) {
    if (!result.has_value()) [[unlikely]] {
        assertion_failed(expression, file, line);
    }
    return take_value(result);
}

}  // namespace detail
}  // namespace kernel

// __COUNTER__ keeps nested TRYs from shadowing each other. Clang knows it in every mode and only notes that it is not
// C++23 yet.
#pragma clang diagnostic ignored "-Wc2y-extensions"

#define KPIO_CONCATENATE_(left, right) left##right
#define KPIO_CONCATENATE(left, right) KPIO_CONCATENATE_(left, right)

#define KPIO_TRY_(name, ...)                        \
    __extension__({                                 \
        auto name = (__VA_ARGS__);                  \
        if (!name.has_value()) [[unlikely]] {       \
            return ::std::unexpected(name.error()); \
        }                                           \
        ::kernel::detail::take_value(name);         \
    })

// The value of a Result; on an error the enclosing function returns that error. In a lambda, state the return type.
#define TRY(...) KPIO_TRY_(KPIO_CONCATENATE(try_result_, __COUNTER__), __VA_ARGS__)

// The value of a Result whose error the caller has excluded; say why beside it.
#define MUST(...) ::kernel::detail::must_value((__VA_ARGS__), #__VA_ARGS__, __FILE__, __LINE__)
