// SPDX-License-Identifier: MIT OR Apache-2.0
#include "core/mm/amap.h"

#include <algorithm>
#include <array>
#include <span>

#include "core/mm/frame_allocator.h"
#include "lib/construct.h"
#include "lib/heap.h"

namespace kernel::mm {

struct Amap::Node {
    std::atomic<std::uint32_t> references = 1;
    std::uint32_t used = 0;  // entries that are not empty
    union {
        std::array<Node*, kFanOut> children;
        std::array<std::uint64_t, kFanOut> pages;  // level 0: frame number * 2 + 1, or 0
    };

    explicit Node(unsigned level) {
        if (level == 0) {
            pages = {};
        } else {
            children = {};
        }
    }
};

namespace {

constexpr std::uint64_t pages_below(unsigned level) {
    return std::uint64_t{1} << ((level + 1) * Amap::kBits);
}
constexpr std::uint64_t encode(FrameNumber frame) {
    return frame_value(frame) * 2 + 1;
}
constexpr FrameNumber decode(std::uint64_t entry) {
    return FrameNumber{entry / 2};
}
constexpr unsigned kTop = Amap::kLevels - 1;

// Drops the frames of these entries of a leaf, runs of consecutive ones at once. Returns how many there were.
std::uint32_t drop_entries(std::span<const std::uint64_t> entries) {
    std::uint32_t dropped = 0;
    for (std::size_t i = 0; i < entries.size();) {
        if (entries[i] == 0) {
            ++i;
            continue;
        }
        std::size_t end = i + 1;
        while (end < entries.size() && entries[end] == entries[i] + 2 * (end - i)) {
            ++end;
        }
        drop_frame_references(decode(entries[i]), end - i);
        dropped += static_cast<std::uint32_t>(end - i);
        i = end;
    }
    return dropped;
}

}  // namespace

unsigned Amap::slot_of(std::uint64_t page, unsigned level) {
    return static_cast<unsigned>(page >> (level * kBits)) % kFanOut;
}

Amap::~Amap() {
    clear();
}

void Amap::clear() {
    if (root_ != nullptr) {
        drop_node(std::exchange(root_, nullptr), kTop);
    }
}

void Amap::share(const Amap& other) {
    KASSERT(root_ == nullptr);
    root_ = other.root_;
    if (root_ != nullptr) {
        root_->references.fetch_add(1, std::memory_order_relaxed);
    }
}

Result<Amap::Node*> Amap::new_node(unsigned level) {
    void* const storage = TRY(heap_allocate(sizeof(Node), alignof(Node)));
    return ObjectMaker::construct<Node>(storage, level);
}

// While the caller holds a reference to the node, whose entries do not change as long as there is more than one.
Result<Amap::Node*> Amap::copy_node(const Node& node, unsigned level) {
    Node* const copy = TRY(new_node(level));
    copy->used = node.used;
    if (level == 0) {
        copy->pages = node.pages;
        for (const std::uint64_t entry : copy->pages) {
            if (entry != 0) {
                add_frame_reference(decode(entry));
            }
        }
    } else {
        copy->children = node.children;
        for (Node* child : copy->children) {
            if (child != nullptr) {
                child->references.fetch_add(1, std::memory_order_relaxed);
            }
        }
    }
    return copy;
}

void Amap::drop_node(Node* node, unsigned level) {
    if (node->references.fetch_sub(1, std::memory_order_acq_rel) != 1) {
        return;
    }
    if (level == 0) {
        drop_entries(node->pages);
    } else {
        for (Node* child : node->children) {
            if (child != nullptr) {
                drop_node(child, level - 1);
            }
        }
    }
    std::destroy_at(node);
    heap_free(node, sizeof(Node), alignof(Node));
}

Result<> Amap::make_private(Node*& place, unsigned level) {
    if (place == nullptr) {
        place = TRY(new_node(level));
    } else if (place->references.load(std::memory_order_acquire) != 1) {
        Node* const copy = TRY(copy_node(*place, level));
        drop_node(std::exchange(place, copy), level);
    }
    return {};
}

std::optional<Amap::Page> Amap::find(std::uint64_t page) const {
    const Node* node = root_;
    bool exclusive = true;
    for (unsigned level = kTop; node != nullptr; --level) {
        exclusive = exclusive && node->references.load(std::memory_order_acquire) == 1;
        if (level == 0) {
            const std::uint64_t entry = node->pages[slot_of(page, 0)];
            if (entry == 0) {
                return std::nullopt;
            }
            const FrameNumber frame = decode(entry);
            exclusive = exclusive && frame_info(frame).references.load(std::memory_order_acquire) == 1;
            return Page{frame, exclusive};
        }
        node = node->children[slot_of(page, level)];
    }
    return std::nullopt;
}

Amap::Run Amap::run_around(std::uint64_t page, std::uint64_t low, std::uint64_t high, bool exclusive) const {
    const Node* node = root_;
    for (unsigned level = kTop; level != 0; --level) {
        node = node->children[slot_of(page, level)];
    }
    const std::uint64_t base = align_down(page, std::uint64_t{kFanOut});
    const std::uint64_t entry = node->pages[page - base];
    KASSERT(entry != 0);
    const auto continues = [&](std::uint64_t other) {
        return node->pages[other - base] == entry + 2 * (other - page) &&
               (!exclusive ||
                frame_info(decode(entry) + (other - page)).references.load(std::memory_order_acquire) == 1);
    };
    low = std::max(low, base);
    high = std::min(high, base + kFanOut);
    std::uint64_t first = page;
    while (first > low && continues(first - 1)) {
        --first;
    }
    std::uint64_t end = page + 1;
    while (end < high && continues(end)) {
        ++end;
    }
    return {first, end - first};
}

const Amap::Node* Amap::exclusive_leaf(std::uint64_t page, std::uint64_t& next) const {
    const Node* node = root_;
    unsigned level = kTop;
    while (node != nullptr && node->references.load(std::memory_order_acquire) == 1) {
        if (level == 0) {
            return node;
        }
        node = node->children[slot_of(page, level)];
        --level;
    }
    next = align_down(page, pages_below(level)) + pages_below(level);
    return nullptr;
}

Amap::Run Amap::next_exclusive_run(std::uint64_t page, std::uint64_t limit) const {
    Run run{page, 0};
    while (page < limit) {
        std::uint64_t next = 0;
        const Node* const leaf = exclusive_leaf(page, next);
        if (leaf == nullptr) {
            if (run.pages != 0) {
                return run;
            }
            page = next;
            continue;
        }
        for (unsigned slot = slot_of(page, 0); slot < kFanOut && page < limit; ++slot, ++page) {
            const std::uint64_t entry = leaf->pages[slot];
            if (entry != 0 && frame_info(decode(entry)).references.load(std::memory_order_acquire) == 1) {
                run.first = run.pages == 0 ? page : run.first;
                ++run.pages;
            } else if (run.pages != 0) {
                return run;
            }
        }
    }
    return run;
}

std::optional<std::uint64_t> Amap::next_present(std::uint64_t page, std::uint64_t limit) const {
    while (page < limit) {
        const Node* node = root_;
        unsigned level = kTop;
        while (node != nullptr && level != 0) {
            node = node->children[slot_of(page, level)];
            --level;
        }
        if (node != nullptr) {
            for (unsigned slot = slot_of(page, 0); slot < kFanOut; ++slot, ++page) {
                if (node->pages[slot] != 0) {
                    return page < limit ? std::optional(page) : std::nullopt;
                }
            }
        } else {
            page = align_down(page, pages_below(level)) + pages_below(level);
        }
    }
    return std::nullopt;
}

std::uint64_t Amap::count_below(const Node* node, unsigned level, std::uint64_t first, std::uint64_t last) {
    if (node == nullptr) {
        return 0;
    }
    const bool whole = slot_of(first, level) == 0 && last - first + 1 == pages_below(level);
    if (level == 0 && whole) {
        return node->used;
    }
    std::uint64_t result = 0;
    for_slots(level, first, last, [&](unsigned slot, std::uint64_t from, std::uint64_t to) {
        if (level == 0) {
            result += node->pages[slot] != 0 ? 1 : 0;
        } else {
            result += count_below(node->children[slot], level - 1, from, to);
        }
    });
    return result;
}

std::uint64_t Amap::count(std::uint64_t first, std::uint64_t pages) const {
    return pages == 0 ? 0 : count_below(root_, kTop, first, first + pages - 1);
}

Result<> Amap::prepare_below(Node*& place, unsigned level, std::uint64_t first, std::uint64_t last) {
    TRY(make_private(place, level));
    if (level == 0) {
        return {};
    }
    Node& node = *place;
    Result<> result;
    for_slots(level, first, last, [&](unsigned slot, std::uint64_t from, std::uint64_t to) {
        if (!result) {
            return;
        }
        const bool was_empty = node.children[slot] == nullptr;
        result = prepare_below(node.children[slot], level - 1, from, to);
        node.used += was_empty && node.children[slot] != nullptr ? 1 : 0;
    });
    return result;
}

Result<> Amap::prepare(std::uint64_t first, std::uint64_t pages) {
    KASSERT(pages != 0 && first + pages <= kPageLimit);
    return prepare_below(root_, kTop, first, first + pages - 1);
}

Amap::Node& Amap::private_leaf(std::uint64_t page) {
    Node* node = root_;
    for (unsigned level = kTop; level != 0; --level) {
        node = node->children[slot_of(page, level)];
    }
    return *node;
}

FrameRef Amap::install(std::uint64_t page, FrameRef frame) {
    Node& leaf = private_leaf(page);
    std::uint64_t& entry = leaf.pages[slot_of(page, 0)];
    const std::uint64_t before = std::exchange(entry, encode(frame.release()));
    if (before == 0) {
        ++leaf.used;
        return {};
    }
    return FrameRef::adopt(decode(before));
}

FrameRef Amap::take(std::uint64_t page) {
    Node& leaf = private_leaf(page);
    const std::uint64_t before = std::exchange(leaf.pages[slot_of(page, 0)], 0);
    KASSERT(before != 0);
    --leaf.used;
    return FrameRef::adopt(decode(before));
}

// Nodes that the range covers whole are not copied: erase drops them.
Result<> Amap::prepare_edge(Node*& root, std::uint64_t page, std::uint64_t first, std::uint64_t last) {
    Node** place = &root;
    for (unsigned level = kTop; *place != nullptr; --level) {
        const std::uint64_t base = align_down(page, pages_below(level));
        if (first <= base && base + pages_below(level) - 1 <= last) {
            return {};
        }
        TRY(make_private(*place, level));
        if (level == 0) {
            return {};
        }
        place = &(*place)->children[slot_of(page, level)];
    }
    return {};
}

Result<> Amap::prepare_erase(std::uint64_t first, std::uint64_t pages) {
    if (pages == 0) {
        return {};
    }
    TRY(prepare_edge(root_, first, first, first + pages - 1));
    return prepare_edge(root_, first + pages - 1, first, first + pages - 1);
}

std::uint64_t Amap::erase_below(Node*& place, unsigned level, std::uint64_t first, std::uint64_t last) {
    if (place == nullptr) {
        return 0;
    }
    if (last - first + 1 == pages_below(level)) {
        const std::uint64_t erased = count_below(place, level, first, last);
        drop_node(std::exchange(place, nullptr), level);
        return erased;
    }
    Node& node = *place;
    KASSERT(node.references.load(std::memory_order_relaxed) == 1);
    std::uint64_t erased = 0;
    if (level == 0) {
        const std::span entries = std::span(node.pages).subspan(slot_of(first, 0), last - first + 1);
        erased = drop_entries(entries);
        std::ranges::fill(entries, 0);
        node.used -= static_cast<std::uint32_t>(erased);
    } else {
        for_slots(level, first, last, [&](unsigned slot, std::uint64_t from, std::uint64_t to) {
            const bool was_used = node.children[slot] != nullptr;
            erased += erase_below(node.children[slot], level - 1, from, to);
            node.used -= was_used && node.children[slot] == nullptr ? 1 : 0;
        });
    }
    if (node.used == 0) {
        drop_node(std::exchange(place, nullptr), level);
    }
    return erased;
}

std::uint64_t Amap::erase(std::uint64_t first, std::uint64_t pages) {
    return pages == 0 ? 0 : erase_below(root_, kTop, first, first + pages - 1);
}

}  // namespace kernel::mm
