// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstddef>

namespace kernel {

namespace detail {
template <class Pointer>
struct MemberPointer;
template <class Class, class Field>
struct MemberPointer<Field Class::*> {
    using Owner = Class;
    using Type = Field;
};
}  // namespace detail

// The T that contains `field` as its `Member` (which T may have inherited).
template <class T, auto Member>
T* owner_of_member(typename detail::MemberPointer<decltype(Member)>::Type* field) {
    using Owner = typename detail::MemberPointer<decltype(Member)>::Owner;
    auto member = Member;
    std::ptrdiff_t offset = 0;
    // SAFETY: in the Itanium C++ ABI (2.3) a pointer to a data member is the member's offset. The caller guarantees
    // that `field` is inside an Owner which is a T.
    static_assert(sizeof member == sizeof offset);
    __builtin_memcpy(&offset, &member, sizeof offset);
    return static_cast<T*>(reinterpret_cast<Owner*>(reinterpret_cast<std::byte*>(field) - offset));
}

}  // namespace kernel
