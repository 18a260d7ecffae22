// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "platform/host_files.h"

// The host's files for unit tests: a tree in memory behind platform/host_files.h. Tests change it from the host's side
// through its nodes.
namespace test_support {

struct HostNode {
    explicit HostNode(kernel::platform::HostFileType node_type, std::uint32_t node_permissions);
    // A further entry; replaces what is there.
    std::shared_ptr<HostNode> add(std::string_view name, std::shared_ptr<HostNode> node);
    std::shared_ptr<HostNode> add_directory(std::string_view name, std::uint32_t directory_permissions = 0755);
    std::shared_ptr<HostNode> add_file(std::string_view name, std::string_view text,
                                       std::uint32_t file_permissions = 0644);
    std::shared_ptr<HostNode> add_symlink(std::string_view name, std::string_view target);
    void remove(std::string_view name);
    void write(std::string_view text);
    void touch();

    kernel::platform::HostFileType type;
    std::uint32_t permissions;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::uint64_t inode;
    std::uint64_t device = 1;
    std::int64_t access_ns = 0;
    std::int64_t modify_ns = 0;
    std::int64_t change_ns = 0;
    bool unreadable = false;
    bool gone = false;     // the handles that are there are stale
    std::string contents;  // of a file, or a link's target
    std::map<std::string, std::shared_ptr<HostNode>, std::less<>> entries;
};

std::shared_ptr<HostNode> make_host_directory();
// The platform's object for a node.
kernel::Result<kernel::OwnPtr<kernel::platform::HostFile>> open_host_node(std::shared_ptr<HostNode> node,
                                                                          bool writable);
// Calls of the interface so far.
std::uint64_t host_calls();
// What platform::open_host_root finds by name.
void set_host_root(std::string_view path, std::shared_ptr<HostNode> node);

}  // namespace test_support
