// SPDX-License-Identifier: MIT OR Apache-2.0
#include "lib/result.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "lib/own.h"
#include "lib/scope_guard.h"

namespace kernel {
namespace {

Result<int> positive(int value) {
    if (value < 0) {
        return Error::InvalidArgument;
    }
    if (value == 0) {
        return std::unexpected(Error::OutOfRange);
    }
    return value;
}

Result<> check(int value) {
    TRY(positive(value));
    return {};
}

Result<unsigned long> nested(int value) {
    return static_cast<unsigned long>(TRY(positive(TRY(positive(value)) - 1))) + 40;
}

std::expected<int, Error> plain(int value) {
    return TRY(positive(value));
}

TEST(Result, CarriesValueOrError) {
    EXPECT_EQ(positive(3).value(), 3);
    EXPECT_EQ(positive(-1).error(), Error::InvalidArgument);
    EXPECT_EQ(positive(0).error(), Error::OutOfRange);
    EXPECT_TRUE(check(1));
    EXPECT_EQ(check(-1).error(), Error::InvalidArgument);
    EXPECT_EQ(positive(-1).value_or(7), 7);
}

TEST(Result, TryPropagates) {
    EXPECT_EQ(nested(3).value(), 42u);
    EXPECT_EQ(nested(1).error(), Error::OutOfRange);
    EXPECT_EQ(nested(-5).error(), Error::InvalidArgument);
    EXPECT_EQ(plain(5), 5);
    EXPECT_EQ(plain(-5).error(), Error::InvalidArgument);
}

TEST(Result, TryMovesTheValueOut) {
    const auto make = [] { return make_own<int>(5); };
    const auto use = [&]() -> Result<int> {
        OwnPtr<int> number = TRY(make());
        return *number;
    };
    EXPECT_EQ(use().value(), 5);
}

TEST(Result, WorksInLambdasWithAReturnType) {
    const auto twice = [](int value) -> Result<int> { return 2 * TRY(positive(value)); };
    EXPECT_EQ(twice(4).value(), 8);
    EXPECT_EQ(twice(0).error(), Error::OutOfRange);
}

TEST(Result, MustGivesTheValue) {
    EXPECT_EQ(MUST(positive(9)), 9);
    MUST(check(1));
}

TEST(ResultDeathTest, MustPanicsOnAnError) {
    EXPECT_DEATH(MUST(positive(-1)), "assertion failed: positive\\(-1\\) at .*result_test.cc");
}

TEST(ResultDeathTest, ValueOfAnErrorPanics) {
    EXPECT_DEATH(static_cast<void>(positive(-1).value()), "assertion failed: this->has_value");
    EXPECT_DEATH(check(-1).value(), "assertion failed: this->has_value");
}

TEST(ResultDeathTest, AssertSaysWhatAndWhere) {
    const int one = 1;
    EXPECT_DEATH(KASSERT(one == 2), "panic: assertion failed: one == 2 at .*result_test.cc:[0-9]+");
}

TEST(Error, NamesAndTexts) {
    EXPECT_EQ(error_name(Error::NotFound), "NotFound");
    EXPECT_EQ(error_name(Error::Killed), "Killed");
    EXPECT_EQ(kErrorCount, static_cast<unsigned>(Error::Killed) + 1);
    EXPECT_EQ(error_name(static_cast<Error>(255)), "?");
    EXPECT_EQ(error_text(static_cast<Error>(255)), "?");
}

// The texts are those of the C library, in the order of the numbers; 41 and 58 were never given.
TEST(Error, TextsAreThoseOfStrerror) {
    std::size_t index = 0;
    for (int number = 1; number <= 133; ++number) {
        if (number == 41 || number == 58) {
            continue;
        }
        const std::string expected = std::strerror(number);
        const bool found = [&] {
            for (unsigned i = 0; i < kErrorCount; ++i) {
                if (error_text(static_cast<Error>(i)) == expected) {
                    return true;
                }
            }
            return false;
        }();
        EXPECT_TRUE(found) << number << " " << expected;
        ++index;
    }
    // And five that no program sees.
    EXPECT_EQ(index + 5, kErrorCount);
}

TEST(ScopeGuard, RunsUnlessDismissed) {
    int runs = 0;
    {
        const ScopeGuard guard([&runs] { ++runs; });
    }
    EXPECT_EQ(runs, 1);
    {
        ScopeGuard guard([&runs] { ++runs; });
        guard.dismiss();
    }
    EXPECT_EQ(runs, 1);
}

}  // namespace
}  // namespace kernel
