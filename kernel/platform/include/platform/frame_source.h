// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include "lib/result.h"
#include "lib/types.h"

namespace kernel::platform {

// Implemented by core/mm for the platform's page tables and kernel stacks: single frames of FrameZone::Kernel, zeroed.
// Never blocks; called with locks up to Rank::PageMap held. Errors: NoMemory.
Result<FrameNumber> allocate_table_frame();
void free_table_frame(FrameNumber frame);

}  // namespace kernel::platform
