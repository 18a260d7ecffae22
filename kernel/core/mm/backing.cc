// SPDX-License-Identifier: MIT OR Apache-2.0
// Which frame is behind a page: private memory, copies on write, pages of objects.
#include <algorithm>
#include <bit>

#include "core/mm/address_space.h"
#include "core/mm/frame_table.h"
#include "core/mm/policy.h"
#include "core/mm/region_map.h"
#include "lib/bytes.h"

namespace kernel::mm {

namespace {

bool is_beyond_end(const Region& region, std::uint64_t page) {
    return region.object_page(page) >= pages_for_bytes(region.object->size_bytes());
}

}  // namespace

Result<bool> AddressSpace::back_locked(Region& region, std::uint64_t page, Access access, Backing& backing,
                                       Missing& missing) {
    backing.page = page;
    if (region.object && is_beyond_end(region, page)) {
        return Error::Io;
    }
    if (region.shared) {
        return back_shared_locked(region, page, access, backing, missing);
    }
    const auto found = amap_.find(page);
    if (found && (access != Access::Write || found->exclusive)) {
        back_present_locked(region, page, *found, backing);
        return true;
    }
    if (access != Access::Write && region.object) {
        if (find_cached_run_locked(region, page, backing)) {
            return true;
        }
        missing = {region.object, region.object_page(page), PageUse::Read};
        return false;
    }
    if (!found && !region.object) {
        TRY(back_fresh_locked(region, page, backing));
        return true;
    }
    // A write to what others see too. They may have let go of the frame since it was looked at: a copy is right all the
    // same.
    const auto source = found ? std::optional(found->frame) : copy_source_locked(region, page);
    if (!source) {
        missing = {region.object, region.object_page(page), PageUse::Read};
        return false;
    }
    TRY(back_copy_locked(region, page, *source, backing));
    return true;
}

void AddressSpace::back_present_locked(Region& region, std::uint64_t page, Amap::Page found, Backing& backing) {
    backing.frame = found.frame;
    backing.writable = found.exclusive && region.is_writable();
    const Amap::Run run = backing.alone
                              ? Amap::Run{page, 1}
                              : amap_.run_around(page, region.first_page(), region.end_page(), found.exclusive);
    backing.first_page = run.first;
    backing.pages = run.pages;
}

// The cached pages of the object in the window around a fault.
class AddressSpace::CachedWindow {
public:
    // Aligned in the object, as its pages are read and allocated.
    CachedWindow(const Region& region, const Amap& amap, std::uint64_t page, bool alone)
        : region_(region), amap_(amap) {
        const std::uint64_t lead = std::min(page - region.first_page(), region.object_page(page) % kFaultAroundPages);
        low_ = alone ? page : page - lead;
        high_ = std::min(region.end_page(), low_ + (alone ? 1 : kFaultAroundPages));
        const std::uint64_t object_pages = pages_for_bytes(region.object->size_bytes());
        while (high_ > page + 1 && region.object_page(high_ - 1) >= object_pages) {
            --high_;
        }
        region.object->peek_pages(region.object_page(low_), std::span(frames_).first(high_ - low_));
    }

    std::uint64_t low() const { return low_; }
    std::uint64_t high() const { return high_; }
    Frame* at(std::uint64_t page) const { return frames_[page - low_]; }

    // The first page at or after `page` that can be mapped: in memory, and not hidden by a private copy.
    std::uint64_t next_usable(std::uint64_t page) const {
        while (page < high_ && !is_usable(page)) {
            ++page;
        }
        return page;
    }
    // The usable pages in consecutive frames around `page`, down to `low` at most.
    Amap::Run run_around(std::uint64_t page, std::uint64_t low) const {
        const FrameNumber base = frame_number(*at(page));
        const auto continues = [&](std::uint64_t other) {
            return at(other) != nullptr && frame_number(*at(other)) == base + (other - page) && is_usable(other);
        };
        std::uint64_t first = page;
        while (first > low && continues(first - 1)) {
            --first;
        }
        std::uint64_t end = page + 1;
        while (end < high_ && continues(end)) {
            ++end;
        }
        return {first, end - first};
    }

private:
    bool is_usable(std::uint64_t page) const { return at(page) != nullptr && (region_.shared || !amap_.find(page)); }

    const Region& region_;
    const Amap& amap_;
    std::uint64_t low_ = 0;
    std::uint64_t high_ = 0;
    std::array<Frame*, kFaultAroundPages> frames_;
};

// Pages of the object around `page` that are in memory, lie in consecutive frames and are not hidden by private copies.
bool AddressSpace::find_cached_run_locked(Region& region, std::uint64_t page, Backing& backing) {
    const CachedWindow window(region, amap_, page, backing.alone);
    Frame* const wanted = window.at(page);
    if (wanted == nullptr) {
        return false;
    }
    if (!wanted->has(FrameFlag::Referenced)) {
        wanted->set(FrameFlag::Referenced);
    }
    const Amap::Run run = window.run_around(page, window.low());
    backing.frame = frame_number(*wanted);
    backing.first_page = run.first;
    backing.pages = run.pages;
    backing.from_cache = true;
    return true;
}

// Maps the other pages of the window whose middle has just been mapped. That is a hint: failure does not matter.
void AddressSpace::map_cached_neighbours_locked(Region& region, const Backing& backing) {
    const CachedWindow window(region, amap_, backing.page, false);
    const Access access = backing.writable ? region.access : without_write(region.access);
    unsigned runs = 1;
    for (std::uint64_t page = window.next_usable(window.low()); page < window.high() && runs < kFaultAroundRuns;) {
        const Amap::Run run = window.run_around(page, page);
        if (run.first != backing.first_page) {
            const VirtAddr address{run.first << kPageShift};
            if (!page_map_->map(address, frame_number(*window.at(page)), run.pages, access)) {
                return;
            }
            ++runs;
        }
        page = window.next_usable(run.first + run.pages);
    }
}

Result<bool> AddressSpace::back_shared_locked(Region& region, std::uint64_t page, Access access, Backing& backing,
                                              Missing& missing) {
    const std::uint64_t object_page = region.object_page(page);
    const bool tracked = region.object->tracks_dirty();
    if (tracked && access == Access::Write) {
        // One page only: its neighbours are not dirty.
        const FrameRef frame = region.object->find_page(object_page, PageUse::Write);
        if (frame) {
            backing.frame = frame.number();
            backing.first_page = page;
            backing.pages = 1;
            backing.writable = region.is_writable();
            return true;
        }
    } else if (find_cached_run_locked(region, page, backing)) {
        backing.writable = !tracked && region.is_writable();
        return true;
    }
    missing = {region.object, object_page, access == Access::Write ? PageUse::Write : PageUse::Read};
    return false;
}

// Takes `pages` consecutive frames that have a reference each over into private memory. After prepare.
void AddressSpace::install_run_locked(std::uint64_t first, FrameNumber frames, std::uint64_t pages, Backing& backing) {
    for (std::uint64_t i = 0; i < pages; ++i) {
        Frame& info = frame_info(frames + i);
        info.set_kind(FrameKind::Anonymous);
        info.owner = family_.get();
        info.index = first + i;
        FrameRef before = amap_.install(first + i, FrameRef::adopt(frames + i));
        if (before) {
            backing.old_frames[i] = std::move(before);
        } else {
            ++usage_.anonymous_pages;
        }
    }
    usage_.peak_anonymous_pages = std::max(usage_.peak_anonymous_pages, usage_.anonymous_pages);
    backing.frame = frames + (backing.page - first);
    backing.first_page = first;
    backing.pages = pages;
}

// Zeroed memory for the page and, where nothing is yet, around it: an aligned run; a longer and longer one behind the
// last for a program that goes through its memory.
Result<> AddressSpace::back_fresh_locked(Region& region, std::uint64_t page, Backing& backing) {
    std::uint64_t low = page;
    std::uint64_t high = page + 1;
    if (!memory_is_short()) {
        const bool sequential = page == region.next_fault_page && region.run_pages != 0;
        const std::uint64_t run =
            sequential ? std::clamp(2 * region.run_pages, initial_run_pages(), kMaxRunPages) : initial_run_pages();
        low = sequential ? page : std::max(region.first_page(), align_down(page, run));
        high = std::min(region.end_page(), (sequential ? page : align_down(page, run)) + run);
        while (const auto taken = amap_.next_present(low, page)) {
            low = *taken + 1;
        }
        high = amap_.next_present(page + 1, high).value_or(high);
    }
    unsigned order = static_cast<unsigned>(std::bit_width(high - low)) - 1;
    auto block = allocate_frames(order, platform::FrameZone::User, Zeroing::Zeroed);
    while (!block && order != 0) {
        block = allocate_frames(--order, platform::FrameZone::User, Zeroing::Zeroed);
    }
    const FrameNumber frames = TRY(block);
    const std::uint64_t pages = std::uint64_t{1} << order;
    const std::uint64_t first = std::min(low + align_down(page - low, pages), high - pages);
    if (const auto prepared = amap_.prepare(first, pages); !prepared) {
        free_frames(frames, order);
        return prepared.error();
    }
    split_frames(frames, order);
    install_run_locked(first, frames, pages, backing);
    backing.writable = region.is_writable();
    region.next_fault_page = first + pages;
    region.run_pages = pages;
    return {};
}

// What a write to the page copies: a private page that others see too, or the object's page if it is in memory.
std::optional<FrameNumber> AddressSpace::copy_source_locked(Region& region, std::uint64_t page) {
    if (const auto found = amap_.find(page)) {
        return found->exclusive ? std::nullopt : std::optional(found->frame);
    }
    if (!region.object || is_beyond_end(region, page)) {
        return std::nullopt;
    }
    Frame* frame = nullptr;
    region.object->peek_pages(region.object_page(page), {&frame, 1});
    return frame == nullptr ? std::nullopt : std::optional(frame_number(*frame));
}

// Copies the page, and a few behind it when they belong to a file or the program goes through them in order.
Result<> AddressSpace::back_copy_locked(Region& region, std::uint64_t page, FrameNumber source, Backing& backing) {
    std::array<FrameNumber, kMaxCopyRun> sources{source};
    std::uint64_t count = 1;
    const bool from_family = amap_.find(page).has_value();
    const bool sequential = page == region.next_fault_page;
    if (from_family && !sequential) {
        family_->note_write_after_fork(page);
    }
    if (!memory_is_short() && !backing.alone) {
        const std::uint64_t wanted = sequential ? 2 * region.run_pages : from_family ? 1 : kFileCopyPages;
        const std::uint64_t most = std::min({wanted, std::uint64_t{kMaxCopyRun}, region.end_page() - page});
        while (count < most) {
            const auto next = copy_source_locked(region, page + count);
            if (!next) {
                break;
            }
            sources[count++] = *next;
        }
    }
    unsigned order = static_cast<unsigned>(std::bit_width(count)) - 1;
    auto block = allocate_frames(order, platform::FrameZone::User, Zeroing::None);
    if (!block) {
        order = 0;
        block = allocate_frames(0, platform::FrameZone::User, Zeroing::None);
    }
    const FrameNumber frames = TRY(block);
    count = std::uint64_t{1} << order;
    if (const auto prepared = amap_.prepare(page, count); !prepared) {
        free_frames(frames, order);
        return prepared.error();
    }
    split_frames(frames, order);
    for (std::uint64_t i = 0; i < count; ++i) {
        copy_bytes(frame_bytes(frames + i), frame_bytes(sources[i]));
    }
    install_run_locked(page, frames, count, backing);
    cache_.flush(page, count);
    backing.writable = region.is_writable();
    backing.replaced = true;
    region.next_fault_page = page + count;
    region.run_pages = count;
    return {};
}

}  // namespace kernel::mm
