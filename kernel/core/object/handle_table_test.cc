// SPDX-License-Identifier: MIT OR Apache-2.0
#include "core/object/handle_table.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "support/heap.h"

namespace kernel::object {
namespace {

class Thing final : public Object {
public:
    ObjectType type() const override { return ObjectType::Other; }
    ~Thing() override { --alive; }
    static inline std::atomic<int> alive = 0;

    Thing() { ++alive; }
};

RefPtr<Object> thing() {
    return MUST(make_ref<Thing>());
}

TEST(HandleTable, GivesTheLowestFreeHandle) {
    auto table = MUST(HandleTable::create());
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(MUST(table->insert(thing(), Rights::All)), i);
    }
    EXPECT_TRUE(table->remove(3));
    EXPECT_TRUE(table->remove(1));
    EXPECT_EQ(MUST(table->insert(thing(), Rights::All, HandleFlags::None, 2)), 3);
    EXPECT_EQ(MUST(table->insert(thing(), Rights::All)), 1);
    EXPECT_EQ(MUST(table->insert(thing(), Rights::All, HandleFlags::None, 10)), 10);
    EXPECT_EQ(MUST(table->insert(thing(), Rights::All)), 5);
    EXPECT_EQ(table->count(), 7U);
    EXPECT_EQ(table->next(6), 10);
    EXPECT_EQ(table->next(11), std::nullopt);
}

TEST(HandleTable, ChecksHandlesAndRights) {
    auto table = MUST(HandleTable::create(4));
    EXPECT_EQ(table->get(0).error(), Error::BadHandle);
    EXPECT_EQ(table->get(-1).error(), Error::BadHandle);
    const int handle = MUST(table->insert(thing(), Rights::Read | Rights::Wait));
    EXPECT_TRUE(table->get(handle, Rights::Read));
    EXPECT_EQ(table->get(handle, Rights::Write).error(), Error::AccessDenied);
    EXPECT_EQ(table->insert(thing(), Rights::All, HandleFlags::None, 4).error(), Error::InvalidArgument);
    EXPECT_EQ(table->insert(thing(), Rights::All, HandleFlags::None, -1).error(), Error::InvalidArgument);
    for (int i = 0; i < 3; ++i) {
        EXPECT_TRUE(table->insert(thing(), Rights::All));
    }
    EXPECT_EQ(table->insert(thing(), Rights::All).error(), Error::TooManyHandles);
    EXPECT_EQ(table->replace(4, thing(), Rights::All).error(), Error::BadHandle);
    EXPECT_EQ(table->remove(9).error(), Error::BadHandle);
}

TEST(HandleTable, ReplaceReturnsWhatWasThere) {
    auto table = MUST(HandleTable::create());
    EXPECT_EQ(MUST(table->replace(7, thing(), Rights::All)), nullptr);
    const auto before = table->generation();
    EXPECT_NE(MUST(table->replace(7, thing(), Rights::Read, HandleFlags::CloseOnExec)), nullptr);
    EXPECT_NE(table->generation(), before);
    EXPECT_EQ(MUST(table->flags(7)), HandleFlags::CloseOnExec);
    EXPECT_EQ(Thing::alive, 1);
}

TEST(HandleTable, ReservedHandlesAreNotSeen) {
    auto table = MUST(HandleTable::create());
    const int reserved = MUST(table->reserve());
    EXPECT_EQ(reserved, 0);
    EXPECT_EQ(table->get(reserved).error(), Error::BadHandle);
    EXPECT_EQ(table->replace(reserved, thing(), Rights::All).error(), Error::Busy);
    EXPECT_EQ(MUST(table->insert(thing(), Rights::All)), 1);
    table->cancel(reserved);
    EXPECT_EQ(MUST(table->reserve()), 0);
    table->install(0, thing(), Rights::All);
    EXPECT_TRUE(table->get(0));
}

TEST(HandleTable, CloneAndCloseOnExec) {
    {
        auto table = MUST(HandleTable::create());
        for (int i = 0; i < 6; ++i) {
            MUST(table->insert(thing(), Rights::All, i % 2 != 0 ? HandleFlags::CloseOnExec : HandleFlags::None));
        }
        auto copy = MUST(table->clone());
        copy->close_on_exec();
        EXPECT_EQ(copy->count(), 3U);
        EXPECT_EQ(table->count(), 6U);
        EXPECT_EQ(MUST(copy->insert(thing(), Rights::All)), 1);
        EXPECT_EQ(MUST(table->clone_below(2))->count(), 2U);
        table->close_all();
        EXPECT_EQ(table->count(), 0U);
        EXPECT_EQ(Thing::alive, 4);
    }
    EXPECT_EQ(Thing::alive, 0);
}

TEST(HandleTable, SurvivesEveryAllocationFailure) {
    test_support::for_each_allocation_failure([]() -> Result<> {
        auto table = TRY(HandleTable::create());
        for (int i = 0; i < 40; ++i) {
            RefPtr<Object> object = TRY(make_ref<Thing>());
            TRY(table->insert(std::move(object), Rights::All));
        }
        RefPtr<Object> other = TRY(make_ref<Thing>());
        const auto displaced = TRY(table->replace(200, std::move(other), Rights::All));
        const auto copy = TRY(table->clone());
        return {};
    });
    EXPECT_EQ(Thing::alive, 0);
}

TEST(HandleTable, ManyThreads) {
    auto table = MUST(HandleTable::create());
    const auto work = [&] {
        for (int i = 0; i < 500; ++i) {
            const int handle = MUST(table->insert(thing(), Rights::All));
            EXPECT_TRUE(table->get(handle));
            EXPECT_TRUE(table->remove(handle));
        }
    };
    std::thread other(work);
    work();
    other.join();
    EXPECT_EQ(table->count(), 0U);
}

}  // namespace
}  // namespace kernel::object
