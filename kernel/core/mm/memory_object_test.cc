// SPDX-License-Identifier: MIT OR Apache-2.0
#include "core/mm/memory_object.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "core/mm/reclaim.h"
#include "support/memory.h"

namespace kernel::mm {
namespace {

using test_support::fake_map;
using test_support::user_read;
using test_support::user_write;

// A file in memory that counts what is asked of it.
class TestPager final : public Pager {
public:
    explicit TestPager(std::size_t bytes) : contents(bytes) {
        for (std::size_t i = 0; i < bytes; ++i) {
            contents[i] = static_cast<std::byte>(i / kPageSize + 1);
        }
    }

    Result<> read_pages(std::uint64_t first_page, std::span<const FrameNumber> frames) override {
        ++reads;
        pages_read += frames.size();
        if (fail) {
            return Error::Io;
        }
        for (std::size_t i = 0; i < frames.size(); ++i) {
            const auto bytes = frame_bytes(frames[i]);
            std::ranges::fill(bytes, std::byte{0});
            const std::size_t offset = (first_page + i) * kPageSize;
            if (offset < contents.size()) {
                std::memcpy(bytes.data(), contents.data() + offset, std::min(kPageSize, contents.size() - offset));
            }
        }
        return {};
    }
    Result<> write_pages(std::uint64_t first_page, std::span<const FrameNumber> frames, std::uint64_t bytes) override {
        ++writes;
        if (fail) {
            return Error::Io;
        }
        const std::size_t offset = first_page * kPageSize;
        contents.resize(std::max(contents.size(), offset + bytes));
        // Users may write to the pages at the same time.
        for (std::size_t i = 0; i < bytes; ++i) {
            auto* const byte = reinterpret_cast<unsigned char*>(frame_bytes(frames[i / kPageSize]).data());
            contents[offset + i] = std::byte{__atomic_load_n(byte + i % kPageSize, __ATOMIC_RELAXED)};
        }
        return {};
    }

    std::vector<std::byte> contents;
    std::atomic<int> reads = 0;
    std::atomic<int> writes = 0;
    std::atomic<std::uint64_t> pages_read = 0;
    std::atomic<bool> fail = false;
};

class Objects : public test_support::MemoryTest {};

MapRequest map_of(RefPtr<MemoryObject> object, std::uint64_t pages, bool shared) {
    MapRequest request;
    request.bytes = pages * kPageSize;
    request.access = Access::Read | Access::Write;
    request.shared = shared;
    request.object = std::move(object);
    return request;
}

int value_at(AddressSpace& space, VirtAddr address) {
    return static_cast<int>(MUST(user_read(space, address)));
}

TEST_F(Objects, AnonymousObjectsReadBackWhatWasWritten) {
    auto object = MUST(AnonymousObject::create(0));
    const std::string text = "hello, object";
    EXPECT_EQ(MUST(object->write(5000, as_bytes(text))), text.size());
    EXPECT_EQ(object->size_bytes(), 5000 + text.size());
    EXPECT_EQ(object->resident_pages(), 1U);
    std::vector<std::byte> bytes(10'000);
    EXPECT_EQ(MUST(object->read(0, bytes)), 5000 + text.size());
    EXPECT_EQ(bytes[4999], std::byte{0});
    EXPECT_EQ(as_text(std::span(bytes).subspan(5000, text.size())), text);
    EXPECT_EQ(object->resident_pages(), 1U);
    EXPECT_EQ(MUST(object->read(6000, bytes)), 0U);
    object->resize(5003);
    object->resize(5010);
    EXPECT_EQ(MUST(object->read(5000, bytes)), 10U);
    EXPECT_EQ(bytes[2], static_cast<std::byte>('l'));
    EXPECT_EQ(bytes[3], std::byte{0});
}

TEST_F(Objects, BudgetsLimitPages) {
    auto budget = MUST(PageBudget::create(10));
    auto object = MUST(AnonymousObject::create(0, budget));
    std::vector<std::byte> bytes(9 * kPageSize);
    EXPECT_EQ(MUST(object->write(0, bytes)), bytes.size());
    EXPECT_EQ(budget->used_pages(), 9U);
    EXPECT_EQ(MUST(object->write(bytes.size(), bytes)), kPageSize);
    EXPECT_EQ(object->write(11 * kPageSize, bytes).error(), Error::NoSpace);
    object->resize(kPageSize);
    EXPECT_EQ(budget->used_pages(), 1U);
    object.reset();
    EXPECT_EQ(budget->used_pages(), 0U);
}

TEST_F(Objects, HolesArePunched) {
    auto object = MUST(AnonymousObject::create(0));
    std::vector<std::byte> ones(5 * kPageSize, std::byte{1});
    MUST(object->write(0, ones));
    ASSERT_TRUE(object->discard(100, 3 * kPageSize));
    EXPECT_EQ(object->resident_pages(), 3U);
    std::vector<std::byte> bytes(5 * kPageSize);
    MUST(object->read(0, bytes));
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        ASSERT_EQ(bytes[i], i >= 100 && i < 100 + 3 * kPageSize ? std::byte{0} : std::byte{1}) << i;
    }
    ASSERT_TRUE(object->discard(10, 20));
    ASSERT_TRUE(object->discard(4 * kPageSize + 5, UINT64_MAX));
    MUST(object->read(0, bytes));
    EXPECT_EQ(bytes[9], std::byte{1});
    EXPECT_EQ(bytes[10], std::byte{0});
    EXPECT_EQ(bytes[4 * kPageSize + 4], std::byte{1});
    EXPECT_EQ(bytes[4 * kPageSize + 5], std::byte{0});
}

TEST_F(Objects, FilesAreReadAheadOnce) {
    TestPager pager(100 * kPageSize + 17);
    auto object = MUST(PagedObject::create(pager, pager.contents.size()));
    std::vector<std::byte> bytes(kPageSize);
    for (std::uint64_t page = 0; page < 101; ++page) {
        const std::size_t count = MUST(object->read(page * kPageSize, bytes));
        EXPECT_EQ(count, page == 100 ? 17U : kPageSize);
        EXPECT_EQ(bytes[0], static_cast<std::byte>(page + 1));
    }
    EXPECT_EQ(pager.pages_read, 101U);
    EXPECT_LE(pager.reads, 7);
    EXPECT_EQ(MUST(object->read(0, bytes)), kPageSize);
    EXPECT_EQ(pager.pages_read, 101U);
    EXPECT_EQ(object->drop_clean({0, UINT64_MAX}), 101U);
    EXPECT_EQ(object->resident_pages(), 0U);
}

TEST_F(Objects, FailedReadsLeaveNothing) {
    TestPager pager(10 * kPageSize);
    auto object = MUST(PagedObject::create(pager, pager.contents.size()));
    pager.fail = true;
    std::vector<std::byte> bytes(kPageSize);
    EXPECT_EQ(object->read(0, bytes).error(), Error::Io);
    EXPECT_EQ(object->resident_pages(), 0U);
    pager.fail = false;
    EXPECT_EQ(MUST(object->read(0, bytes)), kPageSize);
    object->detach_pager();
    EXPECT_EQ(MUST(object->read(0, bytes)), kPageSize);
    object->drop_clean({0, UINT64_MAX});
    EXPECT_EQ(object->read(0, bytes).error(), Error::Io);
}

TEST_F(Objects, WrittenPagesGoBackOnce) {
    TestPager pager(4 * kPageSize);
    auto object = MUST(PagedObject::create(pager, pager.contents.size()));
    const std::vector<std::byte> nines(kPageSize, std::byte{9});
    MUST(object->write(kPageSize, nines));
    EXPECT_EQ(pager.reads, 0) << "a page that is replaced whole is not read";
    MUST(object->write(4 * kPageSize + 10, std::span(nines).first(5)));
    EXPECT_EQ(pager.reads, 0) << "nor is one beyond the end";
    MUST(object->write(10, std::span(nines).first(5)));
    EXPECT_EQ(pager.reads, 1);
    EXPECT_EQ(object->drop_clean({1, 1}), 0U);
    ASSERT_TRUE(object->write_back());
    EXPECT_EQ(pager.contents.size(), 4 * kPageSize + 15);
    EXPECT_EQ(pager.contents[kPageSize], std::byte{9});
    EXPECT_EQ(pager.contents[9], std::byte{1});
    EXPECT_EQ(pager.contents[10], std::byte{9});
    const int writes = pager.writes;
    ASSERT_TRUE(object->write_back());
    EXPECT_EQ(pager.writes, writes);
    MUST(object->write(0, nines));
    pager.fail = true;
    EXPECT_EQ(object->write_back().error(), Error::Io);
    pager.fail = false;
    ASSERT_TRUE(object->write_back());
    EXPECT_EQ(pager.contents[0], std::byte{9});
}

TEST_F(Objects, WritersDoNotFillMemoryWithDirtyPages) {
    TestPager pager(0);
    auto object = MUST(PagedObject::create(pager, 0));
    const std::vector<std::byte> piece(64 * kPageSize, std::byte{5});
    const auto limit = frame_statistics(platform::FrameZone::User).total / 8;
    for (std::uint64_t page = 0; page < limit + 200; page += 64) {
        ASSERT_EQ(MUST(object->write(page * kPageSize, piece)), piece.size());
        ASSERT_LE(dirty_frames(), limit + 64);
    }
    EXPECT_GT(pager.writes, 0);
    ASSERT_TRUE(object->write_back());
    EXPECT_EQ(dirty_frames(), 0U);
}

TEST_F(Objects, MappingsShareTheCacheAndCopyWhenPrivate) {
    TestPager pager(40 * kPageSize);
    RefPtr<MemoryObject> object = MUST(PagedObject::create(pager, pager.contents.size()));
    auto one = MUST(AddressSpace::create());
    auto two = MUST(AddressSpace::create());
    const VirtAddr shared = MUST(one->map(map_of(object, 40, true)));
    const VirtAddr other = MUST(two->map(map_of(object, 40, true)));
    const VirtAddr own = MUST(two->map(map_of(object, 40, false)));
    EXPECT_EQ(value_at(*one, shared + 7 * kPageSize), 8);
    EXPECT_LE(fake_map(*one).maps, 1U);
    EXPECT_GE(fake_map(*one).translations(), 16U);
    EXPECT_EQ(value_at(*two, own + 7 * kPageSize), 8);
    EXPECT_EQ(pager.reads, 1);
    ASSERT_TRUE(user_write(*one, shared + 7 * kPageSize, std::byte{99}));
    EXPECT_EQ(value_at(*two, other + 7 * kPageSize), 99);
    EXPECT_EQ(value_at(*two, own + 7 * kPageSize), 99);
    ASSERT_TRUE(user_write(*two, own + 7 * kPageSize, std::byte{100}));
    EXPECT_EQ(value_at(*one, shared + 7 * kPageSize), 99);
    std::array<std::byte, 1> byte{};
    MUST(object->read(7 * kPageSize, byte));
    EXPECT_EQ(byte[0], std::byte{99});
    ASSERT_TRUE(one->sync(shared, 40 * kPageSize));
    EXPECT_EQ(pager.contents[7 * kPageSize], std::byte{99});
    // Written again after the write-back: seen again.
    ASSERT_TRUE(user_write(*one, shared + 7 * kPageSize, std::byte{98}));
    ASSERT_TRUE(object->write_back({0, UINT64_MAX}));
    EXPECT_EQ(pager.contents[7 * kPageSize], std::byte{98});
    EXPECT_EQ(MUST(one->key_of(shared + 100, false)), MUST(two->key_of(other + 100, false)));
    EXPECT_FALSE(MUST(two->key_of(own + 100, false)) == MUST(two->key_of(other + 100, false)));
}

TEST_F(Objects, TruncationUnmapsEverywhere) {
    TestPager pager(8 * kPageSize);
    RefPtr<MemoryObject> object = MUST(PagedObject::create(pager, pager.contents.size()));
    auto space = MUST(AddressSpace::create());
    const VirtAddr shared = MUST(space->map(map_of(object, 8, true)));
    const VirtAddr own = MUST(space->map(map_of(object, 8, false)));
    auto child = MUST(space->fork());
    ASSERT_TRUE(user_write(*child, own + 6 * kPageSize, std::byte{1}));
    for (std::uint64_t page = 0; page < 8; ++page) {
        EXPECT_EQ(value_at(*space, shared + page * kPageSize), static_cast<int>(page) + 1);
        EXPECT_EQ(value_at(*child, shared + page * kPageSize), static_cast<int>(page) + 1);
    }
    object->resize(3 * kPageSize + 10);
    EXPECT_EQ(object->resident_pages(), 4U);
    for (AddressSpace* each : {space.get(), child.get()}) {
        EXPECT_EQ(user_read(*each, shared + 4 * kPageSize).error(), Error::Io);
        EXPECT_EQ(user_read(*each, own + 6 * kPageSize).error(), Error::Io);
        EXPECT_EQ(value_at(*each, shared + 3 * kPageSize + 9), 4);
        EXPECT_EQ(value_at(*each, shared + 3 * kPageSize + 10), 0);
    }
    std::array<std::byte, 16> bytes{};
    EXPECT_EQ(space->copy_in(bytes, shared + 4 * kPageSize).error(), Error::BadAddress);
    object->resize(8 * kPageSize);
    pager.contents.resize(3 * kPageSize + 10);
    EXPECT_EQ(value_at(*child, own + 6 * kPageSize), 0);
}

TEST_F(Objects, ReclaimDropsCleanPagesThatNobodyUsedLately) {
    TestPager pager(600 * kPageSize);
    RefPtr<MemoryObject> object = MUST(PagedObject::create(pager, pager.contents.size()));
    auto space = MUST(AddressSpace::create());
    const VirtAddr start = MUST(space->map(map_of(object, 600, false)));
    for (std::uint64_t page = 0; page < 600; ++page) {
        EXPECT_EQ(value_at(*space, start + page * kPageSize), static_cast<int>((page + 1) % 256));
    }
    MUST(object->write(0, as_bytes("dirty")));
    EXPECT_EQ(reclaimable_frames(), 600U);
    EXPECT_GE(reclaim_frames(100), 100U);
    EXPECT_LE(object->resident_pages(), 500U);
    EXPECT_GE(reclaim_frames(10'000), 100U);
    EXPECT_EQ(object->resident_pages(), 1U);
    EXPECT_EQ(value_at(*space, start + 333 * kPageSize), 334 % 256);
    EXPECT_EQ(value_at(*space, start), 'd');
}

TEST_F(Objects, MemoryFullOfFilePagesIsNotFull) {
    TestPager pager(300 * kPageSize);
    RefPtr<MemoryObject> object = MUST(PagedObject::create(pager, pager.contents.size()));
    auto space = MUST(AddressSpace::create());
    const VirtAddr file = MUST(space->map(map_of(object, 300, true)));
    MapRequest request;
    request.bytes = 150 * kPageSize;
    request.access = Access::Read | Access::Write;
    const VirtAddr memory = MUST(space->map(request));
    const test_support::FramesLeft left(200);
    for (std::uint64_t page = 0; page < 300; ++page) {
        EXPECT_EQ(value_at(*space, file + page * kPageSize), static_cast<int>((page + 1) % 256));
    }
    for (std::uint64_t page = 0; page < 150; ++page) {
        ASSERT_TRUE(user_write(*space, memory + page * kPageSize, std::byte{7}));
    }
    for (std::uint64_t page = 0; page < 300; page += 7) {
        EXPECT_EQ(value_at(*space, file + page * kPageSize), static_cast<int>((page + 1) % 256));
    }
    EXPECT_EQ(value_at(*space, memory + 149 * kPageSize), 7);
    request.bytes = 300 * kPageSize;
    const VirtAddr too_much = MUST(space->map(request));
    Result<> result;
    for (std::uint64_t page = 0; page < 300 && result; ++page) {
        result = space->handle_fault(too_much + page * kPageSize, Access::Write);
    }
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error(), Error::NoMemory);
}

TEST_F(Objects, ManyReadersWritersAndReclaim) {
    TestPager pager(64 * kPageSize);
    RefPtr<MemoryObject> object = MUST(PagedObject::create(pager, pager.contents.size()));
    auto space = MUST(AddressSpace::create());
    const VirtAddr start = MUST(space->map(map_of(object, 64, true)));
    std::atomic<bool> stop = false;
    std::vector<std::thread> threads;
    for (int id = 0; id < 2; ++id) {
        threads.emplace_back([&, id] {
            std::mt19937_64 random(static_cast<std::uint64_t>(id));
            for (int i = 0; i < 1500; ++i) {
                const std::uint64_t page = random() % 64;
                std::array<std::byte, 1> byte{};
                MUST(object->read(page * kPageSize + 1, byte));
                ASSERT_EQ(byte[0], static_cast<std::byte>(page + 1));
                ASSERT_EQ(value_at(*space, start + page * kPageSize + 1), static_cast<int>(page) + 1);
                ASSERT_TRUE(user_write(*space, start + page * kPageSize, static_cast<std::byte>(i & 0xff)));
            }
        });
    }
    std::thread cleaner([&] {
        while (!stop) {
            ASSERT_TRUE(object->write_back({0, UINT64_MAX}));
            reclaim_frames(20);
            object->drop_clean({0, 10});
        }
    });
    for (std::thread& thread : threads) {
        thread.join();
    }
    stop = true;
    cleaner.join();
    ASSERT_TRUE(object->write_back({0, UINT64_MAX}));
}

}  // namespace
}  // namespace kernel::mm
