// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "lib/guarded.h"
#include "lib/string.h"
#include "lib/vector.h"
#include "services/vfs/fs/tmpfs/tmpfs.h"
#include "services/vfs/inode.h"
#include "services/vfs/seals.h"

namespace kernel::vfs::tmpfs {

class TmpFs;

// Attributes of every node; the whole node of devices, FIFOs and sockets.
class Node : public Inode {
public:
    // What a node of this size costs the budget. Errors: NoMemory, NoSpace.
    static Result<RefPtr<Node>> create(TmpFs& filesystem, const NewInode& request);

    std::uint64_t number() const { return number_; }
    Result<Status> status() override;
    Result<Ownership> ownership() override;
    Result<> change_status(const StatusChange& change) override;
    void touch_access(bool always) override;
    void note_write() override { touch_modified(); }
    Result<std::size_t> get_attribute(std::string_view name, std::span<std::byte> value) override;
    Result<> set_attribute(std::string_view name, std::span<const std::byte> value, AttributeMode mode) override;
    Result<> remove_attribute(std::string_view name) override;
    Result<std::size_t> list_attributes(std::span<std::byte> names, bool with_trusted) override;

    void add_links(std::int32_t count);
    void touch_modified();  // contents and change time

protected:
    friend class kernel::ObjectMaker;
    Node(TmpFs& filesystem, const NewInode& request, std::uint64_t charged_bytes);
    ~Node() override;
    TmpFs& tmpfs() const;
    // Sizes in the status.
    virtual void fill_in(Status& status) const;

private:
    struct Attributes {
        std::uint32_t permissions = 0;
        std::uint32_t user = 0;
        std::uint32_t group = 0;
        std::uint32_t links = 0;
        std::int64_t access_ns = 0;
        std::int64_t modify_ns = 0;
        std::int64_t change_ns = 0;
    };
    struct ExtendedAttribute {
        String name;
        Vector<std::byte> value;
    };
    using ExtendedAttributes = Vector<ExtendedAttribute>;
    static ExtendedAttribute* find(ExtendedAttributes& all, std::string_view name);

    const std::uint64_t number_;
    const std::uint64_t charged_bytes_;
    const DeviceNumber special_;
    const std::int64_t birth_ns_;
    SpinGuarded<Attributes, Rank::InodeStatus> attributes_;
    SpinGuarded<ExtendedAttributes, Rank::InodeStatus> extended_;
};

class SymlinkNode final : public Node {
public:
    Result<String> read_link() override { return target_.clone(); }

private:
    friend class kernel::ObjectMaker;
    SymlinkNode(TmpFs& filesystem, const NewInode& request, std::uint64_t charged_bytes, String target)
        : Node(filesystem, request, charged_bytes), target_(std::move(target)) {}
    void fill_in(Status& status) const override { status.size_bytes = target_.size(); }

    const String target_;
};

class RegularNode final : public Node {
public:
    Result<RefPtr<mm::MemoryObject>> memory_object() override { return RefPtr<mm::MemoryObject>(object_); }
    Result<> resize(std::uint64_t bytes) override;
    std::atomic<std::uint32_t>* seals() override { return &seals_; }

private:
    friend class kernel::ObjectMaker;
    RegularNode(TmpFs& filesystem, const NewInode& request, std::uint64_t charged_bytes,
                RefPtr<mm::AnonymousObject> object)
        : Node(filesystem, request, charged_bytes), object_(std::move(object)) {}
    void fill_in(Status& status) const override;

    const RefPtr<mm::AnonymousObject> object_;
    std::atomic<std::uint32_t> seals_ = kSealSeal;  // memfd_create(2) allows more
};

class TmpFs final : public FileSystem {
public:
    static Result<RefPtr<TmpFs>> create(const Options& options);

    std::string_view type_name() const override { return type_name_; }
    RefPtr<Inode> root() override { return root_; }
    Result<FileSystemStatus> status() override;

    Budget& budget() const { return *budget_; }
    std::uint64_t next_number() { return next_number_.fetch_add(1, std::memory_order_relaxed); }

private:
    friend class kernel::ObjectMaker;
    TmpFs(RefPtr<Budget> budget, std::string_view type_name, std::uint64_t magic)
        : budget_(std::move(budget)), type_name_(type_name), magic_(magic) {}
    void drop_tree() override { root_.reset(); }

    RefPtr<Budget> budget_;
    std::string_view type_name_;
    std::uint64_t magic_;
    RefPtr<Node> root_;
    std::atomic<std::uint64_t> next_number_ = 1;
};

}  // namespace kernel::vfs::tmpfs
