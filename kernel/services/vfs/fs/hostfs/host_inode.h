// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>

#include "core/mm/memory_object.h"
#include "core/mm/pager.h"
#include "lib/guarded.h"
#include "lib/hash_table.h"
#include "lib/own.h"
#include "services/vfs/fs/hostfs/hostfs.h"
#include "services/vfs/inode.h"
#include "services/vfs/regular_file.h"

namespace kernel::vfs::hostfs {

class HostFs;

struct HostIdentity {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    bool operator==(const HostIdentity&) const = default;
};
std::uint64_t hash_value(const HostIdentity& identity);

// One file of the host, however many names lead to it. What the host says about it is believed for a while.
class HostInode final : public Inode, private mm::Pager {
public:
    Result<Status> status() override;
    Result<> change_status(const StatusChange& change) override;
    Result<> resize(std::uint64_t bytes) override;

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
    Result<> prepare_open(OpenFlags flags) override;
    Result<RefPtr<File>> open(OpenRequest&& request) override;
    Result<RefPtr<mm::MemoryObject>> memory_object() override;
    Result<> sync() override;

    // After the kernel itself has changed the file: what the host now says is no change from outside.
    Result<> note_own_change();
    const HostIdentity& identity() const { return identity_; }
    HashNode table_node;  // under the table's lock

private:
    friend class kernel::ObjectMaker;
    friend class HostFs;
    HostInode(HostFs& filesystem, OwnPtr<platform::HostFile> file, const platform::HostFileStatus& status);
    ~HostInode() override;

    enum class Change : std::uint8_t { Outside, Own };
    struct Known {
        platform::HostFileStatus status{};
        std::uint64_t believed_until_ns = 0;
        std::uint64_t stamp = 0;
        bool changed_just_now = false;
        bool contents_changed = false;  // since the cached pages were read
    };
    class Lister;

    HostFs& hostfs() const;
    Result<platform::HostFileStatus> current();
    Result<platform::HostFileStatus> refresh(Change change);
    Result<platform::HostFileStatus> keep_known();
    void drop_changed_contents();
    Result<> check_writable() const;
    Result<> read_pages(std::uint64_t first_page, std::span<const FrameNumber> frames) override;
    Result<> write_pages(std::uint64_t first_page, std::span<const FrameNumber> frames, std::uint64_t bytes) override;

    const OwnPtr<platform::HostFile> file_;
    const HostIdentity identity_;
    SpinGuarded<Known, Rank::InodeStatus> known_;
    SpinGuarded<RefPtr<mm::PagedObject>, Rank::InodeStatus> object_;
};

class HostFs final : public FileSystem {
public:
    static Result<RefPtr<HostFs>> create(OwnPtr<platform::HostFile> root, const Options& options);

    std::string_view type_name() const override { return "hostfs"; }
    RefPtr<Inode> root() override { return root_; }
    Result<FileSystemStatus> status() override;
    Result<> sync() override;
    bool revalidates() const override { return true; }
    bool is_read_only() const override { return !options_.writable; }

    const Options& host_options() const { return options_; }
    // The inode of a host file: the one that is there, or a new one. Errors: NoMemory, NotFound (hidden), Io.
    Result<RefPtr<HostInode>> inode_for(OwnPtr<platform::HostFile> file);
    bool hides(const platform::HostFileStatus& status) const;
    std::uint64_t number_of(const HostIdentity& identity) const;
    void forget(HostInode& inode);
    // The inode may get dirty pages through a mapping: keep it until they are written.
    Result<> remember_dirty(HostInode& inode);

private:
    friend class kernel::ObjectMaker;
    explicit HostFs(const Options& options) : options_(options) {}
    void drop_tree() override;

    struct IdentityOf {
        HostIdentity operator()(const HostInode& inode) const { return inode.identity(); }
    };
    using Table = IntrusiveHashTable<HostInode, &HostInode::table_node, IdentityOf>;

    const Options options_;
    std::uint64_t root_device_ = 0;
    RefPtr<HostInode> root_;
    SpinGuarded<Table, Rank::Inode> inodes_;
    SpinGuarded<Vector<RefPtr<HostInode>>, Rank::Inode> dirty_;
};

// Writes go to the host at once.
class HostRegularFile final : public RegularFile {
public:
    Result<RefPtr<mm::MemoryObject>> memory_object() override;
    Result<> flush() override;

private:
    friend class kernel::ObjectMaker;
    explicit HostRegularFile(OpenRequest&& request) : RegularFile(std::move(request)) {}
    HostInode& host_inode() const { return static_cast<HostInode&>(*inode()); }
    Result<> written(mm::MemoryObject& object, std::uint64_t offset, std::size_t bytes) override;
};

}  // namespace kernel::vfs::hostfs
