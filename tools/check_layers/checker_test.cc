// SPDX-License-Identifier: MIT OR Apache-2.0
#include "check_layers/checker.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

namespace check_layers {
namespace {

const std::string kFirstLine = "// SPDX-License-Identifier: MIT OR Apache-2.0\n";

// Checks a source file that starts with the licence line, so that the text itself begins on line 2.
Report check(std::string_view path, const std::string& text) {
    Report report;
    check_file(path, kFirstLine + text, report);
    return report;
}

// The only violation's line and message, or a text that says how many there are.
std::string only(const Report& report) {
    if (report.violations.size() != 1) {
        return std::to_string(report.violations.size()) + " violations";
    }
    return std::to_string(report.violations[0].line) + ": " + report.violations[0].message;
}

TEST(Checker, AcceptsGoodFile) {
    const Report report = check("kernel/core/mm/a.h",
                                "#pragma once\n#include <span>\n#include \"core/object/b.h\"\n"
                                "#include \"lib/c.h\"\n#include \"platform/d.h\"\n\nint f();  // asm\n");
    EXPECT_EQ(only(report), "0 violations");
    EXPECT_EQ(report.layers.at("core").files, 1U);
    EXPECT_EQ(report.layers.at("core").code_lines, 6U);
}

TEST(Checker, WantsLicence) {
    Report report;
    check_file("tests/a.cc", "int a;\n", report);
    EXPECT_EQ(only(report), "1: the first line must be: // SPDX-License-Identifier: MIT OR Apache-2.0");
}

TEST(Checker, AcceptsAssemblerComments) {
    Report report;
    check_file("kernel/platform/hosted/a.S", "# SPDX-License-Identifier: MIT OR Apache-2.0\n# b\n    nop  # c\n",
               report);
    EXPECT_EQ(only(report), "0 violations");
    EXPECT_EQ(report.layers.at("platform/hosted").code_lines, 1U);
}

TEST(Checker, RejectsWrongArrow) {
    EXPECT_EQ(only(check("kernel/core/mm/a.cc", "\n#include \"services/vfs/file.h\"\n")),
              "3: core/mm must not include services/vfs (\"services/vfs/file.h\"): arrows point down only");
    EXPECT_EQ(check("kernel/core/mm/a_test.cc", "#include \"core/sched/t.h\"\n").violations.size(), 1U);
}

TEST(Checker, RejectsRelativeInclude) {
    EXPECT_EQ(only(check("kernel/lib/a.cc", "#include \"a.h\"\n")),
              "2: \"a.h\": include paths start below kernel/, such as \"lib/result.h\"");
}

TEST(Checker, RejectsHeadersThatAllocate) {
    EXPECT_EQ(only(check("kernel/services/vfs/a.cc", "#include <vector>\n")),
              "2: <vector> is not among the standard headers allowed in the kernel");
    EXPECT_EQ(check("kernel/platform/hosted/a.cc", "#include <string>\n").violations.size(), 1U);
    EXPECT_EQ(check("kernel/core/mm/a.cc", "#include <unistd.h>\n").violations.size(), 1U);
    EXPECT_EQ(check("kernel/platform/x86_64/a.cc", "#include <unistd.h>\n").violations.size(), 1U);
    EXPECT_EQ(check("kernel/platform/hosted/a.cc", "#include <unistd.h>\n").violations.size(), 0U);
    EXPECT_EQ(check("kernel/platform/hosted/a.cc", "#include <cerrno>\n").violations.size(), 0U);
    EXPECT_EQ(check("kernel/lib/a.cc", "#include <cstring>\n").violations.size(), 0U);
}

TEST(Checker, TestsUseWhatTheyLike) {
    EXPECT_EQ(only(check("kernel/lib/a_test.cc",
                         "#include <vector>\n#include <gtest/gtest.h>\n#include \"tests/support/heap.h\"\n"
                         "double d = *reinterpret_cast<double*>(p);\n")),
              "0 violations");
}

TEST(Checker, RejectsPlatformConditionals) {
    EXPECT_EQ(only(check("kernel/core/mm/a.cc", "#if defined(__x86_64__) && 1\n#endif\n")),
              "2: #if about the platform (__x86_64__) outside kernel/platform: platforms are chosen by linking "
              "same-named files");
    EXPECT_EQ(check("kernel/lib/a.cc", "#ifdef KPIO_HOSTED\n#endif\n").violations.size(), 1U);
    EXPECT_EQ(check("kernel/lib/a.cc", "#if KPIO_LOCK_CHECK\n#endif\n").violations.size(), 0U);
    EXPECT_EQ(check("kernel/lib/a.cc", "#if defined(__x86_64__)\n#endif\n").violations.size(), 0U);
    EXPECT_EQ(check("kernel/platform/hosted/a.cc", "#ifdef __x86_64__\n#endif\n").violations.size(), 0U);
}

TEST(Checker, RawCodeOnlyAtTheBottom) {
    EXPECT_EQ(only(check("kernel/core/mm/a.cc", "// SAFETY: no\nauto p = reinterpret_cast<char*>(q);\n")),
              "3: reinterpret_cast belongs in kernel/platform or kernel/lib");
    EXPECT_EQ(only(check("kernel/platform/x86_64/a.cc", "void f() { asm volatile(\"hlt\"); }\n")),
              "2: asm needs a // SAFETY: comment at most 4 lines above");
    EXPECT_EQ(check("kernel/platform/x86_64/a.cc", "register long r8 asm(\"r8\") = 1;\n").violations.size(), 0U);
    EXPECT_EQ(check("kernel/lib/a.S", "nop\n").violations.size(), 1U);
    EXPECT_EQ(check("kernel/platform/x86_64/a.S", "nop\n").violations.size(), 0U);
}

TEST(Checker, SafetyCommentIsNear) {
    const std::string use = "auto p = reinterpret_cast<char*>(q);\n";
    EXPECT_EQ(check("kernel/lib/a.cc", "// SAFETY: yes\n" + use).violations.size(), 0U);
    EXPECT_EQ(check("kernel/lib/a.cc", "f();  // SAFETY: yes\n\n\n\n" + use).violations.size(), 0U);
    EXPECT_EQ(check("kernel/lib/a.cc", "f();  // SAFETY: yes\n\n\n\n\n" + use).violations.size(), 1U);
    EXPECT_EQ(check("kernel/lib/a.cc", "// SAFETY: a\n// b\n// c\n// d\n// e\n// f\n" + use).violations.size(), 0U);
}

TEST(Checker, RejectsThreadLocalAndFloatingPoint) {
    EXPECT_EQ(only(check("kernel/core/sched/a.cc", "thread_local int x;\n")),
              "2: thread_local: use platform::this_cpu()");
    EXPECT_EQ(check("kernel/platform/hosted/a.cc", "thread_local int x;\n").violations.size(), 0U);
    EXPECT_EQ(only(check("kernel/core/sched/a.cc", "double x;\n")), "2: no floating point in the kernel");
}

TEST(Checker, RejectsStrayFilesAndHeadersWithoutGuard) {
    EXPECT_EQ(check("kernel/core/a.cc", "").violations.size(), 1U);
    EXPECT_EQ(only(check("kernel/lib/a.h", "int f();\n")), "1: a header needs #pragma once");
}

TEST(Checker, EnforcesBudgets) {
    Report report;
    report.layers["core"].code_lines = 50'000;
    report.layers["lib"].code_lines = 1'000'000;
    check_budgets(report);
    EXPECT_EQ(only(report), "0: 50000 lines of code, budget 50000");
}

class Tree : public testing::Test {
protected:
    // Test cases run at the same time as processes of their own.
    Tree() : root_(testing::TempDir() + "/check_layers_tree." + std::to_string(::getpid())) {
        std::filesystem::remove_all(root_);
    }
    ~Tree() override { std::filesystem::remove_all(root_); }

    void write(const std::string& path, const std::string& text) {
        std::filesystem::create_directories((root_ / path).parent_path());
        std::ofstream(root_ / path) << kFirstLine << text;
    }

    std::filesystem::path root_;
};

TEST_F(Tree, Good) {
    write("kernel/lib/a.h", "#pragma once\n");
    write("kernel/services/vfs/fs/tmpfs.cc", "#include \"lib/a.h\"\nint a;\n");
    write("tools/x.cc", "#include <vector>\n");
    const Report report = check_tree(root_);
    EXPECT_EQ(only(report), "0 violations");
    EXPECT_EQ(report.layers.at("services").code_lines, 2U);
}

TEST_F(Tree, Bad) {
    write("kernel/lib/a.cc", "#include \"core/mm/a.h\"\n");
    write("kernel/abi/b.h", "#pragma once\n#include \"lib/a.h\"\n");
    const Report report = check_tree(root_);
    ASSERT_EQ(report.violations.size(), 2U);
    EXPECT_EQ(report.violations[0].file, "kernel/abi/b.h");
    EXPECT_EQ(report.violations[0].line, 3U);
    EXPECT_EQ(report.violations[1].file, "kernel/lib/a.cc");
}

TEST_F(Tree, MissingRootIsEmpty) {
    EXPECT_TRUE(check_tree(root_).layers.empty());
}

}  // namespace
}  // namespace check_layers
