// SPDX-License-Identifier: MIT OR Apache-2.0
#include "core/object/handle_table.h"

#include <algorithm>
#include <utility>

namespace kernel::object {

namespace {

// For a table and for a const one.
template <class Entries>
auto* find_entry(Entries& entries, int handle) {
    const bool inside = handle >= 0 && static_cast<std::size_t>(handle) < entries.size();
    auto* entry = inside ? &entries[static_cast<std::size_t>(handle)] : nullptr;
    return entry != nullptr && entry->object ? entry : nullptr;
}

}  // namespace

HandleTable::Entry* HandleTable::Table::find(int handle) {
    return find_entry(entries, handle);
}

const HandleTable::Entry* HandleTable::Table::find(int handle) const {
    return find_entry(entries, handle);
}

Result<std::size_t> HandleTable::Table::take_lowest(int lowest) {
    if (lowest < 0 || static_cast<unsigned>(lowest) >= limit) {
        return Error::InvalidArgument;
    }
    const auto from = static_cast<std::size_t>(lowest);
    std::size_t index = std::max(from, free_hint);
    while (index < entries.size() && !entries[index].is_free()) {
        ++index;
    }
    if (index >= limit) {
        return Error::TooManyHandles;
    }
    if (index >= entries.size()) {
        TRY(entries.resize(index + 1));
    }
    entries[index].reserved = true;
    ++used;
    if (from <= free_hint) {
        free_hint = index + 1;
    }
    return index;
}

void HandleTable::Table::release(std::size_t index) {
    entries[index].reserved = false;
    entries[index].rights = Rights::None;
    entries[index].flags = HandleFlags::None;
    --used;
    free_hint = std::min(free_hint, index);
}

HandleTable::~HandleTable() {
    close_all();
}

Result<RefPtr<HandleTable>> HandleTable::create(unsigned limit) {
    return make_ref<HandleTable>(limit);
}

Result<int> HandleTable::reserve(int lowest) {
    return table_.with([&](Table& table) -> Result<int> { return static_cast<int>(TRY(table.take_lowest(lowest))); });
}

void HandleTable::install(int reserved, RefPtr<Object> object, Rights rights, HandleFlags flags) {
    KASSERT(object);
    table_.with([&](Table& table) {
        Entry& entry = table.entries[static_cast<std::size_t>(reserved)];
        KASSERT(entry.reserved);
        entry.reserved = false;
        entry.object = std::move(object);
        entry.rights = rights;
        entry.flags = flags;
    });
}

void HandleTable::cancel(int reserved) {
    table_.with([&](Table& table) {
        KASSERT(table.entries[static_cast<std::size_t>(reserved)].reserved);
        table.release(static_cast<std::size_t>(reserved));
    });
}

Result<int> HandleTable::insert(RefPtr<Object> object, Rights rights, HandleFlags flags, int lowest) {
    const int handle = TRY(reserve(lowest));
    install(handle, std::move(object), rights, flags);
    return handle;
}

Result<RefPtr<Object>> HandleTable::get(int handle, Rights required) const {
    return table_.with([&](const Table& table) -> Result<RefPtr<Object>> {
        const Entry* entry = table.find(handle);
        if (entry == nullptr) {
            return Error::BadHandle;
        }
        if (!includes(entry->rights, required)) {
            return Error::AccessDenied;
        }
        return entry->object;
    });
}

Result<Slot> HandleTable::get_slot(int handle) const {
    return table_.with([&](const Table& table) -> Result<Slot> {
        const Entry* entry = table.find(handle);
        if (entry == nullptr) {
            return Error::BadHandle;
        }
        return Slot{entry->object, entry->rights, entry->flags};
    });
}

Result<RefPtr<Object>> HandleTable::replace(int at, RefPtr<Object> object, Rights rights, HandleFlags flags) {
    KASSERT(object);
    RefPtr<Object> displaced = TRY(table_.with([&](Table& table) -> Result<RefPtr<Object>> {
        if (at < 0 || static_cast<unsigned>(at) >= table.limit) {
            return Error::BadHandle;
        }
        const auto index = static_cast<std::size_t>(at);
        if (index >= table.entries.size()) {
            TRY(table.entries.resize(index + 1));
        }
        Entry& entry = table.entries[index];
        if (entry.reserved) {
            return Error::Busy;
        }
        table.used += entry.object ? 0 : 1;
        ++table.generation;
        entry.rights = rights;
        entry.flags = flags;
        return std::exchange(entry.object, std::move(object));
    }));
    if (displaced) {
        displaced->handle_closed(*this);
    }
    return displaced;
}

Result<RefPtr<Object>> HandleTable::remove(int handle) {
    RefPtr<Object> removed = TRY(table_.with([&](Table& table) -> Result<RefPtr<Object>> {
        Entry* entry = table.find(handle);
        if (entry == nullptr) {
            return Error::BadHandle;
        }
        RefPtr<Object> object = std::move(entry->object);
        table.release(static_cast<std::size_t>(handle));
        ++table.generation;
        return object;
    }));
    removed->handle_closed(*this);
    return removed;
}

Result<HandleFlags> HandleTable::flags(int handle) const {
    return TRY(get_slot(handle)).flags;
}

Result<> HandleTable::set_flags(int handle, HandleFlags flags) {
    return table_.with([&](Table& table) -> Result<> {
        Entry* entry = table.find(handle);
        if (entry == nullptr) {
            return Error::BadHandle;
        }
        entry->flags = flags;
        return {};
    });
}

Result<RefPtr<HandleTable>> HandleTable::clone() const {
    return clone_below(static_cast<int>(kMaxHandles));
}

Result<RefPtr<HandleTable>> HandleTable::clone_below(int first) const {
    RefPtr<HandleTable> copy = TRY(create(0));
    // Nobody else sees the copy yet. It is emptied outside the lock when it must be given up.
    TRY(table_.with([&](const Table& table) -> Result<> {
        Table& target = copy->table_.unguarded();
        target.limit = table.limit;
        const std::size_t size = std::min(table.entries.size(), static_cast<std::size_t>(std::max(first, 0)));
        TRY(target.entries.resize(size));
        for (std::size_t i = 0; i < size; ++i) {
            const Entry& entry = table.entries[i];
            if (entry.object) {
                target.entries[i] = Entry{entry.object, entry.rights, entry.flags, false};
                ++target.used;
            }
        }
        return {};
    }));
    return copy;
}

namespace {

// Takes away the handles for which condition(entry) holds, one lock hold each, because dropping an object may do
// anything.
template <class Guard, class Condition>
void drop_all(const HandleTable& owner, Guard& guard, Condition&& condition) {
    std::size_t index = 0;
    bool more = true;
    while (more) {
        RefPtr<Object> dropped;
        more = guard.with([&](auto& table) {
            for (; index < table.entries.size(); ++index) {
                auto& entry = table.entries[index];
                if (entry.object && condition(entry)) {
                    dropped = std::move(entry.object);
                    table.release(index++);
                    ++table.generation;
                    return true;
                }
            }
            return false;
        });
        if (dropped) {
            dropped->handle_closed(owner);
        }
    }
}

}  // namespace

void HandleTable::close_on_exec() {
    drop_all(*this, table_, [](const Entry& entry) { return has(entry.flags, HandleFlags::CloseOnExec); });
}

void HandleTable::close_all() {
    drop_all(*this, table_, [](const Entry&) { return true; });
}

unsigned HandleTable::limit() const {
    return table_.with([](const Table& table) { return table.limit; });
}

void HandleTable::set_limit(unsigned handles) {
    table_.with([&](Table& table) { table.limit = std::min(handles, kMaxHandles); });
}

std::optional<int> HandleTable::next(int at_least) const {
    return table_.with([&](const Table& table) -> std::optional<int> {
        for (auto i = static_cast<std::size_t>(std::max(at_least, 0)); i < table.entries.size(); ++i) {
            if (table.entries[i].object) {
                return static_cast<int>(i);
            }
        }
        return std::nullopt;
    });
}

std::size_t HandleTable::count() const {
    return table_.with([](const Table& table) { return table.used; });
}

std::uint64_t HandleTable::generation() const {
    return table_.with([](const Table& table) { return table.generation; });
}

}  // namespace kernel::object
