// SPDX-License-Identifier: MIT OR Apache-2.0
#include "core/mm/memory_object.h"

#include <algorithm>

#include "core/mm/address_space.h"
#include "core/mm/frame_run.h"
#include "core/mm/object_pages.h"
#include "core/mm/reclaim.h"
#include "lib/bytes.h"

namespace kernel::mm {

namespace {

constinit std::atomic<std::uint64_t> last_object_id = 0;

constexpr std::size_t kDropBatch = 64;

void mark_used(Frame& frame, PageUse use) {
    if (!frame.has(FrameFlag::Referenced)) {
        frame.set(FrameFlag::Referenced);
    }
    if (use == PageUse::Write) {
        mark_dirty(frame);
    }
}

}  // namespace

Result<RefPtr<PageBudget>> PageBudget::create(std::uint64_t limit_pages) {
    return make_ref<PageBudget>(limit_pages);
}

bool PageBudget::charge(std::uint64_t pages) {
    std::uint64_t used = used_.load(std::memory_order_relaxed);
    do {
        if (pages > limit_pages() || used > limit_pages() - pages) {
            return false;
        }
    } while (!used_.compare_exchange_weak(used, used + pages, std::memory_order_relaxed));
    return true;
}

void PageBudget::release(std::uint64_t pages) {
    used_.fetch_sub(pages, std::memory_order_relaxed);
}

MemoryObject::MemoryObject(std::uint64_t size_bytes)
    : id_(last_object_id.fetch_add(1, std::memory_order_relaxed) + 1), size_bytes_(size_bytes) {}

MemoryObject::~MemoryObject() {
    // The derived class has dropped the pages; only it can account for them.
    KASSERT(!pages_ || pages_->pages.unguarded().frames.empty());
}

Result<> MemoryObject::initialize() {
    pages_ = TRY(make_own<ObjectPages>());
    return {};
}

std::uint64_t MemoryObject::resident_pages() const {
    return pages_->pages.with([](const ObjectPages::Pages& pages) { return pages.frames.size(); });
}

std::uint64_t MemoryObject::resident_pages(PageRange range) const {
    return pages_->pages.with([&](const ObjectPages::Pages& pages) {
        std::uint64_t count = 0;
        pages.frames.for_each(range.first, range.end(), [&](std::uint64_t, Frame*) { ++count; });
        return count;
    });
}

std::optional<std::uint64_t> MemoryObject::next_data(std::uint64_t offset) const {
    const std::uint64_t end = size_bytes();
    if (offset >= end) {
        return std::nullopt;
    }
    if (!starts_as_zero()) {
        return offset;
    }
    const auto page = pages_->pages.with([&](const ObjectPages::Pages& pages) {
        const auto entry = pages.frames.next(offset >> kPageShift);
        return entry ? std::optional(entry->index) : std::nullopt;
    });
    if (!page || *page >= pages_for_bytes(end)) {
        return std::nullopt;
    }
    return std::max(offset, *page << kPageShift);
}

std::optional<std::uint64_t> MemoryObject::next_hole(std::uint64_t offset) const {
    const std::uint64_t end = size_bytes();
    if (offset >= end) {
        return std::nullopt;
    }
    if (!starts_as_zero()) {
        return end;
    }
    const std::uint64_t first = offset >> kPageShift;
    const std::uint64_t page = pages_->pages.with([&](const ObjectPages::Pages& pages) {
        std::uint64_t expected = first;
        for (auto entry = pages.frames.next(first); entry && entry->index == expected;
             entry = pages.frames.next(expected)) {
            ++expected;
        }
        return expected;
    });
    return std::min(end, std::max(offset, page << kPageShift));
}

FrameRef MemoryObject::find_page(std::uint64_t page, PageUse use) {
    return pages_->pages.with([&](ObjectPages::Pages& pages) -> FrameRef {
        Frame* const frame = pages.frames.get(page);
        if (frame == nullptr || !is_usable(*frame)) {
            return {};
        }
        mark_used(*frame, use);
        return FrameRef(frame_number(*frame));
    });
}

void MemoryObject::peek_pages(std::uint64_t first, std::span<Frame*> frames) {
    std::ranges::fill(frames, nullptr);
    pages_->pages.with([&](ObjectPages::Pages& pages) {
        pages.frames.for_each(first, first + frames.size(), [&](std::uint64_t page, Frame* frame) {
            if (is_usable(*frame)) {
                frames[page - first] = frame;
            }
        });
    });
}

Result<FrameRef> MemoryObject::get_page(std::uint64_t page, PageUse use) {
    assert_may_reclaim();
    if (page >= pages_for_bytes(size_bytes())) {
        return Error::Io;
    }
    return get_page_for(page, use, 0);
}

Result<FrameRef> MemoryObject::get_page_for(std::uint64_t page, PageUse use, std::uint64_t wanted) {
    while (true) {
        bool busy = false;
        std::uint64_t epoch = 0;
        FrameRef found = pages_->pages.with([&](ObjectPages::Pages& pages) -> FrameRef {
            Frame* const frame = pages.frames.get(page);
            if (frame == nullptr) {
                return {};
            }
            if (!is_usable(*frame)) {
                busy = true;
                epoch = busy_epoch();
                return {};
            }
            mark_used(*frame, use);
            return FrameRef(frame_number(*frame));
        });
        if (found) {
            return found;
        }
        if (busy) {
            wait_for_busy(epoch);
        } else {
            TRY(fill(page, wanted));
        }
    }
}

PageRange MemoryObject::absent_around(std::uint64_t page, PageRange range) const {
    return pages_->pages.with([&](const ObjectPages::Pages& pages) -> PageRange {
        std::uint64_t first = range.first;
        std::uint64_t end = range.end();
        for (auto entry = pages.frames.next(first); entry && entry->index < end;
             entry = pages.frames.next(entry->index + 1)) {
            if (entry->index == page) {
                return {page, 0};
            }
            (entry->index < page ? first : end) = entry->index < page ? entry->index + 1 : entry->index;
        }
        return {first, end - first};
    });
}

Result<> MemoryObject::insert_page(std::uint64_t page, FrameNumber number, bool busy, bool dirty) {
    return pages_->pages.with([&](ObjectPages::Pages& pages) -> Result<> {
        Frame& frame = frame_info(number);
        TRY(pages.frames.insert(page, &frame));
        frame.set_kind(FrameKind::Cached);
        frame.owner = static_cast<MemoryObject*>(this);
        frame.index = page;
        if (busy) {
            frame.set(FrameFlag::Busy);
        }
        if (tracks_dirty()) {
            add_to_reclaim_list(frame);
        }
        if (dirty) {
            mark_dirty(frame);
        }
        return {};
    });
}

void MemoryObject::wait_for_busy(std::uint64_t epoch) {
    park_current(busy_waiters_, [&] { return busy_epoch() == epoch; });
}

void MemoryObject::wake_busy_waiters() {
    busy_epoch_.fetch_add(1, std::memory_order_release);
    unpark_all(busy_waiters_);
}

void MemoryObject::remove_pages(PageRange range) {
    std::uint64_t next = range.first;
    bool more = true;
    while (more) {
        std::array<FrameNumber, kDropBatch> dropped;
        std::size_t count = 0;
        bool busy = false;
        std::uint64_t epoch = 0;
        const std::uint64_t from = next;
        more = pages_->pages.with([&](ObjectPages::Pages& pages) {
            while (const auto entry = pages.frames.next(next)) {
                if (entry->index >= range.end()) {
                    return false;
                }
                if (count == dropped.size()) {
                    return true;
                }
                if (is_in_transit(*entry->value)) {
                    busy = true;
                    epoch = busy_epoch();
                    return true;
                }
                pages.frames.erase(entry->index);
                remove_from_reclaim_list(*entry->value);
                dropped[count++] = frame_number(*entry->value);
                next = entry->index + 1;
            }
            return false;
        });
        if (count != 0) {
            revoke({from, next - from}, Revoke::All);
            for (std::size_t i = 0; i < count; ++i) {
                drop_frame_reference(dropped[i]);
            }
            pages_dropped(count);
        }
        if (busy) {
            wait_for_busy(epoch);
        }
    }
}

// Busy keeps everybody else away from the pages between the moment they are found unused and the moment they are gone
// from every mapping.
std::uint64_t MemoryObject::drop_clean_pages(PageRange range) {
    std::array<Frame*, kDropBatch> chosen;
    std::size_t count = 0;
    std::uint64_t last = range.first;
    const auto is_unused = [](const Frame& frame) {
        return frame.references.load(std::memory_order_acquire) == 1 && !frame.has(FrameFlag::Dirty);
    };
    pages_->pages.with([&](ObjectPages::Pages& pages) {
        for (auto entry = pages.frames.next(range.first); entry && entry->index < range.end() && count < chosen.size();
             entry = pages.frames.next(entry->index + 1)) {
            if (is_unused(*entry->value) && !is_in_transit(*entry->value)) {
                entry->value->set(FrameFlag::Busy);
                chosen[count++] = entry->value;
                last = entry->index;
            }
        }
    });
    if (count == 0) {
        return 0;
    }
    revoke({range.first, last - range.first + 1}, Revoke::All);
    std::size_t dropped = 0;
    pages_->pages.with([&](ObjectPages::Pages& pages) {
        for (std::size_t i = 0; i < count; ++i) {
            Frame& frame = *chosen[i];
            if (is_unused(frame)) {
                pages.frames.erase(frame.index);
                remove_from_reclaim_list(frame);
                chosen[dropped++] = &frame;
            }
            frame.clear(FrameFlag::Busy);
        }
    });
    wake_busy_waiters();
    for (std::size_t i = 0; i < dropped; ++i) {
        drop_frame_reference(frame_number(*chosen[i]));
    }
    if (dropped != 0) {
        pages_dropped(dropped);
    }
    return dropped;
}

void MemoryObject::grow_to(std::uint64_t bytes) {
    std::uint64_t size = size_bytes();
    while (size < bytes && !size_bytes_.compare_exchange_weak(size, bytes, std::memory_order_release)) {
    }
}

void MemoryObject::resize(std::uint64_t bytes) {
    assert_may_reclaim();
    const std::uint64_t before = size_bytes_.exchange(bytes, std::memory_order_acq_rel);
    if (bytes >= before) {
        return;
    }
    const std::uint64_t first_gone = pages_for_bytes(bytes);
    const PageRange gone{first_gone, UINT64_MAX};
    revoke(gone, Revoke::AllAndPrivateCopies);
    remove_pages(gone);
    if (bytes % kPageSize != 0) {
        zero_resident(bytes, kPageSize - bytes % kPageSize);
    }
}

void MemoryObject::zero_resident(std::uint64_t from_byte, std::uint64_t bytes) {
    const std::uint64_t page = from_byte / kPageSize;
    while (true) {
        bool busy = false;
        std::uint64_t epoch = 0;
        const FrameRef found = pages_->pages.with([&](ObjectPages::Pages& pages) -> FrameRef {
            Frame* const frame = pages.frames.get(page);
            if (frame == nullptr) {
                return {};
            }
            busy = !is_usable(*frame);
            epoch = busy_epoch();
            return busy ? FrameRef() : FrameRef(frame_number(*frame));
        });
        if (found) {
            zero(found.bytes().subspan(from_byte % kPageSize, bytes));
            return;
        }
        if (!busy) {
            return;
        }
        wait_for_busy(epoch);
    }
}

Result<> MemoryObject::discard(std::uint64_t offset, std::uint64_t bytes) {
    const std::uint64_t end = std::min(size_bytes(), bytes > UINT64_MAX - offset ? UINT64_MAX : offset + bytes);
    if (offset >= end) {
        return {};
    }
    const auto zero_edge = [&](std::uint64_t from, std::uint64_t to) -> Result<> {
        if (from < to) {
            const FrameRef frame = TRY(get_page(from / kPageSize, PageUse::Write));
            zero(frame.bytes().subspan(from % kPageSize, to - from));
        }
        return {};
    };
    const std::uint64_t first_whole = align_up(offset, kPageSize);
    const std::uint64_t whole_end = end == size_bytes() ? align_up(end, kPageSize) : align_down(end, kPageSize);
    if (first_whole > whole_end || (first_whole == whole_end && offset / kPageSize == (end - 1) / kPageSize)) {
        return zero_edge(offset, end);
    }
    TRY(zero_edge(offset, first_whole));
    if (whole_end < end) {
        TRY(zero_edge(whole_end, end));
    }
    remove_pages({first_whole / kPageSize, (whole_end - first_whole) / kPageSize});
    return {};
}

Result<> MemoryObject::write_back(PageRange) {
    return {};
}

std::uint64_t MemoryObject::drop_clean(PageRange) {
    return 0;
}

}  // namespace kernel::mm
