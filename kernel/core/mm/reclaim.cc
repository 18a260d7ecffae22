// SPDX-License-Identifier: MIT OR Apache-2.0
#include "core/mm/reclaim.h"

#include <atomic>

#include "core/mm/frame_table.h"
#include "core/mm/memory_object.h"
#include "core/mm/object_pages.h"
#include "lib/guarded.h"

namespace kernel::mm {

namespace {

struct ReclaimList {
    FrameList frames;  // the clock hand is at the head
    std::uint64_t count = 0;
};
constinit SpinGuarded<ReclaimList, Rank::PageCache> reclaim_list{};

constinit std::atomic<std::uint64_t> dirty_count = 0;
// Dirty pages may take one part in so many of memory.
constexpr std::uint64_t kDirtyShare = 8;

// Consecutive pages of one object that look droppable.
struct Candidate {
    RefPtr<MemoryObject> object;
    PageRange range;
};

bool is_droppable(const Frame& frame) {
    return frame.references.load(std::memory_order_relaxed) == 1 && !is_in_transit(frame) &&
           !frame.has(FrameFlag::Dirty);
}

bool extends(const Candidate& candidate, const MemoryObject& object, std::uint64_t page) {
    return candidate.object.get() == &object && candidate.range.end() == page && candidate.range.count < kReclaimBatch;
}

// Moves the clock hand on until it has found some pages of one object, or looked at `budget` frames.
Candidate next_candidate(std::uint64_t& budget) {
    Candidate found;
    reclaim_list.with([&](ReclaimList& list) {
        while (budget != 0 && list.frames.head != 0) {
            const std::uint32_t slot = list.frames.head;
            Frame& frame = frame_info(frame_of_slot(slot));
            auto* const object = static_cast<MemoryObject*>(frame.owner);
            const bool wanted = is_droppable(frame) && !frame.has(FrameFlag::Referenced);
            if (wanted && found.object && !extends(found, *object, frame.index)) {
                return;
            }
            --budget;
            list.frames.remove(frame);
            list.frames.push_back(slot);
            frame.clear(FrameFlag::Referenced);
            if (!wanted) {
                continue;
            }
            if (found.object) {
                ++found.range.count;
            } else if (object->try_add_reference()) {
                // An object takes its pages off this list before its memory goes, so it could still be asked.
                found.object = RefPtr<MemoryObject>::adopt(*object);
                found.range = {frame.index, 1};
            }
        }
    });
    return found;
}

}  // namespace

void add_to_reclaim_list(Frame& frame) {
    reclaim_list.with([&](ReclaimList& list) {
        if (!frame.set(FrameFlag::OnList)) {
            list.frames.push_back(frame_slot(frame_number(frame)));
            ++list.count;
        }
    });
}

void remove_from_reclaim_list(Frame& frame) {
    mark_clean(frame);
    reclaim_list.with([&](ReclaimList& list) {
        if (frame.clear(FrameFlag::OnList)) {
            list.frames.remove(frame);
            --list.count;
        }
    });
}

void mark_dirty(Frame& frame) {
    if (!frame.has(FrameFlag::Dirty) && !frame.set(FrameFlag::Dirty) && frame.has(FrameFlag::OnList)) {
        dirty_count.fetch_add(1, std::memory_order_relaxed);
    }
}

void mark_clean(Frame& frame) {
    if (frame.clear(FrameFlag::Dirty) && frame.has(FrameFlag::OnList)) {
        dirty_count.fetch_sub(1, std::memory_order_relaxed);
    }
}

std::uint64_t dirty_frames() {
    return dirty_count.load(std::memory_order_relaxed);
}

bool too_many_are_dirty() {
    std::uint64_t frames = 0;
    for (const FrameTableRange& range : frame_table.ranges()) {
        frames += range.zone == platform::FrameZone::Kernel ? 0 : range.count;
    }
    return dirty_frames() > frames / kDirtyShare;
}

std::uint64_t reclaimable_frames() {
    return reclaim_list.with([](const ReclaimList& list) { return list.count; });
}

std::uint64_t reclaim_frames(std::uint64_t wanted) {
    // Twice around: the first round takes the marks of recent use away.
    std::uint64_t budget = 2 * reclaimable_frames();
    std::uint64_t freed = 0;
    while (freed < wanted && budget != 0) {
        const Candidate candidate = next_candidate(budget);
        if (!candidate.object) {
            break;
        }
        freed += candidate.object->drop_clean(candidate.range);
    }
    return freed;
}

}  // namespace kernel::mm
