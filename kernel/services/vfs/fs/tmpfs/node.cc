// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/vfs/fs/tmpfs/node.h"

#include "lib/bytes.h"
#include "platform/clock.h"
#include "services/vfs/access_time.h"
#include "services/vfs/fs/tmpfs/directory.h"
#include "services/vfs/regular_file.h"

namespace kernel::vfs::tmpfs {
namespace {

std::int64_t now_ns() {
    return static_cast<std::int64_t>(platform::realtime_ns());
}

std::uint64_t cost_of(const NewInode& request) {
    switch (request.type) {
        case FileType::Directory:
            return sizeof(DirectoryNode);
        case FileType::Regular:
            return sizeof(RegularNode) + sizeof(mm::AnonymousObject);
        case FileType::Symlink:
            return sizeof(SymlinkNode) + request.target.size();
        default:
            return sizeof(Node);
    }
}

Result<RefPtr<Node>> make_node(TmpFs& filesystem, const NewInode& request, std::uint64_t cost) {
    switch (request.type) {
        case FileType::Directory:
            return make_ref<DirectoryNode>(filesystem, request, cost);
        case FileType::Regular: {
            RefPtr<mm::AnonymousObject> object = TRY(mm::AnonymousObject::create(0, filesystem.budget().pages()));
            return make_ref<RegularNode>(filesystem, request, cost, std::move(object));
        }
        case FileType::Symlink: {
            String target = TRY(String::create(request.target));
            return make_ref<SymlinkNode>(filesystem, request, cost, std::move(target));
        }
        default:
            return make_ref<Node>(filesystem, request, cost);
    }
}

}  // namespace

Result<RefPtr<Node>> Node::create(TmpFs& filesystem, const NewInode& request) {
    const std::uint64_t cost = cost_of(request);
    if (!filesystem.budget().charge_bytes(cost)) {
        return Error::NoSpace;
    }
    Result<RefPtr<Node>> node = make_node(filesystem, request, cost);
    if (!node) {
        filesystem.budget().release_bytes(cost);
    }
    return node;
}

Node::Node(TmpFs& filesystem, const NewInode& request, std::uint64_t charged_bytes)
    : Inode(filesystem, request.type),
      number_(filesystem.next_number()),
      charged_bytes_(charged_bytes),
      special_(request.device),
      birth_ns_(now_ns()) {
    attributes_.unguarded() = Attributes{.permissions = request.permissions,
                                         .user = request.user,
                                         .group = request.group,
                                         .links = request.type == FileType::Directory ? 1u : 0u,
                                         .access_ns = birth_ns_,
                                         .modify_ns = birth_ns_,
                                         .change_ns = birth_ns_};
}

Node::~Node() {
    tmpfs().budget().release_bytes(charged_bytes_);
}

TmpFs& Node::tmpfs() const {
    return static_cast<TmpFs&>(filesystem());
}

Result<Status> Node::status() {
    Status status{.type = type(),
                  .device = filesystem().device(),
                  .special = special_,
                  .inode = number_,
                  .block_bytes = kPageSize,
                  .birth_ns = birth_ns_};
    attributes_.with([&](const Attributes& attributes) {
        status.permissions = attributes.permissions;
        status.user = attributes.user;
        status.group = attributes.group;
        status.links = attributes.links;
        status.access_ns = attributes.access_ns;
        status.modify_ns = attributes.modify_ns;
        status.change_ns = attributes.change_ns;
    });
    fill_in(status);
    return status;
}

void Node::fill_in(Status&) const {}

Result<Ownership> Node::ownership() {
    return attributes_.with([&](const Attributes& attributes) {
        return Ownership{
            .type = type(), .permissions = attributes.permissions, .user = attributes.user, .group = attributes.group};
    });
}

Result<> Node::change_status(const StatusChange& change) {
    const std::int64_t now = now_ns();
    attributes_.with([&](Attributes& attributes) {
        attributes.permissions = change.permissions.value_or(attributes.permissions);
        attributes.user = change.user.value_or(attributes.user);
        attributes.group = change.group.value_or(attributes.group);
        attributes.access_ns = change.access_ns.value_or(attributes.access_ns);
        attributes.modify_ns = change.modify_ns.value_or(attributes.modify_ns);
        attributes.change_ns = now;
    });
    return {};
}

void Node::touch_access(bool always) {
    const std::int64_t now = now_ns();
    attributes_.with([&](Attributes& attributes) {
        if (always || relatime_wants_update(attributes.access_ns, attributes.modify_ns, attributes.change_ns, now)) {
            attributes.access_ns = now;
        }
    });
}

void Node::touch_modified() {
    const std::int64_t now = now_ns();
    attributes_.with([&](Attributes& attributes) {
        attributes.modify_ns = now;
        attributes.change_ns = now;
    });
}

void Node::add_links(std::int32_t count) {
    const std::int64_t now = now_ns();
    attributes_.with([&](Attributes& attributes) {
        attributes.links += static_cast<std::uint32_t>(count);
        attributes.change_ns = now;
    });
}

Node::ExtendedAttribute* Node::find(ExtendedAttributes& all, std::string_view name) {
    for (ExtendedAttribute& attribute : all) {
        if (attribute.name == name) {
            return &attribute;
        }
    }
    return nullptr;
}

Result<std::size_t> Node::get_attribute(std::string_view name, std::span<std::byte> value) {
    return extended_.with([&](ExtendedAttributes& all) -> Result<std::size_t> {
        const ExtendedAttribute* const found = find(all, name);
        if (found == nullptr) {
            return Error::NoAttribute;
        }
        if (value.empty()) {
            return found->value.size();
        }
        if (value.size() < found->value.size()) {
            return Error::OutOfRange;
        }
        copy_bytes(value, found->value.span());
        return found->value.size();
    });
}

Result<> Node::set_attribute(std::string_view name, std::span<const std::byte> value, AttributeMode mode) {
    ExtendedAttribute fresh;
    fresh.name = TRY(String::create(name));
    TRY(fresh.value.append(value));
    return extended_.with([&](ExtendedAttributes& all) -> Result<> {
        ExtendedAttribute* const found = find(all, name);
        if (found == nullptr) {
            return mode == AttributeMode::Replace ? Error::NoAttribute : all.push_back(std::move(fresh));
        }
        if (mode == AttributeMode::Create) {
            return Error::Exists;
        }
        found->value.swap(fresh.value);
        return {};
    });
}

Result<> Node::remove_attribute(std::string_view name) {
    return extended_.with([&](ExtendedAttributes& all) -> Result<> {
        for (std::size_t i = 0; i < all.size(); ++i) {
            if (all[i].name == name) {
                all.erase(i);
                return {};
            }
        }
        return Error::NoAttribute;
    });
}

Result<std::size_t> Node::list_attributes(std::span<std::byte> names, bool with_trusted) {
    return extended_.with([&](ExtendedAttributes& all) -> Result<std::size_t> {
        std::size_t total = 0;
        for (const ExtendedAttribute& attribute : all) {
            if (!with_trusted && attribute.name.view().starts_with("trusted.")) {
                continue;
            }
            const std::size_t bytes = attribute.name.size() + 1;
            if (!names.empty()) {
                if (names.size() - total < bytes) {
                    return Error::OutOfRange;
                }
                copy_bytes(names.subspan(total), as_bytes(attribute.name.view()));
                names[total + bytes - 1] = std::byte{0};
            }
            total += bytes;
        }
        return total;
    });
}

Result<> RegularNode::resize(std::uint64_t bytes) {
    if (bytes > kMaxFileBytes) {
        return Error::FileTooLarge;
    }
    TRY(check_resize_seals(*this, object_->size_bytes(), bytes));
    object_->resize(bytes);
    return {};
}

void RegularNode::fill_in(Status& status) const {
    status.size_bytes = object_->size_bytes();
    status.blocks_512 = object_->resident_pages() * (kPageSize / 512);
}

}  // namespace kernel::vfs::tmpfs
