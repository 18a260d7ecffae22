// SPDX-License-Identifier: MIT OR Apache-2.0
#include "kpio/guest_view.h"

#include <gtest/gtest.h>
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace kpio {
namespace {

namespace fs = std::filesystem;
using kernel::main::BindAccess;

class GuestViewTest : public testing::Test {
protected:
    void SetUp() override {
        char pattern[] = "/var/tmp/kpio-view-XXXXXX";
        path_ = fs::canonical(mkdtemp(pattern)).native();
        for (const std::string_view name : {"home/project", "opt/bin", "opt/real"}) {
            fs::create_directories(fs::path(path_) / name);
        }
        std::ofstream(path_ + "/opt/real/program") << "x";
        fs::create_symlink("../real/program", path_ + "/opt/bin/program");
        fs::create_directory_symlink("opt/bin", path_ + "/short");
        caller_ = {.working_directory = path_ + "/home/project", .home = path_ + "/home"};
    }
    void TearDown() override { fs::remove_all(path_); }

    GuestView plan(const RunOptions& options) {
        auto view = plan_guest_view(options, caller_);
        EXPECT_TRUE(view.has_value()) << view.error();
        return view.value_or(GuestView{});
    }
    std::string error(const RunOptions& options) {
        const auto view = plan_guest_view(options, caller_);
        return view.has_value() ? "" : view.error();
    }
    static const GuestView::Bind* find(const GuestView& view, const std::string& guest) {
        const auto found = std::ranges::find(view.binds, guest, &GuestView::Bind::guest);
        return found == view.binds.end() ? nullptr : &*found;
    }

    std::string path_;
    Caller caller_;
};

TEST_F(GuestViewTest, DefaultShowsSystemAndWorkingDirectoryInALayer) {
    const GuestView view = plan({});
    for (const char* path : {"/usr", "/etc"}) {
        ASSERT_NE(find(view, path), nullptr) << path;
        EXPECT_EQ(find(view, path)->access, BindAccess::Layered);
        EXPECT_TRUE(find(view, path)->hide_unreadable);
    }
    const auto* here = find(view, caller_.working_directory);
    ASSERT_NE(here, nullptr);
    EXPECT_EQ(here->access, BindAccess::Layered);
    EXPECT_FALSE(here->hide_unreadable);
    EXPECT_EQ(view.working_directory, caller_.working_directory);
    for (const char* path : {"/", "/home", "/root", "/run", "/var", "/proc", "/sys", "/dev", "/tmp"}) {
        EXPECT_EQ(find(view, path), nullptr) << path;
    }
    EXPECT_EQ(view.directories, std::vector{caller_.home});
}

TEST_F(GuestViewTest, LinksOfTheSystemStayLinks) {
    const GuestView view = plan({});
    if (fs::is_symlink("/bin")) {
        const auto link = std::ranges::find(view.links, "/bin", &GuestView::Link::guest);
        ASSERT_NE(link, view.links.end());
        EXPECT_EQ(link->target, fs::read_symlink("/bin").native());
        EXPECT_EQ(find(view, "/bin"), nullptr);
    }
}

TEST_F(GuestViewTest, TheWholeHostIsNeverADefault) {
    caller_.working_directory = "/";
    EXPECT_EQ(find(plan({}), "/"), nullptr);
    EXPECT_EQ(error({.writable = true}), "--rw in /: the guest does not see this directory");
    caller_.working_directory = "/proc/self";
    EXPECT_EQ(plan({}).working_directory, "/");
}

TEST_F(GuestViewTest, SecretsStayHiddenWhereverTheCallerIs) {
    caller_.working_directory = "/etc";
    EXPECT_TRUE(find(plan({}), "/etc")->hide_unreadable);
    EXPECT_EQ(std::ranges::count(plan({}).binds, "/etc", &GuestView::Bind::guest), 1);
    caller_.working_directory = path_ + "/home";
    EXPECT_TRUE(find(plan({}), path_ + "/home")->hide_unreadable);
    caller_.working_directory = path_;
    EXPECT_TRUE(find(plan({}), path_)->hide_unreadable);
}

TEST_F(GuestViewTest, WritableMeansTheWorkingDirectoryOnly) {
    const GuestView view = plan({.writable = true});
    EXPECT_EQ(find(view, caller_.working_directory)->access, BindAccess::ReadWrite);
    EXPECT_EQ(std::ranges::count(view.binds, BindAccess::ReadWrite, &GuestView::Bind::access), 1);
}

TEST_F(GuestViewTest, ProgramsNamedByPathAreVisible) {
    const std::string program = path_ + "/short/program";
    const GuestView view = plan({.arguments = {program}});
    EXPECT_NE(find(view, path_ + "/opt/bin"), nullptr);
    EXPECT_NE(find(view, path_ + "/opt/real"), nullptr);
    ASSERT_NE(find(view, path_ + "/short"), nullptr);
    EXPECT_EQ(find(view, path_ + "/short")->host, path_ + "/opt/bin");
    EXPECT_EQ(plan({.arguments = {"program"}}).binds.size(), plan({}).binds.size());
    EXPECT_EQ(plan({.arguments = {"/usr/bin/env"}}).binds.size(), plan({}).binds.size());
    EXPECT_EQ(find(plan({.arguments = {"/bin/sh"}}), "/bin") != nullptr, !fs::is_symlink("/bin"));
    EXPECT_NE(find(plan({.arguments = {"../../opt/real/program"}}), path_ + "/opt/real"), nullptr);
}

TEST_F(GuestViewTest, RootReplacesTheDefaults) {
    const std::string root = path_ + "/opt";
    GuestView view = plan({.root = root});
    ASSERT_EQ(view.binds.size(), 1u);
    EXPECT_EQ(view.binds[0].guest, "/");
    EXPECT_EQ(view.binds[0].access, BindAccess::Layered);
    EXPECT_EQ(view.working_directory, "/");
    EXPECT_EQ(plan({.root = root, .writable = true}).binds[0].access, BindAccess::ReadWrite);
    EXPECT_EQ(plan({.root = "/"}).working_directory, caller_.working_directory);
    EXPECT_EQ(plan({.root = "/", .working_directory = "/x"}).working_directory, "/x");
    EXPECT_EQ(error({.root = "/no-such"}), "--root /no-such: No such file or directory");
    EXPECT_EQ(error({.root = "/etc/passwd"}), "--root /etc/passwd: Not a directory");
}

TEST_F(GuestViewTest, BindsAreCheckedAndComeLast) {
    const GuestView view = plan({.binds = {{.host = "/usr", .guest = "/mnt", .read_only = true}}});
    EXPECT_EQ(view.binds.back().guest, "/mnt");
    EXPECT_EQ(view.binds.back().access, BindAccess::ReadOnly);
    EXPECT_EQ(error({.binds = {{.host = "/no-such", .guest = "/mnt"}}}), "--bind /no-such: No such file or directory");
    EXPECT_NE(error({.binds = {{.host = "/proc/self/fd", .guest = "/mnt"}}}), "");
    EXPECT_NE(error({.binds = {{.host = "/dev", .guest = "/mnt"}}}), "");
}

TEST(Environment, PassesOnlyHarmlessVariables) {
    const char* const caller[] = {"SECRET=1", "TERM=xterm", "LC_ALL=C", "PATH=/evil", "ASKED=2", "HOME=/h", nullptr};
    const auto environment = plan_environment({.environment = {"ASKED", "HOME=/x", "NEW=a=b"}}, caller);
    EXPECT_EQ(environment,
              (std::vector<std::string>{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                        "TERM=xterm", "LC_ALL=C", "ASKED=2", "HOME=/x", "NEW=a=b"}));
}

}  // namespace
}  // namespace kpio
