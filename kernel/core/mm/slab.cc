// SPDX-License-Identifier: MIT OR Apache-2.0
#include "core/mm/slab.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <span>

#include "core/mm/frame_allocator.h"
#include "core/mm/frame_table.h"
#include "lib/bytes.h"
#include "lib/guarded.h"
#include "platform/cpu.h"

namespace kernel::mm {

namespace {

// 576 is for radix tree nodes of 64 pointers and a header.
constexpr std::array<std::uint16_t, 16> kClassBytes = {16,  32,  48,  64,  96,   128,  192,  256,
                                                       384, 512, 576, 768, 1024, 1280, 1536, 2048};
constexpr std::size_t kClasses = kClassBytes.size();
constexpr std::size_t kNoClass = kClasses;

constexpr unsigned order_of_class(std::size_t index) {
    return kClassBytes[index] <= 768 ? 0 : kClassBytes[index] <= 1536 ? 1 : 2;
}

constexpr std::size_t class_for(std::size_t bytes, std::size_t align) {
    for (std::size_t i = 0; i < kClasses; ++i) {
        if (kClassBytes[i] >= bytes && kClassBytes[i] % align == 0) {
            return i;
        }
    }
    return kNoClass;
}

constexpr auto kClassOfSmall = [] {
    std::array<std::uint8_t, kMaxSlabBytes / 16 + 1> table{};
    for (std::size_t i = 0; i < table.size(); ++i) {
        table[i] = static_cast<std::uint8_t>(class_for(i * 16, 16));
    }
    return table;
}();

std::size_t find_class(std::size_t bytes, std::size_t align) {
    if (bytes > kMaxSlabBytes) {
        return kNoClass;
    }
    return align <= 16 ? kClassOfSmall[(bytes + 15) / 16] : class_for(bytes, align);
}

// What Frame::index of a slab's first frame holds. Objects are numbered from 1; those never used yet are not in the
// list.
struct SlabState {
    std::uint16_t first_free;
    std::uint16_t in_use;
    std::uint16_t carved;
    std::uint16_t reserved;
};

class SizeClass {
public:
    // Errors: NoMemory.
    Result<void*> allocate(std::size_t index) {
        if (partial_.empty()) {
            TRY(add_slab(index));
        }
        const FrameNumber first = frame_of_slot(partial_.head);
        Frame& head = frame_info(first);
        auto state = std::bit_cast<SlabState>(head.index);
        void* const object = take(state, first, index);
        if (state.in_use == 0) {
            --empty_slabs_;
        }
        if (++state.in_use == capacity(index)) {
            partial_.remove(head);
        }
        head.index = std::bit_cast<std::uint64_t>(state);
        ++objects_;
        return object;
    }

    void free(std::size_t index, void* object) {
        const std::uint64_t block_frames = std::uint64_t{1} << order_of_class(index);
        const FrameNumber first{align_down(frame_value(platform::frame_of_pointer(object)), block_frames)};
        Frame& head = frame_info(first);
        KASSERT(head.kind() == FrameKind::Slab && head.owner == this);
        auto state = std::bit_cast<SlabState>(head.index);
        KASSERT(state.in_use != 0);
        if (state.in_use == capacity(index)) {
            partial_.push_front(frame_slot(first));
        }
        const std::span<std::byte> bytes = slab_bytes(first, index);
        const auto offset = static_cast<std::size_t>(static_cast<std::byte*>(object) - bytes.data());
        KASSERT(offset % kClassBytes[index] == 0);
        write_unaligned(bytes, offset, state.first_free);
        state.first_free = static_cast<std::uint16_t>(offset / kClassBytes[index] + 1);
        --state.in_use;
        --objects_;
        head.index = std::bit_cast<std::uint64_t>(state);
        if (state.in_use == 0 && ++empty_slabs_ > kEmptySlabsKept) {
            give_back(head, first, index);
        }
    }

    void drop_empty(std::size_t index) {
        for (std::uint32_t slot = partial_.head; slot != 0;) {
            const FrameNumber first = frame_of_slot(slot);
            Frame& head = frame_info(first);
            slot = head.next;
            if (std::bit_cast<SlabState>(head.index).in_use == 0) {
                give_back(head, first, index);
            }
        }
    }

    std::uint64_t objects() const { return objects_; }
    std::uint64_t slabs() const { return slabs_; }

private:
    static constexpr unsigned kEmptySlabsKept = 1;

    static std::size_t capacity(std::size_t index) { return (kPageSize << order_of_class(index)) / kClassBytes[index]; }
    static std::span<std::byte> slab_bytes(FrameNumber first, std::size_t index) {
        return {platform::frame_pointer(first), kPageSize << order_of_class(index)};
    }

    static void* take(SlabState& state, FrameNumber first, std::size_t index) {
        const std::span<std::byte> bytes = slab_bytes(first, index);
        if (state.first_free == 0) {
            return bytes.subspan(std::size_t{state.carved++} * kClassBytes[index]).data();
        }
        const std::size_t offset = (std::size_t{state.first_free} - 1) * kClassBytes[index];
        state.first_free = read_unaligned<std::uint16_t>(bytes, offset);
        return bytes.subspan(offset).data();
    }

    Result<> add_slab(std::size_t index) {
        const FrameNumber first =
            TRY(allocate_frames(order_of_class(index), platform::FrameZone::Kernel, Zeroing::None));
        Frame& head = frame_info(first);
        head.set_kind(FrameKind::Slab);
        head.owner = this;
        head.index = std::bit_cast<std::uint64_t>(SlabState{});
        partial_.push_front(frame_slot(first));
        ++empty_slabs_;
        ++slabs_;
        return {};
    }

    void give_back(Frame& head, FrameNumber first, std::size_t index) {
        partial_.remove(head);
        --empty_slabs_;
        --slabs_;
        free_frames(first, order_of_class(index));
    }

    FrameList partial_;  // slabs with a free object
    unsigned empty_slabs_ = 0;
    std::uint64_t slabs_ = 0;
    std::uint64_t objects_ = 0;  // in magazines included
};

constinit std::array<SpinGuarded<SizeClass, Rank::Slab>, kClasses> classes{};

// Objects that a CPU keeps at hand.
constexpr unsigned kMagazineObjects = 16;
constexpr unsigned kMagazineBatch = 8;

struct Magazine {
    std::array<void*, kMagazineObjects> objects{};
    unsigned count = 0;
};
using CpuHeap = std::array<Magazine, kClasses>;
constinit std::array<SpinGuarded<CpuHeap, Rank::HeapCache>, platform::kMaxCpus> cpu_heaps{};

constinit std::atomic<std::uint64_t> large_frames = 0;

void unload(Magazine& magazine, std::size_t index, unsigned keep) {
    classes[index].with([&](SizeClass& size_class) {
        while (magazine.count > keep) {
            size_class.free(index, magazine.objects[--magazine.count]);
        }
    });
}

Result<void*> allocate_small(std::size_t index) {
    return cpu_heaps[platform::this_cpu().index].with([&](CpuHeap& heap) -> Result<void*> {
        Magazine& magazine = heap[index];
        if (magazine.count == 0) {
            classes[index].with([&](SizeClass& size_class) {
                while (magazine.count < kMagazineBatch) {
                    const auto object = size_class.allocate(index);
                    if (!object) {
                        return;
                    }
                    magazine.objects[magazine.count++] = *object;
                }
            });
        }
        if (magazine.count == 0) {
            return Error::NoMemory;
        }
        return magazine.objects[--magazine.count];
    });
}

void free_small(std::size_t index, void* object) {
    cpu_heaps[platform::this_cpu().index].with([&](CpuHeap& heap) {
        Magazine& magazine = heap[index];
        if (magazine.count == kMagazineObjects) {
            unload(magazine, index, kMagazineObjects - kMagazineBatch);
        }
        magazine.objects[magazine.count++] = object;
    });
}

unsigned order_for(std::size_t bytes) {
    const std::uint64_t pages = pages_for_bytes(bytes);
    return pages <= 1 ? 0 : static_cast<unsigned>(std::bit_width(pages - 1));
}

}  // namespace

Result<void*> slab_allocate(std::size_t bytes, std::size_t align) {
    if (const std::size_t index = find_class(bytes, align); index != kNoClass) {
        return allocate_small(index);
    }
    const unsigned order = std::max(order_for(bytes), order_for(align));
    if (order > kMaxFrameOrder) {
        return Error::NoMemory;
    }
    const FrameNumber first = TRY(allocate_frames(order, platform::FrameZone::Kernel, Zeroing::None));
    large_frames.fetch_add(std::uint64_t{1} << order, std::memory_order_relaxed);
    return platform::frame_pointer(first);
}

void slab_free(void* block, std::size_t bytes, std::size_t align) {
    if (block == nullptr) {
        return;
    }
#if KPIO_LOCK_CHECK
    // Use after free shows as this pattern.
    fill_bytes({static_cast<std::byte*>(block), bytes}, std::byte{0xdf});
#endif
    if (const std::size_t index = find_class(bytes, align); index != kNoClass) {
        free_small(index, block);
        return;
    }
    const unsigned order = std::max(order_for(bytes), order_for(align));
    large_frames.fetch_sub(std::uint64_t{1} << order, std::memory_order_relaxed);
    free_frames(platform::frame_of_pointer(block), order);
}

HeapStatistics heap_statistics() {
    HeapStatistics result;
    result.frames = large_frames.load(std::memory_order_relaxed);
    result.used_bytes = result.frames * kPageSize;
    for (std::size_t i = 0; i < kClasses; ++i) {
        classes[i].with([&](const SizeClass& size_class) {
            result.used_bytes += size_class.objects() * kClassBytes[i];
            result.frames += size_class.slabs() << order_of_class(i);
        });
    }
    for (auto& cpu : cpu_heaps) {
        cpu.with([&](const CpuHeap& heap) {
            for (std::size_t i = 0; i < kClasses; ++i) {
                result.used_bytes -= std::uint64_t{heap[i].count} * kClassBytes[i];
            }
        });
    }
    return result;
}

void drain_heap_caches() {
    for (auto& cpu : cpu_heaps) {
        cpu.with([](CpuHeap& heap) {
            for (std::size_t i = 0; i < kClasses; ++i) {
                unload(heap[i], i, 0);
            }
        });
    }
    for (std::size_t i = 0; i < kClasses; ++i) {
        classes[i].with([&](SizeClass& size_class) { size_class.drop_empty(i); });
    }
}

}  // namespace kernel::mm
