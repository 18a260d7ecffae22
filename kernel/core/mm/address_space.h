// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <type_traits>

#include "core/mm/amap.h"
#include "core/mm/region.h"
#include "core/mm/translation_cache.h"
#include "lib/bytes.h"
#include "lib/guarded.h"
#include "lib/own.h"
#include "lib/ref.h"
#include "lib/result.h"
#include "lib/user_ptr.h"
#include "platform/page_map.h"

namespace kernel::mm {

class RegionMap;
struct Region;
class Displaced;

inline constexpr std::uint64_t kUnlimited = UINT64_MAX;

// getrlimit(2): RLIMIT_AS, RLIMIT_DATA, RLIMIT_STACK.
struct SpaceLimits {
    std::uint64_t address_space_bytes = kUnlimited;
    std::uint64_t data_bytes = kUnlimited;
    std::uint64_t stack_bytes = 8 * 1024 * 1024;
};

struct SpaceUsage {
    std::uint64_t virtual_bytes = 0;
    std::uint64_t peak_virtual_bytes = 0;
    std::uint64_t data_bytes = 0;  // private writable, without stacks
    std::uint64_t stack_bytes = 0;
    std::uint64_t executable_bytes = 0;
    std::uint64_t anonymous_pages = 0;  // private pages in memory
    std::uint64_t peak_anonymous_pages = 0;
    std::uint64_t faults = 0;
    std::uint64_t major_faults = 0;  // faults that waited for a pager
};

// Names a word of memory for everybody who sees it: equal keys are the same word (futex(2)).
struct MemoryKey {
    std::uint64_t owner = 0;   // id of an address space or, shared, of a memory object
    std::uint64_t offset = 0;  // byte address in it
    bool operator==(const MemoryKey&) const = default;
};

enum class Advice : std::uint8_t { Normal, WillNeed, DontNeed, Free, Remove, Populate, PopulateWrite };

struct RemapOptions {
    bool may_move = false;
    bool keep_old = false;                         // MREMAP_DONTUNMAP
    std::optional<VirtAddr> fixed = std::nullopt;  // MREMAP_FIXED
};

// What a process sees as memory: regions of private and shared memory by address. The page map is a cache of it.
// Functions may block (page faults, pagers) unless they say otherwise, and lock in themselves; none may be called
// with a lock held that ranks at or after Rank::AddressSpace. Ranges that leave the user part of the address space are
// InvalidArgument for map and its like, BadAddress for copying.
class AddressSpace final : public RefCounted {
public:
    // Errors: NoMemory.
    static Result<RefPtr<AddressSpace>> create();
    // A copy: shared regions are shared, private pages are shared until one side writes. The cost depends on the number
    // of regions, not of pages. Errors: NoMemory.
    // What lies at `stack_pointer` is copied at once: both will write to it first.
    Result<RefPtr<AddressSpace>> fork(VirtAddr stack_pointer = {});

    // Tasks that run in it, counted by SpaceUser.
    unsigned users() const { return users_.load(std::memory_order_acquire); }

    std::uint64_t id() const { return id_; }
    platform::PageMap& page_map() { return *page_map_; }

    // mmap(2). Returns where. Errors: InvalidArgument (0 bytes, unaligned), NoMemory (no room, limit), Exists
    // (no_replace), AccessDenied (access above max_access).
    Result<VirtAddr> map(const MapRequest& request);
    // munmap(2). Nothing there is no error. Errors: InvalidArgument, NoMemory.
    Result<> unmap(VirtAddr address, std::uint64_t bytes);
    // mprotect(2). Errors: InvalidArgument, NoMemory (a part is not mapped), AccessDenied (above max_access): what
    // comes before that part has changed.
    Result<> protect(VirtAddr address, std::uint64_t bytes, Access access);
    // mremap(2). Errors: InvalidArgument, BadAddress (not one mapping), NoMemory.
    Result<VirtAddr> remap(VirtAddr old_address, std::uint64_t old_bytes, std::uint64_t new_bytes,
                           const RemapOptions& options);
    // madvise(2). Errors: InvalidArgument, NoMemory (a part is not mapped).
    Result<> advise(VirtAddr address, std::uint64_t bytes, Advice advice);
    // msync(2): writes dirty pages of shared mappings back. Errors: NoMemory (a part is not mapped), Io.
    Result<> sync(VirtAddr address, std::uint64_t bytes);
    // mincore(2). Errors: NoMemory when not mapped. Does not block.
    Result<bool> is_resident(VirtAddr address);

    // brk(2). The heap starts empty at the page after `start`. set_break returns the break as it is afterwards: the old
    // one when it could not be moved.
    void initialize_break(VirtAddr start);
    VirtAddr set_break(VirtAddr wanted);

    // Where exec puts the stack's end, randomised for this space. Mappings without a wish go below it, leaving the
    // stack room to grow.
    VirtAddr stack_top() const { return stack_top_; }

    // Restores or makes the translation for an access that trapped. `present` tells that the page was mapped and the
    // access was not allowed (x86 error code, bit 0): a hint. Errors: BadAddress (nothing there), AccessDenied
    // (protection), Io (beyond the end of the object or unreadable: SIGBUS), NoMemory.
    Result<> handle_fault(VirtAddr address, Access access, bool present = false);

    // Does what faults in the range would do, as far as that succeeds: for memory that will be used at once. May block
    // as handle_fault does.
    void prefault(VirtAddr address, std::uint64_t bytes, Access access);

    // Copying between kernel memory and user memory. Errors: BadAddress if any byte is out of reach; what comes before
    // that byte may have been copied.
    Result<> copy_in(std::span<std::byte> destination, VirtAddr source);
    Result<> copy_out(VirtAddr destination, std::span<const std::byte> source);
    Result<> zero_out(VirtAddr destination, std::uint64_t bytes);
    // As far as it goes; returns how many bytes went.
    std::size_t copy_in_some(std::span<std::byte> destination, VirtAddr source);
    std::size_t copy_out_some(VirtAddr destination, std::span<const std::byte> source);
    std::uint64_t zero_out_some(VirtAddr destination, std::uint64_t bytes);
    // A string with its end, which is stored too; returns the length without it. Errors: NameTooLong when it does not
    // fit, BadAddress.
    Result<std::size_t> copy_in_string(VirtAddr source, std::span<char> destination);
    // Writes although the protection forbids it, into a private copy (a debugger's poke; exec filling a read-only
    // page). Only for private regions.
    Result<> copy_out_forced(VirtAddr destination, std::span<const std::byte> source);

    template <class T>
        requires std::is_trivially_copyable_v<T>
    Result<T> read_user(UserPtr<T> source) {
        std::remove_const_t<T> value;
        TRY(copy_in(as_writable_bytes_of(value), source.address));
        return value;
    }
    template <class T>
        requires std::is_trivially_copyable_v<T>
    Result<> write_user(UserPtr<T> destination, const std::type_identity_t<T>& value) {
        return copy_out(destination.address, as_bytes_of(value));
    }
    template <class T>
        requires std::is_trivially_copyable_v<T>
    Result<> read_user_array(UserPtr<T> source, std::span<std::remove_const_t<T>> values) {
        return copy_in(std::as_writable_bytes(values), source.address);
    }
    template <class T>
        requires std::is_trivially_copyable_v<T>
    Result<> write_user_array(UserPtr<T> destination, std::span<const T> values) {
        return copy_out(destination.address, std::as_bytes(values));
    }

    // Atomic access to an aligned word. Errors: BadAddress; InvalidArgument when not aligned.
    Result<std::uint32_t> load_u32(VirtAddr address);
    // Stores `desired` if the word is `expected`; returns what it was.
    Result<std::uint32_t> compare_exchange_u32(VirtAddr address, std::uint32_t expected, std::uint32_t desired);
    // The same for callers that hold a spinlock: nullopt when it would have to block or fail. The word is at hand right
    // after a load_u32 of it (unless another thread just then changes the mapping: then release the lock, load again).
    std::optional<std::uint32_t> try_load_u32(VirtAddr address);
    std::optional<std::uint32_t> try_compare_exchange_u32(VirtAddr address, std::uint32_t expected,
                                                          std::uint32_t desired);
    // `private_hint`: the caller knows that no other space uses the word, so that it need not be looked up
    // (FUTEX_PRIVATE_FLAG).
    Result<MemoryKey> key_of(VirtAddr address, bool private_hint);

    // The region that contains the address, or the first behind it. For walking through all: continue at its end.
    std::optional<RegionInfo> region_at_or_after(VirtAddr address);
    RegionUsage region_usage(VirtAddr start, VirtAddr end);

    SpaceUsage usage() const;
    SpaceLimits limits() const;
    void set_limits(const SpaceLimits& limits);

private:
    friend class kernel::ObjectMaker;
    friend class AnonymousFamily;
    friend class SpaceUser;
    friend class MemoryObject;
    using Lock = Mutex<Rank::AddressSpace>;

    AddressSpace(OwnPtr<platform::PageMap> page_map, OwnPtr<RegionMap> regions, RefPtr<AnonymousFamily> family);
    ~AddressSpace() override;

    // Copied at once when writes after a fork, or to private file pages, are sequential.
    static constexpr std::size_t kMaxCopyRun = 16;

    // What lies behind a page, and behind neighbours with consecutive frames.
    struct Backing {
        std::uint64_t page = 0;  // the one that was asked for
        bool alone = false;      // its neighbours do not matter
        FrameNumber frame{};     // behind it
        std::uint64_t first_page = 0;
        std::uint64_t pages = 0;
        bool writable = false;    // may be mapped with write access
        bool replaced = false;    // other frames may be mapped there still
        bool from_cache = false;  // an object's pages, of which more may be in memory
        // They are freed when nothing maps them any more.
        std::array<FrameRef, kMaxCopyRun> old_frames;
    };
    // A page that must be fetched without the lock.
    struct Missing {
        RefPtr<MemoryObject> object;
        std::uint64_t page = 0;
        PageUse use = PageUse::Read;
    };
    struct Range {
        VirtAddr start;
        VirtAddr end;
    };

    // mapping.cc
    static Result<Range> checked_range(VirtAddr address, std::uint64_t bytes);
    Result<> check_limits_locked(const MapRequest& request, std::uint64_t bytes) const KPIO_REQUIRES(lock_);
    Result<VirtAddr> choose_address_locked(const MapRequest& request, std::uint64_t bytes) KPIO_REQUIRES(lock_);
    Result<VirtAddr> map_locked(const MapRequest& request, std::uint64_t bytes, Displaced& displaced)
        KPIO_REQUIRES(lock_);
    Result<> unmap_locked(Range range, Displaced& displaced) KPIO_REQUIRES(lock_);
    void remove_regions_locked(Range range, Displaced& displaced) KPIO_REQUIRES(lock_);
    void split_at_locked(VirtAddr at, Displaced& displaced) KPIO_REQUIRES(lock_);
    void merge_around_locked(Range range, Displaced& displaced) KPIO_REQUIRES(lock_);
    void account_locked(const Region& region, std::uint64_t bytes, bool add) KPIO_REQUIRES(lock_);
    void forget_translations_locked(Range range) KPIO_REQUIRES(lock_);
    Result<> drop_private_pages_locked(Range range) KPIO_REQUIRES(lock_);

    // protect.cc
    Result<VirtAddr> map_again(VirtAddr old_address, std::uint64_t new_bytes, const RemapOptions& options);
    struct Protectable {
        Range range;
        Result<> outcome;
    };
    Protectable protectable_locked(Range range, Access access) KPIO_REQUIRES(lock_);
    void protect_region_locked(Region& region, Access access) KPIO_REQUIRES(lock_);
    bool is_fully_mapped_locked(Range range) KPIO_REQUIRES(lock_);
    Result<> remove_backing(Range range);
    template <class F>
    Result<> for_object_parts(Range range, F&& f);

    // remap.cc
    Result<VirtAddr> remap_locked(Range old_range, std::uint64_t new_bytes, const RemapOptions& options,
                                  Displaced& displaced) KPIO_REQUIRES(lock_);
    bool grow_in_place_locked(Region& region, Range old_range, VirtAddr new_end, Displaced& displaced)
        KPIO_REQUIRES(lock_);
    Result<VirtAddr> move_locked(Range from, std::uint64_t new_bytes, const RemapOptions& options, Displaced& displaced)
        KPIO_REQUIRES(lock_);
    Result<> prepare_move_locked(Range from, VirtAddr to) KPIO_REQUIRES(lock_);

    // fault.cc
    Region* find_or_grow_locked(VirtAddr address) KPIO_REQUIRES(lock_);
    // Returns the end of what has been mapped.
    Result<VirtAddr> fault_in(VirtAddr address, Access access, bool present);
    Result<bool> fault_once(VirtAddr address, Access access, bool present, Missing& missing, VirtAddr& mapped_end);
    Result<> map_backing_locked(Region& region, Backing& backing, bool present) KPIO_REQUIRES(lock_);
    // Puts a frame behind the page that allows the access. False: `missing` says what must be fetched first.
    Result<bool> back_locked(Region& region, std::uint64_t page, Access access, Backing& backing, Missing& missing)
        KPIO_REQUIRES(lock_);
    Result<bool> back_for_access_locked(VirtAddr address, Access access, bool forced, Backing& backing,
                                        Missing& missing) KPIO_REQUIRES(lock_);
    Result<> fetch(Missing& missing, FrameRef& pinned);

    // backing.cc
    Result<bool> back_shared_locked(Region& region, std::uint64_t page, Access access, Backing& backing,
                                    Missing& missing) KPIO_REQUIRES(lock_);
    void back_present_locked(Region& region, std::uint64_t page, Amap::Page found, Backing& backing)
        KPIO_REQUIRES(lock_);
    Result<> back_copy_locked(Region& region, std::uint64_t page, FrameNumber source, Backing& backing)
        KPIO_REQUIRES(lock_);
    Result<> back_fresh_locked(Region& region, std::uint64_t page, Backing& backing) KPIO_REQUIRES(lock_);
    class CachedWindow;
    void map_cached_neighbours_locked(Region& region, const Backing& backing) KPIO_REQUIRES(lock_);
    bool find_cached_run_locked(Region& region, std::uint64_t page, Backing& backing) KPIO_REQUIRES(lock_);
    void install_run_locked(std::uint64_t first, FrameNumber frames, std::uint64_t pages, Backing& backing)
        KPIO_REQUIRES(lock_);
    std::optional<FrameNumber> copy_source_locked(Region& region, std::uint64_t page) KPIO_REQUIRES(lock_);

    // user_copy.cc
    template <class F>
    bool with_user_page(VirtAddr address, Access access, bool forced, F&& f);
    template <class F>
    std::uint64_t for_user_bytes(VirtAddr address, std::uint64_t bytes, Access access, bool forced, F&& f);

    // inspect.cc: takes the object's pages `wanted` out of what maps it in [address, address + bytes).
    void revoke_object(MemoryObject& object, UserRange where, PageRange wanted, MemoryObject::Revoke what);

    // fork.cc
    Result<> copy_regions_locked(AddressSpace& child) KPIO_REQUIRES(lock_);
    std::size_t find_written_pages_locked(VirtAddr stack_pointer, std::span<std::uint64_t> pages) KPIO_REQUIRES(lock_);
    void protect_private_pages_locked(Region& region, std::span<const std::uint64_t> keep) KPIO_REQUIRES(lock_);
    bool copy_page_for_child_locked(AddressSpace& child, std::uint64_t page) KPIO_REQUIRES(lock_);
    void share_pages_locked(AddressSpace& child, VirtAddr stack_pointer) KPIO_REQUIRES(lock_);
    void attach_regions();

    const std::uint64_t id_;
    std::atomic<unsigned> users_ = 0;
    OwnPtr<platform::PageMap> page_map_;
    const RefPtr<AnonymousFamily> family_;
    VirtAddr stack_top_;
    VirtAddr mapping_top_;
    TranslationCache cache_;

    // Guarded by the family.
    AddressSpace* family_next_ = nullptr;
    AddressSpace* family_previous_ = nullptr;
    bool in_family_ = false;

    mutable Lock lock_;
    const OwnPtr<RegionMap> regions_ KPIO_PT_GUARDED_BY(lock_);
    Amap amap_ KPIO_GUARDED_BY(lock_);
    SpaceUsage usage_ KPIO_GUARDED_BY(lock_);
    SpaceLimits limits_ KPIO_GUARDED_BY(lock_);
    VirtAddr break_start_ KPIO_GUARDED_BY(lock_);
    VirtAddr break_ KPIO_GUARDED_BY(lock_);
};

// A task's hold of the address space that it runs in.
class SpaceUser {
public:
    SpaceUser() = default;
    explicit SpaceUser(RefPtr<AddressSpace> space) : space_(std::move(space)) {
        space_->users_.fetch_add(1, std::memory_order_relaxed);
    }
    SpaceUser(SpaceUser&& other) noexcept = default;
    SpaceUser& operator=(SpaceUser&& other) noexcept {
        space_.swap(other.space_);
        return *this;
    }
    ~SpaceUser() { reset(); }

    AddressSpace& operator*() const { return *space_; }
    AddressSpace* operator->() const { return space_.get(); }
    void reset() {
        if (space_) {
            space_->users_.fetch_sub(1, std::memory_order_release);
            space_.reset();
        }
    }

private:
    RefPtr<AddressSpace> space_;
};

}  // namespace kernel::mm
