// SPDX-License-Identifier: MIT OR Apache-2.0
#include "core/mm/address_space.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/mm/policy.h"
#include "support/memory.h"

namespace kernel::mm {
namespace {

using test_support::fake_map;
using test_support::user_read;
using test_support::user_write;

constexpr Access kRead = Access::Read;
constexpr Access kReadWrite = Access::Read | Access::Write;

class Space : public test_support::MemoryTest {};

MapRequest anonymous(std::uint64_t bytes, Access access = kReadWrite) {
    MapRequest request;
    request.bytes = bytes;
    request.access = access;
    return request;
}

MapRequest at(VirtAddr address, std::uint64_t bytes, Access access = kReadWrite) {
    MapRequest request = anonymous(bytes, access);
    request.address = address;
    request.fixed = true;
    return request;
}

int value_at(AddressSpace& space, VirtAddr address) {
    return static_cast<int>(MUST(user_read(space, address)));
}

void put(AddressSpace& space, VirtAddr address, int value) {
    const auto result = user_write(space, address, static_cast<std::byte>(value));
    ASSERT_TRUE(result) << error_name(result.error());
}

std::size_t region_count(AddressSpace& space) {
    std::size_t count = 0;
    for (auto region = space.region_at_or_after({}); region; region = space.region_at_or_after(region->end)) {
        ++count;
    }
    return count;
}

TEST_F(Space, MemoryComesWithTheFirstTouchInRuns) {
    auto space = MUST(AddressSpace::create());
    const VirtAddr start = MUST(space->map(anonymous(1 << 20)));
    EXPECT_EQ(space->usage().anonymous_pages, 0U);
    EXPECT_EQ(value_at(*space, start + 5 * kPageSize), 0);
    EXPECT_EQ(fake_map(*space).maps, 1U);
    const auto pages = space->usage().anonymous_pages;
    EXPECT_EQ(pages, initial_run_pages());
    EXPECT_EQ(fake_map(*space).translations(), pages);
    put(*space, start + 5 * kPageSize, 7);
    EXPECT_EQ(value_at(*space, start + 5 * kPageSize), 7);
    EXPECT_EQ(fake_map(*space).maps, 1U);
    EXPECT_EQ(user_read(*space, start + (1 << 20)).error(), Error::BadAddress);
}

TEST_F(Space, SequentialTouchTakesFewFaults) {
    auto space = MUST(AddressSpace::create());
    const VirtAddr start = MUST(space->map(at(VirtAddr{0x1000'0000}, 16 << 20)));
    for (std::uint64_t page = 0; page < 4096; ++page) {
        put(*space, start + page * kPageSize, 1);
    }
    EXPECT_LE(fake_map(*space).maps, 20U);
    EXPECT_EQ(space->usage().anonymous_pages, 4096U);
}

TEST_F(Space, TheMapIsOnlyACache) {
    auto space = MUST(AddressSpace::create());
    const VirtAddr start = MUST(space->map(anonymous(64 * kPageSize)));
    std::mt19937_64 random(1);
    for (std::uint64_t page = 0; page < 64; ++page) {
        put(*space, start + page * kPageSize, static_cast<int>(page));
        fake_map(*space).drop_some(random, 0.5);
    }
    for (std::uint64_t page = 0; page < 64; ++page) {
        EXPECT_EQ(value_at(*space, start + page * kPageSize), static_cast<int>(page));
        fake_map(*space).drop_some(random, 0.3);
    }
    EXPECT_LE(space->usage().anonymous_pages, 64U);
}

TEST_F(Space, SparseReservationsCostNothing) {
    auto space = MUST(AddressSpace::create());
    const auto frames = test_support::used_frames();
    const auto bytes = test_support::live_heap_bytes();
    std::vector<VirtAddr> starts;
    for (int i = 0; i < 12; ++i) {
        starts.push_back(MUST(space->map(anonymous(std::uint64_t{8} << 40, Access::None))));
    }
    EXPECT_EQ(test_support::used_frames(), frames);
    EXPECT_LT(test_support::live_heap_bytes() - bytes, 12U * 1024);
    ASSERT_TRUE(space->protect(starts[3] + (std::uint64_t{3} << 40), 1 << 20, kReadWrite));
    put(*space, starts[3] + (std::uint64_t{3} << 40), 1);
    auto child = MUST(space->fork());
    EXPECT_EQ(value_at(*child, starts[3] + (std::uint64_t{3} << 40)), 1);
    for (const VirtAddr start : starts) {
        ASSERT_TRUE(space->unmap(start, std::uint64_t{8} << 40));
    }
    EXPECT_EQ(region_count(*space), 0U);
    EXPECT_EQ(space->usage().virtual_bytes, 0U);
}

TEST_F(Space, ForkCopiesOnWriteInBothDirections) {
    for (const bool parent_first : {false, true}) {
        auto parent = MUST(AddressSpace::create());
        const VirtAddr start = MUST(parent->map(anonymous(40 * kPageSize)));
        for (std::uint64_t page = 0; page < 40; ++page) {
            put(*parent, start + page * kPageSize, 10);
        }
        auto child = MUST(parent->fork());
        AddressSpace& first = parent_first ? *parent : *child;
        AddressSpace& second = parent_first ? *child : *parent;
        put(first, start, 20);
        EXPECT_EQ(value_at(second, start), 10);
        put(second, start, 30);
        EXPECT_EQ(value_at(first, start), 20);
        EXPECT_EQ(value_at(second, start), 30);
        // Nothing else was copied.
        EXPECT_EQ(value_at(first, start + 9 * kPageSize), value_at(second, start + 9 * kPageSize));
        EXPECT_EQ(fake_map(first).frame_at(start + 9 * kPageSize), fake_map(second).frame_at(start + 9 * kPageSize));
    }
}

TEST_F(Space, ForkedGrandchildrenAreSeparate) {
    std::vector<RefPtr<AddressSpace>> line;
    line.push_back(MUST(AddressSpace::create()));
    const VirtAddr start = MUST(line[0]->map(anonymous(8 * kPageSize)));
    put(*line[0], start, 0);
    for (int i = 1; i < 6; ++i) {
        line.push_back(MUST(line.back()->fork()));
        put(*line.back(), start, i);
        put(*line.back(), start + static_cast<std::uint64_t>(i) * kPageSize, 100 + i);
    }
    for (int i = 0; i < 6; ++i) {
        EXPECT_EQ(value_at(*line[static_cast<std::size_t>(i)], start), i);
    }
    line.erase(line.begin() + 1, line.begin() + 4);
    EXPECT_EQ(value_at(*line[1], start), 4);
    EXPECT_EQ(value_at(*line[1], start + 2 * kPageSize), 102);
    EXPECT_EQ(value_at(*line[0], start + 2 * kPageSize), 0);
}

TEST_F(Space, WhatIsNoLongerSharedIsReusedInPlace) {
    auto parent = MUST(AddressSpace::create());
    const VirtAddr start = MUST(parent->map(at(VirtAddr{0x1000'0000}, 16 * kPageSize)));
    for (std::uint64_t page = 0; page < 16; ++page) {
        put(*parent, start + page * kPageSize, 3);
    }
    {
        auto child = MUST(parent->fork());
    }
    const auto frames = test_support::used_frames(platform::FrameZone::User);
    const auto maps = fake_map(*parent).maps;
    const auto protects = fake_map(*parent).protects;
    for (std::uint64_t page = 0; page < 16; ++page) {
        put(*parent, start + page * kPageSize, 4);
    }
    EXPECT_EQ(test_support::used_frames(platform::FrameZone::User), frames);
    EXPECT_EQ(fake_map(*parent).maps, maps);
    EXPECT_EQ(fake_map(*parent).protects, protects + 1);
}

TEST_F(Space, ForkWriteProtectsWithOneCallPerRegion) {
    auto space = MUST(AddressSpace::create());
    const VirtAddr start = MUST(space->map(anonymous(1 << 20)));
    MUST(space->map(anonymous(1 << 30)));
    for (std::uint64_t page = 0; page < 256; ++page) {
        put(*space, start + page * kPageSize, 3);
    }
    const auto protects = fake_map(*space).protects;
    auto child = MUST(space->fork());
    EXPECT_LE(fake_map(*space).protects, protects + 2);
    EXPECT_EQ(fake_map(*child).translations(), 0U);
    EXPECT_EQ(value_at(*child, start), 3);
    EXPECT_GE(fake_map(*child).translations(), initial_run_pages());
}

TEST_F(Space, ForkCopiesAtOnceWhatIsWrittenAfterForks) {
    auto parent = MUST(AddressSpace::create());
    SpaceUser user{parent};
    const VirtAddr start{0x1000'0000};
    MUST(parent->map(at(start, 16 * kPageSize)));
    for (std::uint64_t page = 0; page < 16; ++page) {
        put(*parent, start + page * kPageSize, 1);
    }
    // The first time only the stack is known.
    const VirtAddr stack = start + 3 * kPageSize;
    const VirtAddr heap = start + 9 * kPageSize;
    {
        auto child = MUST(parent->fork(stack + 8));
        EXPECT_NE(fake_map(*child).frame_at(stack), fake_map(*parent).frame_at(stack));
        EXPECT_EQ(fake_map(*child).frame_at(heap), std::nullopt);
        put(*child, heap, 2);
        EXPECT_EQ(value_at(*parent, heap), 1);
    }
    const auto maps = fake_map(*parent).maps;
    auto child = MUST(parent->fork(stack + 8));
    const auto child_maps = fake_map(*child).maps;
    put(*child, heap, 3);
    put(*child, stack, 4);
    put(*parent, heap, 5);
    put(*parent, stack, 6);
    EXPECT_EQ(value_at(*child, heap), 3);
    EXPECT_EQ(value_at(*child, stack), 4);
    EXPECT_EQ(fake_map(*child).maps, child_maps);
    EXPECT_EQ(fake_map(*parent).maps, maps);
    // Other pages are shared as ever.
    EXPECT_EQ(value_at(*child, start), 1);
    EXPECT_EQ(fake_map(*child).frame_at(start), fake_map(*parent).frame_at(start));
}

TEST_F(Space, ForkCopiesNothingAtOnceWhileOthersMayWrite) {
    auto parent = MUST(AddressSpace::create());
    SpaceUser user{parent};
    SpaceUser other{parent};
    const VirtAddr start = MUST(parent->map(anonymous(4 * kPageSize)));
    put(*parent, start, 1);
    auto child = MUST(parent->fork(start));
    EXPECT_EQ(value_at(*child, start), 1);
    EXPECT_EQ(fake_map(*child).frame_at(start), fake_map(*parent).frame_at(start));
}

TEST_F(Space, PrefaultMapsAsFarAsThereIsSomething) {
    auto space = MUST(AddressSpace::create());
    const VirtAddr start{0x1000'0000};
    MUST(space->map(at(start, 40 * kPageSize)));
    space->prefault(start + 100, 60 * kPageSize, Access::Write);
    EXPECT_EQ(fake_map(*space).translations(), 40U);
    const auto maps = fake_map(*space).maps;
    put(*space, start + 39 * kPageSize, 1);
    EXPECT_EQ(fake_map(*space).maps, maps);
}

TEST_F(Space, RegionsSplitAndMerge) {
    auto space = MUST(AddressSpace::create());
    const VirtAddr start{0x2000'0000};
    MUST(space->map(at(start, 16 * kPageSize)));
    MUST(space->map(at(start + 16 * kPageSize, 16 * kPageSize)));
    EXPECT_EQ(region_count(*space), 1U);
    ASSERT_TRUE(space->protect(start + 8 * kPageSize, 4 * kPageSize, kRead));
    EXPECT_EQ(region_count(*space), 3U);
    ASSERT_TRUE(space->protect(start + 8 * kPageSize, 4 * kPageSize, kReadWrite));
    EXPECT_EQ(region_count(*space), 1U);
    ASSERT_TRUE(space->unmap(start + 3 * kPageSize, kPageSize));
    EXPECT_EQ(region_count(*space), 2U);
    EXPECT_EQ(space->region_at_or_after(start)->end, start + 3 * kPageSize);
    MUST(space->map(at(start + 3 * kPageSize, kPageSize)));
    EXPECT_EQ(region_count(*space), 1U);
    EXPECT_EQ(space->usage().virtual_bytes, 32 * kPageSize);
    EXPECT_EQ(space->usage().data_bytes, 32 * kPageSize);
}

TEST_F(Space, ProtectionIsEnforced) {
    auto space = MUST(AddressSpace::create());
    const VirtAddr start = MUST(space->map(anonymous(4 * kPageSize)));
    put(*space, start, 1);
    ASSERT_TRUE(space->protect(start, 4 * kPageSize, kRead));
    EXPECT_EQ(user_write(*space, start, std::byte{2}).error(), Error::AccessDenied);
    EXPECT_EQ(value_at(*space, start), 1);
    EXPECT_EQ(space->handle_fault(start, Access::Execute).error(), Error::AccessDenied);
    EXPECT_EQ(space->copy_out(start, as_bytes("x")).error(), Error::BadAddress);
    ASSERT_TRUE(space->protect(start, 4 * kPageSize, Access::None));
    EXPECT_EQ(user_read(*space, start).error(), Error::AccessDenied);
    ASSERT_TRUE(space->protect(start, 4 * kPageSize, kReadWrite));
    EXPECT_EQ(value_at(*space, start), 1);
    put(*space, start, 2);
    EXPECT_EQ(space->protect(start, 5 * kPageSize, kRead).error(), Error::NoMemory);
    MapRequest limited = anonymous(kPageSize, kRead);
    limited.max_access = kRead;
    const VirtAddr fixed = MUST(space->map(limited));
    EXPECT_EQ(space->protect(fixed, kPageSize, kReadWrite).error(), Error::AccessDenied);
    ASSERT_TRUE(space->copy_out_forced(fixed, as_bytes("poke")));
    EXPECT_EQ(value_at(*space, fixed), 'p');
}

TEST_F(Space, AddressesAreChosenAndChecked) {
    auto space = MUST(AddressSpace::create());
    const VirtAddr low = MUST(space->map(anonymous(kPageSize)));
    const VirtAddr next = MUST(space->map(anonymous(kPageSize)));
    EXPECT_EQ(next, low - kPageSize);
    EXPECT_LT(low, space->stack_top());
    MapRequest wish = anonymous(kPageSize);
    wish.address = VirtAddr{0x5000'0000};
    EXPECT_EQ(MUST(space->map(wish)).value, 0x5000'0000U);
    EXPECT_NE(MUST(space->map(wish)).value, 0x5000'0000U);
    wish.fixed = true;
    wish.no_replace = true;
    EXPECT_EQ(space->map(wish).error(), Error::Exists);
    MapRequest low32 = anonymous(kPageSize);
    low32.below_4gib = true;
    EXPECT_LT(MUST(space->map(low32)).value, std::uint64_t{1} << 31);
    EXPECT_EQ(space->map(anonymous(0)).error(), Error::InvalidArgument);
    EXPECT_EQ(space->map(anonymous(UINT64_MAX)).error(), Error::NoMemory);
    EXPECT_EQ(space->map(anonymous(std::uint64_t{1} << 47)).error(), Error::NoMemory);
    EXPECT_EQ(space->map(at(VirtAddr{0x1001}, kPageSize)).error(), Error::InvalidArgument);
    EXPECT_EQ(space->map(at(platform::kUserMax, kPageSize)).error(), Error::InvalidArgument);
    EXPECT_EQ(space->map(at(VirtAddr{0x1000}, kPageSize)).error(), Error::NotPermitted);
    EXPECT_EQ(space->unmap(low + 1, kPageSize).error(), Error::InvalidArgument);
    EXPECT_EQ(space->unmap(low, UINT64_MAX - 10).error(), Error::InvalidArgument);
}

TEST_F(Space, GapsAreFoundAmongManyRegions) {
    auto space = MUST(AddressSpace::create());
    std::mt19937_64 random(11);
    std::vector<std::pair<VirtAddr, std::uint64_t>> mapped;
    for (int i = 0; i < 1500; ++i) {
        if (mapped.size() > 40 && random() % 3 == 0) {
            std::swap(mapped[random() % mapped.size()], mapped.back());
            ASSERT_TRUE(space->unmap(mapped.back().first, mapped.back().second));
            mapped.pop_back();
            continue;
        }
        const std::uint64_t bytes = (1 + random() % 64) * kPageSize;
        const VirtAddr start = MUST(space->map(anonymous(bytes, random() % 2 == 0 ? kRead : kReadWrite)));
        for (const auto& [other, size] : mapped) {
            ASSERT_TRUE(start + bytes <= other || other + size <= start);
        }
        mapped.emplace_back(start, bytes);
    }
}

TEST_F(Space, LimitsHold) {
    auto space = MUST(AddressSpace::create());
    space->set_limits({.address_space_bytes = 1 << 20, .data_bytes = 1 << 18});
    EXPECT_EQ(space->map(anonymous(2 << 20, Access::None)).error(), Error::NoMemory);
    EXPECT_EQ(space->map(anonymous(1 << 19)).error(), Error::NoMemory);
    MUST(space->map(anonymous(1 << 19, kRead)));
    MUST(space->map(anonymous(1 << 18)));
    EXPECT_EQ(space->map(anonymous(kPageSize)).error(), Error::NoMemory);
}

TEST_F(Space, TheBreakMoves) {
    auto space = MUST(AddressSpace::create());
    const VirtAddr start{0x3000'0000};
    space->initialize_break(start);
    EXPECT_EQ(space->set_break({}), start);
    EXPECT_EQ(space->set_break(start + 100), start + 100);
    put(*space, start + 99, 5);
    EXPECT_EQ(space->set_break(start + 100 * kPageSize + 1), start + 100 * kPageSize + 1);
    put(*space, start + 100 * kPageSize, 6);
    EXPECT_EQ(region_count(*space), 1U);
    EXPECT_EQ(space->set_break(start + 10), start + 10);
    EXPECT_EQ(value_at(*space, start + 99), 5);
    EXPECT_EQ(user_read(*space, start + kPageSize).error(), Error::BadAddress);
    EXPECT_EQ(space->set_break(start + 101 * kPageSize), start + 101 * kPageSize);
    EXPECT_EQ(value_at(*space, start + 100 * kPageSize), 0);
    MUST(space->map(at(start + 200 * kPageSize, kPageSize)));
    EXPECT_EQ(space->set_break(start + 201 * kPageSize), start + 101 * kPageSize);
}

TEST_F(Space, StacksGrowDownToTheirLimit) {
    auto space = MUST(AddressSpace::create());
    MapRequest stack = at(space->stack_top() - 4 * kPageSize, 4 * kPageSize);
    stack.grows_down = true;
    stack.kind = RegionKind::Stack;
    MUST(space->map(stack));
    put(*space, space->stack_top() - 1, 1);
    put(*space, space->stack_top() - (1 << 20), 2);
    EXPECT_EQ(value_at(*space, space->stack_top() - (1 << 20)), 2);
    EXPECT_EQ(user_write(*space, space->stack_top() - (9 << 20), std::byte{1}).error(), Error::BadAddress);
    MUST(space->map(at(space->stack_top() - (4 << 20), kPageSize)));
    EXPECT_EQ(user_write(*space, space->stack_top() - (4 << 20) + 8 * kPageSize, std::byte{1}).error(),
              Error::BadAddress);
    put(*space, space->stack_top() - (2 << 20), 3);
}

TEST_F(Space, CopyingCrossesPagesAndStopsAtHoles) {
    auto space = MUST(AddressSpace::create());
    const VirtAddr start{0x4000'0000};
    MUST(space->map(at(start, 4 * kPageSize)));
    std::vector<std::byte> out(3 * kPageSize + 100);
    for (std::size_t i = 0; i < out.size(); ++i) {
        out[i] = static_cast<std::byte>(i * 7);
    }
    ASSERT_TRUE(space->copy_out(start + 50, out));
    std::vector<std::byte> in(out.size());
    ASSERT_TRUE(space->copy_in(in, start + 50));
    EXPECT_EQ(in, out);
    EXPECT_EQ(value_at(*space, start + 50 + 5000), static_cast<int>(out[5000]));
    ASSERT_TRUE(space->zero_out(start + 4000, 5000));
    EXPECT_EQ(value_at(*space, start + 8999), 0);
    EXPECT_EQ(value_at(*space, start + 9000), static_cast<int>(out[8950]));

    ASSERT_TRUE(space->unmap(start + 2 * kPageSize, kPageSize));
    EXPECT_EQ(space->copy_in(in, start + 50).error(), Error::BadAddress);
    EXPECT_EQ(space->copy_in_some(in, start + 50), 2 * kPageSize - 50);
    EXPECT_EQ(space->copy_out_some(start + 50, out), 2 * kPageSize - 50);
    EXPECT_EQ(space->copy_in(in, VirtAddr{UINT64_MAX - 10}).error(), Error::BadAddress);
    EXPECT_EQ(space->copy_in(in, VirtAddr{8}).error(), Error::BadAddress);
    EXPECT_EQ(space->copy_out(platform::kUserMax - 10, out).error(), Error::BadAddress);
    EXPECT_TRUE(space->copy_in({}, VirtAddr{8}));

    ASSERT_TRUE(space->write_user(UserPtr<std::uint32_t>{start + kPageSize - 2}, 0x12345678U));
    EXPECT_EQ(MUST(space->read_user(UserPtr<const std::uint32_t>{start + kPageSize - 2})), 0x12345678U);
}

TEST_F(Space, StringsEndWithinTheBuffer) {
    auto space = MUST(AddressSpace::create());
    const VirtAddr start = MUST(space->map(at(VirtAddr{0x4000'0000}, 2 * kPageSize)));
    std::string text(100, 'x');
    ASSERT_TRUE(space->copy_out(start + kPageSize - 50, as_bytes(std::string_view(text.c_str(), 101))));
    std::vector<char> buffer(101);
    EXPECT_EQ(MUST(space->copy_in_string(start + kPageSize - 50, buffer)), 100U);
    EXPECT_EQ(std::string(buffer.data()), text);
    EXPECT_EQ(space->copy_in_string(start + kPageSize - 50, std::span(buffer).first(100)).error(), Error::NameTooLong);
    ASSERT_TRUE(space->copy_out(start + 2 * kPageSize - 3, as_bytes("abc")));
    EXPECT_EQ(space->copy_in_string(start + 2 * kPageSize - 3, buffer).error(), Error::BadAddress);
}

TEST_F(Space, IoBuffersWalkThroughRanges) {
    auto space = MUST(AddressSpace::create());
    const VirtAddr start = MUST(space->map(at(VirtAddr{0x4000'0000}, 2 * kPageSize)));
    const std::array ranges = {UserRange{start, 3}, UserRange{start + 100, 0}, UserRange{start + 10, 4},
                               UserRange{start + 2 * kPageSize - 2, 10}};
    IoBuffer buffer(*space, ranges);
    EXPECT_EQ(buffer.remaining(), 17U);
    EXPECT_EQ(MUST(buffer.copy_from(as_bytes("abcde"))), 5U);
    EXPECT_EQ(value_at(*space, start + 2), 'c');
    EXPECT_EQ(value_at(*space, start + 11), 'e');
    EXPECT_EQ(MUST(buffer.copy_from(as_bytes("fghijk"))), 4U);
    EXPECT_EQ(buffer.copy_from(as_bytes("lm")).error(), Error::BadAddress);
    EXPECT_EQ(buffer.done(), 9U);
    buffer.rewind(8);
    std::array<std::byte, 4> bytes{};
    EXPECT_EQ(MUST(buffer.copy_to(bytes)), 4U);
    EXPECT_EQ(as_text(bytes), "bcde");
    buffer.advance(2);
    EXPECT_EQ(MUST(buffer.fill_zero(2)), 2U);
    EXPECT_EQ(value_at(*space, start + 2 * kPageSize - 1), 0);
}

TEST_F(Space, RemapGrowsMovesAndShrinks) {
    auto space = MUST(AddressSpace::create());
    const VirtAddr start{0x6000'0000};
    MUST(space->map(at(start, 4 * kPageSize)));
    for (std::uint64_t page = 0; page < 4; ++page) {
        put(*space, start + page * kPageSize, static_cast<int>(page) + 1);
    }
    EXPECT_EQ(MUST(space->remap(start, 4 * kPageSize, 8 * kPageSize, {})), start);
    EXPECT_EQ(value_at(*space, start + 7 * kPageSize), 0);
    MUST(space->map(at(start + 8 * kPageSize, kPageSize, kRead)));
    EXPECT_EQ(space->remap(start, 8 * kPageSize, 9 * kPageSize, {}).error(), Error::NoMemory);
    const VirtAddr moved = MUST(space->remap(start, 8 * kPageSize, 16 * kPageSize, {.may_move = true}));
    EXPECT_NE(moved, start);
    EXPECT_EQ(user_read(*space, start).error(), Error::BadAddress);
    for (std::uint64_t page = 0; page < 4; ++page) {
        EXPECT_EQ(value_at(*space, moved + page * kPageSize), static_cast<int>(page) + 1);
    }
    auto child = MUST(space->fork());
    const VirtAddr fixed{0x7000'0000};
    EXPECT_EQ(MUST(space->remap(moved, 16 * kPageSize, 2 * kPageSize, {.may_move = true, .fixed = fixed})), fixed);
    EXPECT_EQ(value_at(*space, fixed + kPageSize), 2);
    put(*space, fixed, 50);
    EXPECT_EQ(value_at(*child, moved), 1);
    EXPECT_EQ(MUST(space->remap(fixed, 2 * kPageSize, kPageSize, {})), fixed);
    EXPECT_EQ(user_read(*space, fixed + kPageSize).error(), Error::BadAddress);
    EXPECT_EQ(space->remap(fixed, 2 * kPageSize, 4 * kPageSize, {}).error(), Error::BadAddress);
    EXPECT_EQ(space->usage().virtual_bytes, 2 * kPageSize);
    const VirtAddr kept = MUST(space->remap(fixed, kPageSize, kPageSize, {.may_move = true, .keep_old = true}));
    EXPECT_EQ(value_at(*space, kept), 50);
    EXPECT_EQ(value_at(*space, fixed), 0);
}

TEST_F(Space, DontNeedForgetsPrivatePages) {
    auto space = MUST(AddressSpace::create());
    const VirtAddr start = MUST(space->map(anonymous(32 * kPageSize)));
    put(*space, start, 1);
    put(*space, start + kPageSize, 2);
    ASSERT_TRUE(space->advise(start, kPageSize, Advice::DontNeed));
    EXPECT_EQ(value_at(*space, start), 0);
    EXPECT_EQ(value_at(*space, start + kPageSize), 2);
    EXPECT_EQ(space->advise(start, 33 * kPageSize, Advice::DontNeed).error(), Error::NoMemory);
    EXPECT_FALSE(MUST(space->is_resident(start)));
    EXPECT_EQ(space->usage().anonymous_pages, 0U);
    ASSERT_TRUE(space->advise(start, 32 * kPageSize, Advice::PopulateWrite));
    EXPECT_EQ(space->usage().anonymous_pages, 32U);
}

TEST_F(Space, SharedAnonymousMemoryIsSharedAfterFork) {
    auto parent = MUST(AddressSpace::create());
    MapRequest request = anonymous(20 * kPageSize);
    request.shared = true;
    const VirtAddr start = MUST(parent->map(request));
    put(*parent, start, 1);
    auto child = MUST(parent->fork());
    put(*child, start + 9 * kPageSize, 2);
    put(*child, start, 3);
    EXPECT_EQ(value_at(*parent, start), 3);
    EXPECT_EQ(value_at(*parent, start + 9 * kPageSize), 2);
    EXPECT_EQ(MUST(parent->key_of(start + 8, false)), MUST(child->key_of(start + 8, false)));
    EXPECT_NE(MUST(parent->key_of(start + 8, true)), MUST(child->key_of(start + 8, true)));
}

TEST_F(Space, FutexWordsAreAtomicAndHaveKeys) {
    auto space = MUST(AddressSpace::create());
    const VirtAddr start = MUST(space->map(anonymous(kPageSize)));
    EXPECT_EQ(MUST(space->key_of(start, false)), MUST(space->key_of(start, true)));
    EXPECT_EQ(space->key_of(VirtAddr{0x100000}, false).error(), Error::BadAddress);
    EXPECT_EQ(space->try_load_u32(start), std::nullopt);
    EXPECT_EQ(MUST(space->load_u32(start)), 0U);
    EXPECT_EQ(space->try_load_u32(start), 0U);
    EXPECT_EQ(MUST(space->compare_exchange_u32(start, 0, 5)), 0U);
    EXPECT_EQ(space->try_compare_exchange_u32(start, 5, 6), 5U);
    EXPECT_EQ(MUST(space->compare_exchange_u32(start, 0, 9)), 6U);
    EXPECT_EQ(value_at(*space, start), 6);
    EXPECT_EQ(space->load_u32(start + 2).error(), Error::InvalidArgument);
    EXPECT_EQ(space->load_u32(start + kPageSize).error(), Error::BadAddress);
    ASSERT_TRUE(space->unmap(start, kPageSize));
    EXPECT_EQ(space->try_load_u32(start), std::nullopt);
}

TEST_F(Space, TheKernelsWritesReachUsersAfterCopyOnWrite) {
    auto parent = MUST(AddressSpace::create());
    const VirtAddr start = MUST(parent->map(anonymous(4 * kPageSize)));
    put(*parent, start, 1);
    auto child = MUST(parent->fork());
    EXPECT_EQ(value_at(*parent, start), 1);
    ASSERT_TRUE(parent->copy_out(start, as_bytes("K")));
    EXPECT_EQ(value_at(*parent, start), 'K');
    EXPECT_EQ(value_at(*child, start), 1);
    ASSERT_TRUE(child->copy_out(start, as_bytes("C")));
    EXPECT_EQ(value_at(*parent, start), 'K');
    EXPECT_EQ(value_at(*child, start), 'C');
}

}  // namespace
}  // namespace kernel::mm
