// SPDX-License-Identifier: MIT OR Apache-2.0
#include "core/mm/buddy.h"

#include <algorithm>
#include <bit>

namespace kernel::mm {

void Buddy::push(FrameNumber first, unsigned order, bool known_zero) {
    Frame& head = range_->entry(first);
    head.set_kind(FrameKind::Free);
    head.order = static_cast<std::uint8_t>(order);
    head.flags.store(known_zero ? static_cast<std::uint16_t>(FrameFlag::KnownZero) : std::uint16_t{0},
                     std::memory_order_relaxed);
    free_[order].push_front(range_->slot(first));
    listed_ += std::uint64_t{1} << order;
}

void Buddy::pop(Frame& head) {
    free_[head.order].remove(head);
    listed_ -= std::uint64_t{1} << head.order;
    head.set_kind(FrameKind::FreeTail);
}

std::optional<Buddy::Block> Buddy::allocate(unsigned order) {
    for (unsigned have = order; have <= kMaxFrameOrder; ++have) {
        if (free_[have].empty()) {
            continue;
        }
        const FrameNumber first = frame_of_slot(free_[have].head);
        Frame& head = range_->entry(first);
        const bool known_zero = head.has(FrameFlag::KnownZero);
        pop(head);
        while (have > order) {
            --have;
            push(first + (std::uint64_t{1} << have), have, known_zero);
        }
        return Block{first, known_zero};
    }
    return carve(order);
}

std::optional<Buddy::Block> Buddy::carve(unsigned order) {
    const std::uint64_t base = frame_value(range_->first);
    const std::uint64_t size = std::uint64_t{1} << order;
    const std::uint64_t start = align_up(base + frontier_, size) - base;
    if (start + size > range_->count) {
        return std::nullopt;
    }
    // The frames skipped for alignment become free blocks, each as large as its own alignment allows.
    while (frontier_ < start) {
        const unsigned gap_order = std::min({static_cast<unsigned>(std::countr_zero(base + frontier_)), kMaxFrameOrder,
                                             static_cast<unsigned>(std::bit_width(start - frontier_)) - 1});
        const FrameNumber gap = range_->first + frontier_;
        frontier_ += std::uint64_t{1} << gap_order;
        free({gap, range_->zeroed}, gap_order);
    }
    frontier_ = start + size;
    return Block{range_->first + start, range_->zeroed};
}

bool Buddy::can_merge(std::uint64_t block, unsigned order) const {
    const std::uint64_t base = frame_value(range_->first);
    if (block < base || block - base + (std::uint64_t{1} << order) > frontier_) {
        return false;
    }
    const Frame& head = range_->entries[block - base];
    return head.kind() == FrameKind::Free && head.order == order;
}

void Buddy::free(Block block, unsigned order) {
    std::uint64_t first = frame_value(block.first);
    bool known_zero = block.known_zero;
    range_->entry(block.first).set_kind(FrameKind::FreeTail);
    while (order < kMaxFrameOrder) {
        const std::uint64_t buddy = first ^ (std::uint64_t{1} << order);
        if (!can_merge(buddy, order)) {
            break;
        }
        Frame& head = range_->entry(FrameNumber{buddy});
        known_zero = known_zero && head.has(FrameFlag::KnownZero);
        pop(head);
        first = std::min(first, buddy);
        ++order;
    }
    push(FrameNumber{first}, order, known_zero);
}

std::optional<Buddy::Block> Buddy::take_dirty(unsigned minimum_order, unsigned& order) {
    for (order = minimum_order; order <= kMaxFrameOrder; ++order) {
        for (std::uint32_t slot = free_[order].head; slot != 0;) {
            const FrameNumber first = frame_of_slot(slot);
            Frame& head = range_->entry(first);
            if (!head.has(FrameFlag::KnownZero)) {
                pop(head);
                return Block{first, false};
            }
            slot = head.next;
        }
    }
    return std::nullopt;
}

}  // namespace kernel::mm
