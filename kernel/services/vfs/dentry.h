// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "lib/hash_table.h"
#include "lib/list.h"
#include "lib/ref.h"
#include "lib/result.h"
#include "lib/string.h"
#include "services/vfs/inode.h"

namespace kernel::vfs {

// A name in a directory, and what it leads to: an inode, or nothing ("negative"). Parent, name and hash membership
// belong to the dentry cache and are read through it; the inode of a positive dentry never changes.
class Dentry final : public RefCounted {
public:
    Inode* inode() const { return inode_.get(); }
    bool is_negative() const { return inode_ == nullptr; }
    bool is_root() const { return is_root_; }
    // The name was removed (or replaced by a rename) while the file is still in use.
    bool is_unlinked() const { return unlinked_.load(std::memory_order_acquire); }
    // Some mount in some namespace covers this dentry.
    bool is_mountpoint() const { return mounts_.load(std::memory_order_acquire) != 0; }
    // Of the directory's names when this one was looked up, see Inode::names_stamp.
    std::uint64_t stamp() const { return stamp_.load(std::memory_order_relaxed); }
    void set_stamp(std::uint64_t stamp) { stamp_.store(stamp, std::memory_order_relaxed); }
    void mount_added() { mounts_.fetch_add(1, std::memory_order_acq_rel); }
    void mount_removed() { mounts_.fetch_sub(1, std::memory_order_acq_rel); }

private:
    friend class kernel::ObjectMaker;
    friend class DentryCache;
    friend class Graveyard;
    void destroy() { delete this; }
    Dentry(RefPtr<Dentry> parent, String name, RefPtr<Inode> inode, bool is_root);
    ~Dentry() override;
    void last_reference_dropped() override;

    RefPtr<Inode> inode_;
    const bool is_root_;
    std::atomic<bool> unlinked_ = false;
    std::atomic<bool> recently_used_ = false;
    std::atomic<std::uint32_t> mounts_ = 0;
    std::atomic<std::uint64_t> stamp_ = 0;
    // Under the cache's lock:
    RefPtr<Dentry> parent_;
    String name_;
    HashNode hash_node_;  // linked: the cache holds a reference
    ListNode age_node_;
    ListNode graveyard_node_;
};

// The one cache of names. Entries in the hash hold a reference; unused ones are given up oldest first when the cache is
// over its limit. All functions take the cache's lock themselves, for a moment; a walk without locks can replace it
// behind them.
namespace dentries {

// A root: no parent, not in the hash. Errors: NoMemory.
Result<RefPtr<Dentry>> create_root(RefPtr<Inode> inode);

// The cached entry, or null.
RefPtr<Dentry> find(const Dentry& parent, std::string_view name);
// Puts an entry (inode null: negative) into the cache and returns it; what is there under the name is forgotten. The
// parent directory's lock is held. With `cached` false it is only made. Errors: NoMemory.
Result<RefPtr<Dentry>> insert(Dentry& parent, std::string_view name, RefPtr<Inode> inode, std::uint64_t stamp = 0,
                              bool cached = true);
// The same in two steps, for a name whose making must not fail half-way: prepare makes an entry outside of the cache,
// complete gives it its inode and puts it in. Errors of prepare: NoMemory.
Result<RefPtr<Dentry>> prepare(Dentry& parent, std::string_view name);
void complete(Dentry& prepared, RefPtr<Inode> inode);
// Takes the entry out of the cache: it is not found by name any more, but keeps name and parent.
void forget(Dentry& dentry);
// The same, because the name is gone for good.
void unlink(Dentry& dentry);
// Gives `moved` the parent and name; what the cache has there is unlinked if `replaced` says so. Errors: NoMemory
// before any effect when made with prepare_name.
Result<String> prepare_name(std::string_view name);
void move(Dentry& moved, Dentry& new_parent, String new_name, Dentry* replaced);
void exchange(Dentry& left, Dentry& right);

RefPtr<Dentry> parent_of(const Dentry& dentry);  // null for a root
// At most name.size() bytes of the name; returns how many.
std::size_t copy_name(const Dentry& dentry, std::span<char> name);
// True if `dentry` is `ancestor` or below it.
bool is_within(const Dentry& dentry, const Dentry& ancestor);

struct Statistics {
    std::size_t entries = 0;
    std::size_t negative = 0;
    std::size_t limit = 0;
};
Statistics statistics();
void set_limit(std::size_t entries);
// Room in the table before it is needed. Errors: NoMemory.
Result<> reserve(std::size_t entries);
// Gives up at most `count` unused entries; returns how many. For reclaim.
std::size_t shrink(std::size_t count);
// Gives up every unused entry of a file system (after its last unmount).
void forget_filesystem(const FileSystem& filesystem);

}  // namespace dentries
}  // namespace kernel::vfs
