// SPDX-License-Identifier: MIT OR Apache-2.0
// What the layers show together.
#include "lib/bytes.h"
#include "services/vfs/directory_file.h"
#include "services/vfs/fs/overlay/overlay_inode.h"

namespace kernel::vfs::overlay {
namespace {

// Null when it is not there.
Result<RefPtr<Inode>> find(Inode& directory, std::string_view name) {
    Result<RefPtr<Inode>> found = directory.lookup(name);
    if (!found && found.error() == Error::NotFound) {
        return RefPtr<Inode>();
    }
    return found;
}

bool is_opaque(Inode& directory) {
    std::byte value[1];
    const Result<std::size_t> bytes = directory.get_attribute(kOpaque, value);
    return bytes && *bytes == 1 && value[0] == std::byte{'y'};
}

// Empty when it has none.
Result<String> redirect_of(Inode& directory) {
    String path;
    const Result<std::size_t> bytes = directory.get_attribute(kRedirect, {});
    if (!bytes || *bytes == 0) {
        return path;
    }
    TRY(path.resize(*bytes));
    TRY(directory.get_attribute(kRedirect, std::as_writable_bytes(std::span(path.data(), path.size()))));
    return path;
}

enum class Search : std::uint8_t { GoOn, Done };

// Takes what a layer has under a name into the parts: the top part decides what it is, directories merge until
// something opaque.
Result<Search> take(RefPtr<Inode> part, OverlayInode::Layers& found) {
    if (!part) {
        return Search::GoOn;
    }
    if (is_whiteout(*part)) {
        return Search::Done;
    }
    if (!part->is_directory()) {
        if (found.empty()) {
            TRY(found.push_back(std::move(part)));
        }
        return Search::Done;
    }
    const bool opaque = is_opaque(*part);
    TRY(found.push_back(std::move(part)));
    return opaque ? Search::Done : Search::GoOn;
}

void keep_directories(OverlayInode::Layers& found) {
    if (!found.empty() && !found[0]->is_directory()) {
        found.clear();
    }
}

}  // namespace

Result<> OverlayInode::find_lowers(std::string_view name, Layers& found) {
    for (const RefPtr<Inode>& lower : lowers_) {
        if (TRY(take(TRY(find(*lower, name)), found)) == Search::Done) {
            break;
        }
    }
    return {};
}

Result<> OverlayInode::find_redirected(std::string_view path, Layers& found) {
    for (const RefPtr<Inode>& root : overlay().lower_roots()) {
        RefPtr<Inode> place = root;
        std::string_view rest = path;
        while (!rest.empty() && place) {
            const std::size_t start = rest.find_first_not_of('/');
            if (start == rest.npos) {
                break;
            }
            rest.remove_prefix(start);
            const std::string_view component = rest.substr(0, rest.find('/'));
            rest.remove_prefix(component.size());
            place = place->is_directory() ? TRY(find(*place, component)) : RefPtr<Inode>();
        }
        if (TRY(take(std::move(place), found)) == Search::Done) {
            break;
        }
    }
    return {};
}

Result<RefPtr<Inode>> OverlayInode::lookup(std::string_view name) {
    if (!is_directory()) {
        return Error::NotDirectory;
    }
    const RefPtr<Inode> own_upper = upper();
    RefPtr<Inode> top = own_upper ? TRY(find(*own_upper, name)) : RefPtr<Inode>();
    if (top && is_whiteout(*top)) {
        return Error::NotFound;
    }
    Layers lowers;
    if (!top) {
        TRY(find_lowers(name, lowers));
        if (lowers.empty()) {
            return Error::NotFound;
        }
    } else if (top->is_directory() && !is_opaque(*top)) {
        if (const String redirect = TRY(redirect_of(*top)); !redirect.empty()) {
            TRY(find_redirected(redirect.view(), lowers));
        } else {
            TRY(find_lowers(name, lowers));
        }
        keep_directories(lowers);
    }
    return TRY(overlay().inode_for(std::move(top), std::move(lowers), RefPtr<OverlayInode>(*this), name));
}

Result<bool> OverlayInode::has_lower(std::string_view name) {
    Layers found;
    TRY(find_lowers(name, found));
    return !found.empty();
}

Result<String> OverlayInode::lower_path() {
    // Upwards until a directory that says where it was, then down again.
    Vector<RefPtr<OverlayInode>> chain;
    String path;
    for (OverlayInode* place = this; place->parent_; place = place->parent_.get()) {
        if (const RefPtr<Inode> top = place->upper(); top) {
            path = TRY(redirect_of(*top));
            if (!path.empty()) {
                break;
            }
        }
        TRY(chain.push_back(RefPtr<OverlayInode>(*place)));
    }
    while (!chain.empty()) {
        TRY(path.append('/'));
        TRY(path.append(chain.take_back()->name_.view()));
    }
    return path;
}

Result<> OverlayInode::mark_moved() {
    const RefPtr<Inode> top = upper();
    if (lowers_.empty()) {
        constexpr std::byte kYes[] = {std::byte{'y'}};
        return is_opaque(*top) ? Result<>() : top->set_attribute(kOpaque, kYes, AttributeMode::Set);
    }
    const String path = TRY(lower_path());
    return top->set_attribute(kRedirect, as_bytes(path.view()), AttributeMode::Set);
}

// Whether a higher layer has something, a whiteout included, under the name.
Result<bool> OverlayInode::hidden_from_layer(std::size_t layer, Inode* upper, std::string_view name) {
    if (upper != nullptr && TRY(find(*upper, name))) {
        return true;
    }
    for (std::size_t above = 0; above < layer; ++above) {
        if (TRY(find(*lowers_[above], name))) {
            return true;
        }
    }
    return false;
}

namespace {

// Shows a layer's entries that no higher layer hides, under the overlay's numbers.
class LayerVisitor : public DirectoryVisitor {
public:
    explicit LayerVisitor(DirectoryVisitor& visitor) : visitor_(visitor) {}
    bool accept(const DirectoryEntry& entry) final {
        Result<bool> shown = show(entry);
        if (!shown) {
            result_ = shown.error();
            return false;
        }
        return *shown;
    }
    Result<> result() const { return result_; }

protected:
    ~LayerVisitor() = default;
    // False to stop.
    virtual Result<bool> show(const DirectoryEntry& entry) = 0;
    bool pass_on(DirectoryEntry entry, std::uint64_t number) {
        entry.inode = number;
        return visitor_.accept(entry);
    }

private:
    DirectoryVisitor& visitor_;
    Result<> result_;
};

class UpperVisitor final : public LayerVisitor {
public:
    UpperVisitor(Inode& upper, DirectoryVisitor& visitor) : LayerVisitor(visitor), upper_(upper) {}

private:
    Result<bool> show(const DirectoryEntry& entry) override {
        const RefPtr<Inode> inode = TRY(find(upper_, entry.name));
        if (!inode || is_whiteout(*inode)) {
            return true;
        }
        return pass_on(entry, OverlayFs::upper_number(*inode, entry.inode));
    }

    Inode& upper_;
};

template <class IsHidden, class Number>
class LowerVisitor final : public LayerVisitor {
public:
    LowerVisitor(DirectoryVisitor& visitor, IsHidden is_hidden, Number number)
        : LayerVisitor(visitor), is_hidden_(is_hidden), number_(number) {}

private:
    Result<bool> show(const DirectoryEntry& entry) override {
        if (TRY(is_hidden_(entry))) {
            return true;
        }
        return pass_on(entry, number_(entry.inode));
    }

    IsHidden is_hidden_;
    Number number_;
};

}  // namespace

Result<> OverlayInode::list_upper(Inode& upper, DirectoryVisitor& visitor) {
    const OwnPtr<DirectorySnapshot> entries = TRY(DirectorySnapshot::take(upper));
    UpperVisitor filter(upper, visitor);
    entries->list(kFirstEntryPosition, filter);
    return filter.result();
}

Result<> OverlayInode::list_lower(std::size_t layer, Inode* upper, DirectoryVisitor& visitor) {
    Inode& lower = *lowers_[layer];
    const OwnPtr<DirectorySnapshot> entries = TRY(DirectorySnapshot::take(lower));
    LowerVisitor filter(
        visitor,
        [&](const DirectoryEntry& entry) -> Result<bool> {
            if (entry.type == FileType::CharacterDevice) {
                const RefPtr<Inode> inode = TRY(find(lower, entry.name));
                if (!inode || is_whiteout(*inode)) {
                    return true;
                }
            }
            return hidden_from_layer(layer, upper, entry.name);
        },
        [&](std::uint64_t number) { return overlay().lower_number(lower, number); });
    entries->list(kFirstEntryPosition, filter);
    return filter.result();
}

Result<> OverlayInode::list(std::uint64_t, DirectoryVisitor& visitor) {
    if (!is_directory()) {
        return Error::NotDirectory;
    }
    const RefPtr<Inode> top = upper();
    if (top) {
        TRY(list_upper(*top, visitor));
    }
    for (std::size_t layer = 0; layer < lowers_.size(); ++layer) {
        TRY(list_lower(layer, top.get(), visitor));
    }
    return {};
}

namespace {

class AnyEntry final : public DirectoryVisitor {
public:
    bool accept(const DirectoryEntry&) override {
        seen_ = true;
        return false;
    }
    bool seen() const { return seen_; }

private:
    bool seen_ = false;
};

}  // namespace

Result<bool> OverlayInode::is_merged_empty() {
    AnyEntry any;
    TRY(list(kFirstEntryPosition, any));
    return !any.seen();
}

}  // namespace kernel::vfs::overlay
