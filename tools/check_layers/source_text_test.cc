// SPDX-License-Identifier: MIT OR Apache-2.0
#include "check_layers/source_text.h"

#include <gtest/gtest.h>

namespace check_layers {
namespace {

TEST(SourceText, SeparatesCodeAndComments) {
    const auto lines = split_source("int a; // one\n/* two\n three */ int b;\n");
    ASSERT_EQ(lines.size(), 3U);
    EXPECT_EQ(lines[0].code, "int a; ");
    EXPECT_EQ(lines[0].comment, " one");
    EXPECT_FALSE(lines[1].has_code());
    EXPECT_EQ(lines[2].comment, " three ");
    EXPECT_EQ(lines[2].code, " int b;");
}

TEST(SourceText, DropsLiterals) {
    const auto lines = split_source("f(\"asm // \\\" x\", '\"', 'a'); // c\n");
    ASSERT_EQ(lines.size(), 1U);
    EXPECT_EQ(lines[0].code, "f(\"\", '', ''); ");
    EXPECT_EQ(lines[0].comment, " c");
}

TEST(SourceText, KeepsIncludePaths) {
    const auto lines = split_source("#include \"lib/a.h\"  // why\n#  include <span>\n");
    ASSERT_EQ(lines.size(), 2U);
    EXPECT_EQ(lines[0].code, "#include \"lib/a.h\"  ");
    EXPECT_EQ(lines[1].code, "#  include <span>");
}

TEST(SourceText, UnderstandsDigitSeparators) {
    const auto lines = split_source("x = 1'000'000; asm(\"\");\n");
    EXPECT_EQ(lines[0].code, "x = 1'000'000; asm(\"\");");
}

TEST(SourceText, UnderstandsRawStrings) {
    const auto lines = split_source("a = R\"x(asm \" )\" \n // no )x\"; int b;\n");
    ASSERT_EQ(lines.size(), 2U);
    EXPECT_EQ(lines[0].code, "a = R\"");
    EXPECT_EQ(lines[1].code, "\"; int b;");
    EXPECT_TRUE(lines[1].comment.empty());
}

TEST(SourceText, SurvivesUnfinishedText) {
    for (const char* text : {"", "\"", "'", "/*", "//", "R\"", "R\"(", "#include \"", "\"\\", "/* *"}) {
        EXPECT_LE(split_source(text).size(), 1U) << text;
    }
}

TEST(SourceText, FindsIdentifiers) {
    const auto words = identifiers("a+_b1(3u, 0x4f)");
    ASSERT_EQ(words.size(), 2U);
    EXPECT_EQ(words[0], "a");
    EXPECT_EQ(words[1], "_b1");
}

}  // namespace
}  // namespace check_layers
