// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/vfs/fs/hostfs/hostfs.h"

#include <array>
#include <memory>

#include "services/vfs/fs/overlay/overlay.h"
#include "support/fake_host_files.h"
#include "support/vfs_world.h"

namespace kernel::vfs::hostfs {
namespace {

using test_support::error_of;
using test_support::HostNode;
using test_support::open_host_node;
using test_support::VfsTest;
using test_support::World;

class HostFsTest : public VfsTest {
protected:
    Result<RefPtr<FileSystem>> host(const Options& options) {
        return create(TRY(open_host_node(tree, options.writable)), options);
    }
    // Believes the host only at this moment, so that changes show at once.
    static Options doubting(bool writable = false) { return {.writable = writable, .believed_ns = 0}; }

    std::shared_ptr<HostNode> tree = test_support::make_host_directory();
};

TEST_F(HostFsTest, ShowsFilesDirectoriesAndLinks) {
    tree->add_file("f", "contents");
    tree->add_directory("d")->add_file("g", std::string(10000, 'g'));
    tree->add_symlink("l", "d/g");
    tree->add("fifo", std::make_shared<HostNode>(platform::HostFileType::Other, 0644u));
    World world;
    MUST(world.start(MUST(host({}))));
    EXPECT_EQ(MUST(world.get("f")), "contents");
    EXPECT_EQ(MUST(world.get("l")), std::string(10000, 'g'));
    EXPECT_EQ(MUST(world.list("/")), (std::vector<std::string>{"d", "f", "fifo", "l"}));
    EXPECT_EQ(error_of(world.open("fifo")), "NoDevice");
    EXPECT_EQ(error_of(world.put("f", "x")), "ReadOnly");
    EXPECT_EQ(error_of(world.mkdir("new")), "ReadOnly");
    EXPECT_EQ(error_of(world.unlink("f")), "ReadOnly");
    EXPECT_EQ(error_of(world.open("new", OpenFlags::Write | OpenFlags::Create)), "ReadOnly");
}

TEST_F(HostFsTest, NamesOfOneFileAreOneInode) {
    const auto file = tree->add_file("a", "x");
    tree->add("b", file);
    World world;
    MUST(world.start(MUST(host({}))));
    EXPECT_EQ(&MUST(world.find("a")).inode(), &MUST(world.find("b")).inode());
}

TEST_F(HostFsTest, AsksTheHostOnlyOnceWhileItBelieves) {
    tree->add_directory("usr")->add_file("f", "x");
    World world;
    MUST(world.start(MUST(host({.believed_ns = UINT64_MAX / 2}))));
    (void)MUST(world.stat("usr/f"));
    EXPECT_EQ(error_of(world.stat("usr/absent")), "NotFound");
    const std::uint64_t before = test_support::host_calls();
    for (int i = 0; i < 10; ++i) {
        (void)MUST(world.stat("usr/f"));
        EXPECT_EQ(error_of(world.stat("usr/absent")), "NotFound");
    }
    EXPECT_EQ(test_support::host_calls(), before);
}

TEST_F(HostFsTest, SeesChangesOfTheHost) {
    const auto file = tree->add_file("f", "old");
    World world;
    MUST(world.start(MUST(host(doubting()))));
    EXPECT_EQ(MUST(world.get("f")), "old");
    EXPECT_EQ(error_of(world.stat("g")), "NotFound");
    file->write("newer text");
    tree->add_file("g", "g");
    EXPECT_EQ(MUST(world.get("f")), "newer text");
    EXPECT_EQ(error_of(world.stat("g")), "ok");
    tree->add_file("f", "replaced");
    EXPECT_EQ(MUST(world.get("f")), "replaced");
    tree->remove("f");
    EXPECT_EQ(error_of(world.stat("f")), "NotFound");
}

TEST_F(HostFsTest, OpensTheNewFileAtOnce) {
    const auto old = tree->add_file("f", "old");
    World world;
    MUST(world.start(MUST(host({.believed_ns = UINT64_MAX / 2}))));
    EXPECT_EQ(MUST(world.get("f")), "old");
    tree->add_file("f", "new");
    old->gone = true;
    EXPECT_EQ(MUST(world.get("f")), "new");
}

TEST_F(HostFsTest, AFileThatIsGoneIsLikeAnUnlinkedOne) {
    const auto old = tree->add_file("f", "old");
    const auto directory = tree->add_directory("d");
    World world;
    MUST(world.start(MUST(host(doubting()))));
    const RefPtr<File> file = MUST(world.open("f"));
    world.start_at = MUST(world.find("d"));
    tree->remove("f");
    tree->remove("d");
    old->gone = true;
    directory->gone = true;
    EXPECT_EQ(MUST(file->status()).size_bytes, 3U);
    EXPECT_EQ(error_of(world.stat("/f")), "NotFound");
    EXPECT_EQ(error_of(world.stat(".")), "ok");
    EXPECT_EQ(error_of(world.stat("x")), "NotFound");
}

// What getdents64(2) and stat(2) call one file has one number, before a copy and after it.
void expect_one_number(World& world, std::string_view directory) {
    test_support::Names names;
    MUST(MUST(world.open(directory, OpenFlags::Read | OpenFlags::Directory))->list(names));
    for (std::size_t i = 0; i < names.names.size(); ++i) {
        EXPECT_EQ(MUST(world.lstat(std::string(directory) + "/" + names.names[i])).inode, names.numbers[i])
            << names.names[i];
    }
}

TEST_F(HostFsTest, KeepsAnOpenFileWhileItsNameChanges) {
    tree->add_file("f", "old");
    World world;
    MUST(world.start(MUST(host(doubting()))));
    const RefPtr<File> file = MUST(world.open("f"));
    tree->add_file("f", "another");
    EXPECT_EQ(MUST(world.get("f")), "another");
    EXPECT_EQ(MUST(World::read_all(*file)), "old");
}

TEST_F(HostFsTest, HidesWhatIsNotReadableByAll) {
    tree->add_file("passwd", "p");
    tree->add_file("shadow", "s", 0640);
    tree->add_directory("private", 0700)->add_file("key", "k");
    tree->add_directory("public")->add_file("key", "k", 0600);
    tree->add_symlink("link", "shadow");
    World world;
    MUST(world.start(MUST(host({.hide_unreadable = true}))));
    EXPECT_EQ(MUST(world.list("/")), (std::vector<std::string>{"link", "passwd", "public"}));
    EXPECT_EQ(error_of(world.stat("shadow")), "NotFound");
    EXPECT_EQ(error_of(world.stat("link")), "NotFound");
    EXPECT_EQ(error_of(world.stat("private/key")), "NotFound");
    EXPECT_EQ(error_of(world.stat("public/key")), "NotFound");
    EXPECT_EQ(MUST(world.get("passwd")), "p");
}

TEST_F(HostFsTest, RefusesAtOpenWhatTheHostWillNotRead) {
    tree->add_file("f", "x")->unreadable = true;
    World world;
    MUST(world.start(MUST(host({}))));
    EXPECT_EQ(error_of(world.open("f")), "AccessDenied");
}

TEST_F(HostFsTest, MapsOwners) {
    const auto file = tree->add_file("f", "x");
    file->uid = 1000;
    file->gid = 1000;
    World world;
    MUST(world.start(MUST(host({.user = IdMap{.from = 1000, .to = 0}, .group = IdMap{.from = 1000, .to = 5}}))));
    EXPECT_EQ(MUST(world.stat("f")).user, 0U);
    EXPECT_EQ(MUST(world.stat("f")).group, 5U);
}

TEST_F(HostFsTest, WritesThrough) {
    const auto file = tree->add_file("f", "hello");
    World world;
    MUST(world.start(MUST(host(doubting(true)))));
    const RefPtr<File> open_file = MUST(world.open("f", OpenFlags::Read | OpenFlags::Write | OpenFlags::Append));
    MUST(World::write_all(*open_file, " world"));
    EXPECT_EQ(file->contents, "hello world");
    MUST(world.put("f", "abc"));
    EXPECT_EQ(file->contents, "abc");
    EXPECT_EQ(MUST(world.get("f")), "abc");
    MUST(world.put("new", std::string(5000, 'n')));
    EXPECT_EQ(tree->entries["new"]->contents, std::string(5000, 'n'));
    MUST(world.mkdir("d"));
    MUST(world.symlink("new", "d/l"));
    MUST(world.rename("new", "d/moved"));
    MUST(world.chmod("d/moved", 0600));
    MUST(world.link("d/moved", "again"));
    EXPECT_EQ(tree->entries["again"]->permissions, 0600U);
    EXPECT_EQ(error_of(world.rmdir("d")), "NotEmpty");
    EXPECT_EQ(error_of(world.chown("again", 7, 7)), "NotPermitted");
    EXPECT_EQ(error_of(make_node(world.at(), "dev", FileType::CharacterDevice, 0600, {1, 3})), "NotPermitted");
    MUST(world.unlink("d/moved"));
    MUST(world.unlink("d/l"));
    MUST(world.rmdir("d"));
    EXPECT_EQ(MUST(world.list("/")), (std::vector<std::string>{"again", "f"}));
    MUST(vfs::truncate(MUST(world.find("again")), 3, *world.credentials));
    EXPECT_EQ(tree->entries["again"]->contents, "nnn");
}

TEST_F(HostFsTest, WritesMappedPagesBackWhenUnmounted) {
    const auto file = tree->add_file("f", "hello");
    World world;
    MUST(world.start_tmpfs());
    MUST(world.mkdir("m"));
    (void)MUST(world.space->mount(MUST(host(doubting(true))), MUST(world.find("m")), "host", MountFlags::None));
    {
        const RefPtr<File> open_file = MUST(world.open("m/f", OpenFlags::Read | OpenFlags::Write));
        const RefPtr<mm::MemoryObject> object = MUST(open_file->memory_object());
        const mm::FrameRef page = MUST(object->get_page(0, mm::PageUse::Write));
        page.bytes()[0] = std::byte{'J'};
    }
    EXPECT_EQ(file->contents, "hello");
    MUST(world.space->unmount(MUST(world.find("m")), UnmountMode::WhenIdle));
    EXPECT_EQ(file->contents, "Jello");
}

class LayeredHostTest : public HostFsTest {
protected:
    Result<> start(World& world, const Options& options, std::uint64_t budget_bytes = 16 << 20) {
        const FileSystemUse lower(TRY(host(options)));
        return world.start(
            TRY(overlay::create(std::array{lower.reference()}, test_support::make_budget(budget_bytes))));
    }
};

TEST_F(LayeredHostTest, ChangesStayInTheLayer) {
    const auto file = tree->add_file("f", "host");
    tree->add_directory("d")->add_file("g", "g");
    World world;
    MUST(start(world, {}));
    MUST(world.put("f", "guest", OpenFlags::Write | OpenFlags::Append));
    EXPECT_EQ(MUST(world.get("f")), "hostguest");
    MUST(world.unlink("d/g"));
    MUST(world.rmdir("d"));
    MUST(world.mkdir("d"));
    EXPECT_EQ(MUST(world.list("d")), std::vector<std::string>{});
    MUST(world.put("d/new", "n"));
    EXPECT_EQ(file->contents, "host");
    EXPECT_EQ(tree->entries["d"]->entries.size(), 1U);
    EXPECT_EQ(MUST(world.list("/")), (std::vector<std::string>{"d", "f"}));
}

TEST_F(LayeredHostTest, DirectoriesOfTheHostCanBeMoved) {
    const auto directory = tree->add_directory("d");
    directory->add_file("f", "f");
    directory->add_directory("sub")->add_file("g", "g");
    World world;
    MUST(start(world, {}));
    MUST(world.rename("d", "moved"));
    EXPECT_EQ(error_of(world.stat("d")), "NotFound");
    EXPECT_EQ(MUST(world.get("moved/sub/g")), "g");
    dentries::shrink(SIZE_MAX);
    EXPECT_EQ(MUST(world.list("moved")), (std::vector<std::string>{"f", "sub"}));
    MUST(world.rename("moved/sub", "sub"));
    MUST(world.rename("moved", "sub/again"));
    dentries::shrink(SIZE_MAX);
    EXPECT_EQ(MUST(world.get("sub/g")), "g");
    EXPECT_EQ(MUST(world.list("sub/again")), std::vector<std::string>{"f"});
    EXPECT_EQ(MUST(world.list("/")), std::vector<std::string>{"sub"});
}

TEST_F(LayeredHostTest, OpenFilesSeeTheCopy) {
    tree->add_file("f", "host");
    World world;
    MUST(start(world, {}));
    const RefPtr<File> reader = MUST(world.open("f"));
    const std::uint64_t number = MUST(reader->status()).inode;
    MUST(world.put("f", "guest"));
    EXPECT_EQ(MUST(World::read_all(*reader)), "guest");
    dentries::shrink(SIZE_MAX);
    EXPECT_EQ(MUST(world.stat("f")).inode, number);
}

TEST_F(LayeredHostTest, ListsTheNumbersThatStatTells) {
    tree->add_file("f", "host");
    tree->add_symlink("l", "f");
    tree->add_directory("d")->add_file("g", "g");
    World world;
    MUST(start(world, {}));
    expect_one_number(world, "/");
    const std::uint64_t before = MUST(world.stat("d")).inode;
    MUST(world.put("f", "x"));
    MUST(world.put("d/new", "x"));
    MUST(world.put("new", "x"));
    expect_one_number(world, "/");
    expect_one_number(world, "d");
    dentries::shrink(SIZE_MAX);
    expect_one_number(world, "/");
    expect_one_number(world, "d");
    EXPECT_EQ(MUST(world.stat("d")).inode, before);
}

TEST_F(LayeredHostTest, SeesChangesOfTheHostBelow) {
    const auto directory = tree->add_directory("d");
    directory->add_file("f", "one");
    World world;
    MUST(start(world, doubting()));
    world.start_at = MUST(world.find("d"));
    EXPECT_EQ(MUST(world.get("f")), "one");
    MUST(world.put("own", "own"));
    directory->add_file("late", "late");
    directory->entries["f"]->write("longer");
    EXPECT_EQ(MUST(world.get("late")), "late");
    EXPECT_EQ(MUST(world.get("f")), "longer");
    EXPECT_EQ(MUST(world.get("own")), "own");
    EXPECT_EQ(MUST(path_text(world.start_at, world.root)).text, "/d");
}

// The change is noticed under a directory's lock; dropping mapped pages takes locks that come before it.
TEST_F(LayeredHostTest, NoticesChangesOfMappedFiles) {
    const auto file = tree->add_file("f", "old");
    World world;
    MUST(start(world, doubting()));
    const RefPtr<File> reader = MUST(world.open("f"));
    const RefPtr<mm::AddressSpace> space = MUST(mm::AddressSpace::create());
    const VirtAddr address = MUST(space->map({.bytes = kPageSize,
                                              .access = platform::Access::Read,
                                              .shared = true,
                                              .object = MUST(reader->memory_object())}));
    EXPECT_EQ(MUST(test_support::user_read(*space, address)), std::byte{'o'});
    file->write("new");
    tree->add_file("g", "g");
    EXPECT_EQ(MUST(world.list("/")), (std::vector<std::string>{"f", "g"}));
    (void)MUST(world.stat("g"));
    EXPECT_EQ(MUST(world.get("f")), "new");
    EXPECT_EQ(MUST(test_support::user_read(*space, address)), std::byte{'n'});
}

TEST_F(LayeredHostTest, CopiesDoNotPassTheBudget) {
    tree->add_file("big", std::string(1 << 20, 'b'));
    World world;
    MUST(start(world, {}, 256 << 10));
    EXPECT_EQ(error_of(world.put("big", "x", OpenFlags::Write | OpenFlags::Append)), "NoSpace");
    EXPECT_EQ(MUST(world.stat("big")).size_bytes, 1U << 20);
    // Nothing is copied that is cut off at once.
    EXPECT_EQ(error_of(world.put("big", "x")), "ok");
    EXPECT_EQ(MUST(world.get("big")), "x");
}

TEST_F(LayeredHostTest, ZeroPagesStayHoles) {
    tree->add_file("sparse", std::string(1 << 20, '\0') + "end");
    World world;
    MUST(start(world, {}, 256 << 10));
    MUST(world.put("sparse", "!", OpenFlags::Write | OpenFlags::Append));
    EXPECT_EQ(MUST(world.stat("sparse")).size_bytes, (1U << 20) + 4);
    EXPECT_EQ(MUST(world.stat("sparse")).blocks_512, 8U);
}

TEST_F(LayeredHostTest, SingleFilesCanBeBound) {
    const auto file = std::make_shared<HostNode>(platform::HostFileType::Regular, 0644u);
    file->contents = "conf";
    tree = file;
    World world;
    MUST(world.start_tmpfs());
    MUST(world.put("conf", ""));
    {
        const FileSystemUse lower(MUST(host({})));
        (void)MUST(world.space->mount(MUST(overlay::create(std::array{lower.reference()}, test_support::make_budget())),
                                      MUST(world.find("conf")), "host", MountFlags::None));
    }
    EXPECT_EQ(MUST(world.get("conf")), "conf");
    MUST(world.put("conf", "mine"));
    EXPECT_EQ(MUST(world.get("conf")), "mine");
    EXPECT_EQ(file->contents, "conf");
    EXPECT_EQ(error_of(world.unlink("conf")), "Busy");
}

TEST_F(LayeredHostTest, LayersStack) {
    tree->add_directory("d")->add_file("low", "low");
    tree->add_file("hidden", "h");
    const FileSystemUse lower(MUST(host({})));
    const FileSystemUse middle(MUST(test_support::make_tmpfs()));
    {
        World builder;
        MUST(builder.start(middle.reference()));
        MUST(builder.mkdir("d"));
        MUST(builder.put("d/middle", "middle"));
        MUST(make_node(builder.at(), "hidden", FileType::CharacterDevice, 0, {0, 0}));
    }
    World world;
    MUST(world.start(
        MUST(overlay::create(std::array{middle.reference(), lower.reference()}, test_support::make_budget()))));
    EXPECT_EQ(MUST(world.list("/")), std::vector<std::string>{"d"});
    EXPECT_EQ(MUST(world.list("d")), (std::vector<std::string>{"low", "middle"}));
    EXPECT_EQ(error_of(world.stat("hidden")), "NotFound");
    MUST(world.put("hidden", "new"));
    MUST(world.unlink("d/low"));
    EXPECT_EQ(MUST(world.list("d")), std::vector<std::string>{"middle"});
}

}  // namespace
}  // namespace kernel::vfs::hostfs
