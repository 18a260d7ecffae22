// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/vfs/dentry.h"

#include <array>
#include <atomic>
#include <utility>

#include "lib/guarded.h"
#include "lib/hash.h"
#include "lib/immortal.h"
#include "platform/entropy.h"
#include "services/vfs/filesystem.h"
#include "services/vfs/graveyard.h"

namespace kernel::vfs {

struct DentryKey {
    const Dentry* parent;
    std::string_view name;
    bool operator==(const DentryKey&) const = default;
};

// Seeded, because programs choose the names.
class DentryHash {
public:
    static std::uint64_t of(const DentryKey& key) {
        std::uint64_t hash = combine_hashes(seed(), hash_value(key.parent));
        std::uint64_t word = 0;
        unsigned shift = 0;
        for (const char character : key.name) {
            word |= std::uint64_t{static_cast<unsigned char>(character)} << shift;
            shift += 8;
            if (shift == 64) {
                hash = combine_hashes(hash, word);
                word = 0;
                shift = 0;
            }
        }
        return combine_hashes(hash, word ^ key.name.size());
    }

private:
    static std::uint64_t seed() {
        static constinit std::atomic<std::uint64_t> value = 0;
        std::uint64_t current = value.load(std::memory_order_relaxed);
        if (current == 0) [[unlikely]] {
            std::uint64_t fresh = 0;
            platform::fill_random(std::as_writable_bytes(std::span(&fresh, 1)));
            fresh |= 1;
            if (value.compare_exchange_strong(current, fresh, std::memory_order_relaxed)) {
                current = fresh;
            }
        }
        return current;
    }
};

std::uint64_t hash_value(const DentryKey& key) {
    return DentryHash::of(key);
}

// The only code that touches what the cache's lock guards.
class DentryCache {
public:
    using Key = DentryKey;
    struct KeyOf {
        DentryKey operator()(const Dentry& dentry) const { return {dentry.parent_.get(), dentry.name_.view()}; }
    };
    // References to drop once the lock is released.
    using Dropped = std::array<RefPtr<Dentry>, 8>;

    struct State {
        IntrusiveHashTable<Dentry, &Dentry::hash_node_, KeyOf> names;
        IntrusiveList<Dentry, &Dentry::age_node_> by_age;  // oldest first
        std::size_t negative = 0;
        std::size_t limit = 16384;
    };
    static SpinGuarded<State, Rank::DentryCache>& state();

    static Dentry* find(State& state, const Key& key) {
        return state.names.find_if(hash_value(key), [&](const Dentry& dentry) { return KeyOf{}(dentry) == key; });
    }
    static void hash(State& state, Dentry& dentry) {
        dentry.add_reference();
        state.names.insert(dentry);
        state.by_age.push_back(dentry);
        state.negative += dentry.is_negative() ? 1 : 0;
    }
    // The reference that the cache had; null if it had none.
    static RefPtr<Dentry> unhash(State& state, Dentry& dentry) {
        if (!dentry.hash_node_.is_linked()) {
            return {};
        }
        state.names.remove(dentry);
        state.by_age.remove(dentry);
        state.negative -= dentry.is_negative() ? 1 : 0;
        return RefPtr<Dentry>::adopt(dentry);
    }
    static bool belongs_to(const Dentry& dentry, const FileSystem& filesystem) {
        const Inode* const inode = dentry.is_negative() ? dentry.parent_->inode() : dentry.inode();
        return &inode->filesystem() == &filesystem;
    }
    // Nobody but the cache has it, and nobody can get it without the lock that the caller holds.
    static bool is_unused(const Dentry& dentry) { return dentry.reference_count() == 1 && !dentry.is_mountpoint(); }

    static std::size_t evict(State& state, std::size_t wanted, Dropped& dropped) {
        std::size_t taken = 0;
        for (std::size_t steps = 0; steps < 4 * dropped.size() && taken < wanted && taken < dropped.size(); ++steps) {
            Dentry* const oldest = state.by_age.front();
            if (oldest == nullptr) {
                break;
            }
            if (is_unused(*oldest) && !oldest->recently_used_.exchange(false, std::memory_order_relaxed)) {
                dropped[taken++] = unhash(state, *oldest);
            } else {
                state.by_age.remove(*oldest);
                state.by_age.push_back(*oldest);
            }
        }
        return taken;
    }

    static RefPtr<Dentry> find(const Dentry& parent, std::string_view name) {
        const Key key{&parent, name};
        return state().with([&](State& cache) {
            Dentry* const found = find(cache, key);
            if (found != nullptr) {
                found->recently_used_.store(true, std::memory_order_relaxed);
            }
            return RefPtr<Dentry>(found);
        });
    }

    static Result<RefPtr<Dentry>> make(RefPtr<Dentry> parent, std::string_view name, RefPtr<Inode> inode, bool root) {
        String own_name = TRY(String::create(name));
        return make_ref<Dentry>(std::move(parent), std::move(own_name), std::move(inode), root);
    }

    // Nobody else knows the dentry yet.
    static void give_inode(Dentry& dentry, RefPtr<Inode> inode) { dentry.inode_ = std::move(inode); }

    static void insert(Dentry& dentry) {
        Dropped dropped;
        RefPtr<Dentry> replaced;
        state().with([&](State& cache) {
            if (Dentry* const there = find(cache, KeyOf{}(dentry)); there != nullptr) {
                replaced = unhash(cache, *there);
            }
            hash(cache, dentry);
            if (cache.names.size() > cache.limit) {
                evict(cache, 2, dropped);
            }
        });
    }

    static void unlink(Dentry& dentry, bool gone) {
        RefPtr<Dentry> dropped;
        state().with([&](State& cache) {
            dropped = unhash(cache, dentry);
            if (gone) {
                dentry.unlinked_.store(true, std::memory_order_release);
            }
        });
    }

    static void move(Dentry& moved, Dentry& new_parent, String name, Dentry* replaced) {
        std::array<RefPtr<Dentry>, 3> dropped;
        RefPtr<Dentry> parent(new_parent);
        state().with([&](State& cache) {
            dropped[0] = unhash(cache, moved);
            if (replaced != nullptr) {
                dropped[1] = unhash(cache, *replaced);
                replaced->unlinked_.store(true, std::memory_order_release);
            }
            if (Dentry* const stale = find(cache, Key{&new_parent, name.view()}); stale != nullptr) {
                dropped[2] = unhash(cache, *stale);
            }
            moved.parent_.swap(parent);
            moved.name_.swap(name);
            hash(cache, moved);
        });
    }

    static void exchange(Dentry& left, Dentry& right) {
        std::array<RefPtr<Dentry>, 2> dropped;
        state().with([&](State& cache) {
            dropped[0] = unhash(cache, left);
            dropped[1] = unhash(cache, right);
            left.parent_.swap(right.parent_);
            left.name_.swap(right.name_);
            hash(cache, left);
            hash(cache, right);
        });
    }

    static RefPtr<Dentry> parent_of(const Dentry& dentry) {
        return state().with([&](State&) { return dentry.parent_; });
    }

    static std::size_t copy_name(const Dentry& dentry, std::span<char> name) {
        return state().with([&](State&) {
            const std::string_view text = dentry.name_.view().substr(0, name.size());
            text.copy(name.data(), text.size());
            return text.size();
        });
    }

    static bool is_within(const Dentry& dentry, const Dentry& ancestor) {
        return state().with([&](State&) {
            for (const Dentry* place = &dentry; place != nullptr; place = place->parent_.get()) {
                if (place == &ancestor) {
                    return true;
                }
            }
            return false;
        });
    }

    // One round; true when there may be more.
    static bool forget_some(const FileSystem& filesystem) {
        std::array<RefPtr<Dentry>, 128> dropped;
        std::size_t taken = 0;
        state().with([&](State& cache) {
            Dentry* entry = cache.by_age.front();
            while (entry != nullptr && taken < dropped.size()) {
                Dentry* const next = cache.by_age.next(*entry);
                if (belongs_to(*entry, filesystem)) {
                    dropped[taken++] = unhash(cache, *entry);
                }
                entry = next;
            }
        });
        return taken != 0;
    }

private:
    static Immortal<SpinGuarded<State, Rank::DentryCache>> instance;
};

Immortal<SpinGuarded<DentryCache::State, Rank::DentryCache>> DentryCache::instance;

SpinGuarded<DentryCache::State, Rank::DentryCache>& DentryCache::state() {
    return *instance;
}

Dentry::Dentry(RefPtr<Dentry> parent, String name, RefPtr<Inode> inode, bool is_root)
    : inode_(std::move(inode)), is_root_(is_root), parent_(std::move(parent)), name_(std::move(name)) {}

Dentry::~Dentry() = default;

void Dentry::last_reference_dropped() {
    Graveyard::bury(*this);
}

namespace dentries {

Result<RefPtr<Dentry>> create_root(RefPtr<Inode> inode) {
    return DentryCache::make({}, "", std::move(inode), true);
}

RefPtr<Dentry> find(const Dentry& parent, std::string_view name) {
    return DentryCache::find(parent, name);
}

Result<RefPtr<Dentry>> insert(Dentry& parent, std::string_view name, RefPtr<Inode> inode, std::uint64_t stamp,
                              bool cached) {
    RefPtr<Dentry> dentry = TRY(DentryCache::make(RefPtr<Dentry>(parent), name, std::move(inode), false));
    dentry->set_stamp(stamp);
    if (cached) {
        DentryCache::insert(*dentry);
    }
    return dentry;
}

Result<RefPtr<Dentry>> prepare(Dentry& parent, std::string_view name) {
    return DentryCache::make(RefPtr<Dentry>(parent), name, {}, false);
}

void complete(Dentry& prepared, RefPtr<Inode> inode) {
    DentryCache::give_inode(prepared, std::move(inode));
    DentryCache::insert(prepared);
}

void forget(Dentry& dentry) {
    DentryCache::unlink(dentry, false);
}

void unlink(Dentry& dentry) {
    DentryCache::unlink(dentry, true);
}

Result<String> prepare_name(std::string_view name) {
    return String::create(name);
}

void move(Dentry& moved, Dentry& new_parent, String new_name, Dentry* replaced) {
    DentryCache::move(moved, new_parent, std::move(new_name), replaced);
}

void exchange(Dentry& left, Dentry& right) {
    DentryCache::exchange(left, right);
}

RefPtr<Dentry> parent_of(const Dentry& dentry) {
    return DentryCache::parent_of(dentry);
}

std::size_t copy_name(const Dentry& dentry, std::span<char> name) {
    return DentryCache::copy_name(dentry, name);
}

bool is_within(const Dentry& dentry, const Dentry& ancestor) {
    return DentryCache::is_within(dentry, ancestor);
}

Statistics statistics() {
    return DentryCache::state().with([](DentryCache::State& cache) {
        return Statistics{.entries = cache.names.size(), .negative = cache.negative, .limit = cache.limit};
    });
}

void set_limit(std::size_t entries) {
    DentryCache::state().with([&](DentryCache::State& cache) { cache.limit = entries; });
    shrink(0);
}

Result<> reserve(std::size_t entries) {
    return DentryCache::state().with([&](DentryCache::State& cache) { return cache.names.reserve(entries); });
}

std::size_t shrink(std::size_t count) {
    std::size_t done = 0;
    // Each round looks at a few entries only; used ones move to the young end, so rounds end after one turn of the
    // list.
    for (std::size_t rounds = statistics().entries / 8 + 1; rounds != 0 && done < count; --rounds) {
        DentryCache::Dropped dropped;
        done += DentryCache::state().with(
            [&](DentryCache::State& cache) { return DentryCache::evict(cache, count - done, dropped); });
    }
    return done;
}

void forget_filesystem(const FileSystem& filesystem) {
    while (DentryCache::forget_some(filesystem)) {
    }
}

}  // namespace dentries
}  // namespace kernel::vfs
