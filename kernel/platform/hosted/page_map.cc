// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/page_map.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <algorithm>
#include <cerrno>

#include "platform/hosted/guest_memory.h"
#include "platform/hosted/stub_page_map.h"

namespace kernel::platform::hosted {
namespace {

using Kind = MappingQueue::Kind;
using Change = MappingQueue::Change;

// The host's default limit is 65,530 (vm.max_map_count); the stub's own mappings and splits under way need some.
constexpr std::uint64_t kMostHostMappings = 60'000;

constexpr Change kEverything{.kind = Kind::Unmap, .address = kUserMin.value, .bytes = kUserMax.value - kUserMin.value};

int host_protection(Access access) {
    int protection = PROT_NONE;
    if (allows(access, Access::Read)) {
        protection |= PROT_READ;
    }
    if (allows(access, Access::Write)) {
        protection |= PROT_READ | PROT_WRITE;
    }
    if (allows(access, Access::Execute)) {
        protection |= PROT_READ | PROT_EXEC;
    }
    return protection;
}

bool is_user_range(VirtAddr address, std::uint64_t pages) {
    return address >= kUserMin && address <= kUserMax && address.is_page_aligned() &&
           pages <= (kUserMax.value - address.value) >> kPageShift;
}

MapperOperation operation_for(const Change& change) {
    const auto protection = static_cast<std::uint64_t>(change.protection);
    switch (change.kind) {
        case Kind::Map:
            return {SYS_mmap,
                    {change.address, change.bytes, protection, MAP_SHARED | MAP_FIXED, KPIO_STUB_MEMORY, change.offset},
                    0};
        case Kind::Protect:
            return {SYS_mprotect, {change.address, change.bytes, protection}, 0};
        case Kind::Unmap:
            break;
    }
    return {SYS_munmap, {change.address, change.bytes}, 0};
}

}  // namespace

bool MappingQueue::merge(Change& last, const Change& next) {
    if (last.kind != next.kind || last.protection != next.protection) {
        return false;
    }
    if (last.end() == next.address && (last.kind != Kind::Map || last.offset + last.bytes == next.offset)) {
        last.bytes += next.bytes;
        return true;
    }
    if (next.end() == last.address && (last.kind != Kind::Map || next.offset + next.bytes == last.offset)) {
        last.address = next.address;
        last.offset = next.offset;
        last.bytes += next.bytes;
        return true;
    }
    return false;
}

bool MappingQueue::add(const Change& change) {
    if (count_ != 0 && merge(changes_[count_ - 1], change)) {
        return true;
    }
    if (is_full()) {
        return false;
    }
    changes_[count_++] = change;
    return true;
}

Result<> StubPageMap::need_stub_locked(State& state) {
    if (!state.stub) {
        state.stub = TRY(StubProcess::create());
    }
    return {};
}

Result<RefPtr<StubProcess>> StubPageMap::stub() {
    return state_.with([&](State& state) -> Result<RefPtr<StubProcess>> {
        TRY(need_stub_locked(state));
        return state.stub;
    });
}

Result<> StubPageMap::map(VirtAddr address, FrameNumber first, std::uint64_t pages, Access access) {
    if (!is_user_range(address, pages) || !is_guest_run(first, pages)) {
        return Error::InvalidArgument;
    }
    if (pages == 0) {
        return {};
    }
    if (access == Access::None) {
        unmap(address, pages);
        return {};
    }
    const Change change{Kind::Map, host_protection(access), address.value, pages << kPageShift, guest_offset(first)};
    return state_.with([&](State& state) -> Result<> {
        if (state.queue.is_full()) {
            TRY(need_stub_locked(state));
        }
        if (std::exchange(state.host_is_full, false)) {
            return Error::NoMemory;
        }
        add_locked(state, change);
        return {};
    });
}

// Without a stub nothing is mapped, and what is queued is only a cache.
void StubPageMap::remove_locked(State& state, const Change& change) {
    if (state.stub) {
        add_locked(state, change);
    } else {
        state.queue.clear();
    }
}

void StubPageMap::unmap(VirtAddr address, std::uint64_t pages) {
    KASSERT(is_user_range(address, pages));
    if (pages == 0) {
        return;
    }
    const Change change{.kind = Kind::Unmap, .address = address.value, .bytes = pages << kPageShift};
    state_.with([&](State& state) { remove_locked(state, change); });
}

void StubPageMap::protect(VirtAddr address, std::uint64_t pages, Access access) {
    if (access == Access::None) {
        return unmap(address, pages);
    }
    KASSERT(is_user_range(address, pages));
    if (pages == 0) {
        return;
    }
    const Change change{Kind::Protect, host_protection(access), address.value, pages << kPageShift, 0};
    state_.with([&](State& state) { remove_locked(state, change); });
}

void StubPageMap::commit() {
    if (!queued_.load(std::memory_order_acquire)) {
        return;
    }
    state_.with([&](State& state) {
        if (state.stub) {
            flush_locked(state);
        }
    });
}

void StubPageMap::add_locked(State& state, const Change& change) {
    if (!state.queue.add(change)) {
        flush_locked(state);
        static_cast<void>(state.queue.add(change));  // the queue is empty now
    }
    queued_.store(true, std::memory_order_relaxed);
}

void StubPageMap::flush_locked(State& state) {
    std::span<const Change> changes = state.queue.changes();
    if (state.host_mappings > kMostHostMappings) {
        // The cheapest eviction that is always right: begin anew. The changes after it stand.
        const std::array drop{operation_for(kEverything)};
        HostResult failure;
        state.stub->run_operations(drop, failure);
        state.host_mappings = 0;
    }
    std::array<MapperOperation, MappingQueue::kCapacity> operations;
    std::ranges::transform(changes, operations.begin(), operation_for);
    std::span<const MapperOperation> rest(operations.data(), changes.size());
    while (!rest.empty()) {
        HostResult failure;
        const std::size_t done = state.stub->run_operations(rest, failure);
        rest = rest.subspan(done);
        if (!rest.empty()) {
            recover_locked(state, changes[changes.size() - rest.size()], failure);
            rest = rest.subspan(1);
        }
    }
    // A change in the middle of a mapping makes it three.
    state.host_mappings += 2 * changes.size();
    state.queue.clear();
    queued_.store(false, std::memory_order_release);
}

// A change that cannot be made becomes an unmapping, which the page-fault handler repairs. mprotect stops at the first
// hole in the range (ENOMEM), which is common; anything else is want of memory or mappings.
void StubPageMap::recover_locked(State& state, const Change& failed, HostResult failure) {
    const bool hole = failed.kind == Kind::Protect && failure == -ENOMEM;
    Change drop = failed;
    drop.kind = Kind::Unmap;
    std::array operations{operation_for(hole ? drop : kEverything)};
    HostResult ignored;
    state.stub->run_operations(operations, ignored);
    if (hole) {
        return;
    }
    state.host_mappings = 0;
    state.host_is_full = true;
    // If not even that can be done, old translations may be left.
    if (ignored != 0) {
        state.stub->kill();
    }
}

}  // namespace kernel::platform::hosted

namespace kernel::platform {

Result<OwnPtr<PageMap>> PageMap::create() {
    return TRY(make_own<hosted::StubPageMap>());
}

}  // namespace kernel::platform
