// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/object/object.h"
#include "core/object/rights.h"
#include "lib/guarded.h"
#include "lib/ref.h"
#include "lib/result.h"
#include "lib/vector.h"

namespace kernel::object {

enum class HandleFlags : std::uint8_t { None = 0, CloseOnExec = 1 };

constexpr HandleFlags operator|(HandleFlags left, HandleFlags right) {
    return static_cast<HandleFlags>(static_cast<std::uint8_t>(left) | static_cast<std::uint8_t>(right));
}
constexpr bool has(HandleFlags set, HandleFlags flag) {
    return (static_cast<std::uint8_t>(set) & static_cast<std::uint8_t>(flag)) != 0;
}

// One entry of a handle table.
struct Slot {
    RefPtr<Object> object;
    Rights rights = Rights::None;
    HandleFlags flags = HandleFlags::None;
};

// The handles of a process: small integers, the lowest free one first, as open(2) demands. Shared by threads and by
// clone(CLONE_FILES). No function blocks. References that a call displaces are dropped, or returned for the caller to
// drop, outside the lock.
class HandleTable final : public RefCounted {
public:
    // Highest limit that set_limit accepts (Linux's default fs.nr_open).
    static constexpr unsigned kMaxHandles = 1u << 20;

    // Errors: NoMemory.
    static Result<RefPtr<HandleTable>> create(unsigned limit = 1024);

    // Puts the object at the lowest free handle that is not below `lowest`. Errors: TooManyHandles, NoMemory;
    // InvalidArgument when `lowest` is negative or not below the limit.
    Result<int> insert(RefPtr<Object> object, Rights rights, HandleFlags flags = HandleFlags::None, int lowest = 0);

    // In two steps, for calls that create something which cannot be taken back: reserve, create, then install or
    // cancel. A reserved handle is not seen by anything but replace, which gives Busy (dup2(2)).
    Result<int> reserve(int lowest = 0);
    void install(int reserved, RefPtr<Object> object, Rights rights, HandleFlags flags = HandleFlags::None);
    void cancel(int reserved);

    // Errors: BadHandle when there is none, AccessDenied when it lacks one of the required rights.
    Result<RefPtr<Object>> get(int handle, Rights required = Rights::None) const;
    // Errors: BadHandle.
    Result<Slot> get_slot(int handle) const;

    // Puts the object at exactly `at` and returns what was there (null: nothing). Errors: BadHandle (negative or not
    // below the limit), Busy (reserved at the moment), NoMemory.
    Result<RefPtr<Object>> replace(int at, RefPtr<Object> object, Rights rights, HandleFlags flags = HandleFlags::None);

    // Errors: BadHandle.
    Result<RefPtr<Object>> remove(int handle);
    Result<HandleFlags> flags(int handle) const;
    Result<> set_flags(int handle, HandleFlags flags);

    // A table with the same handles and limit. Errors: NoMemory.
    Result<RefPtr<HandleTable>> clone() const;
    // A copy without those from `first` up (close_range(2) with CLOSE_RANGE_UNSHARE). Errors: NoMemory.
    Result<RefPtr<HandleTable>> clone_below(int first) const;

    void close_on_exec();
    void close_all();

    // RLIMIT_NOFILE: new handles are below it; those that are above stay.
    unsigned limit() const;
    void set_limit(unsigned handles);

    // The first handle in use that is not below `at_least`.
    std::optional<int> next(int at_least) const;
    std::size_t count() const;

    // How often a handle changed its object or rights or went away: who has looked a handle up may keep the result
    // until this changes.
    std::uint64_t generation() const;

private:
    friend class kernel::ObjectMaker;

    struct Entry {
        RefPtr<Object> object;
        Rights rights = Rights::None;
        HandleFlags flags = HandleFlags::None;
        bool reserved = false;

        bool is_free() const { return !object && !reserved; }
    };
    struct Table {
        Vector<Entry> entries;
        std::size_t used = 0;       // objects and reservations
        std::size_t free_hint = 0;  // no free entry is below it
        std::uint64_t generation = 0;
        unsigned limit = 0;

        Entry* find(int handle);
        const Entry* find(int handle) const;
        Result<std::size_t> take_lowest(int lowest);
        void release(std::size_t index);
    };
    using Guard = SpinGuarded<Table, Rank::HandleTable>;

    explicit HandleTable(unsigned limit) { table_.unguarded().limit = limit; }
    ~HandleTable() override;

    Guard table_;
};

}  // namespace kernel::object
