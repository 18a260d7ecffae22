// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include "core/mm/frame.h"
#include "lib/guarded.h"
#include "lib/list.h"
#include "lib/ref.h"
#include "lib/result.h"
#include "lib/types.h"

namespace kernel::mm {

class AddressSpace;

// Address spaces that descend from one by fork. A frame of private memory lies at the same page number in each of them
// that still has it, which makes this list the reverse map of anonymous memory.
class AnonymousFamily final : public RefCounted {
public:
    static Result<RefPtr<AnonymousFamily>> create();
    void add(AddressSpace& space);
    void remove(AddressSpace& space);
    // The member after `previous` (null: the first), with a reference; null at the end or when `previous` has left.
    RefPtr<AddressSpace> next_member(const AddressSpace* previous);

    // Which pages members write to soon after a fork: those where a write had to copy what the fork had left shared.
    // The next fork copies them at once. Forgotten every kForksToRemember forks, since programs change.
    static constexpr std::size_t kMostWrittenPages = 31;
    static constexpr unsigned kForksToRemember = 64;
    void note_write_after_fork(std::uint64_t page);
    // Counts as a fork. Returns how many pages there are; `pages` has room for kMostWrittenPages.
    std::size_t pages_written_after_fork(std::span<std::uint64_t> pages);

private:
    friend class kernel::ObjectMaker;
    AnonymousFamily() = default;

    struct Chain {
        AddressSpace* first = nullptr;
    };
    struct WrittenPages {
        std::array<std::uint64_t, kMostWrittenPages> pages{};
        std::size_t count = 0;
        std::size_t oldest = 0;  // replaced next when there are as many as can be
        unsigned forks = 0;
    };
    SpinGuarded<Chain, Rank::Amap> members_;
    SpinGuarded<WrittenPages, Rank::Amap> written_;
};

// The private (anonymous and copied-on-write) pages of one address space by page number: a radix tree whose nodes are
// counted and shared between spaces after a fork, copied node by node where one of them changes. So a fork costs one
// reference, whatever the size; a node that is reached only through counts of one, and a frame in it with a count of
// one, belong to this space alone. Guarded by the lock of the address space. Operations that change it are in two
// steps: prepare, which may fail and changes nothing that can be seen, and the change itself, which cannot fail.
class Amap {
public:
    static constexpr unsigned kBits = 6;
    static constexpr unsigned kFanOut = 1u << kBits;
    static constexpr unsigned kLevels = 6;
    // One beyond the largest page number: 2^36 pages are 2^48 bytes.
    static constexpr std::uint64_t kPageLimit = std::uint64_t{1} << (kBits * kLevels);

    struct Page {
        FrameNumber frame;
        bool exclusive;  // no other space can see it
    };

    Amap() = default;
    Amap(const Amap&) = delete;
    Amap& operator=(const Amap&) = delete;
    ~Amap();

    std::optional<Page> find(std::uint64_t page) const;
    struct Run {
        std::uint64_t first;
        std::uint64_t pages;
    };
    // Pages around `page`, which is present, in [low, high) with consecutive frames, all exclusive if asked for. Looks
    // at a limited neighbourhood only.
    Run run_around(std::uint64_t page, std::uint64_t low, std::uint64_t high, bool exclusive) const;
    // The first run of pages in [page, limit) that no other space can see; 0 pages when there is none.
    Run next_exclusive_run(std::uint64_t page, std::uint64_t limit) const;
    // The first present page in [page, limit).
    std::optional<std::uint64_t> next_present(std::uint64_t page, std::uint64_t limit) const;
    std::uint64_t count(std::uint64_t first, std::uint64_t pages) const;

    // Makes the paths to the pages exist and private. Errors: NoMemory.
    Result<> prepare(std::uint64_t first, std::uint64_t pages);
    // After prepare. Takes the frame over; returns the one that was there.
    FrameRef install(std::uint64_t page, FrameRef frame);

    // Makes the paths at both ends of the range private, where they exist. Errors: NoMemory.
    Result<> prepare_erase(std::uint64_t first, std::uint64_t pages);
    // After prepare_erase. Drops the frames: nothing may map them any more. Returns how many pages there were.
    std::uint64_t erase(std::uint64_t first, std::uint64_t pages);

    // Becomes a copy of the other, in constant time; is empty before.
    void share(const Amap& other);
    void clear();

    // Takes the page out with its reference. After prepare.
    FrameRef take(std::uint64_t page);

private:
    struct Node;
    // The leaf for `page` if no node on the path is shared; else null, and `next` is the first page behind the node
    // that is missing or shared.
    const Node* exclusive_leaf(std::uint64_t page, std::uint64_t& next) const;
    static unsigned slot_of(std::uint64_t page, unsigned level);
    // f(slot, first page, last page) for each entry of a node that [first, last], which lies inside the node, touches.
    template <class F>
    static void for_slots(unsigned level, std::uint64_t first, std::uint64_t last, F&& f) {
        const std::uint64_t span = std::uint64_t{1} << (level * kBits);
        for (std::uint64_t from = first; from <= last;) {
            const std::uint64_t end = align_down(from, span) + span - 1;
            f(slot_of(from, level), from, end < last ? end : last);
            from = end + 1;
        }
    }

    static Result<Node*> new_node(unsigned level);
    static Result<Node*> copy_node(const Node& node, unsigned level);
    static void drop_node(Node* node, unsigned level);
    static Result<> make_private(Node*& place, unsigned level);
    static Result<> prepare_below(Node*& place, unsigned level, std::uint64_t first, std::uint64_t last);
    static Result<> prepare_edge(Node*& root, std::uint64_t page, std::uint64_t first, std::uint64_t last);
    static std::uint64_t erase_below(Node*& place, unsigned level, std::uint64_t first, std::uint64_t last);
    static std::uint64_t count_below(const Node* node, unsigned level, std::uint64_t first, std::uint64_t last);
    Node& private_leaf(std::uint64_t page);

    Node* root_ = nullptr;
};

}  // namespace kernel::mm
