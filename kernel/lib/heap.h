// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstddef>

#include "lib/result.h"

namespace kernel {

// Kernel memory. Implemented by core/mm, in unit tests by tests/support. Neither blocks; both may be called under any
// lock that is ranked before Rank::Slab.
//
// `align` is a power of two, `bytes` is not 0. Fails with Error::NoMemory only. The contents are undefined.
[[nodiscard]] Result<void*> heap_allocate(std::size_t bytes, std::size_t align);

// `bytes` and `align` are those of the allocation. A null block is ignored.
void heap_free(void* block, std::size_t bytes, std::size_t align);

}  // namespace kernel
