// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/vfs/pseudofs.h"

namespace kernel::vfs::pseudofs {

void Text::add(std::string_view text) {
    if (!failed_ && !content_.append(text)) {
        failed_ = true;
    }
}

std::span<char> Text::grow(std::size_t bytes) {
    const std::size_t before = content_.size();
    if (failed_ || !content_.resize(before + bytes)) {
        failed_ = true;
        return {};
    }
    // A String keeps a zero behind its end.
    return {content_.data() + before, bytes + 1};
}

Result<String> Text::take() {
    if (failed_) {
        return Error::NoMemory;
    }
    return std::move(content_);
}

}  // namespace kernel::vfs::pseudofs
