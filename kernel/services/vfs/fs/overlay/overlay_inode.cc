// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/vfs/fs/overlay/overlay_inode.h"

#include "core/mm/memory_object.h"
#include "lib/bytes.h"

namespace kernel::vfs::overlay {

OverlayInode::OverlayInode(OverlayFs& filesystem, FileType type, RefPtr<OverlayInode> parent, String name)
    : Inode(filesystem, type), parent_(std::move(parent)), name_(std::move(name)) {}

OverlayInode::~OverlayInode() {
    overlay().forget(*this);
}

OverlayFs& OverlayInode::overlay() const {
    return static_cast<OverlayFs&>(filesystem());
}

RefPtr<Inode> OverlayInode::upper() const {
    return upper_.with([](const RefPtr<Inode>& upper) { return upper; });
}

RefPtr<Inode> OverlayInode::real() const {
    RefPtr<Inode> top = upper();
    return top ? top : lowers_[0];
}

void OverlayInode::set_upper(RefPtr<Inode> upper) {
    overlay().insert(*this, *upper);
    upper_.with([&](RefPtr<Inode>& mine) { mine.swap(upper); });
}

Result<Status> OverlayInode::status() {
    const RefPtr<Inode> top = real();
    Status status = TRY(top->status());
    status.device = filesystem().device();
    status.inode = number_;
    // How many subdirectories the layers have together is not known; 1 says so to find(1) and others.
    if (is_directory() && !lowers_.empty() && (lowers_.size() > 1 || top != lowers_[0])) {
        status.links = 1;
    }
    return status;
}

Result<Ownership> OverlayInode::ownership() {
    return real()->ownership();
}

Result<> OverlayInode::change_status(const StatusChange& change) {
    return real()->change_status(change);
}

Result<> OverlayInode::resize(std::uint64_t bytes) {
    return real()->resize(bytes);
}

void OverlayInode::touch_access(bool always) {
    if (const RefPtr<Inode> top = upper(); top) {
        top->touch_access(always);
    }
}

void OverlayInode::note_write() {
    if (const RefPtr<Inode> top = upper(); top) {
        top->note_write();
    }
}

Turn& OverlayInode::write_turn() {
    // The upper inode stays ours, so its turn outlives this reference.
    const RefPtr<Inode> top = upper();
    return top ? top->write_turn() : Inode::write_turn();
}

Result<String> OverlayInode::read_link() {
    return real()->read_link();
}

Result<> OverlayInode::prepare_open(OpenFlags flags) {
    return real()->prepare_open(flags);
}

Result<RefPtr<mm::MemoryObject>> OverlayInode::memory_object() {
    return real()->memory_object();
}

Result<> OverlayInode::sync() {
    const RefPtr<Inode> top = upper();
    return top ? top->sync() : Result<>();
}

std::uint64_t OverlayInode::names_stamp() {
    std::uint64_t sum = 0;
    for (const RefPtr<Inode>& lower : lowers_) {
        sum += lower->names_stamp();
    }
    return sum;
}

Result<std::size_t> OverlayInode::get_attribute(std::string_view name, std::span<std::byte> value) {
    return name.starts_with(kPrivatePrefix) ? Error::NoAttribute : real()->get_attribute(name, value);
}

Result<> OverlayInode::set_attribute(std::string_view name, std::span<const std::byte> value, AttributeMode mode) {
    return name.starts_with(kPrivatePrefix) ? Error::NotPermitted : real()->set_attribute(name, value, mode);
}

Result<> OverlayInode::remove_attribute(std::string_view name) {
    return name.starts_with(kPrivatePrefix) ? Error::NoAttribute : real()->remove_attribute(name);
}

Result<std::size_t> OverlayInode::list_attributes(std::span<std::byte> names, bool with_trusted) {
    const RefPtr<Inode> top = real();
    const std::size_t all_bytes = TRY(top->list_attributes({}, with_trusted));
    if (all_bytes == 0) {
        return all_bytes;
    }
    Vector<std::byte> all;
    TRY(all.resize(all_bytes));
    std::string_view rest = as_text(all.span()).substr(0, TRY(top->list_attributes(all.span(), with_trusted)));
    std::size_t total = 0;
    while (!rest.empty()) {
        const std::string_view name = rest.substr(0, rest.find('\0') + 1);
        rest.remove_prefix(name.size());
        if (name.starts_with(kPrivatePrefix)) {
            continue;
        }
        if (!names.empty()) {
            if (names.size() - total < name.size()) {
                return Error::OutOfRange;
            }
            copy_bytes(names.subspan(total), as_bytes(name));
        }
        total += name.size();
    }
    return total;
}

Result<> OverlayInode::prepare_change() {
    return copy_up_with_parents(true);
}

Result<> OverlayInode::prepare_truncation() {
    return copy_up_with_parents(false);
}

}  // namespace kernel::vfs::overlay
