// SPDX-License-Identifier: MIT OR Apache-2.0
#include "lib/string.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "lib/string_format.h"
#include "support/heap.h"

namespace kernel {
namespace {

using test_support::for_each_allocation_failure;
using test_support::HeapExhausted;

TEST(String, EmptyNeedsNoMemory) {
    const HeapExhausted none_left;
    const String empty = MUST(String::create(""));
    EXPECT_STREQ(empty.c_str(), "");
    EXPECT_TRUE(empty.empty());
    EXPECT_TRUE(empty.view().empty());
    EXPECT_EQ(MUST(empty.clone()), "");
}

TEST(String, AppendsAndAssigns) {
    String text = MUST(String::create("abc"));
    MUST(text.append("def"));
    MUST(text.append('g'));
    EXPECT_EQ(text, "abcdefg");
    EXPECT_STREQ(text.c_str(), "abcdefg");
    MUST(text.assign("xy"));
    EXPECT_EQ(text, "xy");
    MUST(text.assign("a much longer text than there was before"));
    EXPECT_EQ(text, "a much longer text than there was before");
    MUST(text.assign(""));
    EXPECT_TRUE(text.empty());
    EXPECT_STREQ(text.c_str(), "");
}

TEST(String, TakesPartsOfItself) {
    String text = MUST(String::create("0123456789"));
    for (int i = 0; i < 6; ++i) {
        MUST(text.append(text.view()));
    }
    EXPECT_EQ(text.size(), 640u);
    EXPECT_EQ(text.view().substr(630), "0123456789");
    MUST(text.assign(text.view().substr(3, 4)));
    EXPECT_EQ(text, "3456");
}

TEST(String, ResizesWithNuls) {
    String text = MUST(String::create("ab"));
    MUST(text.resize(5));
    EXPECT_EQ(text.view(), std::string_view("ab\0\0\0", 5));
    MUST(text.resize(1));
    EXPECT_EQ(text, "a");
    text.data()[0] = 'z';
    EXPECT_EQ(text, "z");
    EXPECT_EQ(text[0], 'z');
    text.clear();
    EXPECT_EQ(text, "");
    String untouched;
    MUST(untouched.resize(0));
    EXPECT_EQ(untouched, "");
}

TEST(String, Moves) {
    String first = MUST(String::create("one"));
    String second = std::move(first);
    EXPECT_EQ(first, "");
    EXPECT_EQ(second, "one");
    first = std::move(second);
    EXPECT_EQ(first, "one");
    EXPECT_EQ(first, MUST(first.clone()));
    EXPECT_EQ(String().reserve(SIZE_MAX).error(), Error::NoMemory);
}

TEST(String, EveryFailureLeavesItIntact) {
    for_each_allocation_failure([]() -> Result<> {
        String text = TRY(String::create("start"));
        std::string model = "start";
        for (int i = 0; i < 30; ++i) {
            const auto appended = text.append("0123456789");
            if (appended) {
                model += "0123456789";
            }
            EXPECT_EQ(text.view(), model);
            TRY(appended);
        }
        TRY(text.clone());
        return text.assign(std::string(1000, 'x'));
    });
}

TEST(StringFormat, GrowsAsNeeded) {
    for_each_allocation_failure([]() -> Result<> {
        String text;
        TRY(append_format(text, "{} and {}", 1, "two"));
        EXPECT_EQ(text, "1 and two");
        const std::string expected = text.c_str() + std::string(500, ' ') + "x|";
        const auto appended = append_format(text, "{:>501}|", 'x');
        EXPECT_EQ(text.view(), appended ? expected : "1 and two");
        TRY(appended);
        EXPECT_EQ(std::strlen(text.c_str()), text.size());
        return append_format(text, "end");
    });
}

TEST(FixedString, IsBounded) {
    using Name = FixedString<5>;
    Name name = MUST(Name::create("abcde"));
    EXPECT_EQ(name, "abcde");
    EXPECT_STREQ(name.c_str(), "abcde");
    EXPECT_EQ(name.append("f").error(), Error::NameTooLong);
    EXPECT_EQ(name.size(), 5u);
    EXPECT_EQ(Name::create("abcdef").error(), Error::NameTooLong);
    EXPECT_EQ(Name::truncated("abcdefgh"), "abcde");
    name.clear();
    EXPECT_TRUE(name.empty());
    MUST(name.append("x"));
    EXPECT_EQ(name, MUST(Name::create("x")));
    constexpr Name kConstant = Name::truncated("k");
    static_assert(kConstant.view() == "k");
}

}  // namespace
}  // namespace kernel
