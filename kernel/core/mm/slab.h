// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "lib/result.h"

namespace kernel::mm {

// The kernel heap behind lib/heap.h: size classes over single frames or small blocks of the kernel zone, per-CPU caches
// in front; larger requests are blocks of frames. Nothing is kept beside the objects: the frame table knows the class.

// Blocks up to this size come from a size class.
inline constexpr std::size_t kMaxSlabBytes = 2048;

// What heap_allocate and heap_free do. Never block, never reclaim. Errors: NoMemory.
Result<void*> slab_allocate(std::size_t bytes, std::size_t align);
void slab_free(void* block, std::size_t bytes, std::size_t align);

struct HeapStatistics {
    std::uint64_t used_bytes = 0;  // handed out, rounded up to size classes
    std::uint64_t frames = 0;      // held for it
};
HeapStatistics heap_statistics();

// Gives empty slabs and what the CPUs cache back to the frame allocator.
void drain_heap_caches();

}  // namespace kernel::mm
