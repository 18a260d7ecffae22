// SPDX-License-Identifier: MIT OR Apache-2.0
#include <algorithm>

#include "core/mm/frame_run.h"
#include "core/mm/memory_object.h"
#include "core/mm/object_pages.h"
#include "core/mm/policy.h"

namespace kernel::mm {

AnonymousObject::AnonymousObject(std::uint64_t size_bytes, RefPtr<PageBudget> budget)
    : MemoryObject(size_bytes), budget_(std::move(budget)) {}

AnonymousObject::~AnonymousObject() {
    if (has_pages()) {
        remove_pages({0, UINT64_MAX});
    }
}

Result<RefPtr<AnonymousObject>> AnonymousObject::create(std::uint64_t size_bytes, RefPtr<PageBudget> budget) {
    RefPtr<AnonymousObject> object = TRY(make_ref<AnonymousObject>(size_bytes, std::move(budget)));
    TRY(object->initialize());
    return object;
}

void AnonymousObject::pages_dropped(std::uint64_t count) {
    if (budget_) {
        budget_->release(count);
    }
}

Result<> AnonymousObject::fill(std::uint64_t page, std::uint64_t wanted) {
    // A fault (wanted is 0) takes an aligned run within the object, a write exactly what it will fill.
    PageRange range{page, std::clamp<std::uint64_t>(wanted, 1, kFaultRunPages)};
    if (wanted == 0) {
        range.first = align_down(page, initial_run_pages());
        const std::uint64_t limit = std::max(pages_for_bytes(size_bytes()), page + 1);
        range.count = std::min(initial_run_pages(), limit - range.first);
    }
    range = absent_around(page, range);
    if (range.count == 0) {
        return {};
    }
    if (budget_ && !budget_->charge(range.count)) {
        range = {page, 1};
        if (!budget_->charge(1)) {
            return Error::NoSpace;
        }
    }
    std::uint64_t inserted = 0;
    const Result<> result = [&]() -> Result<> {
        FrameRun run;
        TRY(run.allocate(range.count, Zeroing::Zeroed));
        // With fewer frames than hoped for, the page that was asked for comes first.
        const std::uint64_t first = run.size() < range.count ? page : range.first;
        for (std::size_t i = 0; i < run.size() && first + i < range.end(); ++i) {
            const auto added = insert_page(first + i, run[i], false, true);
            if (added) {
                static_cast<void>(run.take(i));
                ++inserted;
            } else if (added.error() == Error::NoMemory && inserted == 0) {
                return Error::NoMemory;
            }
        }
        return {};
    }();
    if (budget_) {
        budget_->release(range.count - inserted);
    }
    return result;
}

}  // namespace kernel::mm
