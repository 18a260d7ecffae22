// SPDX-License-Identifier: MIT OR Apache-2.0
#include "lib/format.h"

#include <gtest/gtest.h>

#include <climits>
#include <cstdint>
#include <random>
#include <string>

#include "lib/log.h"
#include "lib/string.h"
#include "support/log.h"

namespace kernel {
namespace {

struct Point {
    int x;
    int y;
};
void format_value(FormatBuffer& out, const Point& point) {
    format_to(out, "({}, {})", point.x, point.y);
}

enum class Color : std::uint8_t { Red };
void format_value(FormatBuffer& out, Color) {
    out.put("red");
}

template <class... Args>
std::string formatted(FormatString<Args...> format, const Args&... args) {
    InlineFormatBuffer<256> buffer;
    format_to(buffer, format, args...);
    EXPECT_FALSE(buffer.truncated());
    EXPECT_EQ(std::string(buffer.c_str()).size(), buffer.view().size());
    return std::string(buffer.view());
}

TEST(Format, PlainTextAndBraces) {
    EXPECT_EQ(formatted("plain"), "plain");
    EXPECT_EQ(formatted(""), "");
    EXPECT_EQ(formatted("{{}} {} }}{{", 1), "{} 1 }{");
}

TEST(Format, Integers) {
    EXPECT_EQ(formatted("{} {} {}", 0, -1, 42u), "0 -1 42");
    EXPECT_EQ(formatted("{} {}", INT64_MIN, UINT64_MAX), "-9223372036854775808 18446744073709551615");
    EXPECT_EQ(formatted("{:x} {:X} {:o} {:b} {:d}", 255, 255, 8, 5, 7), "ff FF 10 101 7");
    EXPECT_EQ(formatted("{:#x} {:#X} {:#o} {:#b}", 255, 255, 8, 5), "0xff 0XFF 010 0b101");
    EXPECT_EQ(formatted("{:x}", -255), "-ff");
    EXPECT_EQ(formatted("{:x}", INT64_MIN), "-8000000000000000");
    EXPECT_EQ(formatted("{} {}", static_cast<std::uint8_t>(200), static_cast<signed char>(-3)), "200 -3");
    EXPECT_EQ(formatted("{:c}", 65), "A");
}

TEST(Format, WidthAndAlignment) {
    EXPECT_EQ(formatted("[{:5}] [{:<5}] [{:^5}] [{:>5}]", 42, 42, 42, 42), "[   42] [42   ] [ 42  ] [   42]");
    EXPECT_EQ(formatted("[{:5}] [{:>5}] [{:*^6}]", "ab", "ab", "ab"), "[ab   ] [   ab] [**ab**]");
    EXPECT_EQ(formatted("{:08x} {:#010x} {:05}", 0xbeef, 0xbeef, -42), "0000beef 0x0000beef -0042");
    EXPECT_EQ(formatted("{:2}", 12345), "12345");
    EXPECT_EQ(formatted("{:-<4}{:}>3}", 1, 2), "1---}}2");
    EXPECT_EQ(formatted("{:<05}|", 7), "7    |");
}

TEST(Format, OtherTypes) {
    EXPECT_EQ(formatted("{} {} {:d}", true, false, true), "true false 1");
    EXPECT_EQ(formatted("{} {:x} {:3}|", 'a', 'a', 'b'), "a 61 b  |");
    EXPECT_EQ(formatted("{:x}", static_cast<char>(0xff)), "ff");
    const char* none = nullptr;
    char array[] = "array";
    EXPECT_EQ(formatted("{} {} {} {}", "literal", std::string_view("view"), none, array), "literal view (null) array");
    const String owned = MUST(String::create("owned"));
    EXPECT_EQ(formatted("{} {}", owned, FixedString<4>::truncated("fixed")), "owned fixe");
    // SAFETY: an address that is printed only.
    int* const pointer = reinterpret_cast<int*>(0x1234);
    EXPECT_EQ(formatted("{} {:p} {}", pointer, static_cast<const void*>(pointer), nullptr), "0x1234 0x1234 0x0");
    EXPECT_EQ(formatted("{:>8}", pointer), "  0x1234");
}

TEST(Format, OwnTypes) {
    EXPECT_EQ(formatted("{} {}", Point{1, -2}, Color::Red), "(1, -2) red");
    EXPECT_EQ(formatted("[{:>10}] [{:<8}] [{:.^9}]", Point{1, 2}, Point{3, 4}, Color::Red),
              "[    (1, 2)] [(3, 4)  ] [...red...]");
    EXPECT_EQ(formatted("{} {} {} {}", Error::NoMemory, VirtAddr{0xfff0}, FrameNumber{16}, UserPtr<int>{VirtAddr{1}}),
              "NoMemory 0xfff0 frame 0x10 0x1");
}

TEST(Format, MatchesPrintf) {
    std::mt19937_64 random(2);
    for (int i = 0; i < 2000; ++i) {
        const std::uint64_t value = random() >> (random() % 64);
        char expected[128];
        std::snprintf(expected, sizeof expected, "%lx|%20lu|%-20ld|%020lo", value, value, static_cast<long>(value),
                      value);
        EXPECT_EQ(formatted("{:x}|{:20}|{:<20}|{:020o}", value, value, static_cast<std::int64_t>(value), value),
                  expected);
    }
}

TEST(FormatBuffer, CutsButCounts) {
    InlineFormatBuffer<8> buffer;
    format_to(buffer, "{}{}", "12345", "6789");
    EXPECT_EQ(buffer.view(), "1234567");
    EXPECT_STREQ(buffer.c_str(), "1234567");
    EXPECT_TRUE(buffer.truncated());
    EXPECT_EQ(buffer.wanted_size(), 9u);
    buffer.put('x');
    EXPECT_EQ(buffer.wanted_size(), 10u);
    buffer.clear();
    EXPECT_EQ(buffer.view(), "");
    format_to(buffer, "{:>4}", 1);
    EXPECT_EQ(buffer.view(), "   1");
}

// Every capacity gives a prefix of the whole.
TEST(FormatBuffer, PaddingIsCutCorrectly) {
    const auto print = [](FormatBuffer& out) { format_to(out, "ab{:*^9}cd{:>6}|{:06x}", Point{1, 2}, "xy", 0xabc); };
    InlineFormatBuffer<100> whole;
    print(whole);
    EXPECT_EQ(whole.view(), "ab*(1, 2)**cd    xy|000abc");
    for (std::size_t capacity = 0; capacity < 40; ++capacity) {
        std::string storage(capacity, '#');
        FormatBuffer part(std::span(storage.data(), capacity));
        print(part);
        EXPECT_EQ(part.wanted_size(), whole.view().size());
        EXPECT_EQ(part.view(), whole.view().substr(0, capacity == 0 ? 0 : capacity - 1));
        EXPECT_EQ(std::string_view(part.c_str()), part.view());
    }
}

// What the compiler must refuse, asked of the function that it runs.
TEST(Format, StringsAreChecked) {
    using enum FormatKind;
    const auto accepts = [](std::string_view text, std::initializer_list<FormatKind> kinds) {
        return detail::check_format(text, std::span(kinds.begin(), kinds.size())) == nullptr;
    };
    EXPECT_TRUE(accepts("{} {:>8} {:#06x}", {Text, Signed, Unsigned}));
    EXPECT_FALSE(accepts("{}", {}));
    EXPECT_FALSE(accepts("", {Signed}));
    EXPECT_FALSE(accepts("{", {Signed}));
    EXPECT_FALSE(accepts("}", {}));
    EXPECT_FALSE(accepts("{0}", {Signed}));
    EXPECT_FALSE(accepts("{:", {Signed}));
    EXPECT_FALSE(accepts("{:x", {Signed}));
    EXPECT_FALSE(accepts("{:xx}", {Signed}));
    EXPECT_FALSE(accepts("{:y}", {Signed}));
    EXPECT_FALSE(accepts("{:9999}", {Signed}));
    EXPECT_FALSE(accepts("{:x}", {Text}));
    EXPECT_FALSE(accepts("{:s}", {Signed}));
    EXPECT_FALSE(accepts("{:05}", {Text}));
    EXPECT_FALSE(accepts("{:x}", {Custom}));
    EXPECT_FALSE(accepts("{:x}", {Pointer}));
    EXPECT_FALSE(accepts("{:.3}", {Signed}));
}

static_assert(detail::check_format("{:x}", std::array{FormatKind::Signed}) == nullptr);
static_assert(detail::check_format("{:x}", std::array{FormatKind::Bool}) != nullptr);
static_assert(HasFormatValue<Point>);
struct Mute {};
static_assert(!HasFormatValue<Mute>);

TEST(Log, WritesWholeLines) {
    test_support::take_log();
    log_info("started {}", 1);
    log_warn("odd");
    log_error("bad {}", Error::Io);
    EXPECT_EQ(test_support::take_log(), "started 1\nkpio: warning: odd\nkpio: bad Io\n");
    log_info("{:>1000}", 1);
    const std::string cut = test_support::take_log();
    EXPECT_EQ(cut.back(), '\n');
    EXPECT_LE(cut.size(), kLogLineBytes);
}

}  // namespace
}  // namespace kernel
