// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>

#include "core/mm/frame.h"
#include "core/mm/io_buffer.h"
#include "core/mm/pager.h"
#include "core/object/object.h"
#include "lib/guarded.h"
#include "lib/list.h"
#include "lib/own.h"
#include "lib/park.h"
#include "lib/result.h"

namespace kernel::mm {

class AddressSpace;
struct ObjectPages;

// Limits how many pages a group of anonymous objects (one tmpfs) may hold.
class PageBudget final : public RefCounted {
public:
    static Result<RefPtr<PageBudget>> create(std::uint64_t limit_pages);
    // False when the limit would be passed.
    [[nodiscard]] bool charge(std::uint64_t pages);
    void release(std::uint64_t pages);
    std::uint64_t used_pages() const { return used_.load(std::memory_order_relaxed); }
    std::uint64_t limit_pages() const { return limit_.load(std::memory_order_relaxed); }
    void set_limit(std::uint64_t pages) { limit_.store(pages, std::memory_order_relaxed); }

private:
    friend class kernel::ObjectMaker;
    explicit PageBudget(std::uint64_t limit_pages) : limit_(limit_pages) {}

    std::atomic<std::uint64_t> used_ = 0;
    std::atomic<std::uint64_t> limit_;
};

// Pages of an object by number.
struct PageRange {
    std::uint64_t first = 0;
    std::uint64_t count = 0;

    constexpr std::uint64_t end() const { return count > UINT64_MAX - first ? UINT64_MAX : first + count; }
    constexpr bool contains(std::uint64_t page) const { return page - first < count; }
    constexpr bool overlaps(PageRange other) const { return first < other.end() && other.first < end(); }
};

// One region that maps a part of an object: the object's half of the reverse map. Lives in the region; every field is
// guarded by the object's list of mappings.
struct ObjectMapping {
    ListNode node;
    AddressSpace* space = nullptr;
    VirtAddr address{};
    PageRange range{};
    std::uint64_t serial = 0;     // ascending in the list
    bool writable_share = false;  // a shared mapping that is, or may become, writable; set before it is attached
};

enum class PageUse : std::uint8_t {
    Read,
    Write,  // the contents will change: a page that the pager knows becomes dirty
};

// Bytes in pages that can be mapped and read and written by offset: a file's contents, shared memory. Its pages are the
// page cache. Pages come into being when first used. All functions may block unless they say otherwise.
class MemoryObject : public object::Object {
public:
    object::ObjectType type() const final { return object::ObjectType::MemoryObject; }

    // Never used again for another object.
    std::uint64_t id() const { return id_; }
    std::uint64_t size_bytes() const { return size_bytes_.load(std::memory_order_acquire); }
    // Pages in memory. Never blocks.
    std::uint64_t resident_pages() const;
    std::uint64_t resident_pages(PageRange range) const;

    // lseek(2): the first byte at or after `offset` that is, or is not, in a hole; the end counts as a hole. Null: none
    // before the end. Objects whose pages have another home are taken to be without holes. Never block.
    std::optional<std::uint64_t> next_data(std::uint64_t offset) const;
    std::optional<std::uint64_t> next_hole(std::uint64_t offset) const;

    // Bytes from `offset` to the end of the object or of the buffer; 0 at the end. An error after some bytes is not
    // reported until the next call. Errors: those of the pager, BadAddress, NoMemory.
    Result<std::size_t> read(std::uint64_t offset, IoBuffer& buffer);
    Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> bytes);
    // Grows the object when it ends beyond size_bytes(). Errors: the same, NoSpace (budget), FileTooLarge.
    Result<std::size_t> write(std::uint64_t offset, IoBuffer& buffer);
    Result<std::size_t> write(std::uint64_t offset, std::span<const std::byte> bytes);

    // Grows or truncates. What is cut off disappears from every mapping, private copies of it too; the rest of the last
    // page becomes zero.
    void resize(std::uint64_t bytes);
    // Whole pages inside the byte range disappear, its ragged ends become zero (a hole; madvise(MADV_REMOVE)). Errors:
    // NoMemory, Io.
    Result<> discard(std::uint64_t offset, std::uint64_t bytes);
    // Writes dirty pages in the range to the pager; mappings are write-protected so that later writes are seen. Errors:
    // Io.
    virtual Result<> write_back(PageRange range);
    Result<> write_back() { return write_back({0, UINT64_MAX}); }
    // Drops clean pages that nothing else uses (posix_fadvise(POSIX_FADV_DONTNEED)); returns how many.
    virtual std::uint64_t drop_clean(PageRange range);

    // The page if it is in memory and usable at once, for Write with the dirty mark set. Never blocks.
    FrameRef find_page(std::uint64_t page, PageUse use);
    // Whether pages that are not in memory are zero, and nothing else.
    virtual bool starts_as_zero() const { return false; }
    // For fault handlers: the pages from `first` on, null where they are not usable at once. Takes no references: the
    // caller holds the lock of an address space that maps them, which whoever drops a page needs first. Never blocks.
    void peek_pages(std::uint64_t first, std::span<Frame*> frames);
    // Brings the page in. Errors: Io beyond the end of the object; those of the pager; NoMemory; NoSpace.
    Result<FrameRef> get_page(std::uint64_t page, PageUse use);

    // Whether write access to a mapping must be taken away until the page is marked dirty.
    virtual bool tracks_dirty() const { return false; }

    // The reverse map. The caller holds the lock of the mapping's address space. Never block.
    void attach(ObjectMapping& mapping, AddressSpace& space, VirtAddr address, PageRange range);
    void detach(ObjectMapping& mapping);
    void change(ObjectMapping& mapping, VirtAddr address, PageRange range);
    bool is_mapped(PageRange range) const;
    // Whether somebody maps it shared and writable, or could make such a mapping writable (memfd_create(2), seals).
    bool has_writable_share() const;

    // What revoke takes out of the address spaces that map pages.
    enum class Revoke : std::uint8_t { Write, All, AllAndPrivateCopies };

protected:
    explicit MemoryObject(std::uint64_t size_bytes);
    ~MemoryObject() override;
    // For create: what can fail. Errors: NoMemory.
    Result<> initialize();

    // Makes `page` resident, and neighbours if the object finds that clever; `wanted` pages from there will be used
    // next. Called without locks, by several at once for the same page.
    virtual Result<> fill(std::uint64_t page, std::uint64_t wanted) = 0;
    // So many pages left the object.
    virtual void pages_dropped(std::uint64_t count) = 0;

    bool has_pages() const { return static_cast<bool>(pages_); }
    ObjectPages& pages() const { return *pages_; }
    // The largest part of the range that has `page` in it and no page in memory; empty if `page` is there.
    PageRange absent_around(std::uint64_t page, PageRange range) const;
    // Inserts a frame with the caller's reference unless the page is there already. Errors: NoMemory, Exists.
    Result<> insert_page(std::uint64_t page, FrameNumber number, bool busy, bool dirty);
    // Whoever finds a page busy notes the epoch under the lock of the pages and waits for the next.
    std::uint64_t busy_epoch() const { return busy_epoch_.load(std::memory_order_acquire); }
    void wait_for_busy(std::uint64_t epoch);
    void wake_busy_waiters();
    void revoke(PageRange range, Revoke what);
    // Takes the pages out of the object and of every mapping. Waits for busy ones.
    void remove_pages(PageRange range);
    std::uint64_t drop_clean_pages(PageRange range);
    void set_size(std::uint64_t bytes) { size_bytes_.store(bytes, std::memory_order_release); }

private:
    Result<FrameRef> get_page_for(std::uint64_t page, PageUse use, std::uint64_t wanted);
    Result<std::size_t> write_piece(std::uint64_t offset, std::uint64_t bytes, IoBuffer& buffer);
    Result<bool> write_fresh_page(std::uint64_t offset, std::uint64_t bytes, IoBuffer& buffer);
    Result<std::size_t> read_piece(std::uint64_t offset, std::uint64_t bytes, IoBuffer& buffer);
    void zero_resident(std::uint64_t from_byte, std::uint64_t bytes);
    void grow_to(std::uint64_t bytes);

    const std::uint64_t id_;
    std::atomic<std::uint64_t> size_bytes_;
    OwnPtr<ObjectPages> pages_;
    std::atomic<std::uint64_t> busy_epoch_ = 0;
    WaitList busy_waiters_;
};

// Memory that starts as zero and has no other home: tmpfs files, shared anonymous mappings, System V segments.
class AnonymousObject final : public MemoryObject {
public:
    // Without a budget only the machine's memory is the limit. Errors: NoMemory.
    static Result<RefPtr<AnonymousObject>> create(std::uint64_t size_bytes, RefPtr<PageBudget> budget = {});
    bool starts_as_zero() const override { return true; }

private:
    friend class kernel::ObjectMaker;
    AnonymousObject(std::uint64_t size_bytes, RefPtr<PageBudget> budget);
    ~AnonymousObject() override;
    Result<> fill(std::uint64_t page, std::uint64_t wanted) override;
    void pages_dropped(std::uint64_t count) override;

    RefPtr<PageBudget> budget_;
};

// The page cache of a file: pages are read from the pager when missing, with read-ahead for sequential use, and may be
// dropped while clean.
class PagedObject final : public MemoryObject {
public:
    // The pager must outlive the object or call detach_pager. Errors: NoMemory.
    static Result<RefPtr<PagedObject>> create(Pager& pager, std::uint64_t size_bytes);

    // The pager goes away: from now on missing pages are Error::Io. Waits for calls that are under way.
    void detach_pager();

    Result<> write_back(PageRange range) override;
    std::uint64_t drop_clean(PageRange range) override;
    bool tracks_dirty() const override { return true; }
    using MemoryObject::write_back;

private:
    friend class kernel::ObjectMaker;
    PagedObject(Pager& pager, std::uint64_t size_bytes);
    ~PagedObject() override;
    Result<> fill(std::uint64_t page, std::uint64_t wanted) override;
    void pages_dropped(std::uint64_t count) override;
    PageRange read_ahead(std::uint64_t page, std::uint64_t wanted);
    Result<> read_run(PageRange range, std::uint64_t page);
    void finish_read(PageRange range, bool usable);
    PageRange begin_write_back(PageRange range, std::span<FrameRef> frames);
    Result<> write_frames(PageRange run, std::span<const FrameRef> frames);

    // Holds the pager while it is called, so that detach_pager can wait.
    class PagerCall;

    std::atomic<Pager*> pager_;
    std::atomic<std::uint32_t> pager_calls_ = 0;
    WaitList detach_waiters_;
    std::atomic<std::uint64_t> next_sequential_ = 0;
    std::atomic<std::uint64_t> window_pages_ = 0;
};

}  // namespace kernel::mm
