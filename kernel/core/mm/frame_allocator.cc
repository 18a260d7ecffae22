// SPDX-License-Identifier: MIT OR Apache-2.0
#include "core/mm/frame_allocator.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>

#include "core/mm/buddy.h"
#include "core/mm/frame_table.h"
#include "lib/bytes.h"
#include "lib/guarded.h"
#include "platform/cpu.h"

namespace kernel::mm {

constinit FrameTable frame_table{};

namespace {

using platform::FrameZone;

// One lock for each range, because hosted keeps kernel and user memory apart and bare metal has one large range.
constinit std::array<SpinGuarded<Buddy, Rank::Frames>, kMaxFrameRanges> buddies{};

// Single frames that a CPU keeps for itself, so that most faults take no shared lock. The lock of a cache is taken by
// others only when memory has run out.
constexpr unsigned kCacheFrames = 64;
constexpr unsigned kCacheBatch = 32;

struct FrameCache {
    std::array<FrameNumber, kCacheFrames> frames{};
    unsigned count = 0;
};
struct CpuCaches {
    SpinGuarded<FrameCache, Rank::FrameCache> kernel;
    SpinGuarded<FrameCache, Rank::FrameCache> user;
};
constinit std::array<CpuCaches, platform::kMaxCpus> cpu_caches{};

// Free frames of each range, for looking at without its lock.
constinit std::array<std::atomic<std::uint64_t>, kMaxFrameRanges> free_levels{};
constinit std::uint64_t low_watermark_frames = 0;

bool serves(FrameZone have, FrameZone wanted) {
    return have == wanted || have == FrameZone::Any || wanted == FrameZone::Any;
}

SpinGuarded<FrameCache, Rank::FrameCache>& cache_for(unsigned cpu, FrameZone zone) {
    return zone == FrameZone::User ? cpu_caches[cpu].user : cpu_caches[cpu].kernel;
}

void note_level(const Buddy& buddy) {
    const auto index = static_cast<std::size_t>(&buddy.range() - frame_table.storage.data());
    free_levels[index].store(buddy.free_frames(), std::memory_order_relaxed);
}

std::optional<Buddy::Block> take_block(unsigned order, FrameZone zone) {
    const auto ranges = frame_table.ranges();
    for (std::size_t i = 0; i < ranges.size(); ++i) {
        if (!serves(ranges[i].zone, zone)) {
            continue;
        }
        const auto block = buddies[i].with([&](Buddy& buddy) {
            auto taken = buddy.allocate(order);
            note_level(buddy);
            return taken;
        });
        if (block) {
            return block;
        }
    }
    return std::nullopt;
}

void return_block(Buddy::Block block, unsigned order) {
    const auto index = static_cast<std::size_t>(&frame_range_of(block.first) - frame_table.storage.data());
    buddies[index].with([&](Buddy& buddy) {
        buddy.free(block, order);
        note_level(buddy);
    });
}

void set_known_zero(Frame& frame, bool known_zero) {
    frame.flags.store(known_zero ? static_cast<std::uint16_t>(FrameFlag::KnownZero) : std::uint16_t{0},
                      std::memory_order_relaxed);
}

void refill(FrameCache& cache, FrameZone zone) {
    while (cache.count < kCacheBatch) {
        const auto block = take_block(0, zone);
        if (!block) {
            return;
        }
        set_known_zero(frame_info(block->first), block->known_zero);
        cache.frames[cache.count++] = block->first;
    }
    // The frontier gives ascending numbers: hand them out in that order.
    std::reverse(cache.frames.begin(), cache.frames.begin() + cache.count);
}

void drain(FrameCache& cache, unsigned keep) {
    while (cache.count > keep) {
        const FrameNumber frame = cache.frames[--cache.count];
        return_block({frame, frame_info(frame).has(FrameFlag::KnownZero)}, 0);
    }
}

std::optional<Buddy::Block> take_single(FrameZone zone) {
    auto frame = cache_for(platform::this_cpu().index, zone).with([&](FrameCache& cache) -> std::optional<FrameNumber> {
        if (cache.count == 0) {
            refill(cache, zone);
        }
        if (cache.count == 0) {
            return std::nullopt;
        }
        return cache.frames[--cache.count];
    });
    if (!frame) {
        drain_frame_caches();
        return take_block(0, zone);
    }
    return Buddy::Block{*frame, frame_info(*frame).has(FrameFlag::KnownZero)};
}

void return_single(FrameNumber frame) {
    const FrameZone zone = frame_range_of(frame).zone == FrameZone::Kernel ? FrameZone::Kernel : FrameZone::User;
    Frame& info = frame_info(frame);
    info.set_kind(FrameKind::FreeTail);
    set_known_zero(info, false);
    cache_for(platform::this_cpu().index, zone).with([&](FrameCache& cache) {
        if (cache.count == kCacheFrames) {
            drain(cache, kCacheFrames - kCacheBatch);
        }
        cache.frames[cache.count++] = frame;
    });
}

}  // namespace

Result<> initialize_frames() {
    std::uint32_t slot = 1;
    std::uint64_t user_frames = 0;
    for (const platform::FrameRange& range : platform::frame_ranges()) {
        if (frame_table.count == kMaxFrameRanges || range.count == 0) {
            continue;
        }
        void* const entries = platform::reserve_boot_array(range.count * sizeof(Frame));
        if (entries == nullptr) {
            return Error::NoMemory;
        }
        FrameTableRange& entry = frame_table.storage[frame_table.count];
        entry = {range.first, range.count, static_cast<Frame*>(entries), slot, range.zone, range.zeroed};
        buddies[frame_table.count].with([&](Buddy& buddy) {
            buddy.initialize(entry);
            note_level(buddy);
        });
        slot += static_cast<std::uint32_t>(range.count);
        user_frames += range.zone == FrameZone::Kernel ? 0 : range.count;
        ++frame_table.count;
    }
    low_watermark_frames = std::min<std::uint64_t>(user_frames / 64, 2048);
    return {};
}

Result<FrameNumber> allocate_frames(unsigned order, FrameZone zone, Zeroing zeroing) {
    KASSERT(order <= kMaxFrameOrder);
    auto block = order == 0 ? take_single(zone) : take_block(order, zone);
    if (!block && order != 0) {
        drain_frame_caches();
        block = take_block(order, zone);
    }
    if (!block) {
        return Error::NoMemory;
    }
    Frame& head = frame_info(block->first);
    head.set_kind(FrameKind::Allocated);
    head.order = static_cast<std::uint8_t>(order);
    head.owner = nullptr;
    head.index = 0;
    set_known_zero(head, false);
    head.references.store(1, std::memory_order_relaxed);
    if (zeroing == Zeroing::Zeroed && !block->known_zero) {
        zero(std::span(platform::frame_pointer(block->first), kPageSize << order));
    }
    return block->first;
}

void free_frames(FrameNumber first, unsigned order) {
    Frame& head = frame_info(first);
    KASSERT(head.order == order && head.references.load(std::memory_order_relaxed) <= 1);
    head.references.store(0, std::memory_order_relaxed);
    if (order == 0) {
        return_single(first);
    } else {
        return_block({first, false}, order);
    }
}

void split_frames(FrameNumber first, unsigned order) {
    for (std::uint64_t i = 0; i < std::uint64_t{1} << order; ++i) {
        Frame& frame = frame_info(first + i);
        frame.set_kind(FrameKind::Allocated);
        frame.order = 0;
        frame.owner = nullptr;
        frame.index = 0;
        set_known_zero(frame, false);
        frame.references.store(1, std::memory_order_relaxed);
    }
}

Result<FrameRef> allocate_user_frame(Zeroing zeroing) {
    return FrameRef::adopt(TRY(allocate_frames(0, FrameZone::User, zeroing)));
}

Frame& frame_info(FrameNumber frame) {
    return frame_range_of(frame).entry(frame);
}

void add_frame_reference(FrameNumber frame) {
    const std::uint32_t before = frame_info(frame).references.fetch_add(1, std::memory_order_relaxed);
    // 0: free. The upper half: references leak, and wrapping would free a frame in use.
    KASSERT(before - 1 < 0x8000'0000);
}

void drop_frame_reference(FrameNumber frame) {
    const std::uint32_t before = frame_info(frame).references.fetch_sub(1, std::memory_order_release);
    KASSERT(before != 0);
    if (before == 1) {
        std::atomic_thread_fence(std::memory_order_acquire);
        free_frames(frame, 0);
    }
}

namespace {

// A frame with one reference is nobody else's, so the count can go without further ado.
std::uint64_t count_last_references(FrameNumber first, std::uint64_t limit) {
    std::uint64_t count = 0;
    while (count < limit && frame_info(first + count).references.load(std::memory_order_acquire) == 1) {
        ++count;
    }
    return count;
}

void free_run(FrameNumber first, std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) {
        frame_info(first + i).references.store(0, std::memory_order_relaxed);
        frame_info(first + i).set_kind(FrameKind::FreeTail);
    }
    while (count != 0) {
        const unsigned order = std::min({static_cast<unsigned>(std::countr_zero(frame_value(first))), kMaxFrameOrder,
                                         static_cast<unsigned>(std::bit_width(count)) - 1});
        return_block({first, false}, order);
        first = first + (std::uint64_t{1} << order);
        count -= std::uint64_t{1} << order;
    }
}

}  // namespace

void drop_frame_references(FrameNumber first, std::uint64_t count) {
    constexpr std::uint64_t kWorthwhile = 4;
    while (count != 0) {
        std::uint64_t run = count >= kWorthwhile ? count_last_references(first, count) : 0;
        if (run >= kWorthwhile) {
            free_run(first, run);
        } else {
            run = 1;
            drop_frame_reference(first);
        }
        first = first + run;
        count -= run;
    }
}

FrameStatistics frame_statistics(FrameZone zone) {
    FrameStatistics result;
    const auto ranges = frame_table.ranges();
    for (std::size_t i = 0; i < ranges.size(); ++i) {
        if (!serves(ranges[i].zone, zone)) {
            continue;
        }
        buddies[i].with([&](const Buddy& buddy) {
            result.total += buddy.range().count;
            result.free += buddy.free_frames();
            result.untouched += buddy.untouched_frames();
        });
    }
    const auto count_cached = [&](const FrameCache& cache) {
        for (unsigned i = 0; i < cache.count; ++i) {
            result.free += serves(frame_range_of(cache.frames[i]).zone, zone) ? 1 : 0;
        }
    };
    for (CpuCaches& caches : cpu_caches) {
        caches.kernel.with(count_cached);
        caches.user.with(count_cached);
    }
    return result;
}

bool memory_is_short() {
    std::uint64_t free = 0;
    for (std::size_t i = 0; i < frame_table.count; ++i) {
        if (frame_table.storage[i].zone != FrameZone::Kernel) {
            free += free_levels[i].load(std::memory_order_relaxed);
        }
    }
    return free < low_watermark_frames;
}

bool fresh_frames_are_zero() {
    return std::ranges::all_of(frame_table.ranges(), [](const FrameTableRange& range) {
        return range.zeroed || range.zone == FrameZone::Kernel;
    });
}

void drain_frame_caches() {
    for (CpuCaches& caches : cpu_caches) {
        caches.kernel.with([](FrameCache& cache) { drain(cache, 0); });
        caches.user.with([](FrameCache& cache) { drain(cache, 0); });
    }
}

std::uint64_t discard_free_frames(unsigned minimum_order) {
    std::uint64_t discarded = 0;
    for (std::size_t i = 0; i < frame_table.count; ++i) {
        while (true) {
            unsigned order = 0;
            const auto block = buddies[i].with([&](Buddy& buddy) { return buddy.take_dirty(minimum_order, order); });
            if (!block) {
                break;
            }
            const std::uint64_t frames = std::uint64_t{1} << order;
            const bool now_zero = platform::discard_frames(block->first, frames);
            return_block({block->first, now_zero}, order);
            if (!now_zero) {
                return discarded;
            }
            discarded += frames;
        }
    }
    return discarded;
}

}  // namespace kernel::mm
