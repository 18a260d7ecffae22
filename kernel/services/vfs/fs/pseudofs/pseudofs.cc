// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/vfs/pseudofs.h"

#include "lib/hash.h"
#include "platform/clock.h"
#include "services/vfs/fs/pseudofs/pseudo_inode.h"

namespace kernel::vfs::pseudofs {

Result<RefPtr<PseudoFs>> PseudoFs::create(std::string_view type_name, std::uint64_t magic, const Entry& root) {
    RefPtr<PseudoFs> filesystem = TRY(make_ref<PseudoFs>(type_name, magic));
    filesystem->root_ = TRY(PseudoInode::create(*filesystem, root, Subject{}, 1));
    return filesystem;
}

Result<RefPtr<FileSystem>> create(std::string_view type_name, std::uint64_t magic, const Entry& root) {
    return TRY(PseudoFs::create(type_name, magic, root));
}

Result<RefPtr<PseudoInode>> PseudoInode::create(PseudoFs& filesystem, const Entry& entry, Subject subject,
                                                std::uint64_t number) {
    return make_ref<PseudoInode>(filesystem, entry, std::move(subject), number);
}

PseudoInode::PseudoInode(PseudoFs& filesystem, const Entry& entry, Subject subject, std::uint64_t number)
    : Inode(filesystem, entry.type),
      entry_(entry),
      subject_(std::move(subject)),
      number_(number),
      birth_ns_(static_cast<std::int64_t>(platform::realtime_ns())) {}

PseudoFs& PseudoInode::pseudofs() const {
    return static_cast<PseudoFs&>(filesystem());
}

std::uint64_t PseudoInode::child_number(std::string_view name, const Subject& subject) const {
    const std::uint64_t about = combine_hashes(subject.id, subject.sub_id);
    // Programs keep inode numbers in signed and in 53-bit variables.
    return (combine_hashes(combine_hashes(number_, about), hash_value(name)) >> 12) | 2;
}

Result<Ownership> PseudoInode::ownership() {
    const Owner owner = entry_.owner == nullptr ? Owner{} : entry_.owner(subject_);
    return Ownership{.type = type(), .permissions = entry_.permissions, .user = owner.user, .group = owner.group};
}

Result<Status> PseudoInode::status() {
    const Ownership owner = TRY(ownership());
    const auto now = is_directory() ? birth_ns_ : static_cast<std::int64_t>(platform::realtime_ns());
    std::uint32_t links = 1;
    if (is_directory()) {
        links = 2;
        for (const Entry& child : entry_.children) {
            links += child.type == FileType::Directory ? 1 : 0;
        }
    }
    return Status{.type = type(),
                  .permissions = owner.permissions,
                  .user = owner.user,
                  .group = owner.group,
                  .links = links,
                  .device = filesystem().device(),
                  .inode = number_,
                  .block_bytes = 1024,
                  .access_ns = now,
                  .modify_ns = now,
                  .change_ns = now,
                  .birth_ns = birth_ns_};
}

Result<> PseudoInode::change_status(const StatusChange&) {
    return Error::NotPermitted;
}

Result<> PseudoInode::resize(std::uint64_t bytes) {
    // open(O_TRUNC) of a setting is what shells do before they write it.
    return entry_.store != nullptr ? Result<>() : Inode::resize(bytes);
}

Result<RefPtr<Inode>> PseudoInode::lookup(std::string_view name) {
    if (!is_directory()) {
        return Error::NotDirectory;
    }
    if (!is_alive()) {
        return Error::NotFound;
    }
    for (const Entry& child : entry_.children) {
        if (child.name == name) {
            return TRY(create(pseudofs(), child, subject_, child_number(name, subject_)));
        }
    }
    if (entry_.dynamic == nullptr) {
        return Error::NotFound;
    }
    Found found = TRY(entry_.dynamic->look_up(subject_, name));
    const std::uint64_t number = child_number(name, found.subject);
    return TRY(create(pseudofs(), *found.entry, std::move(found.subject), number));
}

bool PseudoInode::still_valid(Inode* child, std::uint64_t) {
    if (!is_alive()) {
        return false;
    }
    if (child == nullptr) {
        return entry_.dynamic == nullptr;
    }
    const PseudoInode& inode = static_cast<PseudoInode&>(*child);
    const bool is_static = !entry_.children.empty() && &inode.entry() >= entry_.children.data() &&
                           &inode.entry() < entry_.children.data() + entry_.children.size();
    // What comes and goes says itself whether it is there; without that it is asked for again.
    return is_static || (inode.entry().alive != nullptr && inode.is_alive());
}

Result<> PseudoInode::list_dynamic(std::uint64_t position, DirectoryVisitor& visitor) {
    const std::uint64_t base = kFirstEntryPosition + entry_.children.size();
    std::uint64_t place = position > base ? position - base : 0;
    while (true) {
        const Result<DynamicChildren::Listed> child = entry_.dynamic->next(subject_, place);
        if (!child) {
            return child.error() == Error::NotFound ? Result<>() : child.error();
        }
        const std::uint64_t number = child_number(child->name.view(), Subject{.object = {}, .id = child->id});
        if (!visitor.accept({.name = child->name.view(),
                             .inode = number,
                             .type = child->entry->type,
                             .next_position = base + child->next_position})) {
            return {};
        }
        place = child->next_position;
    }
}

Result<> PseudoInode::list(std::uint64_t position, DirectoryVisitor& visitor) {
    if (!is_directory()) {
        return Error::NotDirectory;
    }
    if (!is_alive()) {
        return Error::NotFound;
    }
    for (std::uint64_t index = position - kFirstEntryPosition; index < entry_.children.size(); ++index) {
        const Entry& child = entry_.children[index];
        if (!visitor.accept({.name = child.name,
                             .inode = child_number(child.name, subject_),
                             .type = child.type,
                             .next_position = kFirstEntryPosition + index + 1})) {
            return {};
        }
    }
    return entry_.dynamic == nullptr ? Result<>() : list_dynamic(position, visitor);
}

Result<String> PseudoInode::read_link() {
    if (!is_symlink() || entry_.target == nullptr) {
        return Error::InvalidArgument;
    }
    Text text;
    TRY(entry_.target(subject_, text));
    return text.take();
}

Result<Path> PseudoInode::follow_magic_link() {
    return entry_.follow == nullptr ? Error::SymlinkLoop : entry_.follow(subject_);
}

Result<RefPtr<File>> PseudoInode::open(OpenRequest&& request) {
    if (!is_alive()) {
        return Error::NotFound;
    }
    if (entry_.open != nullptr) {
        return entry_.open(subject_, *this, std::move(request));
    }
    if (!is_regular()) {
        return Inode::open(std::move(request));
    }
    return make_ref<PseudoFile>(std::move(request));
}

}  // namespace kernel::vfs::pseudofs
