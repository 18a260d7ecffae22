// SPDX-License-Identifier: MIT OR Apache-2.0
#include "support/fake_host_files.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <utility>
#include <vector>

#include "platform/clock.h"

namespace test_support {

using kernel::Error;
using kernel::OwnPtr;
using kernel::Result;
using kernel::platform::HostDirectoryEntry;
using kernel::platform::HostDirectoryVisitor;
using kernel::platform::HostFile;
using kernel::platform::HostFileStatus;
using kernel::platform::HostFileType;

namespace {

std::mutex tree_mutex;
std::atomic<std::uint64_t> next_inode = 100;
std::atomic<std::uint64_t> calls = 0;
std::map<std::string, std::shared_ptr<HostNode>, std::less<>> roots;

// Every change has a time of its own.
std::int64_t next_time() {
    static std::atomic<std::int64_t> time = 1'000'000'000'000;
    return time += 1'000'000;
}

class FakeHostFile final : public HostFile {
public:
    FakeHostFile(std::shared_ptr<HostNode> node, bool writable) : node_(std::move(node)), writable_(writable) {}

    Result<HostFileStatus> status() override {
        const std::lock_guard guard(count());
        if (node_->gone) {
            return Error::StaleHandle;
        }
        const std::uint64_t bytes = node_->contents.size();
        return HostFileStatus{.type = node_->type,
                              .permissions = node_->permissions,
                              .uid = node_->uid,
                              .gid = node_->gid,
                              .links = 1,
                              .device = node_->device,
                              .inode = node_->inode,
                              .size_bytes = bytes,
                              .blocks_512 = (bytes + 511) / 512,
                              .access_ns = node_->access_ns,
                              .modify_ns = node_->modify_ns,
                              .change_ns = node_->change_ns};
    }
    Result<OwnPtr<HostFile>> lookup(std::string_view name) override {
        const std::lock_guard guard(count());
        const auto found = node_->entries.find(name);
        if (found == node_->entries.end()) {
            return Error::NotFound;
        }
        return open_host_node(found->second, writable_);
    }
    Result<std::size_t> read_link(std::span<std::byte> target) override {
        const std::lock_guard guard(count());
        return copy_out(target, 0);
    }
    Result<> list(std::uint64_t& position, HostDirectoryVisitor visitor, void* context) override {
        std::vector<std::pair<std::string, std::shared_ptr<HostNode>>> all;
        {
            const std::lock_guard guard(count());
            all.assign(node_->entries.begin(), node_->entries.end());
        }
        for (; position < all.size(); ++position) {
            const auto& [name, node] = all[position];
            if (!visitor(context, HostDirectoryEntry{.inode = node->inode, .type = node->type, .name = name})) {
                break;
            }
        }
        return {};
    }
    Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> bytes) override {
        const std::lock_guard guard(count());
        if (node_->unreadable) {
            return Error::AccessDenied;
        }
        return copy_out(bytes, offset);
    }

    Result<std::size_t> write_at(std::uint64_t offset, std::span<const std::byte> bytes) override {
        const std::lock_guard guard(count());
        TRY(writable());
        node_->contents.resize(std::max(node_->contents.size(), offset + bytes.size()));
        std::memcpy(node_->contents.data() + offset, bytes.data(), bytes.size());
        node_->touch();
        return bytes.size();
    }
    Result<> truncate(std::uint64_t size_bytes) override {
        const std::lock_guard guard(count());
        TRY(writable());
        node_->contents.resize(size_bytes);
        node_->touch();
        return {};
    }
    Result<OwnPtr<HostFile>> create_file(std::string_view name, std::uint32_t permissions) override {
        const std::lock_guard guard(count());
        TRY(free_name(name));
        return open_host_node(node_->add_file(name, "", permissions), writable_);
    }
    Result<> make_directory(std::string_view name, std::uint32_t permissions) override {
        const std::lock_guard guard(count());
        TRY(free_name(name));
        node_->add_directory(name, permissions);
        return {};
    }
    Result<> make_symlink(std::string_view name, std::string_view target) override {
        const std::lock_guard guard(count());
        TRY(free_name(name));
        node_->add_symlink(name, target);
        return {};
    }
    Result<> link(std::string_view name, HostFile& existing) override {
        const std::lock_guard guard(count());
        TRY(free_name(name));
        node_->add(name, static_cast<FakeHostFile&>(existing).node_);
        return {};
    }
    Result<> unlink(std::string_view name, bool directory) override {
        const std::lock_guard guard(count());
        TRY(writable());
        const auto found = node_->entries.find(name);
        if (found == node_->entries.end()) {
            return Error::NotFound;
        }
        if (directory && !found->second->entries.empty()) {
            return Error::NotEmpty;
        }
        node_->remove(name);
        return {};
    }
    Result<> rename(std::string_view name, HostFile& new_parent, std::string_view new_name,
                    std::uint32_t flags) override {
        const std::lock_guard guard(count());
        TRY(writable());
        HostNode& destination = *static_cast<FakeHostFile&>(new_parent).node_;
        const std::shared_ptr<HostNode> moved = node_->entries.find(name)->second;
        const auto there = destination.entries.find(new_name);
        if (there != destination.entries.end() && flags == 0 && !there->second->entries.empty()) {
            return Error::NotEmpty;
        }
        const std::shared_ptr<HostNode> other = there == destination.entries.end() ? nullptr : there->second;
        if (flags == 2) {
            node_->add(name, other);
        } else {
            node_->remove(name);
        }
        destination.add(new_name, moved);
        return {};
    }
    Result<> set_permissions(std::uint32_t permissions) override {
        const std::lock_guard guard(count());
        TRY(writable());
        node_->permissions = permissions;
        node_->change_ns = next_time();
        return {};
    }
    Result<> set_times(std::int64_t access_ns, std::int64_t modify_ns) override {
        const std::lock_guard guard(count());
        TRY(writable());
        node_->access_ns = access_ns;
        node_->modify_ns = modify_ns;
        node_->change_ns = next_time();
        return {};
    }
    Result<> sync() override { return {}; }

private:
    static std::mutex& count() {
        ++calls;
        return tree_mutex;
    }
    Result<> writable() const { return writable_ ? Result<>() : Error::ReadOnly; }
    Result<> free_name(std::string_view name) const {
        TRY(writable());
        return node_->entries.contains(name) ? Error::Exists : Result<>();
    }
    std::size_t copy_out(std::span<std::byte> bytes, std::uint64_t offset) const {
        if (offset >= node_->contents.size()) {
            return 0;
        }
        const std::size_t count = std::min<std::size_t>(bytes.size(), node_->contents.size() - offset);
        if (count != 0) {
            std::memcpy(bytes.data(), node_->contents.data() + offset, count);
        }
        return count;
    }

    std::shared_ptr<HostNode> node_;
    bool writable_;
};

}  // namespace

HostNode::HostNode(HostFileType node_type, std::uint32_t node_permissions)
    : type(node_type), permissions(node_permissions), inode(next_inode++) {
    touch();
}

std::shared_ptr<HostNode> HostNode::add(std::string_view name, std::shared_ptr<HostNode> node) {
    touch();
    return entries.insert_or_assign(std::string(name), std::move(node)).first->second;
}

std::shared_ptr<HostNode> HostNode::add_directory(std::string_view name, std::uint32_t directory_permissions) {
    return add(name, std::make_shared<HostNode>(HostFileType::Directory, directory_permissions));
}

std::shared_ptr<HostNode> HostNode::add_file(std::string_view name, std::string_view text,
                                             std::uint32_t file_permissions) {
    const auto node = std::make_shared<HostNode>(HostFileType::Regular, file_permissions);
    node->contents = text;
    return add(name, node);
}

std::shared_ptr<HostNode> HostNode::add_symlink(std::string_view name, std::string_view target) {
    const auto node = std::make_shared<HostNode>(HostFileType::Symlink, 0777u);
    node->contents = target;
    return add(name, node);
}

void HostNode::remove(std::string_view name) {
    entries.erase(entries.find(name));
    touch();
}

void HostNode::write(std::string_view text) {
    contents = text;
    touch();
}

void HostNode::touch() {
    modify_ns = next_time();
    change_ns = modify_ns;
}

std::shared_ptr<HostNode> make_host_directory() {
    return std::make_shared<HostNode>(HostFileType::Directory, 0755u);
}

Result<OwnPtr<HostFile>> open_host_node(std::shared_ptr<HostNode> node, bool writable) {
    return OwnPtr<HostFile>(TRY(kernel::make_own<FakeHostFile>(std::move(node), writable)));
}

std::uint64_t host_calls() {
    return calls;
}

void set_host_root(std::string_view path, std::shared_ptr<HostNode> node) {
    roots.insert_or_assign(std::string(path), std::move(node));
}

}  // namespace test_support

namespace kernel::platform {

[[gnu::weak]] Result<OwnPtr<HostFile>> open_host_root(std::string_view path, bool writable) {
    const auto found = test_support::roots.find(path);
    if (found == test_support::roots.end()) {
        return Error::NotFound;
    }
    return test_support::open_host_node(found->second, writable);
}

}  // namespace kernel::platform
