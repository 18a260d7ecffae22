// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

#include "lib/ref.h"
#include "lib/result.h"

namespace kernel::net::unix_domain {

inline constexpr std::size_t kMaxNameBytes = 108;  // sun_path, unix(7)

// The name a socket is bound to, as getsockname(2) shows it: a path with its zero, or, beginning with a zero, an
// abstract name. Immutable.
class Address final : public RefCounted {
public:
    // Errors: NoMemory. `name` has 1 to kMaxNameBytes bytes; a path comes without its zero.
    static Result<RefPtr<Address>> create(std::string_view name) { return make_ref<Address>(name); }

    // As given to create().
    std::string_view name() const { return {bytes_.data(), length_}; }
    bool is_abstract() const { return bytes_.front() == '\0'; }
    // With the zero that ends a path, which may lie one byte behind what sun_path holds.
    std::string_view shown() const { return {bytes_.data(), is_abstract() ? length_ : length_ + 1}; }

private:
    friend class kernel::ObjectMaker;
    explicit Address(std::string_view name) : length_(name.size()) { std::ranges::copy(name, bytes_.begin()); }
    ~Address() override = default;

    std::array<char, kMaxNameBytes + 1> bytes_{};
    const std::size_t length_;
};

}  // namespace kernel::net::unix_domain
