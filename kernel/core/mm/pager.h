// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "lib/result.h"
#include "lib/types.h"

namespace kernel::mm {

// Where the pages of a PagedObject come from and go to. Implemented by file systems. Called with no lock held; may
// block. Calls for different pages may overlap; never two for the same page.
class Pager {
public:
    virtual ~Pager() = default;

    // Fills the frames with the pages first_page, first_page + 1, …; what lies beyond the end of the file is filled
    // with zero. Consecutive pages often have consecutive frames. Errors: Io and others; then no frame is used.
    virtual Result<> read_pages(std::uint64_t first_page, std::span<const FrameNumber> frames) = 0;

    // Writes the pages back; `bytes` is their length, less than whole pages only at the end of the file.
    virtual Result<> write_pages(std::uint64_t first_page, std::span<const FrameNumber> frames,
                                 std::uint64_t bytes) = 0;
};

}  // namespace kernel::mm
