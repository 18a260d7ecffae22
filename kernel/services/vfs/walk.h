// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <string_view>

#include "lib/result.h"
#include "lib/string.h"
#include "lib/vector.h"
#include "services/vfs/walker.h"

namespace kernel::vfs {

// One walk along a path, step by step; the machinery of resolve and open. A symbolic link's text is walked as a segment
// of its own before the rest of the segment below it, so that chains of links need no recursion.
class Walk {
public:
    Walk(const WalkContext& context, WalkFlags flags);

    // Before anything else. Errors: NotFound (empty), NameTooLong, NotDirectory (the start is none), CrossDevice.
    Result<> begin(std::string_view path);

    // Goes on until only the last component is left. Then directory(), last() and name() say where it would be looked
    // up; the directory may be searched.
    Result<> to_last();
    const Path& directory() const { return current_; }
    LastComponent last() const { return last_; }
    // Valid until the next call of to_last.
    std::string_view name() const { return name_; }
    // A slash behind the last component, of this path or of a link that led here: it must be a directory.
    bool trailing_slash() const { return must_be_directory_; }

    // Looks the last component (a name) up and crosses mounts: positive, or an error (NotFound). A link is the link
    // itself.
    Result<Path> enter_last();
    // "." and ".." and the root.
    Result<Path> enter_special_last();
    // The last component was this link: walk to where it leads. True: to_last() goes on. False: it was a magic link and
    // directory() is now the final result.
    Result<bool> follow_last(const Path& link);

    // The whole walk: links are followed but for a final one with NoFollow.
    Result<Path> finish();

private:
    struct Segment {
        String text;            // of a link; empty for the path itself
        std::string_view rest;  // of the text
    };

    Segment& top() { return segments_[segments_.size() - 1]; }
    bool drop_finished_segments();
    bool more_components() const;
    Result<> check_searchable();
    Result<> step(std::string_view component);
    Result<> go_up();
    Result<Path> child(std::string_view component);
    Result<bool> follow(const Path& link);
    const Path& root() const { return confined() ? context_.start : context_.root; }
    bool confined() const { return has(flags_, WalkFlags::InRoot); }

    const WalkContext& context_;
    WalkFlags flags_;
    Path current_;
    Vector<Segment> segments_;
    LastComponent last_ = LastComponent::Root;
    std::string_view name_;
    bool must_be_directory_ = false;
    unsigned links_ = 0;
};

}  // namespace kernel::vfs
