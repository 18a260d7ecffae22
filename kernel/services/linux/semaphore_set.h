// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <span>

#include "core/sched/wait_queue.h"
#include "lib/hash_map.h"
#include "lib/vector.h"
#include "services/linux/ipc_table.h"

namespace kernel::linux_abi {

// semget(2), semop(2): counters that several operations change at once, or not at all. Whoever waits tries again after
// each change of the set.
class SemaphoreSet final : public IpcObject {
public:
    static constexpr std::uint32_t kMaxValue = 32767;  // SEMVMX

    static Result<RefPtr<SemaphoreSet>> create(std::int32_t key, std::uint32_t mode, const security::Credentials& who,
                                               std::uint32_t count);
    std::size_t count() const { return count_; }

    // May block. Errors: OutOfRange, WouldBlock, Interrupted, IdentifierRemoved, NoMemory. The numbers are in range.
    Result<> operate(std::span<const abi::Sembuf> operations, int pid, std::uint64_t deadline_ns);
    abi::SemidDs status() const;
    // After remove or a change of owner.
    void note_changed();
    std::uint32_t value(std::size_t number) const;
    int last_pid(std::size_t number) const;
    // Of the threads that wait for it to be zero, or for more.
    std::uint32_t waiters(std::size_t number, bool for_zero) const;
    // Both forget what ends of processes were to undo. Errors: OutOfRange.
    Result<> set_value(std::size_t number, std::uint32_t value, int pid);
    Result<> set_values(std::span<const std::uint16_t> values, int pid);
    void copy_values(std::span<std::uint16_t> values) const;
    // The process has ended: SEM_UNDO.
    void undo(int pid);
    void wake_everybody() { changed_.wake_all(); }

private:
    friend class kernel::ObjectMaker;
    struct Semaphore {
        std::uint32_t value = 0;
        int last_pid = 0;
        std::uint32_t waiters_for_more = 0;
        std::uint32_t waiters_for_zero = 0;
    };
    struct State {
        Vector<Semaphore> semaphores;
        HashMap<int, Vector<std::int32_t>> adjustments;  // by process
        std::int64_t operation_s = 0;
        std::int64_t change_s = 0;
    };
    // What an attempt came to.
    struct Attempt {
        const abi::Sembuf* blocked = nullptr;  // the operation that has to wait
        Result<> result;
    };

    SemaphoreSet(std::int32_t key, std::uint32_t mode, const security::Credentials& who, std::uint32_t count)
        : IpcObject(key, mode, who), count_(count) {}
    ~SemaphoreSet() override = default;

    static Attempt attempt(State& state, std::span<const abi::Sembuf> operations, int pid);
    static Result<Vector<std::int32_t>*> adjustments_of(State& state, int pid);
    static void count_waiter(State& state, const abi::Sembuf& operation, std::int32_t change);

    const std::size_t count_;
    SpinGuarded<State, Rank::Pipe> state_;
    sched::WaitQueue changed_;
};

// A process has ended: takes back what it did with SEM_UNDO.
void undo_semaphores(int pid);

}  // namespace kernel::linux_abi
