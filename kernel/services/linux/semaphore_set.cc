// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/semaphore_set.h"

#include <algorithm>
#include <utility>

namespace kernel::linux_abi {

Result<RefPtr<SemaphoreSet>> SemaphoreSet::create(std::int32_t key, std::uint32_t mode,
                                                  const security::Credentials& who, std::uint32_t count) {
    RefPtr<SemaphoreSet> set = TRY(make_ref<SemaphoreSet>(key, mode, who, count));
    State& state = set->state_.unguarded();
    TRY(state.semaphores.resize(count));
    state.change_s = ipc_now_s();
    return set;
}

Result<Vector<std::int32_t>*> SemaphoreSet::adjustments_of(State& state, int pid) {
    if (Vector<std::int32_t>* const known = state.adjustments.find(pid)) {
        return known;
    }
    Vector<std::int32_t> fresh;
    TRY(fresh.resize(state.semaphores.size()));
    return state.adjustments.insert(pid, std::move(fresh));
}

// All operations in their order, each seeing what those before it did; nothing stays if one cannot be done.
SemaphoreSet::Attempt SemaphoreSet::attempt(State& state, std::span<const abi::Sembuf> operations, int pid) {
    Attempt outcome;
    Vector<std::int32_t>* undo = nullptr;
    if (std::ranges::any_of(operations, [](const abi::Sembuf& op) { return (op.flags & abi::kSemUndo) != 0; })) {
        const Result<Vector<std::int32_t>*> found = adjustments_of(state, pid);
        if (!found) {
            outcome.result = found.error();
            return outcome;
        }
        undo = *found;
    }
    std::size_t done = 0;
    for (const abi::Sembuf& operation : operations) {
        Semaphore& semaphore = state.semaphores[operation.number];
        const std::int32_t value = static_cast<std::int32_t>(semaphore.value) + operation.change;
        if ((operation.change == 0 && semaphore.value != 0) || value < 0) {
            outcome.blocked = &operation;
            break;
        }
        if (value > static_cast<std::int32_t>(kMaxValue)) {
            outcome.result = Error::OutOfRange;
            break;
        }
        semaphore.value = static_cast<std::uint32_t>(value);
        if ((operation.flags & abi::kSemUndo) != 0) {
            (*undo)[operation.number] -= operation.change;
        }
        ++done;
    }
    if (done == operations.size()) {
        for (const abi::Sembuf& operation : operations) {
            state.semaphores[operation.number].last_pid = pid;
        }
        state.operation_s = ipc_now_s();
        return outcome;
    }
    while (done != 0) {
        const abi::Sembuf& operation = operations[--done];
        Semaphore& semaphore = state.semaphores[operation.number];
        semaphore.value = static_cast<std::uint32_t>(static_cast<std::int32_t>(semaphore.value) - operation.change);
        if ((operation.flags & abi::kSemUndo) != 0) {
            (*undo)[operation.number] += operation.change;
        }
    }
    return outcome;
}

void SemaphoreSet::count_waiter(State& state, const abi::Sembuf& operation, std::int32_t change) {
    Semaphore& semaphore = state.semaphores[operation.number];
    std::uint32_t& waiters = operation.change == 0 ? semaphore.waiters_for_zero : semaphore.waiters_for_more;
    waiters += static_cast<std::uint32_t>(change);
}

Result<> SemaphoreSet::operate(std::span<const abi::Sembuf> operations, int pid, std::uint64_t deadline_ns) {
    Attempt last;
    const abi::Sembuf* counted = nullptr;
    const auto ready = [&] {
        return state_.with([&](State& state) {
            if (is_removed()) {
                last = Attempt{.blocked = nullptr, .result = Error::IdentifierRemoved};
                return true;
            }
            if (counted != nullptr) {
                count_waiter(state, *counted, -1);
                counted = nullptr;
            }
            last = attempt(state, operations, pid);
            if (last.blocked == nullptr || (last.blocked->flags & abi::kIpcNowait) != 0) {
                return true;
            }
            counted = last.blocked;
            count_waiter(state, *counted, 1);
            return false;
        });
    };
    Result<> waited;
    if (!ready()) {
        waited = sched::wait_until(changed_, ready, {.deadline_ns = deadline_ns, .interruptible = true});
    }
    if (counted != nullptr) {
        state_.with([&](State& state) { count_waiter(state, *counted, -1); });
    }
    if (!waited) {
        return waited.error() == Error::TimedOut ? Error::WouldBlock : waited.error();
    }
    if (last.blocked != nullptr) {
        return Error::WouldBlock;
    }
    TRY(last.result);
    changed_.wake_all();
    return {};
}

abi::SemidDs SemaphoreSet::status() const {
    abi::SemidDs status{};
    status.perm = permissions();
    status.semaphores = count_;
    state_.with([&](const State& state) {
        status.operation_time = state.operation_s;
        status.change_time = state.change_s;
    });
    return status;
}

void SemaphoreSet::note_changed() {
    state_.with([](State& state) { state.change_s = ipc_now_s(); });
}

std::uint32_t SemaphoreSet::value(std::size_t number) const {
    return state_.with([&](const State& state) { return state.semaphores[number].value; });
}

int SemaphoreSet::last_pid(std::size_t number) const {
    return state_.with([&](const State& state) { return state.semaphores[number].last_pid; });
}

std::uint32_t SemaphoreSet::waiters(std::size_t number, bool for_zero) const {
    return state_.with([&](const State& state) {
        const Semaphore& semaphore = state.semaphores[number];
        return for_zero ? semaphore.waiters_for_zero : semaphore.waiters_for_more;
    });
}

Result<> SemaphoreSet::set_value(std::size_t number, std::uint32_t value, int pid) {
    if (value > kMaxValue) {
        return Error::OutOfRange;
    }
    state_.with([&](State& state) {
        state.semaphores[number].value = value;
        state.semaphores[number].last_pid = pid;
        state.change_s = ipc_now_s();
        state.adjustments.for_each([&](int, Vector<std::int32_t>& changes) { changes[number] = 0; });
    });
    changed_.wake_all();
    return {};
}

Result<> SemaphoreSet::set_values(std::span<const std::uint16_t> values, int pid) {
    if (std::ranges::any_of(values, [](std::uint16_t value) { return value > kMaxValue; })) {
        return Error::OutOfRange;
    }
    state_.with([&](State& state) {
        for (std::size_t i = 0; i < values.size(); ++i) {
            state.semaphores[i].value = values[i];
            state.semaphores[i].last_pid = pid;
        }
        state.change_s = ipc_now_s();
        state.adjustments.for_each([](int, Vector<std::int32_t>& changes) { std::ranges::fill(changes, 0); });
    });
    changed_.wake_all();
    return {};
}

void SemaphoreSet::copy_values(std::span<std::uint16_t> values) const {
    state_.with([&](const State& state) {
        for (std::size_t i = 0; i < values.size(); ++i) {
            values[i] = static_cast<std::uint16_t>(state.semaphores[i].value);
        }
    });
}

// As far as it goes: a value stays between 0 and the maximum, semop(2) BUGS.
void SemaphoreSet::undo(int pid) {
    const bool changed = state_.with([&](State& state) {
        const Vector<std::int32_t>* const found = state.adjustments.find(pid);
        if (found == nullptr) {
            return false;
        }
        for (std::size_t i = 0; i < found->size(); ++i) {
            Semaphore& semaphore = state.semaphores[i];
            if ((*found)[i] != 0) {
                const std::int32_t value = static_cast<std::int32_t>(semaphore.value) + (*found)[i];
                semaphore.value =
                    static_cast<std::uint32_t>(std::clamp(value, 0, static_cast<std::int32_t>(kMaxValue)));
                semaphore.last_pid = pid;
            }
        }
        state.operation_s = ipc_now_s();
        state.adjustments.remove(pid);
        return true;
    });
    if (changed) {
        changed_.wake_all();
    }
}

}  // namespace kernel::linux_abi
