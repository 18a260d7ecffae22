// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>

#include "lib/guarded.h"
#include "lib/hash_table.h"
#include "lib/string.h"
#include "lib/vector.h"
#include "services/vfs/fs/overlay/overlay.h"
#include "services/vfs/inode.h"

namespace kernel::vfs::overlay {

class OverlayFs;

inline constexpr std::string_view kPrivatePrefix = "trusted.overlay.";
inline constexpr std::string_view kOpaque = "trusted.overlay.opaque";  // nothing of lower layers shines through
inline constexpr std::string_view kRedirect =
    "trusted.overlay.redirect";  // where the lower directories are: a path from their roots
inline constexpr std::string_view kNumber = "trusted.overlay.number";  // the inode number from before the copy

// A whiteout hides what lower layers have under its name.
bool is_whiteout(Inode& inode);

// One file or directory as the layers together show it. At first most have only lower parts; a change copies the top
// one up.
class OverlayInode final : public Inode {
public:
    using Layers = Vector<RefPtr<Inode>>;

    Result<Status> status() override;
    Result<Ownership> ownership() override;
    Result<> change_status(const StatusChange& change) override;
    Result<> resize(std::uint64_t bytes) override;
    void touch_access(bool always) override;
    void note_write() override;
    Turn& write_turn() override;

    Result<RefPtr<Inode>> lookup(std::string_view name) override;
    Result<RefPtr<Inode>> create(std::string_view name, const NewInode& request) override;
    Result<> link(std::string_view name, Inode& existing) override;
    Result<> unlink(std::string_view name, Inode& victim) override;
    Result<> rename(std::string_view name, Inode& moved, Inode& new_parent, std::string_view new_name, Inode* target,
                    RenameMode mode) override;
    Result<> list(std::uint64_t position, DirectoryVisitor& visitor) override;
    bool lists_whole() const override { return true; }
    std::uint64_t names_stamp() override;

    Result<String> read_link() override;
    Result<> prepare_change() override;
    Result<> prepare_truncation() override;
    Result<> prepare_open(OpenFlags flags) override;
    Result<RefPtr<mm::MemoryObject>> memory_object() override;
    Result<> sync() override;

    Result<std::size_t> get_attribute(std::string_view name, std::span<std::byte> value) override;
    Result<> set_attribute(std::string_view name, std::span<const std::byte> value, AttributeMode mode) override;
    Result<> remove_attribute(std::string_view name) override;
    Result<std::size_t> list_attributes(std::span<std::byte> names, bool with_trusted) override;

    // Null before the copy.
    RefPtr<Inode> upper() const;
    HashNode table_node;  // under the table's lock, as is key
    const Inode* key = nullptr;
    bool is_entry_of(const OverlayInode* parent, std::string_view name) const {
        return parent_ == parent && name_ == name;
    }

private:
    friend class kernel::ObjectMaker;
    friend class OverlayFs;
    friend class CopyUp;
    OverlayInode(OverlayFs& filesystem, FileType type, RefPtr<OverlayInode> parent, String name);
    ~OverlayInode() override;

    OverlayFs& overlay() const;
    RefPtr<Inode> real() const;
    void set_upper(RefPtr<Inode> upper);
    Result<> copy_up_with_parents(bool keep_contents);

    // The parts below that a child of this name has.
    Result<> find_lowers(std::string_view name, Layers& found);
    Result<> find_redirected(std::string_view path, Layers& found);
    Result<bool> has_lower(std::string_view name);
    Result<bool> is_merged_empty();
    Result<String> lower_path();
    // Before a directory gets another place: where its lower part is, or that it has none.
    Result<> mark_moved();

    Result<> list_upper(Inode& upper, DirectoryVisitor& visitor);
    Result<> list_lower(std::size_t layer, Inode* upper, DirectoryVisitor& visitor);
    Result<bool> hidden_from_layer(std::size_t layer, Inode* upper, std::string_view name);

    Result<> rename_plain(std::string_view name, OverlayInode& moved, OverlayInode& new_parent,
                          std::string_view new_name);
    Result<> rename_leaving_whiteout(std::string_view name, OverlayInode& moved, OverlayInode& new_parent,
                                     std::string_view new_name);

    // Where it was found; of use until it is copied up, and for a directory's lower path.
    const RefPtr<OverlayInode> parent_;
    const String name_;
    Layers lowers_;  // constant once the inode can be found; the topmost first
    std::uint64_t number_ = 0;
    std::atomic<bool> nameless_ = false;  // its name was removed
    mutable SpinGuarded<RefPtr<Inode>, Rank::Overlay> upper_;
    Turn copy_turn_;
};

class OverlayFs final : public FileSystem {
public:
    static Result<RefPtr<OverlayFs>> create(std::span<const RefPtr<FileSystem>> lowers, RefPtr<tmpfs::Budget> budget);

    std::string_view type_name() const override { return "overlay"; }
    RefPtr<Inode> root() override { return root_; }
    Result<FileSystemStatus> status() override;
    bool revalidates() const override { return revalidates_; }

    // The inode of these parts: the one that is there, or a new one.
    Result<RefPtr<OverlayInode>> inode_for(RefPtr<Inode> upper, OverlayInode::Layers lowers,
                                           RefPtr<OverlayInode> parent, std::string_view name);
    void insert(OverlayInode& inode, const Inode& new_key);
    void forget(OverlayInode& inode);

    // Where new things are made before they are put into their place at once.
    Inode& work() const { return *work_; }
    // Where the copy of the root goes.
    Inode& upper_base() const { return *upper_base_; }
    static constexpr std::string_view kRootName = "upper";
    FixedString<24> unique_name();
    std::size_t layer_of(const Inode& inode) const;
    std::uint64_t lower_number(const Inode& lower, std::uint64_t number) const;
    static std::uint64_t upper_number(Inode& upper, std::uint64_t number);
    // Roots of the lower layers.
    std::span<const RefPtr<Inode>> lower_roots() const { return lower_roots_.span(); }

    // Puts an entry of work into a directory, over what is there (null: nothing); that goes away.
    Result<> put(std::string_view work_name, Inode& made, Inode& directory, std::string_view name, Inode* there);
    Result<RefPtr<Inode>> make_whiteout(std::string_view work_name);
    // Removes from a layer's directory; a directory may contain whiteouts.
    static Result<> remove(Inode& directory, std::string_view name, Inode& victim);

private:
    friend class kernel::ObjectMaker;
    OverlayFs() = default;
    void drop_tree() override;

    struct KeyOf {
        const Inode* operator()(const OverlayInode& inode) const { return inode.key; }
    };
    using Table = IntrusiveHashTable<OverlayInode, &OverlayInode::table_node, KeyOf>;
    RefPtr<OverlayInode> find_living(Table& table, const Inode* key, bool is_upper, const OverlayInode* parent,
                                     std::string_view name) const;

    Vector<FileSystemUse> layers_;
    FileSystemUse upper_filesystem_;
    RefPtr<Inode> upper_base_;
    RefPtr<Inode> work_;
    Vector<RefPtr<Inode>> lower_roots_;
    RefPtr<OverlayInode> root_;
    bool revalidates_ = false;
    std::atomic<std::uint64_t> next_name_ = 0;
    SpinGuarded<Table, Rank::Overlay> inodes_;
};

}  // namespace kernel::vfs::overlay
