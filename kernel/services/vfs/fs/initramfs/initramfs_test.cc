// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/vfs/fs/initramfs/initramfs.h"

#include <memory>
#include <random>

#include "support/vfs_world.h"

namespace kernel::vfs::initramfs {
namespace {

using test_support::error_of;
using test_support::VfsTest;
using test_support::World;

struct Member {
    std::string name;
    std::uint32_t mode = 0100644;
    std::string data;
    std::uint32_t inode = 1;
    std::uint32_t links = 1;
};

std::string archive_of(const std::vector<Member>& members) {
    std::string archive;
    const auto pad = [&] { archive.resize((archive.size() + 3) / 4 * 4, '\0'); };
    const auto add = [&](const Member& member) {
        const std::uint32_t fields[] = {member.inode,
                                        member.mode,
                                        7,
                                        8,
                                        member.links,
                                        1000,
                                        static_cast<std::uint32_t>(member.data.size()),
                                        0,
                                        0,
                                        5,
                                        6,
                                        static_cast<std::uint32_t>(member.name.size() + 1),
                                        0};
        archive += "070701";
        for (const std::uint32_t field : fields) {
            char text[9];
            std::snprintf(text, sizeof(text), "%08x", field);
            archive += text;
        }
        archive += member.name;
        archive += '\0';
        pad();
        archive += member.data;
        pad();
    };
    for (const Member& member : members) {
        add(member);
    }
    add({.name = "TRAILER!!!", .mode = 0, .data = ""});
    return archive;
}

class InitramfsTest : public VfsTest {
protected:
    static Result<Statistics> unpack_into(World& world, std::string_view archive) {
        return unpack(as_bytes(archive), world.root.inode());
    }
};

TEST_F(InitramfsTest, UnpacksEverything) {
    World world;
    MUST(world.start_tmpfs());
    const std::string archive = archive_of({{.name = ".", .mode = 040755, .data = ""},
                                            {.name = "bin", .mode = 041777, .data = ""},
                                            {.name = "bin/sh", .mode = 0104755, .data = std::string(9000, 's')},
                                            {.name = "./bin/link", .mode = 0120777, .data = "sh"},
                                            {.name = "one", .mode = 0100644, .data = "", .inode = 9, .links = 2},
                                            {.name = "two", .mode = 0100644, .data = "both", .inode = 9, .links = 2},
                                            {.name = "dev", .mode = 020600, .data = ""}});
    const Statistics statistics = MUST(unpack_into(world, archive));
    EXPECT_EQ(statistics.entries, 7U);
    EXPECT_EQ(statistics.file_bytes, 9004U);
    EXPECT_EQ(MUST(world.get("bin/link")), std::string(9000, 's'));
    EXPECT_EQ(MUST(world.get("one")), "both");
    EXPECT_EQ(MUST(world.stat("one")).links, 2U);
    const Status shell = MUST(world.stat("bin/sh"));
    EXPECT_EQ(shell.permissions, 04755U);
    EXPECT_EQ(shell.user, 7U);
    EXPECT_EQ(shell.group, 8U);
    EXPECT_EQ(shell.modify_ns, 1'000'000'000'000);
    EXPECT_EQ(MUST(world.stat("bin")).modify_ns, 1'000'000'000'000);
    EXPECT_EQ(MUST(world.stat("bin")).permissions, 01777U);
    EXPECT_EQ(MUST(world.stat("dev")).special, (DeviceNumber{5, 6}));
}

TEST_F(InitramfsTest, ArchivesFollowEachOther) {
    World world;
    MUST(world.start_tmpfs());
    std::string archives = archive_of({{.name = "a", .data = "1"}, {.name = "b", .data = "1"}});
    archives.resize(1024, '\0');
    archives += archive_of({{.name = "a", .data = "2"}});
    MUST(unpack_into(world, archives));
    EXPECT_EQ(MUST(world.get("a")), "2");
    EXPECT_EQ(MUST(world.get("b")), "1");
}

TEST_F(InitramfsTest, RefusesWhatIsMalformed) {
    const auto refused = [](const std::string& archive) {
        World world;
        MUST(world.start_tmpfs());
        return error_of(unpack_into(world, archive));
    };
    EXPECT_EQ(refused("junk"), "InvalidArgument");
    EXPECT_EQ(refused(archive_of({{.name = "../x", .data = "1"}})), "InvalidArgument");
    EXPECT_EQ(refused(archive_of({{.name = "no/where", .data = "1"}})), "InvalidArgument");
    EXPECT_EQ(refused(archive_of({{.name = "l", .mode = 0120777, .data = "/"}, {.name = "l/x", .data = "1"}})),
              "InvalidArgument");
    EXPECT_EQ(refused(archive_of({{.name = "l", .mode = 0120777, .data = ""}})), "InvalidArgument");
    EXPECT_EQ(refused(archive_of({{.name = "d", .mode = 0040755, .data = "", .inode = 3, .links = 5},
                                  {.name = "f", .data = "", .inode = 3, .links = 5},
                                  {.name = "g", .mode = 0120777, .data = "x", .inode = 3, .links = 5}})),
              "InvalidArgument");
    std::string cut = archive_of({{.name = "a", .data = std::string(500, 'a')}});
    cut.resize(300);
    EXPECT_EQ(refused(cut), "InvalidArgument");
}

TEST_F(InitramfsTest, RunsOutOfSpaceInOrder) {
    World world;
    MUST(world.start(MUST(test_support::make_tmpfs(64 << 10))));
    EXPECT_EQ(error_of(unpack_into(world, archive_of({{.name = "a", .data = std::string(1 << 20, 'a')}}))), "NoSpace");
}

// Whatever is damaged, it ends in a result, and nothing is read beyond the archive (AddressSanitizer watches the copy's
// ends).
TEST_F(InitramfsTest, SurvivesDamage) {
    const std::string good = archive_of({{.name = "bin", .mode = 040755, .data = ""},
                                         {.name = "bin/sh", .data = std::string(100, 's')},
                                         {.name = "bin/link", .mode = 0120777, .data = "sh"},
                                         {.name = "one", .data = "1", .inode = 9, .links = 2},
                                         {.name = "two", .data = "2", .inode = 9, .links = 2}});
    std::mt19937_64 random(1);
    for (int round = 0; round < 3000; ++round) {
        World world;
        MUST(world.start_tmpfs());
        const auto archive = std::make_unique<std::vector<char>>(good.begin(), good.end());
        for (std::uint64_t damage = random() % 4; damage != 0; --damage) {
            static const char kBytes[] = {'0', '1', '7', 'f', '\0', '/', '.', static_cast<char>(0xff)};
            (*archive)[random() % archive->size()] = kBytes[random() % sizeof(kBytes)];
        }
        if (random() % 3 == 0) {
            archive->resize(random() % archive->size());
            archive->shrink_to_fit();
        }
        (void)unpack(std::as_bytes(std::span<const char>(*archive)), world.root.inode());
    }
}

}  // namespace
}  // namespace kernel::vfs::initramfs
