// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include "services/vfs/file.h"
#include "services/vfs/pseudofs.h"

namespace kernel::vfs::pseudofs {

class PseudoFs;

class PseudoInode final : public Inode {
public:
    // A child of `parent_number` by name and subject; the same question gives the same number.
    static Result<RefPtr<PseudoInode>> create(PseudoFs& filesystem, const Entry& entry, Subject subject,
                                              std::uint64_t number);

    Result<Status> status() override;
    Result<Ownership> ownership() override;
    Result<> change_status(const StatusChange& change) override;
    Result<> resize(std::uint64_t bytes) override;
    Result<RefPtr<Inode>> lookup(std::string_view name) override;
    Result<> list(std::uint64_t position, DirectoryVisitor& visitor) override;
    bool still_valid(Inode* child, std::uint64_t stamp) override;
    Result<String> read_link() override;
    bool is_magic_link() const override { return entry_.follow != nullptr; }
    Result<Path> follow_magic_link() override;
    Result<RefPtr<File>> open(OpenRequest&& request) override;

    const Entry& entry() const { return entry_; }
    const Subject& subject() const { return subject_; }
    bool is_alive() const { return entry_.alive == nullptr || entry_.alive(subject_); }

private:
    friend class kernel::ObjectMaker;
    PseudoInode(PseudoFs& filesystem, const Entry& entry, Subject subject, std::uint64_t number);
    PseudoFs& pseudofs() const;
    std::uint64_t child_number(std::string_view name, const Subject& subject) const;
    Result<> list_dynamic(std::uint64_t position, DirectoryVisitor& visitor);

    const Entry& entry_;
    const Subject subject_;
    const std::uint64_t number_;
    const std::int64_t birth_ns_;
};

class PseudoFs final : public FileSystem {
public:
    static Result<RefPtr<PseudoFs>> create(std::string_view type_name, std::uint64_t magic, const Entry& root);
    std::string_view type_name() const override { return type_name_; }
    RefPtr<Inode> root() override { return root_; }
    Result<FileSystemStatus> status() override { return FileSystemStatus{.magic = magic_, .id = device().minor}; }
    // Processes come and go by themselves.
    bool revalidates() const override { return true; }

private:
    friend class kernel::ObjectMaker;
    PseudoFs(std::string_view type_name, std::uint64_t magic) : type_name_(type_name), magic_(magic) {}
    void drop_tree() override { root_.reset(); }

    const std::string_view type_name_;
    const std::uint64_t magic_;
    RefPtr<PseudoInode> root_;
};

// The text is made when a read begins at offset 0, or anywhere when there is none yet.
class PseudoFile final : public File {
public:
    Result<> resize(std::uint64_t) override { return {}; }

private:
    friend class kernel::ObjectMaker;
    explicit PseudoFile(OpenRequest&& request) : File(std::move(request)) {}
    bool is_stream() const override { return false; }
    Result<std::size_t> do_read(mm::IoBuffer& to, std::uint64_t offset) override;
    Result<std::size_t> do_write(mm::IoBuffer& from, std::uint64_t& offset, WriteOrder order) override;
    Result<std::uint64_t> end_position() override;
    Result<> generate();

    // Reads at an offset are not serialised by the position.
    Turn turn_;
    String content_;
    bool has_content_ = false;
};

}  // namespace kernel::vfs::pseudofs
