// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/vfs/operations.h"

#include <memory>

#include "support/vfs_world.h"

namespace kernel::vfs {
namespace {

using test_support::error_of;
using test_support::Names;
using test_support::VfsTest;
using test_support::World;

constexpr OpenFlags kCreate = OpenFlags::Write | OpenFlags::Create;

class Operations : public VfsTest {
protected:
    void SetUp() override {
        VfsTest::SetUp();
        world_ = std::make_unique<World>();
        MUST(world_->start_tmpfs());
    }
    void TearDown() override {
        world_.reset();
        VfsTest::TearDown();
    }
    World& world() { return *world_; }

private:
    std::unique_ptr<World> world_;
};

TEST_F(Operations, WritesAndReadsBack) {
    MUST(world().put("/file", "hello"));
    EXPECT_EQ(MUST(world().get("file")), "hello");
    EXPECT_EQ(MUST(world().stat("file")).size_bytes, 5U);
    EXPECT_EQ(MUST(world().stat("file")).blocks_512, 8U);
    MUST(world().put("file", " world", OpenFlags::Write | OpenFlags::Append));
    EXPECT_EQ(MUST(world().get("file")), "hello world");
}

TEST_F(Operations, UnlinkedFilesStayUsable) {
    const RefPtr<File> file = MUST(world().open("f", OpenFlags::Read | kCreate));
    MUST(World::write_all(*file, "abc"));
    MUST(world().unlink("f"));
    EXPECT_EQ(error_of(world().stat("f")), "NotFound");
    EXPECT_EQ(MUST(file->status()).links, 0U);
    EXPECT_EQ(MUST(file->seek(0, SeekFrom::Start)), 0U);
    EXPECT_EQ(MUST(World::read_all(*file)), "abc");
    const PathText text = MUST(path_text(file->path(), world().root));
    EXPECT_EQ(text.text, "/f (deleted)");
    EXPECT_TRUE(text.deleted);
}

TEST_F(Operations, DanglingLinks) {
    MUST(world().symlink("nowhere", "link"));
    EXPECT_EQ(error_of(world().open("link")), "NotFound");
    EXPECT_EQ(error_of(world().open("link", kCreate | OpenFlags::Exclusive)), "Exists");
    EXPECT_EQ(error_of(world().open("link", kCreate | OpenFlags::NoFollow)), "SymlinkLoop");
    EXPECT_EQ(error_of(world().open("link", kCreate)), "ok");
    EXPECT_EQ(MUST(world().stat("nowhere")).type, FileType::Regular);
    EXPECT_EQ(error_of(world().open("link", OpenFlags::Read | OpenFlags::NoFollow)), "SymlinkLoop");
    EXPECT_EQ(error_of(world().open("link", OpenFlags::PathOnly | OpenFlags::NoFollow)), "ok");
}

TEST_F(Operations, FortyLinksAreFollowedNotMore) {
    MUST(world().put("end", "x"));
    std::string previous = "end";
    for (int i = 1; i <= 41; ++i) {
        const std::string name = "l" + std::to_string(i);
        MUST(world().symlink(previous, name));
        previous = name;
    }
    EXPECT_EQ(error_of(world().stat("l40")), "ok");
    EXPECT_EQ(error_of(world().stat("l41")), "SymlinkLoop");
    EXPECT_EQ(error_of(world().lstat("l41")), "ok");
}

TEST_F(Operations, DirectoriesCannotMoveIntoThemselves) {
    MUST(world().mkdir("a"));
    MUST(world().mkdir("a/b"));
    MUST(world().mkdir("c"));
    EXPECT_EQ(error_of(world().rename("a", "a/b/c")), "InvalidArgument");
    EXPECT_EQ(error_of(world().rename("a/b", "a")), "NotEmpty");
    EXPECT_EQ(error_of(world().rename("a", "a/b", RenameMode::Exchange)), "InvalidArgument");
    EXPECT_EQ(error_of(world().rename("a/b", "a", RenameMode::Exchange)), "InvalidArgument");
    EXPECT_EQ(error_of(world().rename("a/b", "c")), "ok");
    EXPECT_EQ(MUST(world().stat("a")).links, 2U);
    EXPECT_EQ(MUST(world().stat("/")).links, 4U);
}

TEST_F(Operations, PositionsInListingsLast) {
    MUST(world().mkdir("d"));
    for (int i = 0; i < 10; ++i) {
        MUST(world().put("d/" + std::to_string(i), ""));
    }
    const RefPtr<File> directory = MUST(world().open("d", OpenFlags::Read | OpenFlags::Directory));
    Names first(5);
    MUST(directory->list(first));
    EXPECT_EQ(first.names, (std::vector<std::string>{".", "..", "0", "1", "2"}));
    for (const char* name : {"d/0", "d/1", "d/3"}) {
        MUST(world().unlink(name));
    }
    MUST(world().put("d/new", ""));
    Names rest;
    MUST(directory->list(rest));
    EXPECT_EQ(rest.names, (std::vector<std::string>{"4", "5", "6", "7", "8", "9", "new"}));
    MUST(directory->seek(static_cast<std::int64_t>(first.next_position), SeekFrom::Start));
    Names again(1);
    MUST(directory->list(again));
    EXPECT_EQ(again.names, std::vector<std::string>{"4"});
}

TEST_F(Operations, RemovedDirectories) {
    MUST(world().mkdir("d"));
    world().start_at = MUST(world().find("d"));
    MUST(world().rmdir("/d"));
    EXPECT_EQ(error_of(world().open("f", kCreate)), "NotFound");
    EXPECT_EQ(error_of(world().stat(".")), "ok");
    EXPECT_EQ(MUST(world().stat(".")).links, 0U);
    EXPECT_EQ(error_of(world().stat("..")), "ok");
    Names names;
    EXPECT_EQ(error_of(MUST(world().open(".", OpenFlags::Read | OpenFlags::Directory))->list(names)), "NotFound");
}

TEST_F(Operations, MountsAreCrossedBothWays) {
    MUST(world().mkdir("m"));
    MUST(world().mkdir("m/hidden"));
    const Path place = MUST(world().find("m"));
    (void)MUST(world().space->mount(MUST(test_support::make_tmpfs()), place, "other", MountFlags::None));
    EXPECT_EQ(error_of(world().stat("m/hidden")), "NotFound");
    MUST(world().put("m/f", "x"));
    EXPECT_EQ(error_of(world().stat("m/../m/f")), "ok");
    EXPECT_EQ(error_of(world().rename("m/f", "f")), "CrossDevice");
    EXPECT_EQ(error_of(world().link("m/f", "f")), "CrossDevice");
    EXPECT_EQ(error_of(world().rmdir("m")), "Busy");
    EXPECT_EQ(error_of(world().rename("m", "n")), "Busy");
    EXPECT_EQ(MUST(path_text(MUST(world().find("m/f")), world().root)).text, "/m/f");
    {
        const RefPtr<File> busy = MUST(world().open("m/f"));
        EXPECT_EQ(error_of(world().space->unmount(MUST(world().find("m")), UnmountMode::WhenIdle)), "Busy");
    }
    EXPECT_EQ(error_of(world().space->unmount(MUST(world().find("m")), UnmountMode::WhenIdle)), "ok");
    EXPECT_EQ(error_of(world().stat("m/hidden")), "ok");
}

TEST_F(Operations, BindsShowPartsOfATree) {
    MUST(world().mkdir("a"));
    MUST(world().mkdir("a/b"));
    MUST(world().put("a/b/f", "text"));
    MUST(world().mkdir("view"));
    (void)MUST(world().space->bind(MUST(world().find("a/b")), MUST(world().find("view")), MountFlags::ReadOnly, false));
    EXPECT_EQ(MUST(world().get("view/f")), "text");
    EXPECT_EQ(error_of(world().put("view/f", "other")), "ReadOnly");
    EXPECT_EQ(error_of(world().unlink("view/f")), "ReadOnly");
    EXPECT_EQ(error_of(world().mkdir("view/f")), "Exists");
    EXPECT_EQ(error_of(world().mkdir("view/g")), "ReadOnly");
    EXPECT_EQ(MUST(world().stat("view/..")).inode, MUST(world().stat("/")).inode);
    MUST(world().put("plain", ""));
    (void)MUST(world().space->bind(MUST(world().find("a/b/f")), MUST(world().find("plain")), MountFlags::None, false));
    EXPECT_EQ(MUST(world().get("plain")), "text");
    MUST(world().space->unmount(MUST(world().find("view")), UnmountMode::Detach));
    EXPECT_EQ(error_of(world().stat("view/f")), "NotFound");
}

TEST_F(Operations, RootsConfine) {
    MUST(world().mkdir("jail"));
    MUST(world().mkdir("jail/in"));
    MUST(world().put("secret", "s"));
    MUST(world().symlink("/secret", "jail/link"));
    MUST(world().symlink("../../secret", "jail/in/up"));
    world().root = MUST(world().find("jail"));
    world().start_at = world().root;
    EXPECT_EQ(error_of(world().stat("../secret")), "NotFound");
    EXPECT_EQ(error_of(world().stat("link")), "NotFound");
    EXPECT_EQ(error_of(world().stat("in/up")), "NotFound");
    EXPECT_EQ(error_of(world().stat("/../../in")), "ok");
    const auto beneath = [&](std::string_view path) {
        return error_of(resolve(world().at(), path, WalkFlags::Beneath));
    };
    world().start_at = MUST(world().find("in"));
    EXPECT_EQ(beneath(".."), "CrossDevice");
    EXPECT_EQ(beneath("/in"), "CrossDevice");
    EXPECT_EQ(beneath("."), "ok");
    EXPECT_EQ(error_of(resolve(world().at(), "/..", WalkFlags::InRoot)), "ok");
}

TEST_F(Operations, SpaceRunsOut) {
    World small;
    MUST(small.start(MUST(test_support::make_tmpfs(64 << 10))));
    EXPECT_EQ(error_of(small.put("big", std::string(100 << 10, 'x'))), "NoSpace");
    EXPECT_GT(MUST(small.stat("big")).size_bytes, 30U << 10);
    MUST(small.unlink("big"));
    std::string error = "ok";
    for (int i = 0; error == "ok"; ++i) {
        error = error_of(small.put("f" + std::to_string(i), ""));
    }
    EXPECT_EQ(error, "NoSpace");
}

TEST_F(Operations, RunningProgramsAreNotWritten) {
    MUST(world().put("prog", "#!"));
    Inode& inode = MUST(world().find("prog")).inode();
    MUST(inode.deny_writing());
    EXPECT_EQ(error_of(world().open("prog", OpenFlags::Write)), "TextBusy");
    EXPECT_EQ(error_of(world().open("prog", OpenFlags::Read | OpenFlags::Truncate)), "TextBusy");
    EXPECT_EQ(error_of(truncate(MUST(world().find("prog")), 0, *world().credentials)), "TextBusy");
    EXPECT_EQ(MUST(world().get("prog")), "#!");
    inode.allow_writing();
    const RefPtr<File> writer = MUST(world().open("prog", OpenFlags::Write));
    EXPECT_EQ(error_of(inode.deny_writing()), "TextBusy");
}

TEST_F(Operations, DeepTreesComeDownWithoutRecursion) {
    std::string path;
    world().start_at = world().root;
    for (int depth = 0; depth < 20000; ++depth) {
        MUST(world().mkdir("d"));
        world().start_at = MUST(world().find("d"));
    }
    EXPECT_EQ(error_of(path_text(world().start_at, world().root)), "NameTooLong");
    world().start_at = world().root;
}

TEST_F(Operations, ExtendedAttributesFollowTheirNameSpaces) {
    MUST(world().put("f", ""));
    const Path path = MUST(world().find("f"));
    const auto value = std::as_bytes(std::span("abc", 3));
    EXPECT_EQ(error_of(set_attribute(path, "user.x", value, AttributeMode::Replace, *world().credentials)),
              "NoAttribute");
    EXPECT_EQ(error_of(set_attribute(path, "user.x", value, AttributeMode::Set, *world().credentials)), "ok");
    EXPECT_EQ(error_of(set_attribute(path, "user.x", value, AttributeMode::Create, *world().credentials)), "Exists");
    EXPECT_EQ(error_of(set_attribute(path, "nothing", value, AttributeMode::Set, *world().credentials)),
              "NotSupported");
    EXPECT_EQ(error_of(set_attribute(path, "trusted.t", value, AttributeMode::Set, *world().credentials)), "ok");
    std::byte small[2];
    EXPECT_EQ(error_of(get_attribute(path, "user.x", small, *world().credentials)), "OutOfRange");
    EXPECT_EQ(MUST(get_attribute(path, "user.x", {}, *world().credentials)), 3U);
    EXPECT_EQ(MUST(list_attributes(path, {}, *world().credentials)), 17U);
    MUST(world().become(5, 5));
    EXPECT_EQ(MUST(list_attributes(path, {}, *world().credentials)), 7U);
    EXPECT_EQ(error_of(get_attribute(path, "trusted.t", {}, *world().credentials)), "NoAttribute");
    EXPECT_EQ(error_of(remove_attribute(path, "user.x", *world().credentials)), "AccessDenied");
}

}  // namespace
}  // namespace kernel::vfs
