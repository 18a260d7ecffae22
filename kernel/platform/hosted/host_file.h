// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include "platform/host_files.h"
#include "platform/hosted/host_node.h"

namespace kernel::platform::hosted {

// One component of a path, and nothing that could be more. Errors: InvalidArgument, NameTooLong.
Result<> check_name(std::string_view name);

class HostFileObject final : public HostFile {
public:
    explicit HostFileObject(RefPtr<HostNode> node) : node_(std::move(node)) {}
    static Result<OwnPtr<HostFile>> wrap(RefPtr<HostNode> node);

    Result<HostFileStatus> status() override;
    Result<OwnPtr<HostFile>> lookup(std::string_view name) override;
    Result<std::size_t> read_link(std::span<std::byte> target) override;
    Result<> list(std::uint64_t& position, HostDirectoryVisitor visitor, void* context) override;
    Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> bytes) override;

    Result<std::size_t> write_at(std::uint64_t offset, std::span<const std::byte> bytes) override;
    Result<> truncate(std::uint64_t size_bytes) override;
    Result<OwnPtr<HostFile>> create_file(std::string_view name, std::uint32_t permissions) override;
    Result<> make_directory(std::string_view name, std::uint32_t permissions) override;
    Result<> make_symlink(std::string_view name, std::string_view target) override;
    Result<> link(std::string_view name, HostFile& existing) override;
    Result<> unlink(std::string_view name, bool directory) override;
    Result<> rename(std::string_view name, HostFile& new_parent, std::string_view new_name,
                    std::uint32_t flags) override;
    Result<> set_permissions(std::uint32_t permissions) override;
    Result<> set_times(std::int64_t access_ns, std::int64_t modify_ns) override;
    Result<> sync() override;

private:
    Result<DescriptorUse> use_directory();
    // The directory, to change its entry `name`. Errors: ReadOnly, NotDirectory, those of check_name.
    Result<DescriptorUse> use_for_change(std::string_view name);
    Result<DescriptorUse> use_for_writing();
    Result<> read_status(struct stat& status);

    RefPtr<HostNode> node_;
};

}  // namespace kernel::platform::hosted
