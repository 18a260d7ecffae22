// SPDX-License-Identifier: MIT OR Apache-2.0
#include <gtest/gtest.h>
#include <array>

#include "kpio/option_parser.h"
#include "kpio/run_options.h"

namespace kpio {
namespace {

using Words = std::vector<std::string_view>;

RunOptions parsed(const Words& words) {
    auto options = parse_run_options(words);
    EXPECT_TRUE(options.has_value()) << options.error();
    return options.value_or(RunOptions{});
}

std::string error_of(const Words& words) {
    const auto options = parse_run_options(words);
    return options.has_value() ? "" : options.error();
}

TEST(RunOptions, EmptyLineStartsAShell) {
    const RunOptions options = parsed({});
    EXPECT_TRUE(options.arguments.empty());
    EXPECT_FALSE(options.root.has_value());
}

TEST(RunOptions, TakesEveryOption) {
    const RunOptions options =
        parsed({"--root", "/srv/debian", "--bind",  "/a:/b:ro", "--bind=/c:/d", "--rw", "--memory",
                "512M",   "--cpus=2",    "--env",   "A=b=c",    "--env",        "HOME", "--cwd",
                "/tmp",   "--trace=out", "--stats", "-q",       "--",           "ls",   "-l"});
    EXPECT_EQ(options.root, "/srv/debian");
    ASSERT_EQ(options.binds.size(), 2u);
    EXPECT_EQ(options.binds[0].host, "/a");
    EXPECT_EQ(options.binds[0].guest, "/b");
    EXPECT_TRUE(options.binds[0].read_only);
    EXPECT_FALSE(options.binds[1].read_only);
    EXPECT_TRUE(options.writable);
    EXPECT_EQ(options.memory_bytes, std::uint64_t{512} << 20);
    EXPECT_EQ(options.cpus, 2u);
    EXPECT_EQ(options.environment, (Words{"A=b=c", "HOME"}));
    EXPECT_EQ(options.working_directory, "/tmp");
    EXPECT_TRUE(options.trace);
    EXPECT_EQ(options.trace_file, "out");
    EXPECT_TRUE(options.statistics);
    EXPECT_TRUE(options.quiet);
    EXPECT_EQ(options.arguments, (Words{"ls", "-l"}));
}

TEST(RunOptions, TheProgramsOptionsAreItsOwn) {
    EXPECT_EQ(parsed({"ls", "--memory", "-q"}).arguments, (Words{"ls", "--memory", "-q"}));
    EXPECT_EQ(parsed({"--", "--memory"}).arguments, (Words{"--memory"}));
    EXPECT_EQ(parsed({"-"}).arguments, (Words{"-"}));
    const RunOptions traced = parsed({"--trace", "ls"});
    EXPECT_FALSE(traced.trace_file.has_value());
    EXPECT_EQ(traced.arguments, Words{"ls"});
}

TEST(RunOptions, MistakesAreNamed) {
    EXPECT_EQ(error_of({"--memroy", "1G"}), "unknown option '--memroy'; did you mean '--memory'?");
    EXPECT_EQ(error_of({"--mem=1G"}), "unknown option '--mem=1G'; did you mean '--memory'?");
    EXPECT_EQ(error_of({"--xyzzy"}), "unknown option '--xyzzy'");
    EXPECT_EQ(error_of({"-x"}), "unknown option '-x'");
    EXPECT_EQ(error_of({"--root"}), "option '--root' needs a value: DIR");
    EXPECT_EQ(error_of({"--rw=yes"}), "option '--rw' takes no value");
    EXPECT_EQ(error_of({"--memory", "lots"}), "--memory lots: expected a size such as 512M or 2G");
    EXPECT_EQ(error_of({"--memory", "1M"}), "--memory 1M: must be between 16M and 16T");
    EXPECT_EQ(error_of({"--cpus", "0"}), "--cpus 0: expected a number from 1 to 64");
    EXPECT_EQ(error_of({"--cwd", "tmp"}), "--cwd tmp: must be an absolute path of the guest");
    EXPECT_EQ(error_of({"--env", "=x"}), "--env =x: expected NAME=VALUE");
    for (const std::string_view bind : {"/a", ":/b", "/a:", "/a:ro", ""}) {
        EXPECT_NE(error_of({"--bind", bind}), "") << bind;
    }
    EXPECT_EQ(error_of({"--bind", "/a:b"}), "--bind /a:b: the path in the guest must begin with /");
}

TEST(OptionParser, SizesHaveUnits) {
    EXPECT_EQ(parse_bytes("123"), 123u);
    EXPECT_EQ(parse_bytes("2k"), 2048u);
    EXPECT_EQ(parse_bytes("3MiB"), 3u << 20);
    EXPECT_EQ(parse_bytes("1T"), std::uint64_t{1} << 40);
    for (const std::string_view wrong : {"", "M", "-1", "1.5G", "1X", "1MM", "99999999999999999999", "20000000000G"}) {
        EXPECT_FALSE(parse_bytes(wrong).has_value()) << wrong;
    }
}

TEST(OptionParser, SuggestsOnlyWhatIsNear) {
    constexpr std::array<std::string_view, 3> kCommands{"run", "check", "help"};
    EXPECT_EQ(nearest("rnu", kCommands), "run");
    EXPECT_EQ(nearest("chekc", kCommands), "check");
    EXPECT_EQ(nearest("chec", kCommands), "check");
    EXPECT_FALSE(nearest("ls", kCommands).has_value());
    EXPECT_FALSE(nearest("", kCommands).has_value());
}

TEST(RunOptions, HelpNamesEveryOption) {
    const std::string help = run_help();
    for (const std::string_view name :
         {"--root DIR", "--bind HOST:GUEST[:ro]", "--rw", "--memory N", "--cpus N", "--env K=V", "--cwd DIR",
          "--trace[=FILE]", "--stats", "-q, --quiet", "-h, --help"}) {
        EXPECT_NE(help.find(name), std::string::npos) << name;
    }
}

}  // namespace
}  // namespace kpio
