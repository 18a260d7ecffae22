// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <utility>

namespace kernel {

// A global object whose destructor never runs: on the hosted platform the process ends while other threads may still
// use it.
template <class T>
class Immortal {
public:
    template <class... Args>
    constexpr explicit Immortal(Args&&... args) : value_(std::forward<Args>(args)...) {}
    Immortal(const Immortal&) = delete;
    Immortal& operator=(const Immortal&) = delete;
    constexpr ~Immortal() {}  // NOLINT(modernize-use-equals-default): must not destroy the member

    T& operator*() { return value_; }
    T* operator->() { return &value_; }

private:
    union {
        T value_;
    };
};

}  // namespace kernel
