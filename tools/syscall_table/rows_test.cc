// SPDX-License-Identifier: MIT OR Apache-2.0
#include "syscall_table/rows.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace syscall_table {
namespace {

TEST(SyscallTable, NumbersAscendWithoutRepetition) {
    const std::vector<Row> all = rows();
    EXPECT_GT(all.size(), 350u);
    EXPECT_EQ(std::ranges::adjacent_find(all, std::ranges::greater_equal(), &Row::number), all.end());
}

TEST(SyscallTable, PartialRowsSayWhatLacksAndNoCallHasMoreThanSixArguments) {
    for (const Row& row : rows()) {
        if (row.status == Status::Partial) {
            EXPECT_FALSE(row.note.empty()) << row.name;
        }
        EXPECT_LE(row.arguments.size(), 6u) << row.name;
    }
}

TEST(SyscallTable, PageNamesMissingCallsOnce) {
    const std::string page = markdown({{0, "read", Status::Full, "", {}},
                                       {1, "odd", Status::Partial, "half", {}},
                                       {2, "gone", Status::Missing, "", {}}});
    EXPECT_NE(page.find("1 full, 1 partial, 1 missing"), std::string::npos);
    EXPECT_NE(page.find("| 1 | odd | partial | half |"), std::string::npos);
    EXPECT_NE(page.find("Missing: gone."), std::string::npos);
}

TEST(SyscallTable, GrammarHasTypedArguments) {
    EXPECT_EQ(grammar({{3, "close", Status::Full, "", {{"Fd", "fd"}}}, {9, "none", Status::Missing, "", {}}}),
              "3 close fd:Fd\n");
}

}  // namespace
}  // namespace syscall_table
