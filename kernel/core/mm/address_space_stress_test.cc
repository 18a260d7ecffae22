// SPDX-License-Identifier: MIT OR Apache-2.0
// Address spaces against a simple model, against failing allocations, and on several CPUs.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "core/mm/address_space.h"
#include "support/memory.h"

namespace kernel::mm {
namespace {

using test_support::fake_map;
using test_support::user_read;
using test_support::user_write;

constexpr Access kReadWrite = Access::Read | Access::Write;

class SpaceStress : public test_support::MemoryTest {};

// One address space as a user would describe it: what each page allows and what its one interesting byte is.
struct Model {
    struct Page {
        Access access;
        std::shared_ptr<int> value;  // the same one in every space for shared memory
        bool shared;
    };
    std::map<std::uint64_t, Page> pages;

    Model copy() const {
        Model result = *this;
        for (auto& [number, page] : result.pages) {
            if (!page.shared) {
                page.value = std::make_shared<int>(*page.value);
            }
        }
        return result;
    }
};

struct Pair {
    RefPtr<AddressSpace> space;
    Model model;
};

class ModelTest {
public:
    explicit ModelTest(std::uint64_t seed) : random_(seed) { pairs_.push_back({MUST(AddressSpace::create()), {}}); }

    void step() {
        Pair& pair = pairs_[random_() % pairs_.size()];
        const std::uint64_t first = random_() % kPages;
        const std::uint64_t count = 1 + random_() % std::min<std::uint64_t>(kPages - first, 40);
        switch (random_() % 16) {
            case 0:
            case 1:
                map(pair, first, count);
                break;
            case 2:
                ASSERT_TRUE(pair.space->unmap(address(first), count * kPageSize));
                erase(pair.model, first, count);
                break;
            case 3:
                protect(pair, first, count);
                break;
            case 4:
                fork(pair);
                break;
            case 5:
                fake_map(*pair.space).drop_some(random_, 0.2);
                break;
            case 6:
                dont_need(pair, first, count);
                break;
            case 7:
                remap(pair, first, count);
                break;
            case 8:
            case 9:
                copy_out(pair, first);
                break;
            case 10:
            case 11:
            case 12:
                write(pair, first);
                break;
            default:
                read(pair, first);
                break;
        }
    }

    void check_all() {
        for (Pair& pair : pairs_) {
            for (std::uint64_t page = 0; page < kPages; ++page) {
                read(pair, page);
            }
        }
    }

private:
    static constexpr std::uint64_t kPages = 300;
    static constexpr VirtAddr kBase{0x1000'0000 - 70 * kPageSize};

    static VirtAddr address(std::uint64_t page) { return kBase + page * kPageSize; }
    static VirtAddr byte_of(std::uint64_t page) { return address(page) + (page * 37) % kPageSize; }
    static void erase(Model& model, std::uint64_t first, std::uint64_t count) {
        model.pages.erase(model.pages.lower_bound(first), model.pages.lower_bound(first + count));
    }

    Access random_access() {
        constexpr std::array kAll = {Access::None, Access::Read, kReadWrite, kReadWrite};
        return kAll[random_() % kAll.size()];
    }

    void map(Pair& pair, std::uint64_t first, std::uint64_t count) {
        MapRequest request;
        request.address = address(first);
        request.bytes = count * kPageSize;
        request.fixed = true;
        request.shared = random_() % 3 == 0;
        request.access = random_access();
        ASSERT_TRUE(pair.space->map(request));
        erase(pair.model, first, count);
        for (std::uint64_t page = first; page < first + count; ++page) {
            pair.model.pages[page] = {request.access, std::make_shared<int>(0), request.shared};
        }
    }

    void protect(Pair& pair, std::uint64_t first, std::uint64_t count) {
        const Access access = random_access();
        const auto begin = pair.model.pages.lower_bound(first);
        const auto end = pair.model.pages.lower_bound(first + count);
        const bool complete = std::distance(begin, end) == static_cast<std::ptrdiff_t>(count);
        const auto result = pair.space->protect(address(first), count * kPageSize, access);
        ASSERT_EQ(result.has_value(), complete);
        // What comes before the first hole changes in any case.
        std::uint64_t page = first;
        for (auto it = begin; it != end && it->first == page; ++it, ++page) {
            it->second.access = access;
        }
    }

    void dont_need(Pair& pair, std::uint64_t first, std::uint64_t count) {
        const auto result = pair.space->advise(address(first), count * kPageSize, Advice::DontNeed);
        ASSERT_TRUE(result || result.error() == Error::NoMemory);
        for (auto it = pair.model.pages.lower_bound(first); it != pair.model.pages.lower_bound(first + count); ++it) {
            if (!it->second.shared) {
                *it->second.value = 0;
            }
        }
    }

    // Moves pages to a place that does not overlap.
    void remap(Pair& pair, std::uint64_t first, std::uint64_t count) {
        const std::uint64_t target = random_() % (kPages - count);
        if ((target < first + count && first < target + count) || first + count > kPages) {
            return;
        }
        const auto result = pair.space->remap(address(first), count * kPageSize, count * kPageSize,
                                              {.may_move = true, .fixed = address(target)});
        if (!result) {
            ASSERT_EQ(result.error(), Error::BadAddress);
            return;
        }
        erase(pair.model, target, count);
        for (std::uint64_t i = 0; i < count; ++i) {
            auto node = pair.model.pages.extract(first + i);
            ASSERT_TRUE(node);
            const auto before = *node.mapped().value;
            node.key() = target + i;
            // The interesting byte is elsewhere in the page now: give it the value there.
            pair.model.pages.insert(std::move(node));
            rewrite(pair, target + i, before);
        }
    }

    void rewrite(Pair& pair, std::uint64_t page, int) {
        Model::Page& entry = pair.model.pages.at(page);
        if (!entry.shared) {
            ASSERT_TRUE(pair.space->copy_out_forced(byte_of(page), std::array{std::byte{0}}));
            *entry.value = 0;
            return;
        }
        // Other spaces look for it at another offset: forget shared pages that moved.
        ASSERT_TRUE(pair.space->unmap(address(page), kPageSize));
        pair.model.pages.erase(page);
    }

    void fork(Pair& pair) {
        if (pairs_.size() < 6) {
            Pair child{MUST(pair.space->fork()), pair.model.copy()};
            pairs_.push_back(std::move(child));
        } else {
            std::swap(pairs_[random_() % pairs_.size()], pairs_.back());
            pairs_.pop_back();
        }
    }

    void write(Pair& pair, std::uint64_t page) {
        const auto found = pair.model.pages.find(page);
        const int value = static_cast<int>(random_() % 256);
        const auto result = user_write(*pair.space, byte_of(page), static_cast<std::byte>(value));
        if (found == pair.model.pages.end()) {
            ASSERT_EQ(result.error(), Error::BadAddress);
        } else if (found->second.access != kReadWrite) {
            ASSERT_EQ(result.error(), Error::AccessDenied);
        } else {
            ASSERT_TRUE(result);
            *found->second.value = value;
        }
    }

    void copy_out(Pair& pair, std::uint64_t page) {
        const auto found = pair.model.pages.find(page);
        const int value = static_cast<int>(random_() % 256);
        const auto result = pair.space->copy_out(byte_of(page), std::array{static_cast<std::byte>(value)});
        ASSERT_EQ(result.has_value(), found != pair.model.pages.end() && found->second.access == kReadWrite);
        if (result) {
            *found->second.value = value;
        }
    }

    void read(Pair& pair, std::uint64_t page) {
        const auto found = pair.model.pages.find(page);
        std::array<std::byte, 1> copied{};
        const bool by_kernel = random_() % 2 == 0;
        const auto read_here = [&]() -> Result<std::byte> {
            if (!by_kernel) {
                return user_read(*pair.space, byte_of(page));
            }
            TRY(pair.space->copy_in(copied, byte_of(page)));
            return copied[0];
        };
        const auto result = read_here();
        if (found == pair.model.pages.end()) {
            ASSERT_EQ(result.error(), Error::BadAddress);
        } else if (found->second.access == Access::None) {
            ASSERT_EQ(result.error(), by_kernel ? Error::BadAddress : Error::AccessDenied);
        } else {
            ASSERT_TRUE(result.has_value());
            ASSERT_EQ(static_cast<int>(*result), *found->second.value) << "page " << page;
        }
    }

    std::mt19937_64 random_;
    std::vector<Pair> pairs_;
};

TEST_F(SpaceStress, BehavesAsTheModel) {
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
        SCOPED_TRACE(seed);
        ModelTest test(seed);
        for (int i = 0; i < 1500; ++i) {
            test.step();
            if (HasFatalFailure()) {
                return;
            }
        }
        test.check_all();
    }
}

// Every operation in a row, for the tests that let something fail in it. What was reached must stay usable.
Result<> use_everything() {
    auto space = TRY(AddressSpace::create());
    MapRequest request;
    request.bytes = 40 * kPageSize;
    request.access = kReadWrite;
    const VirtAddr start = TRY(space->map(request));
    TRY(space->handle_fault(start + 5 * kPageSize, Access::Write));
    // Copying calls every page that it cannot reach a bad address, for want of memory too.
    if (!space->copy_out(start + 20 * kPageSize, as_bytes("text"))) {
        return Error::NoMemory;
    }
    request.shared = true;
    const VirtAddr shared = TRY(space->map(request));
    TRY(space->handle_fault(shared, Access::Write));
    TRY(space->protect(start + 10 * kPageSize, 15 * kPageSize, Access::Read));
    auto child = TRY(space->fork());
    TRY(child->handle_fault(start + 5 * kPageSize, Access::Write));
    TRY(space->unmap(start + 6 * kPageSize, kPageSize));
    const VirtAddr moved =
        TRY(child->remap(start + 10 * kPageSize, 15 * kPageSize, 30 * kPageSize, {.may_move = true}));
    TRY(child->advise(moved, 12 * kPageSize, Advice::DontNeed));
    auto grandchild = TRY(child->fork());
    TRY(grandchild->unmap(start, 40 * kPageSize));
    TRY(grandchild->handle_fault(shared, Access::Read));
    space->initialize_break(VirtAddr{0x5000'0000});
    if (space->set_break(VirtAddr{0x5000'0000 + 50 * kPageSize}).value == 0x5000'0000) {
        return Error::NoMemory;
    }
    TRY(space->handle_fault(VirtAddr{0x5000'0000 + 20 * kPageSize}, Access::Write));
    auto file = TRY(AnonymousObject::create(10 * kPageSize));
    std::array<std::byte, 300> bytes{};
    TRY(file->write(3 * kPageSize - 100, bytes));
    TRY(file->read(0, bytes));
    file->resize(kPageSize);
    std::array<std::byte, 4> text{};
    TRY(space->copy_in(text, start + 20 * kPageSize));
    return as_text(text) == "text" ? Result<>() : Error::Io;
}

TEST_F(SpaceStress, SurvivesEveryAllocationFailure) {
    ASSERT_TRUE(use_everything());
    test_support::for_each_allocation_failure(use_everything);
}

TEST_F(SpaceStress, SurvivesEveryPageMapFailure) {
    for (std::uint64_t number = 1; number < 100; ++number) {
        test_support::fail_page_map(number);
        const auto result = use_everything();
        if (result) {
            test_support::fail_page_map(0);
            return;
        }
        EXPECT_EQ(result.error(), Error::NoMemory);
    }
    FAIL() << "does not end";
}

TEST_F(SpaceStress, SurvivesRunningOutOfFramesAnywhere) {
    for (std::uint64_t frames = 0; frames < 400; ++frames) {
        const auto used = test_support::used_frames();
        Result<> result;
        {
            const test_support::FramesLeft left(frames);
            result = use_everything();
        }
        ASSERT_EQ(test_support::used_frames(), used);
        if (result) {
            return;
        }
        // copy_out and its like cannot tell why a page is out of reach.
        EXPECT_TRUE(result.error() == Error::NoMemory || result.error() == Error::BadAddress);
    }
    FAIL() << "does not end";
}

// A failed operation leaves everything as it was.
TEST_F(SpaceStress, FailedOperationsChangeNothing) {
    auto space = MUST(AddressSpace::create());
    MapRequest request;
    request.bytes = 300 * kPageSize;
    request.access = kReadWrite;
    const VirtAddr start = MUST(space->map(request));
    for (std::uint64_t page = 0; page < 300; ++page) {
        ASSERT_TRUE(user_write(*space, start + page * kPageSize, static_cast<std::byte>(page & 0xff)));
    }
    auto child = MUST(space->fork());
    const auto before = space->usage();
    {
        const test_support::HeapExhausted exhausted;
        EXPECT_EQ(space->unmap(start + 10 * kPageSize, 5 * kPageSize).error(), Error::NoMemory);
        EXPECT_EQ(space->protect(start + 10 * kPageSize, 5 * kPageSize, Access::Read).error(), Error::NoMemory);
        EXPECT_EQ(space->advise(start + 10 * kPageSize, 5 * kPageSize, Advice::DontNeed).error(), Error::NoMemory);
        EXPECT_EQ(space->remap(start + 10 * kPageSize, 5 * kPageSize, 9 * kPageSize, {.may_move = true}).error(),
                  Error::NoMemory);
        EXPECT_EQ(space->fork().error(), Error::NoMemory);
        EXPECT_EQ(space->handle_fault(start, Access::Write).error(), Error::NoMemory);
    }
    EXPECT_EQ(space->usage().virtual_bytes, before.virtual_bytes);
    EXPECT_EQ(space->usage().anonymous_pages, before.anonymous_pages);
    for (std::uint64_t page = 0; page < 300; ++page) {
        ASSERT_EQ(MUST(user_read(*space, start + page * kPageSize)), static_cast<std::byte>(page & 0xff));
        ASSERT_EQ(MUST(user_read(*child, start + page * kPageSize)), static_cast<std::byte>(page & 0xff));
    }
}

TEST_F(SpaceStress, ThreadsFaultForkAndUnmapAtOnce) {
    auto parent = MUST(AddressSpace::create());
    const std::array<SpaceUser, 2> users{SpaceUser(parent), SpaceUser(parent)};  // several tasks
    constexpr std::uint64_t kPages = 128;
    MapRequest request;
    request.bytes = kPages * kPageSize;
    request.access = kReadWrite;
    const VirtAddr start = MUST(parent->map(request));
    // Each thread owns the bytes at one offset of every page; forks must see none of the later writes.
    std::atomic<bool> stop = false;
    std::vector<std::thread> threads;
    for (std::uint64_t id = 0; id < 3; ++id) {
        threads.emplace_back([&, id] {
            std::mt19937_64 random(id);
            std::array<int, kPages> mine{};
            for (int i = 0; i < 3000 && !stop; ++i) {
                const std::uint64_t page = random() % kPages;
                const VirtAddr address = start + page * kPageSize + id;
                if (random() % 2 == 0) {
                    mine[page] = static_cast<int>(random() % 256);
                    const auto value = static_cast<std::byte>(mine[page]);
                    ASSERT_TRUE(random() % 2 == 0 ? user_write(*parent, address, value)
                                                  : parent->copy_out(address, std::array{value}));
                } else {
                    ASSERT_EQ(static_cast<int>(MUST(user_read(*parent, address))), mine[page]);
                }
            }
        });
    }
    std::thread forker([&] {
        std::mt19937_64 random(99);
        while (!stop) {
            auto child = MUST(parent->fork());
            std::array<std::byte, 3> before{};
            std::array<std::byte, 3> after{};
            const std::uint64_t page = random() % kPages;
            MUST(child->copy_in(before, start + page * kPageSize));
            auto grandchild = MUST(child->fork());
            ASSERT_TRUE(user_write(*child, start + page * kPageSize, std::byte{1}));
            MUST(grandchild->copy_in(after, start + page * kPageSize));
            ASSERT_EQ(before, after);
            MUST(grandchild->unmap(start + 10 * kPageSize, 60 * kPageSize));
        }
    });
    std::thread mapper([&] {
        while (!stop) {
            MapRequest other;
            other.bytes = 70 * kPageSize;
            other.access = kReadWrite;
            other.populate = true;
            const VirtAddr address = MUST(parent->map(other));
            MUST(parent->protect(address + kPageSize, 9 * kPageSize, Access::Read));
            MUST(parent->unmap(address, 70 * kPageSize));
        }
    });
    for (std::thread& thread : threads) {
        thread.join();
    }
    stop = true;
    forker.join();
    mapper.join();
}

}  // namespace
}  // namespace kernel::mm
