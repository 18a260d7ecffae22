// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <array>
#include <cstdint>

#include "lib/construct.h"
#include "lib/guarded.h"
#include "platform/page_map.h"
#include "platform/x86_64/page_table.h"

namespace kernel::platform::x86 {

// Page tables of one address space. Runs of 2 MiB that are aligned in both ways become large pages; changing a part of one
// drops all of it, which the contract of PageMap allows.
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

        void add(std::uint64_t address);
    };
    struct Tables {
        std::uint64_t root = 0;  // physical
        Stale stale;
    };

    explicit X86PageMap(std::uint64_t root);

    static Result<PageTable*> next_table(PageEntry& entry);
    static Result<PageTable*> directory_for(Tables& tables, std::uint64_t address);
    Result<> map_large(Tables& tables, std::uint64_t address, PageEntry leaf);
    Result<> map_small(Tables& tables, std::uint64_t address, std::uint64_t pages, PageEntry leaf);
    void flush(Stale& stale);

    SpinGuarded<Tables, Rank::PageMap> tables_;
};

}  // namespace kernel::platform::x86
