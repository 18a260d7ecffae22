// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstdint>

namespace kernel::object {

// What the holder of a handle may do with the object. A handle never has more rights than the one it was made from.
enum class Rights : std::uint32_t {
    None = 0,
    Read = 1u << 0,
    Write = 1u << 1,
    Execute = 1u << 2,
    Map = 1u << 3,
    Duplicate = 1u << 4,
    Transfer = 1u << 5,  // may travel to another process through a channel or socket
    Signal = 1u << 6,
    Wait = 1u << 7,
    Manage = 1u << 8,   // change attributes, end, limit
    Inspect = 1u << 9,  // look at state
    All = (1u << 10) - 1,
};

constexpr Rights operator|(Rights left, Rights right) {
    return static_cast<Rights>(static_cast<std::uint32_t>(left) | static_cast<std::uint32_t>(right));
}
constexpr Rights operator&(Rights left, Rights right) {
    return static_cast<Rights>(static_cast<std::uint32_t>(left) & static_cast<std::uint32_t>(right));
}
constexpr bool includes(Rights granted, Rights required) {
    return (granted & required) == required;
}

// The rights of a copy that shall have `wanted`: never more than there were.
constexpr Rights diminish(Rights granted, Rights wanted) {
    return granted & wanted;
}

}  // namespace kernel::object
