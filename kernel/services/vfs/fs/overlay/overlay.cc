// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/vfs/fs/overlay/overlay.h"

#include <utility>

#include "lib/bytes.h"
#include "lib/format.h"
#include "services/vfs/fs/overlay/overlay_inode.h"

namespace kernel::vfs::overlay {

bool is_whiteout(Inode& inode) {
    if (inode.type() != FileType::CharacterDevice) {
        return false;
    }
    const Result<Status> status = inode.status();
    return status && status->special == DeviceNumber{};
}

Result<RefPtr<OverlayFs>> OverlayFs::create(std::span<const RefPtr<FileSystem>> lowers, RefPtr<tmpfs::Budget> budget) {
    RefPtr<OverlayFs> filesystem = TRY(make_ref<OverlayFs>());
    OverlayInode::Layers roots;
    for (const RefPtr<FileSystem>& lower : lowers) {
        TRY(filesystem->layers_.push_back(FileSystemUse(lower)));
        TRY(filesystem->lower_roots_.push_back(lower->root()));
        TRY(roots.push_back(lower->root()));
        filesystem->revalidates_ = filesystem->revalidates_ || lower->revalidates();
    }
    filesystem->upper_filesystem_ =
        FileSystemUse(TRY(tmpfs::create({.budget = std::move(budget), .permissions = 0700})));
    filesystem->upper_base_ = filesystem->upper_filesystem_->root();
    filesystem->work_ =
        TRY(filesystem->upper_base_->create("work", NewInode{.type = FileType::Directory, .permissions = 0700}));
    filesystem->root_ = TRY(filesystem->inode_for({}, std::move(roots), {}, kRootName));
    return filesystem;
}

void OverlayFs::drop_tree() {
    root_.reset();
    work_.reset();
    upper_base_.reset();
    lower_roots_.clear();
    layers_.clear();
    FileSystemUse dropped = std::move(upper_filesystem_);
}

Result<FileSystemStatus> OverlayFs::status() {
    FileSystemStatus status = TRY(upper_filesystem_->status());
    status.magic = kMagic;
    status.id = device().minor;
    return status;
}

FixedString<24> OverlayFs::unique_name() {
    InlineFormatBuffer<24> text;
    format_to(text, "{:x}", next_name_.fetch_add(1, std::memory_order_relaxed));
    return FixedString<24>::truncated(text.view());
}

std::size_t OverlayFs::layer_of(const Inode& inode) const {
    for (std::size_t layer = 0; layer < layers_.size(); ++layer) {
        if (layers_[layer].reference() == &inode.filesystem()) {
            return layer;
        }
    }
    return 0;
}

// The lowest bits tell the layers apart: 0 is the upper one.
std::uint64_t OverlayFs::lower_number(const Inode& lower, std::uint64_t number) const {
    constexpr std::size_t kMaxTag = 15;
    const std::size_t tag = layer_of(lower) + 1;
    return (number << 4) | (tag < kMaxTag ? tag : kMaxTag);
}

std::uint64_t OverlayFs::upper_number(Inode& upper, std::uint64_t number) {
    std::uint64_t kept = 0;
    const Result<std::size_t> bytes = upper.get_attribute(kNumber, as_writable_bytes_of(kept));
    return bytes && *bytes == sizeof(kept) ? kept : number << 4;
}

RefPtr<OverlayInode> OverlayFs::find_living(Table& table, const Inode* key, bool is_upper, const OverlayInode* parent,
                                            std::string_view name) const {
    // Names of one lower file are told apart, because a copy of it has only one of them.
    OverlayInode* const found = table.find_if(hash_value(key), [&](const OverlayInode& inode) {
        return inode.key == key && (is_upper || inode.is_entry_of(parent, name)) && inode.try_add_reference();
    });
    return found == nullptr ? RefPtr<OverlayInode>() : RefPtr<OverlayInode>::adopt(*found);
}

Result<RefPtr<OverlayInode>> OverlayFs::inode_for(RefPtr<Inode> upper, OverlayInode::Layers lowers,
                                                  RefPtr<OverlayInode> parent, std::string_view name) {
    Inode& top = upper ? *upper : *lowers[0];
    const bool is_upper = static_cast<bool>(upper);
    RefPtr<OverlayInode> existing =
        inodes_.with([&](Table& table) { return find_living(table, &top, is_upper, parent.get(), name); });
    if (existing) {
        return existing;
    }
    const std::uint64_t real_number = TRY(top.status()).inode;
    String own_name = TRY(String::create(name));
    RefPtr<OverlayInode> fresh = TRY(make_ref<OverlayInode>(*this, top.type(), parent, std::move(own_name)));
    fresh->number_ = is_upper ? upper_number(top, real_number) : lower_number(top, real_number);
    fresh->lowers_ = std::move(lowers);
    fresh->upper_.unguarded() = std::move(upper);
    return inodes_.with([&](Table& table) {
        if (RefPtr<OverlayInode> other = find_living(table, &top, is_upper, parent.get(), name); other) {
            return other;
        }
        fresh->key = &top;
        table.insert(*fresh);
        return fresh;
    });
}

void OverlayFs::insert(OverlayInode& inode, const Inode& new_key) {
    inodes_.with([&](Table& table) {
        if (Table::is_linked(inode)) {
            table.remove(inode);
        }
        inode.key = &new_key;
        table.insert(inode);
    });
}

void OverlayFs::forget(OverlayInode& inode) {
    inodes_.with([&](Table& table) {
        if (Table::is_linked(inode)) {
            table.remove(inode);
        }
    });
}

namespace {

// Keeps the first name, so that a directory can be emptied without memory.
class FirstName final : public DirectoryVisitor {
public:
    bool accept(const DirectoryEntry& entry) override {
        name_ = FixedString<kMaxNameBytes>::truncated(entry.name);
        return false;
    }
    std::string_view name() const { return name_.view(); }

private:
    FixedString<kMaxNameBytes> name_;
};

}  // namespace

Result<> OverlayFs::remove(Inode& directory, std::string_view name, Inode& victim) {
    if (victim.is_directory()) {
        while (true) {
            FirstName first;
            TRY(victim.list(kFirstEntryPosition, first));
            if (first.name().empty()) {
                break;
            }
            const RefPtr<Inode> whiteout = TRY(victim.lookup(first.name()));
            TRY(victim.unlink(first.name(), *whiteout));
        }
    }
    return directory.unlink(name, victim);
}

Result<RefPtr<Inode>> OverlayFs::make_whiteout(std::string_view work_name) {
    return work_->create(work_name, NewInode{.type = FileType::CharacterDevice});
}

Result<> OverlayFs::put(std::string_view work_name, Inode& made, Inode& directory, std::string_view name,
                        Inode* there) {
    if (there == nullptr) {
        return work_->rename(work_name, made, directory, name, nullptr, RenameMode::NoReplace);
    }
    TRY(work_->rename(work_name, made, directory, name, there, RenameMode::Exchange));
    return remove(*work_, work_name, *there);
}

Result<RefPtr<FileSystem>> create(std::span<const RefPtr<FileSystem>> lowers, RefPtr<tmpfs::Budget> budget) {
    if (lowers.empty()) {
        return Error::InvalidArgument;
    }
    return TRY(OverlayFs::create(lowers, std::move(budget)));
}

}  // namespace kernel::vfs::overlay
