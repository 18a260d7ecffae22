// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <array>
#include <atomic>
#include <cstdint>

#include "lib/construct.h"
#include "lib/guarded.h"
#include "platform/page_map.h"
#include "platform/x86_64/page_table.h"

namespace kernel::platform::x86 {

// Page tables of one address space. Runs of 2 MiB that are aligned in both ways become large pages; changing a part of
// one drops all of it, which the contract of PageMap allows.
class X86PageMap final : public PageMap {
public:
    static Result<OwnPtr<PageMap>> create();
    ~X86PageMap() override;

    Result<> map(VirtAddr address, FrameNumber first, std::uint64_t pages, Access access) override;
    void unmap(VirtAddr address, std::uint64_t pages) override;
    void protect(VirtAddr address, std::uint64_t pages, Access access) override;
    void commit() override;

    // Commits and makes this the address space of the CPU.
    void activate();

private:
    friend class kernel::ObjectMaker;

    // Translations that CPUs may still use although the tables say otherwise.
    struct Stale {
        static constexpr std::size_t kMaxPages = 32;
        std::array<std::uint64_t, kMaxPages> pages{};
        std::size_t page_count = 0;
        bool everything = false;

        bool empty() const { return page_count == 0 && !everything; }
        void add(std::uint64_t address);
    };
    explicit X86PageMap(std::uint64_t root);

    static Result<PageTable*> next_table(PageEntry& entry);
    Result<PageTable*> directory_for(std::uint64_t address);
    Result<> map_large(Stale& stale, std::uint64_t address, PageEntry leaf);
    Result<> map_small(Stale& stale, std::uint64_t address, std::uint64_t pages, PageEntry leaf);
    void flush(Stale& stale);
    template <class Change>
    Result<> change_tables(Change&& change);

    const std::uint64_t root_;  // physical
    // The lock of the tables too. The flag tells commit() whether it needs the lock: who changed the tables sees it
    // set.
    SpinGuarded<Stale, Rank::PageMap> stale_;
    std::atomic<bool> has_stale_ = false;
};

}  // namespace kernel::platform::x86
