// SPDX-License-Identifier: MIT OR Apache-2.0
#include "lib/ref.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "lib/own.h"
#include "support/heap.h"

namespace kernel {
namespace {

using test_support::for_each_allocation_failure;
using test_support::live_heap_blocks;

int alive = 0;

class Animal : public RefCounted {
public:
    explicit Animal(int legs = 4) : legs_(legs) { ++alive; }
    ~Animal() override { --alive; }
    int legs() const { return legs_; }

private:
    int legs_;
};

struct Named {
    virtual ~Named() = default;
    int name_length = 3;
};

// Larger, over-aligned, and with RefCounted not at its beginning.
class alignas(64) Bird final : public Named, public Animal {
public:
    Bird() : Animal(2) {}
    std::byte feathers[100]{};
};

class Private : public RefCounted {
public:
    static Result<RefPtr<Private>> create(int value) { return make_ref<Private>(value); }
    int value() const { return value_; }

private:
    friend class kernel::ObjectMaker;
    explicit Private(int value) : value_(value) {}
    int value_;
};

TEST(RefPtr, LastReferenceDestroysAndFrees) {
    const std::size_t before = live_heap_blocks();
    {
        RefPtr<Animal> first = MUST(make_ref<Animal>(3));
        EXPECT_EQ(first->reference_count(), 1u);
        RefPtr<Animal> second = first;
        EXPECT_EQ(first->reference_count(), 2u);
        EXPECT_EQ(first, second);
        first.reset();
        EXPECT_FALSE(first);
        EXPECT_EQ(first, nullptr);
        EXPECT_EQ(alive, 1);
        EXPECT_EQ(second->legs(), 3);
    }
    EXPECT_EQ(alive, 0);
    EXPECT_EQ(live_heap_blocks(), before);
}

// The heap of the tests checks the size and alignment of what is freed.
TEST(RefPtr, BaseFreesTheCompleteObject) {
    const std::size_t before = live_heap_blocks();
    {
        RefPtr<Bird> bird = MUST(make_ref<Bird>());
        RefPtr<Animal> animal = bird;
        EXPECT_EQ(bird->reference_count(), 2u);
        EXPECT_EQ(static_ref_cast<Bird>(animal), bird);
        EXPECT_EQ(bird->reference_count(), 2u);
        bird = nullptr;
        RefPtr<Animal> moved = std::move(animal);
        EXPECT_EQ(moved->reference_count(), 1u);
        EXPECT_EQ(moved->legs(), 2);
    }
    EXPECT_EQ(alive, 0);
    EXPECT_EQ(live_heap_blocks(), before);
}

TEST(RefPtr, ReferenceFromTheObjectItself) {
    RefPtr<Animal> animal = MUST(make_ref<Animal>());
    RefPtr<Animal> again(*animal);
    EXPECT_EQ(animal->reference_count(), 2u);
    Animal* raw = again.release();
    EXPECT_EQ(animal->reference_count(), 2u);
    again = RefPtr<Animal>::adopt(*raw);
    again = again.get() == raw ? again : nullptr;  // self-assignment keeps it
    EXPECT_EQ(animal->reference_count(), 2u);
    again.swap(animal);
    const RefPtr<const Animal> constant = animal;
    EXPECT_EQ(constant->legs(), 4);
}

TEST(RefPtr, CreateMayBeTheOnlyWay) {
    EXPECT_EQ(MUST(Private::create(8))->value(), 8);
}

TEST(RefPtr, OutOfMemoryIsAnError) {
    for_each_allocation_failure([]() -> Result<> {
        const RefPtr<Bird> bird = TRY(make_ref<Bird>());
        return bird->legs() == 2 ? Result<>() : Error::Io;
    });
}

class Resurrected : public RefCounted {
public:
    bool dropped = false;

protected:
    void last_reference_dropped() override { dropped = true; }
};

TEST(RefCounted, TryAddFailsOnceTheCountIsZero) {
    Resurrected object;
    EXPECT_TRUE(object.try_add_reference());
    object.drop_reference();
    EXPECT_FALSE(object.dropped);
    object.drop_reference();
    EXPECT_TRUE(object.dropped);
    EXPECT_FALSE(object.try_add_reference());
}

TEST(RefCountedDeathTest, CountingADeadObjectPanics) {
    Resurrected object;
    object.drop_reference();
    EXPECT_DEATH(object.add_reference(), "assertion failed");
    EXPECT_DEATH(object.drop_reference(), "assertion failed");
}

TEST(RefPtrDeathTest, NullIsNotDereferenced) {
    const RefPtr<Animal> none;
    EXPECT_DEATH(static_cast<void>(none->legs()), "assertion failed");
}

TEST(RefPtr, CountsAcrossThreads) {
    RefPtr<Animal> shared = MUST(make_ref<Animal>());
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 4; ++i) {
            threads.emplace_back([shared] {
                for (int round = 0; round < 10'000; ++round) {
                    const RefPtr<Animal> copy = shared;
                    EXPECT_TRUE(copy->try_add_reference());
                    copy->drop_reference();
                }
            });
        }
    }
    EXPECT_EQ(shared->reference_count(), 1u);
}

struct Shape {
    int corners = 0;
};
struct Square : Named, Shape {
    Square() {
        corners = 4;
        ++alive;
    }
    ~Square() override { --alive; }
    std::byte body[50]{};
};

TEST(OwnPtr, DisposesOfTheCompleteObjectThroughAnyBase) {
    const std::size_t before = live_heap_blocks();
    {
        OwnPtr<Shape> shape = MUST(make_own<Square>());  // no virtual destructor, not the first base
        EXPECT_EQ(shape->corners, 4);
        OwnPtr<Shape> other = std::move(shape);
        EXPECT_EQ(shape, nullptr);
        EXPECT_EQ(alive, 1);
        other = nullptr;
        EXPECT_EQ(alive, 0);
    }
    EXPECT_EQ(live_heap_blocks(), before);
}

TEST(OwnPtr, GoesThroughRawPointersAndBack) {
    const std::size_t before = live_heap_blocks();
    {
        OwnPtr<Square> square = MUST(make_own<Square>());
        Square* raw = square.release();
        EXPECT_FALSE(square);
        square = OwnPtr<Square>::adopt(raw);
        EXPECT_EQ(square.get(), raw);
    }
    EXPECT_EQ(alive, 0);
    EXPECT_EQ(live_heap_blocks(), before);
}

TEST(OwnPtr, HoldsAggregates) {
    struct Point {
        int x;
        int y;
    };
    const OwnPtr<Point> point = MUST(make_own<Point>(1, 2));
    EXPECT_EQ((*point).y, 2);
    const OwnPtr<const Point> constant = MUST(make_own<Point>(3, 4));
    EXPECT_EQ(constant->x, 3);
}

TEST(OwnPtr, OutOfMemoryIsAnError) {
    for_each_allocation_failure([]() -> Result<> {
        const OwnPtr<Square> square = TRY(make_own<Square>());
        return {};
    });
    EXPECT_EQ(alive, 0);
}

TEST(OwnPtrDeathTest, ReleaseThroughABasePanics) {
    OwnPtr<Shape> shape = MUST(make_own<Square>());
    EXPECT_DEATH(static_cast<void>(shape.release()), "assertion failed");
}

}  // namespace
}  // namespace kernel
