// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/vdso.h"

#include <algorithm>
#include <atomic>

#include "abi/linux/vdso.h"
#include "core/mm/memory_object.h"
#include "lib/bytes.h"
#include "lib/immortal.h"
#include "platform/clock.h"
#include "platform/user_clock.h"

namespace kernel::linux_abi {
namespace {

using platform::UserClock;

// Differences of the realtime clock that are ours, not somebody's who set it.
constexpr std::uint64_t kMostJitterNs = 1'000'000;

struct Vdso {
    RefPtr<mm::AnonymousObject> object;  // the time page, then the code
    mm::FrameRef time_frame;             // stays where it is
    UserClock clock;                     // what the time page says
    std::uint32_t sequence = 0;          // of the time page
};
Immortal<SpinGuarded<Vdso, Rank::TaskShared>> vdso;

std::uint64_t image_bytes() {
    return align_up(vdso_image().size(), kPageSize);
}

std::uint64_t passed_ns(const UserClock& clock, std::uint64_t ticks) {
    return static_cast<std::uint64_t>(static_cast<unsigned __int128>(ticks - clock.ticks) * clock.ns_per_tick >> 32);
}

// The clocks that programs see never go back because of a new estimate.
void go_on_from(const UserClock& old, UserClock& fresh) {
    if (fresh.ticks - old.ticks >= old.limit_ticks) {
        return;
    }
    const std::uint64_t passed = passed_ns(old, fresh.ticks);
    fresh.monotonic_ns = std::max(fresh.monotonic_ns, old.monotonic_ns + passed);
    const std::uint64_t real = old.realtime_ns + passed;
    if (real > fresh.realtime_ns && real - fresh.realtime_ns < kMostJitterNs) {
        fresh.realtime_ns = real;
    }
}

// Readers on other CPUs take the values only if the sequence is the same before and after, and even.
void publish(mm::FrameRef& frame, const UserClock& clock, std::uint32_t sequence) {
    const auto set_sequence = [&](std::uint32_t value) {
        std::atomic_thread_fence(std::memory_order_seq_cst);
        copy_bytes(frame.bytes(), as_bytes_of(value));
        std::atomic_thread_fence(std::memory_order_seq_cst);
    };
    set_sequence(sequence - 1);
    const abi::VdsoTimePage page{.sequence = sequence - 1,
                                 .padding = 0,
                                 .ticks = clock.ticks,
                                 .limit_ticks = clock.limit_ticks,
                                 .ns_per_tick = clock.ns_per_tick,
                                 .monotonic_ns = clock.monotonic_ns,
                                 .realtime_ns = clock.realtime_ns};
    copy_bytes(frame.bytes(), as_bytes_of(page));
    set_sequence(sequence);
}

}  // namespace

Result<> initialize_vdso() {
    RefPtr<mm::AnonymousObject> object = TRY(mm::AnonymousObject::create(kPageSize + image_bytes()));
    mm::FrameRef time_frame = TRY(object->get_page(0, mm::PageUse::Write));
    std::span<const std::byte> rest = vdso_image();
    for (std::uint64_t page = 1; !rest.empty(); ++page) {
        mm::FrameRef frame = TRY(object->get_page(page, mm::PageUse::Write));
        const std::size_t count = std::min<std::size_t>(rest.size(), kPageSize);
        copy_bytes(frame.bytes(), rest.first(count));
        rest = rest.subspan(count);
    }
    vdso->with([&](Vdso& all) {
        all.object = std::move(object);
        all.time_frame = std::move(time_frame);
    });
    refresh_time_page();
    return {};
}

void refresh_time_page() {
    vdso->with([](Vdso& all) {
        const std::uint64_t now = platform::user_ticks();
        if (!all.object || now - all.clock.ticks < all.clock.limit_ticks / 2) {
            return;
        }
        std::optional<UserClock> fresh = platform::user_clock();
        if (!fresh) {
            return;
        }
        go_on_from(all.clock, *fresh);
        all.clock = *fresh;
        all.sequence += 2;
        publish(all.time_frame, all.clock, all.sequence);
    });
}

Result<VirtAddr> map_vdso(mm::AddressSpace& space) {
    mm::MapRequest request;
    request.object = vdso->with([](Vdso& all) { return RefPtr<mm::MemoryObject>(all.object); });
    request.bytes = kPageSize + image_bytes();
    request.access = request.max_access = mm::Access::Read;
    request.kind = mm::RegionKind::TimePage;
    const VirtAddr start = TRY(space.map(request));
    request.address = start + kPageSize;
    request.bytes = image_bytes();
    request.fixed = true;
    request.object_offset = kPageSize;
    request.access = request.max_access = mm::Access::Read | mm::Access::Execute;
    request.kind = mm::RegionKind::Vdso;
    return TRY(space.map(request));
}

}  // namespace kernel::linux_abi
