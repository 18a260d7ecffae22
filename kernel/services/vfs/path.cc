// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/vfs/path.h"

#include <array>

#include "services/vfs/mount.h"

namespace kernel::vfs {

Path::Path() = default;
Path::Path(RefPtr<Mount> on, RefPtr<Dentry> at) : mount(std::move(on)), dentry(std::move(at)) {}
Path::Path(const Path&) = default;
Path::Path(Path&&) noexcept = default;
Path& Path::operator=(const Path&) = default;
Path& Path::operator=(Path&&) noexcept = default;
Path::~Path() = default;

namespace {

// Text that is written from its end to its beginning.
class BackwardText {
public:
    Result<> initialize() { return buffer_.resize(kMaxPathBytes); }
    Result<> prepend(std::string_view text) {
        if (text.size() > start_) {
            return Error::NameTooLong;
        }
        start_ -= text.size();
        text.copy(buffer_.data() + start_, text.size());
        return {};
    }
    bool empty() const { return start_ == kMaxPathBytes; }
    std::string_view view() const { return buffer_.view().substr(start_); }

private:
    String buffer_;
    std::size_t start_ = kMaxPathBytes;
};

}  // namespace

Result<PathText> path_text(const Path& path, const Path& root, bool mark_deleted) {
    PathText result;
    BackwardText text;
    TRY(text.initialize());
    result.deleted = path.dentry->is_unlinked();
    if (result.deleted && mark_deleted) {
        TRY(text.prepend(" (deleted)"));
    }
    const std::size_t suffix = text.view().size();
    Path place = path;
    while (place != root) {
        if (place.dentry == &place.mount->root()) {
            if (!mounts::cross_up_once(place)) {
                result.reachable = false;
                break;
            }
            continue;
        }
        std::array<char, kMaxNameBytes> name;
        TRY(text.prepend({name.data(), dentries::copy_name(*place.dentry, name)}));
        TRY(text.prepend("/"));
        RefPtr<Dentry> parent = dentries::parent_of(*place.dentry);
        if (!parent) {
            result.reachable = false;
            break;
        }
        place.dentry = std::move(parent);
    }
    if (text.view().size() == suffix) {
        TRY(text.prepend("/"));
    }
    if (!result.reachable) {
        TRY(text.prepend(kUnreachable));
    }
    TRY(result.text.assign(text.view()));
    return result;
}

}  // namespace kernel::vfs
