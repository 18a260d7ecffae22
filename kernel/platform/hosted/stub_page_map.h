// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <array>
#include <atomic>
#include <cstdint>

#include "lib/guarded.h"
#include "lib/ref.h"
#include "platform/hosted/stub_process.h"
#include "platform/page_map.h"

namespace kernel::platform::hosted {

// Changes of a stub's mappings, queued in order. Neighbours are merged, so that a run of pages costs one host call.
class MappingQueue {
public:
    enum class Kind : std::uint8_t { Map, Unmap, Protect };
    struct Change {
        Kind kind = Kind::Unmap;
        int protection = 0;  // PROT_* of the host
        std::uint64_t address = 0;
        std::uint64_t bytes = 0;
        std::uint64_t offset = 0;  // of Map, in guest memory

        std::uint64_t end() const { return address + bytes; }
    };
    static constexpr unsigned kCapacity = kMapperBatch;

    bool is_empty() const { return count_ == 0; }
    bool is_full() const { return count_ == kCapacity; }
    std::span<const Change> changes() const { return {changes_.data(), count_}; }
    // False when there is no room for it.
    bool add(const Change& change);
    void clear() { count_ = 0; }

private:
    static bool merge(Change& last, const Change& next);

    std::array<Change, kCapacity> changes_{};
    unsigned count_ = 0;
};

// The mappings of a stub. The stub is taken from the pool when something has to be in it.
class StubPageMap final : public PageMap {
public:
    Result<> map(VirtAddr address, FrameNumber first, std::uint64_t pages, Access access) override;
    void unmap(VirtAddr address, std::uint64_t pages) override;
    void protect(VirtAddr address, std::uint64_t pages, Access access) override;
    void commit() override;

    Result<RefPtr<StubProcess>> stub();

private:
    struct State {
        RefPtr<StubProcess> stub;
        MappingQueue queue;
        // Upper bound of the mappings that the host keeps for the stub.
        std::uint64_t host_mappings = 0;
        // The host has refused a mapping since the last map().
        bool host_is_full = false;
    };

    Result<> need_stub_locked(State& state);
    void remove_locked(State& state, const MappingQueue::Change& change);
    void add_locked(State& state, const MappingQueue::Change& change);
    void flush_locked(State& state);
    void recover_locked(State& state, const MappingQueue::Change& failed, HostResult failure);

    SpinGuarded<State, Rank::PageMap> state_;
    std::atomic<bool> queued_ = false;
};

}  // namespace kernel::platform::hosted
