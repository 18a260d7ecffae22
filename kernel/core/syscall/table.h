// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <span>
#include <string_view>

#include "lib/result.h"
#include "platform/user_context.h"

// System calls as data. A personality describes each of its calls by one Row; dispatch, tracing, documentation and
// fuzzing read the same rows. Nothing here knows a number or a meaning.
namespace kernel::syscall {

enum class Status : std::uint8_t {
    Missing,  // answered with NotImplemented and counted
    Partial,  // works; `note` names what lacks
    Full,     // each documented error has a test
};

// What a fuzzer should feed an argument of a type with.
enum class FuzzClass : std::uint8_t {
    Integer,
    SmallInteger,
    Handle,
    Address,
    Buffer,
    Path,
    Flags,
    Length,
    Signal,
    Process
};

struct ArgumentType {
    std::string_view name;
    FuzzClass fuzz;
    std::uint16_t format;  // the personality's own code for its tracer
};

struct ArgumentInfo {
    std::string_view name;
    const ArgumentType* type;
};

// `context` is the personality's thread.
using Handler = Result<std::int64_t> (*)(void* context, const platform::SyscallFrame& frame);

struct Row {
    std::uint16_t number;
    std::string_view name;
    Status status;
    std::string_view note;
    std::span<const ArgumentInfo> arguments;
    Handler handler;  // nullptr exactly when status is Missing
};

inline constexpr std::size_t kMaxNumber = 512;

// Counters of one call; relaxed, they are for people.
struct Counter {
    std::atomic<std::uint64_t> calls{0};
    std::atomic<std::uint64_t> errors{0};
    std::atomic<std::uint64_t> total_ns{0};
};

class Table {
public:
    constexpr explicit Table(std::span<const Row> rows) : rows_(rows) {
        index_.fill(kNone);
        for (std::size_t i = 0; i < rows.size(); ++i) {
            index_[rows[i].number] = static_cast<std::uint16_t>(i);
        }
    }

    // nullptr for a number that the table does not know.
    const Row* find(std::uint64_t number) const {
        if (number >= kMaxNumber || index_[number] == kNone) {
            return nullptr;
        }
        return &rows_[index_[number]];
    }
    std::span<const Row> rows() const { return rows_; }

private:
    static constexpr std::uint16_t kNone = 0xffff;
    std::span<const Row> rows_;
    std::array<std::uint16_t, kMaxNumber> index_{};
};

class Statistics {
public:
    void count(std::uint64_t number, bool failed, std::uint64_t elapsed_ns) {
        Counter& counter = counters_[number < kMaxNumber ? number : kMaxNumber];
        counter.calls.fetch_add(1, std::memory_order_relaxed);
        if (failed) {
            counter.errors.fetch_add(1, std::memory_order_relaxed);
        }
        if (elapsed_ns != 0) {
            counter.total_ns.fetch_add(elapsed_ns, std::memory_order_relaxed);
        }
    }
    // kMaxNumber stands for every number that no table can hold.
    const Counter& of(std::uint64_t number) const { return counters_[number < kMaxNumber ? number : kMaxNumber]; }

private:
    std::array<Counter, kMaxNumber + 1> counters_;
};

// Runs the row's handler; NotImplemented when there is none.
inline Result<std::int64_t> dispatch(const Row* row, void* context, const platform::SyscallFrame& frame) {
    if (row == nullptr || row->handler == nullptr) {
        return Error::NotImplemented;
    }
    return row->handler(context, frame);
}

}  // namespace kernel::syscall
