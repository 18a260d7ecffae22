// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/vfs/inode.h"

#include "core/mm/memory_object.h"
#include "lib/own.h"
#include "services/vfs/device_registry.h"
#include "services/vfs/directory_file.h"
#include "services/vfs/file.h"
#include "services/vfs/file_locks.h"
#include "services/vfs/filesystem.h"
#include "services/vfs/graveyard.h"
#include "services/vfs/path.h"
#include "services/vfs/regular_file.h"
#include "services/vfs/watch.h"

namespace kernel::vfs {

Inode::Inode(FileSystem& filesystem, FileType type) : filesystem_(filesystem), type_(type) {}

Inode::~Inode() {
    OwnPtr<FileLocks>::adopt(locks_.load(std::memory_order_relaxed)).reset();
    OwnPtr<InodeWatches>::adopt(watches_.load(std::memory_order_relaxed)).reset();
}

namespace {

// What an inode gets when somebody first needs it.
template <class T>
Result<T*> made_once(std::atomic<T*>& place) {
    if (T* const existing = place.load(std::memory_order_acquire); existing != nullptr) {
        return existing;
    }
    OwnPtr<T> fresh = TRY(make_own<T>());
    T* expected = nullptr;
    if (!place.compare_exchange_strong(expected, fresh.get(), std::memory_order_acq_rel)) {
        return expected;
    }
    return fresh.release();
}

}  // namespace

Result<FileLocks*> Inode::locks() {
    return made_once(locks_);
}

Result<InodeWatches*> Inode::watches() {
    return made_once(watches_);
}

void Inode::last_reference_dropped() {
    Graveyard::bury(*this);
}

Result<Ownership> Inode::ownership() {
    const Status all = TRY(status());
    return Ownership{.type = all.type, .permissions = all.permissions, .user = all.user, .group = all.group};
}

Result<> Inode::change_status(const StatusChange&) {
    return Error::NotPermitted;
}

Result<> Inode::resize(std::uint64_t) {
    return is_directory() ? Error::IsDirectory : Error::InvalidArgument;
}

void Inode::touch_access(bool) {}

void Inode::note_write() {}

Result<RefPtr<Inode>> Inode::lookup(std::string_view) {
    return is_directory() ? Error::NotFound : Error::NotDirectory;
}

Result<RefPtr<Inode>> Inode::create(std::string_view, const NewInode&) {
    return is_directory() ? Error::NotPermitted : Error::NotDirectory;
}

Result<RefPtr<Inode>> Inode::create_unnamed(const NewInode&) {
    return Error::NotSupported;
}

Result<> Inode::link(std::string_view, Inode&) {
    return Error::NotPermitted;
}

Result<> Inode::unlink(std::string_view, Inode&) {
    return Error::NotPermitted;
}

Result<> Inode::rename(std::string_view, Inode&, Inode&, std::string_view, Inode*, RenameMode) {
    return Error::NotPermitted;
}

Result<> Inode::list(std::uint64_t, DirectoryVisitor&) {
    return is_directory() ? Result<>() : Error::NotDirectory;
}

bool Inode::still_valid(Inode*, std::uint64_t stamp) {
    return stamp == names_stamp();
}

Result<String> Inode::read_link() {
    return Error::InvalidArgument;
}

Result<Path> Inode::follow_magic_link() {
    return Error::SymlinkLoop;
}

Result<RefPtr<File>> Inode::open(OpenRequest&& request) {
    switch (type_) {
        case FileType::Regular:
            return make_ref<RegularFile>(std::move(request));
        case FileType::Directory:
            return make_ref<DirectoryFile>(std::move(request));
        case FileType::Symlink:
        case FileType::Unknown:
            return Error::SymlinkLoop;
        case FileType::Fifo:
        case FileType::Socket:
        case FileType::CharacterDevice:
        case FileType::BlockDevice:
            break;
    }
    return open_special(*this, std::move(request));
}

Result<RefPtr<mm::MemoryObject>> Inode::memory_object() {
    return Error::NotSupportedByDevice;
}

Result<> Inode::sync() {
    return {};
}

Result<std::size_t> Inode::get_attribute(std::string_view, std::span<std::byte>) {
    return Error::NotSupported;
}

Result<> Inode::set_attribute(std::string_view, std::span<const std::byte>, AttributeMode) {
    return Error::NotSupported;
}

Result<> Inode::remove_attribute(std::string_view) {
    return Error::NotSupported;
}

Result<std::size_t> Inode::list_attributes(std::span<std::byte>, bool) {
    return std::size_t{0};
}

Result<> Inode::prepare_change() {
    return {};
}

Result<> Inode::prepare_open(OpenFlags) {
    return {};
}

Result<> Inode::begin_writing() {
    std::int32_t count = writers_.load(std::memory_order_relaxed);
    do {
        if (count < 0) {
            return Error::TextBusy;
        }
    } while (!writers_.compare_exchange_weak(count, count + 1, std::memory_order_acq_rel));
    return {};
}

void Inode::end_writing() {
    writers_.fetch_sub(1, std::memory_order_acq_rel);
}

Result<> Inode::deny_writing() {
    std::int32_t count = writers_.load(std::memory_order_relaxed);
    do {
        if (count > 0) {
            return Error::TextBusy;
        }
    } while (!writers_.compare_exchange_weak(count, count - 1, std::memory_order_acq_rel));
    return {};
}

void Inode::allow_writing() {
    writers_.fetch_add(1, std::memory_order_acq_rel);
}

RefPtr<RefCounted> Inode::attachment() {
    return attachment_.with([](RefPtr<RefCounted>& attached) { return attached; });
}

RefPtr<RefCounted> Inode::attach(RefPtr<RefCounted> object) {
    return attachment_.with([&](RefPtr<RefCounted>& attached) {
        if (!attached) {
            attached = std::move(object);
        }
        return attached;
    });
}

void Inode::detach() {
    RefPtr<RefCounted> dropped;
    attachment_.with([&](RefPtr<RefCounted>& attached) { attached.swap(dropped); });
}

}  // namespace kernel::vfs
