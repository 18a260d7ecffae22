// SPDX-License-Identifier: MIT OR Apache-2.0
#include "lib/heap.h"

#include "core/mm/slab.h"

namespace kernel {

// Weak, so that unit tests can put an allocator in its place that ASan watches and that fails when told to.
[[gnu::weak]] Result<void*> heap_allocate(std::size_t bytes, std::size_t align) {
    return mm::slab_allocate(bytes, align);
}

[[gnu::weak]] void heap_free(void* block, std::size_t bytes, std::size_t align) {
    mm::slab_free(block, bytes, align);
}

}  // namespace kernel
