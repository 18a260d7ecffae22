// SPDX-License-Identifier: MIT OR Apache-2.0
#include <algorithm>
#include <array>

#include "core/mm/frame_run.h"
#include "core/mm/memory_object.h"
#include "core/mm/object_pages.h"
#include "core/mm/policy.h"
#include "core/mm/reclaim.h"

namespace kernel::mm {

class PagedObject::PagerCall {
public:
    explicit PagerCall(PagedObject& object) : object_(object) {
        object_.pager_calls_.fetch_add(1);
        pager_ = object_.pager_.load();
    }
    PagerCall(const PagerCall&) = delete;
    PagerCall& operator=(const PagerCall&) = delete;
    ~PagerCall() {
        if (object_.pager_calls_.fetch_sub(1) == 1 && object_.pager_.load() == nullptr) {
            unpark_all(object_.detach_waiters_);
        }
    }
    Pager* pager() const { return pager_; }

private:
    PagedObject& object_;
    Pager* pager_ = nullptr;
};

PagedObject::PagedObject(Pager& pager, std::uint64_t size_bytes) : MemoryObject(size_bytes), pager_(&pager) {}

PagedObject::~PagedObject() {
    if (has_pages()) {
        remove_pages({0, UINT64_MAX});
    }
}

Result<RefPtr<PagedObject>> PagedObject::create(Pager& pager, std::uint64_t size_bytes) {
    RefPtr<PagedObject> object = TRY(make_ref<PagedObject>(pager, size_bytes));
    TRY(object->initialize());
    return object;
}

void PagedObject::detach_pager() {
    pager_.store(nullptr);
    while (pager_calls_.load() != 0) {
        park_current(detach_waiters_, [&] { return pager_calls_.load() != 0; });
    }
}

void PagedObject::pages_dropped(std::uint64_t) {}

std::uint64_t PagedObject::drop_clean(PageRange range) {
    std::uint64_t dropped = 0;
    while (const std::uint64_t now = drop_clean_pages(range)) {
        dropped += now;
    }
    return dropped;
}

// Which pages to read when `page` is missing. A fault (wanted is 0) reads around it; a reader gets what it asked for,
// and more and more if it goes on where it stopped.
PageRange PagedObject::read_ahead(std::uint64_t page, std::uint64_t wanted) {
    const std::uint64_t end = pages_for_bytes(size_bytes());
    PageRange range{page, 0};
    if (wanted == 0) {
        range = {align_down(page, kReadAroundPages), kReadAroundPages};
    } else {
        const bool sequential = page == next_sequential_.load(std::memory_order_relaxed) && page != 0;
        const std::uint64_t window = sequential ? 2 * window_pages_.load(std::memory_order_relaxed) : 0;
        range.count = std::clamp(std::max(window, wanted), kFirstReadAheadPages, kMaxReadAheadPages);
        window_pages_.store(range.count, std::memory_order_relaxed);
    }
    // A write into the last, partial page beyond the end needs that page only.
    range.count = page >= end ? 1 : std::min(range.count, end - range.first);
    range.first = page >= end ? page : range.first;
    next_sequential_.store(range.end(), std::memory_order_relaxed);
    return range;
}

Result<> PagedObject::fill(std::uint64_t page, std::uint64_t wanted) {
    return read_run(absent_around(page, read_ahead(page, wanted)), page);
}

Result<> PagedObject::read_run(PageRange range, std::uint64_t page) {
    if (range.count == 0) {
        return {};
    }
    FrameRun run;
    TRY(run.allocate(range.count, Zeroing::None));
    if (run.size() < range.count) {
        range = {page, std::min<std::uint64_t>(run.size(), range.end() - page)};
    }
    // The busy pages hold others off. The run ends, on both sides, where a page has come meanwhile.
    const auto insert = [&](std::uint64_t at) -> Result<> {
        TRY(insert_page(at, run[at - range.first], true, false));
        static_cast<void>(run.take(at - range.first));
        return {};
    };
    if (const auto inserted = insert(page); !inserted) {
        return inserted.error() == Error::Exists ? Result<>() : inserted;
    }
    std::uint64_t first = page;
    std::uint64_t end = page + 1;
    while (end < range.end() && insert(end)) {
        ++end;
    }
    while (first > range.first && insert(first - 1)) {
        --first;
    }
    const std::span<const FrameNumber> frames = run.span().subspan(first - range.first, end - first);
    const PagerCall call(*this);
    const Result<> read = call.pager() == nullptr ? Error::Io : call.pager()->read_pages(first, frames);
    finish_read({first, end - first}, read.has_value());
    return read;
}

// The pages become usable, or disappear.
void PagedObject::finish_read(PageRange range, bool usable) {
    std::array<Frame*, FrameRun::kMaxFrames> failed;
    std::size_t count = 0;
    pages().pages.with([&](ObjectPages::Pages& pages) {
        for (std::uint64_t page = range.first; page < range.end(); ++page) {
            Frame& frame = *pages.frames.get(page);
            if (!usable) {
                pages.frames.erase(page);
                remove_from_reclaim_list(frame);
                failed[count++] = &frame;
            }
            frame.clear(FrameFlag::Busy);
        }
    });
    wake_busy_waiters();
    for (std::size_t i = 0; i < count; ++i) {
        drop_frame_reference(frame_number(*failed[i]));
    }
}

// Marks the first run of dirty pages in the range as being written and takes references to them. Waits for pages that
// somebody else is writing. No dirty pages: an empty run.
PageRange PagedObject::begin_write_back(PageRange range, std::span<FrameRef> frames) {
    PageRange run{range.first, 0};
    std::optional<std::uint64_t> in_transit;
    const auto visit = [&](std::uint64_t page, Frame& frame) {
        if (run.count != 0 && (page != run.end() || run.count == frames.size())) {
            return false;
        }
        if (is_in_transit(frame)) {
            in_transit = run.count == 0 ? std::optional(busy_epoch()) : std::nullopt;
            return false;
        }
        if (!frame.has(FrameFlag::Dirty)) {
            return run.count == 0;
        }
        mark_clean(frame);
        frame.set(FrameFlag::Writeback);
        run.first = run.count == 0 ? page : run.first;
        frames[run.count++] = FrameRef(frame_number(frame));
        return true;
    };
    do {
        in_transit.reset();
        pages().pages.with([&](ObjectPages::Pages& pages) {
            auto entry = pages.frames.next(range.first);
            while (entry && entry->index < range.end() && visit(entry->index, *entry->value)) {
                entry = pages.frames.next(entry->index + 1);
            }
        });
        if (in_transit) {
            wait_for_busy(*in_transit);
        }
    } while (in_transit);
    return run;
}

Result<> PagedObject::write_back(PageRange range) {
    Result<> result;
    while (true) {
        std::array<FrameRef, FrameRun::kMaxFrames> frames;
        const PageRange run = begin_write_back(range, frames);
        if (run.count == 0) {
            return result;
        }
        const Result<> written = write_frames(run, {frames.data(), run.count});
        result = result ? written : result;
        range = {run.end(), range.end() - run.end()};
    }
}

Result<> PagedObject::write_frames(PageRange run, std::span<const FrameRef> frames) {
    std::array<FrameNumber, FrameRun::kMaxFrames> numbers;
    for (std::size_t i = 0; i < frames.size(); ++i) {
        numbers[i] = frames[i].number();
    }
    revoke(run, Revoke::Write);
    const std::uint64_t offset = run.first * kPageSize;
    const std::uint64_t size = size_bytes();
    // Pages beyond the end, mapped and written, have nowhere to go.
    const std::uint64_t bytes = size <= offset ? 0 : std::min(run.count * kPageSize, size - offset);
    Result<> written;
    if (bytes != 0) {
        const PagerCall call(*this);
        const std::size_t whole = pages_for_bytes(bytes);
        written =
            call.pager() == nullptr ? Error::Io : call.pager()->write_pages(run.first, {numbers.data(), whole}, bytes);
    }
    for (const FrameRef& frame : frames) {
        if (!written) {
            mark_dirty(frame.info());
        }
        frame.info().clear(FrameFlag::Writeback);
    }
    wake_busy_waiters();
    return written;
}

}  // namespace kernel::mm
