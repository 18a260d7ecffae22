// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include "lib/own.h"
#include "lib/tree.h"
#include "services/vfs/fs/tmpfs/node.h"

namespace kernel::vfs::tmpfs {

// Names in two orders: by name for lookups, by age for listings, so that a position in a listing stays what it is while
// names come and go.
class DirectoryNode final : public Node {
public:
    Result<RefPtr<Inode>> lookup(std::string_view name) override;
    Result<RefPtr<Inode>> create(std::string_view name, const NewInode& request) override;
    Result<RefPtr<Inode>> create_unnamed(const NewInode& request) override;
    Result<> link(std::string_view name, Inode& existing) override;
    Result<> unlink(std::string_view name, Inode& victim) override;
    Result<> rename(std::string_view name, Inode& moved, Inode& new_parent, std::string_view new_name, Inode* target,
                    RenameMode mode) override;
    Result<> list(std::uint64_t position, DirectoryVisitor& visitor) override;

private:
    friend class kernel::ObjectMaker;
    DirectoryNode(TmpFs& filesystem, const NewInode& request, std::uint64_t charged_bytes);
    ~DirectoryNode() override;
    void fill_in(Status& status) const override;

    struct Entry {
        Entry(String entry_name, RefPtr<Node> entry_node) : name(std::move(entry_name)), node(std::move(entry_node)) {}
        String name;
        RefPtr<Node> node;
        std::uint64_t position = 0;
        TreeNode by_name;
        TreeNode by_position;
    };
    struct ByName {
        std::string_view operator()(const Entry& entry) const { return entry.name.view(); }
    };
    struct ByPosition {
        std::uint64_t operator()(const Entry& entry) const { return entry.position; }
    };
    struct Entries {
        IntrusiveTree<Entry, &Entry::by_name, ByName> names;
        IntrusiveTree<Entry, &Entry::by_position, ByPosition> positions;
        std::uint64_t next_position = kFirstEntryPosition;

        // Of `node`, or null.
        Entry* find(std::string_view name, const Inode& node) const;
        void insert(Entry& entry);
        void remove(Entry& entry);
    };

    Result<OwnPtr<Entry>> make_entry(std::string_view name, RefPtr<Node> node);
    void destroy(Entry* entry);
    Result<> insert(std::string_view name, RefPtr<Node> node);
    Result<> exchange(std::string_view name, Node& moved, DirectoryNode& new_parent, std::string_view new_name,
                      Node& target);
    Result<> replace(std::string_view name, Node& moved, DirectoryNode& new_parent, std::string_view new_name,
                     Node& target);
    Result<> move(std::string_view name, Node& moved, DirectoryNode& new_parent, std::string_view new_name);
    bool is_empty() const;
    template <class F>
    static auto with_entries(DirectoryNode& left, DirectoryNode& right, F&& f);
    static void links_moved(DirectoryNode& from, DirectoryNode& to, const Node& node);

    mutable SpinGuarded<Entries, Rank::Inode> entries_;
};

}  // namespace kernel::vfs::tmpfs
