// SPDX-License-Identifier: MIT OR Apache-2.0
#include "lib/sparse_array.h"

#include <array>
#include <bit>
#include <memory>

#include "lib/heap.h"

namespace kernel {

namespace {
constexpr unsigned kBits = 6;
constexpr unsigned kFanout = 1u << kBits;
}  // namespace

struct SparseArrayCore::Node {
    Node* parent = nullptr;
    std::uint64_t present = 0;  // bit i: slots[i] is not null
    std::uint8_t shift = 0;     // what index bits choose the slot; 0: the slots are values
    std::uint8_t slot_in_parent = 0;
    std::array<void*, kFanout> slots{};

    unsigned slot_of(std::uint64_t index) const { return static_cast<unsigned>((index >> shift) & (kFanout - 1)); }
    Node* child(unsigned slot) const { return static_cast<Node*>(slots[slot]); }
    void put(unsigned slot, void* value) {
        slots[slot] = value;
        present |= std::uint64_t{1} << slot;
    }
    void remove(unsigned slot) {
        slots[slot] = nullptr;
        present &= ~(std::uint64_t{1} << slot);
    }

    static Result<Node*> create(unsigned shift) {
        Node* const node = std::construct_at(static_cast<Node*>(TRY(heap_allocate(sizeof(Node), alignof(Node)))));
        node->shift = static_cast<std::uint8_t>(shift);
        return node;
    }
    static void destroy(Node* node) {
        std::destroy_at(node);
        heap_free(node, sizeof(Node), alignof(Node));
    }
};

bool SparseArrayCore::covers(std::uint64_t index) const {
    if (root_ == nullptr) {
        return false;
    }
    const unsigned top = root_->shift + kBits;
    return top >= 64 || (index >> top) == 0;
}

void* SparseArrayCore::get(std::uint64_t index) const {
    if (!covers(index)) {
        return nullptr;
    }
    const Node* node = root_;
    while (node != nullptr && node->shift != 0) {
        node = node->child(node->slot_of(index));
    }
    return node == nullptr ? nullptr : node->slots[node->slot_of(index)];
}

// Puts levels on top. An empty array gets a root of the right height at once.
Result<> SparseArrayCore::grow_to_cover(std::uint64_t index) {
    if (root_ == nullptr) {
        const unsigned significant = static_cast<unsigned>(std::bit_width(index));
        const unsigned levels = significant == 0 ? 1 : (significant + kBits - 1) / kBits;
        root_ = TRY(Node::create((levels - 1) * kBits));
        return {};
    }
    while (!covers(index)) {
        Node* const above = TRY(Node::create(root_->shift + kBits));
        above->put(0, root_);
        root_->parent = above;
        root_->slot_in_parent = 0;
        root_ = above;
    }
    return {};
}

// Frees the node and its ancestors as far as they are empty.
void SparseArrayCore::free_empty_path(Node* node) {
    while (node != nullptr && node->present == 0) {
        Node* const parent = node->parent;
        if (parent == nullptr) {
            root_ = nullptr;
        } else {
            parent->remove(node->slot_in_parent);
        }
        Node::destroy(node);
        node = parent;
    }
}

void SparseArrayCore::drop_root_levels() {
    while (root_ != nullptr && root_->shift != 0 && root_->present == 1) {
        Node* const below = root_->child(0);
        Node::destroy(root_);
        below->parent = nullptr;
        root_ = below;
    }
}

Result<void*> SparseArrayCore::set(std::uint64_t index, void* value) {
    KASSERT(value != nullptr);
    if (const auto grown = grow_to_cover(index); !grown) {
        drop_root_levels();
        return grown.error();
    }
    Node* node = root_;
    while (node->shift != 0) {
        const unsigned slot = node->slot_of(index);
        if (node->child(slot) == nullptr) {
            const auto fresh = Node::create(node->shift - kBits);
            if (!fresh) {
                free_empty_path(node);
                drop_root_levels();
                return fresh.error();
            }
            (*fresh)->parent = node;
            (*fresh)->slot_in_parent = static_cast<std::uint8_t>(slot);
            node->put(slot, *fresh);
        }
        node = node->child(slot);
    }
    const unsigned slot = node->slot_of(index);
    void* const before = node->slots[slot];
    node->put(slot, value);
    size_ += before == nullptr ? 1 : 0;
    return before;
}

void* SparseArrayCore::erase(std::uint64_t index) {
    if (!covers(index)) {
        return nullptr;
    }
    Node* node = root_;
    while (node->shift != 0) {
        node = node->child(node->slot_of(index));
        if (node == nullptr) {
            return nullptr;
        }
    }
    const unsigned slot = node->slot_of(index);
    void* const before = node->slots[slot];
    if (before == nullptr) {
        return nullptr;
    }
    node->remove(slot);
    --size_;
    free_empty_path(node);
    drop_root_levels();
    return before;
}

std::optional<SparseArrayCore::Found> SparseArrayCore::next(std::uint64_t index) const {
    if (!covers(index)) {
        return std::nullopt;
    }
    // Down as far as the path of `index` exists, then to the nearest slot at its right, if need be after going up.
    const Node* node = root_;
    unsigned from = node->slot_of(index);
    while (node->shift != 0 && node->child(from) != nullptr) {
        node = node->child(from);
        from = node->slot_of(index);
    }
    while (from == kFanout || (node->present >> from) == 0) {
        if (node->parent == nullptr) {
            return std::nullopt;
        }
        from = node->slot_in_parent + 1u;
        node = node->parent;
    }
    std::uint64_t prefix = 0;
    for (const Node* above = node; above->parent != nullptr; above = above->parent) {
        prefix |= std::uint64_t{above->slot_in_parent} << above->parent->shift;
    }
    while (true) {
        const unsigned slot = from + static_cast<unsigned>(std::countr_zero(node->present >> from));
        prefix |= std::uint64_t{slot} << node->shift;
        if (node->shift == 0) {
            return Found{prefix, node->slots[slot]};
        }
        node = node->child(slot);
        from = 0;
    }
}

void SparseArrayCore::clear() {
    Node* node = root_;
    while (node != nullptr) {
        if (node->shift != 0 && node->present != 0) {
            node = node->child(static_cast<unsigned>(std::countr_zero(node->present)));
            continue;
        }
        Node* const parent = node->parent;
        if (parent != nullptr) {
            parent->remove(node->slot_in_parent);
        }
        Node::destroy(node);
        node = parent;
    }
    root_ = nullptr;
    size_ = 0;
}

void SparseArrayCore::swap(SparseArrayCore& other) noexcept {
    std::swap(root_, other.root_);
    std::swap(size_, other.size_);
}

}  // namespace kernel
