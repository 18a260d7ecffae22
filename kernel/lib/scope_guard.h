// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <utility>

namespace kernel {

// Runs an action when the scope is left, unless dismissed.
template <class Action>
class [[nodiscard]] ScopeGuard {
public:
    explicit ScopeGuard(Action action) : action_(std::move(action)) {}
    ScopeGuard(const ScopeGuard&) = delete;
    ScopeGuard& operator=(const ScopeGuard&) = delete;
    ~ScopeGuard() {
        if (armed_) {
            action_();
        }
    }
    void dismiss() { armed_ = false; }

private:
    Action action_;
    bool armed_ = true;
};

}  // namespace kernel
