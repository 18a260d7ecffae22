// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "lib/guarded.h"
#include "lib/types.h"

namespace kernel::mm {

// The kernel's own look-aside buffer for user pages, so that copying a few bytes to or from a page used a moment ago
// needs neither the sleeping lock of the address space nor a walk. Like the page map it may hold only what a walk under
// that lock found, and is flushed wherever the page map is. A page is copied under the lock of the cache: after a flush
// nobody uses the old translation any more.
class TranslationCache {
public:
    // Calls f with the bytes of the page if they are known (and writable, if asked for). Never blocks.
    template <class F>
    bool with_page(std::uint64_t page, bool write, F&& f) {
        return table_.with([&](Table& table) {
            const Entry& entry = table.entries[index_of(page)];
            if (entry.memory == nullptr || entry.page != page || (write && !entry.writable)) {
                return false;
            }
            f(std::span<std::byte, kPageSize>(entry.memory, kPageSize));
            return true;
        });
    }

    // The caller holds the lock of the address space, here and below.
    void insert(std::uint64_t page, std::byte* memory, bool writable) {
        table_.with([&](Table& table) { table.entries[index_of(page)] = {page, memory, writable}; });
    }
    void flush(std::uint64_t first, std::uint64_t pages) {
        table_.with([&](Table& table) {
            for (Entry& entry : table.entries) {
                if (entry.page - first < pages) {
                    entry.memory = nullptr;
                }
            }
        });
    }
    void flush_all() { flush(0, UINT64_MAX); }

private:
    static constexpr std::size_t kEntries = 32;
    static constexpr std::size_t index_of(std::uint64_t page) { return (page ^ (page >> 5)) % kEntries; }

    struct Entry {
        std::uint64_t page = 0;
        std::byte* memory = nullptr;
        bool writable = false;
    };
    struct Table {
        std::array<Entry, kEntries> entries{};
    };
    SpinGuarded<Table, Rank::PageMap> table_;
};

}  // namespace kernel::mm
