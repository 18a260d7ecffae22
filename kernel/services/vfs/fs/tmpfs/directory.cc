// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/vfs/fs/tmpfs/directory.h"

#include <utility>

namespace kernel::vfs::tmpfs {

DirectoryNode::DirectoryNode(TmpFs& filesystem, const NewInode& request, std::uint64_t charged_bytes)
    : Node(filesystem, request, charged_bytes) {}

DirectoryNode::~DirectoryNode() {
    Entries& entries = entries_.unguarded();
    entries.names.drain([](Entry&) {});
    entries.positions.drain([this](Entry& entry) { destroy(&entry); });
}

DirectoryNode::Entry* DirectoryNode::Entries::find(std::string_view name, const Inode& node) const {
    Entry* const entry = names.find(name);
    return entry != nullptr && entry->node.get() == &node ? entry : nullptr;
}

void DirectoryNode::Entries::insert(Entry& entry) {
    entry.position = next_position++;
    names.insert(entry);
    positions.insert(entry);
}

void DirectoryNode::Entries::remove(Entry& entry) {
    names.remove(entry);
    positions.remove(entry);
}

Result<OwnPtr<DirectoryNode::Entry>> DirectoryNode::make_entry(std::string_view name, RefPtr<Node> node) {
    const std::uint64_t cost = sizeof(Entry) + name.size();
    if (!tmpfs().budget().charge_bytes(cost)) {
        return Error::NoSpace;
    }
    Result<OwnPtr<Entry>> entry = [&]() -> Result<OwnPtr<Entry>> {
        String own_name = TRY(String::create(name));
        return make_own<Entry>(std::move(own_name), std::move(node));
    }();
    if (!entry) {
        tmpfs().budget().release_bytes(cost);
    }
    return entry;
}

void DirectoryNode::destroy(Entry* entry) {
    tmpfs().budget().release_bytes(sizeof(Entry) + entry->name.size());
    const OwnPtr<Entry> owned = OwnPtr<Entry>::adopt(entry);
}

Result<RefPtr<Inode>> DirectoryNode::lookup(std::string_view name) {
    return entries_.with([&](Entries& entries) -> Result<RefPtr<Inode>> {
        const Entry* const entry = entries.names.find(name);
        if (entry == nullptr) {
            return Error::NotFound;
        }
        return RefPtr<Inode>(entry->node);
    });
}

Result<> DirectoryNode::insert(std::string_view name, RefPtr<Node> node) {
    OwnPtr<Entry> entry = TRY(make_entry(name, std::move(node)));
    Entry* const made = entry.release();
    const bool inserted = entries_.with([&](Entries& entries) {
        if (entries.names.find(name) != nullptr) {
            return false;
        }
        entries.insert(*made);
        return true;
    });
    if (!inserted) {
        destroy(made);
        return Error::Exists;
    }
    touch_modified();
    return {};
}

Result<RefPtr<Inode>> DirectoryNode::create(std::string_view name, const NewInode& request) {
    RefPtr<Node> node = TRY(Node::create(tmpfs(), request));
    node->add_links(1);
    TRY(insert(name, node));
    if (node->is_directory()) {
        add_links(1);
    }
    return RefPtr<Inode>(std::move(node));
}

Result<RefPtr<Inode>> DirectoryNode::create_unnamed(const NewInode& request) {
    return RefPtr<Inode>(TRY(Node::create(tmpfs(), request)));
}

Result<> DirectoryNode::link(std::string_view name, Inode& existing) {
    Node& node = static_cast<Node&>(existing);
    TRY(insert(name, RefPtr<Node>(node)));
    node.add_links(1);
    return {};
}

bool DirectoryNode::is_empty() const {
    return entries_.with([](const Entries& entries) { return entries.names.empty(); });
}

Result<> DirectoryNode::unlink(std::string_view name, Inode& victim) {
    if (victim.is_directory() && !static_cast<DirectoryNode&>(victim).is_empty()) {
        return Error::NotEmpty;
    }
    Entry* const removed = entries_.with([&](Entries& entries) {
        Entry* const entry = entries.find(name, victim);
        if (entry != nullptr) {
            entries.remove(*entry);
        }
        return entry;
    });
    if (removed == nullptr) {
        return Error::NotFound;
    }
    touch_modified();
    if (victim.is_directory()) {
        add_links(-1);
        static_cast<Node&>(victim).add_links(-2);
    } else {
        static_cast<Node&>(victim).add_links(-1);
    }
    destroy(removed);
    return {};
}

template <class F>
auto DirectoryNode::with_entries(DirectoryNode& left, DirectoryNode& right, F&& f) {
    if (&left == &right) {
        return left.entries_.with([&](Entries& entries) { return f(entries, entries); });
    }
    return left.entries_.with_both(right.entries_, std::forward<F>(f));
}

// The ".." of a directory that changes its parent is a link to the parent.
void DirectoryNode::links_moved(DirectoryNode& from, DirectoryNode& to, const Node& node) {
    if (node.is_directory() && &from != &to) {
        from.add_links(-1);
        to.add_links(1);
    }
}

Result<> DirectoryNode::rename(std::string_view name, Inode& moved, Inode& new_parent, std::string_view new_name,
                               Inode* target, RenameMode mode) {
    DirectoryNode& destination = static_cast<DirectoryNode&>(new_parent);
    Node& node = static_cast<Node&>(moved);
    if (mode == RenameMode::Exchange) {
        if (target == nullptr) {
            return Error::NotFound;
        }
        TRY(exchange(name, node, destination, new_name, static_cast<Node&>(*target)));
    } else if (target != nullptr) {
        if (mode == RenameMode::NoReplace) {
            return Error::Exists;
        }
        TRY(replace(name, node, destination, new_name, static_cast<Node&>(*target)));
    } else {
        TRY(move(name, node, destination, new_name));
    }
    touch_modified();
    destination.touch_modified();
    node.add_links(0);  // change time
    return {};
}

Result<> DirectoryNode::exchange(std::string_view name, Node& moved, DirectoryNode& new_parent,
                                 std::string_view new_name, Node& target) {
    const bool done = with_entries(*this, new_parent, [&](Entries& from, Entries& to) {
        Entry* const old_entry = from.find(name, moved);
        Entry* const new_entry = to.find(new_name, target);
        if (old_entry == nullptr || new_entry == nullptr) {
            return false;
        }
        old_entry->node.swap(new_entry->node);
        return true;
    });
    if (!done) {
        return Error::NotFound;
    }
    links_moved(*this, new_parent, moved);
    links_moved(new_parent, *this, target);
    target.add_links(0);
    return {};
}

Result<> DirectoryNode::replace(std::string_view name, Node& moved, DirectoryNode& new_parent,
                                std::string_view new_name, Node& target) {
    if (target.is_directory() && !static_cast<DirectoryNode&>(target).is_empty()) {
        return Error::NotEmpty;
    }
    RefPtr<Node> taken(moved);
    Entry* const removed = with_entries(*this, new_parent, [&](Entries& from, Entries& to) {
        Entry* const old_entry = from.find(name, moved);
        Entry* const new_entry = to.find(new_name, target);
        if (old_entry == nullptr || new_entry == nullptr) {
            return static_cast<Entry*>(nullptr);
        }
        new_entry->node.swap(taken);
        from.remove(*old_entry);
        return old_entry;
    });
    if (removed == nullptr) {
        return Error::NotFound;
    }
    destroy(removed);
    links_moved(*this, new_parent, moved);
    if (target.is_directory()) {
        new_parent.add_links(-1);
        target.add_links(-2);
    } else {
        target.add_links(-1);
    }
    return {};
}

Result<> DirectoryNode::move(std::string_view name, Node& moved, DirectoryNode& new_parent, std::string_view new_name) {
    OwnPtr<Entry> entry = TRY(new_parent.make_entry(new_name, RefPtr<Node>(moved)));
    Entry* const made = entry.release();
    Error error = Error::NotFound;
    Entry* const removed = with_entries(*this, new_parent, [&](Entries& from, Entries& to) {
        Entry* const old_entry = from.find(name, moved);
        if (old_entry != nullptr && to.names.find(new_name) != nullptr) {
            error = Error::Exists;
            return static_cast<Entry*>(nullptr);
        }
        if (old_entry != nullptr) {
            from.remove(*old_entry);
            to.insert(*made);
        }
        return old_entry;
    });
    if (removed == nullptr) {
        new_parent.destroy(made);
        return error;
    }
    destroy(removed);
    links_moved(*this, new_parent, moved);
    return {};
}

Result<> DirectoryNode::list(std::uint64_t position, DirectoryVisitor& visitor) {
    entries_.with([&](Entries& entries) {
        for (Entry* entry = entries.positions.lower_bound(position); entry != nullptr;
             entry = entries.positions.next(*entry)) {
            if (!visitor.accept({.name = entry->name.view(),
                                 .inode = entry->node->number(),
                                 .type = entry->node->type(),
                                 .next_position = entry->position + 1})) {
                return;
            }
        }
    });
    return {};
}

void DirectoryNode::fill_in(Status& status) const {
    constexpr std::uint64_t kBytesPerEntry = 20;  // as Linux's tmpfs shows it
    status.size_bytes =
        kBytesPerEntry * (2 + entries_.with([](const Entries& entries) { return entries.names.size(); }));
}

}  // namespace kernel::vfs::tmpfs
