// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <new>
#include <utility>

namespace kernel {

// Builds objects for make_ref and make_own. A class with private constructors writes `friend class
// kernel::ObjectMaker;` so that its own `create` can use them.
class ObjectMaker {
public:
    // `storage` has room and alignment for a T.
    template <class T, class... Args>
    static T* construct(void* storage, Args&&... args) {
        return ::new (storage) T(std::forward<Args>(args)...);
    }
};

}  // namespace kernel
