// SPDX-License-Identifier: MIT OR Apache-2.0
#include "core/mm/frame_allocator.h"
#include "platform/frame_source.h"

namespace kernel::platform {

Result<FrameNumber> allocate_table_frame() {
    return mm::allocate_frames(0, FrameZone::Kernel, mm::Zeroing::Zeroed);
}

void free_table_frame(FrameNumber frame) {
    mm::drop_frame_reference(frame);
}

}  // namespace kernel::platform
