// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/vfs/pseudofs.h"

#include <set>

#include "services/vfs/device_registry.h"
#include "services/vfs/fs/devfs/devfs.h"
#include "support/vfs_world.h"

namespace kernel::vfs::pseudofs {
namespace {

using test_support::error_of;
using test_support::VfsTest;
using test_support::World;

// A system with numbered things.
std::set<std::uint64_t> things;
std::string setting = "old\n";
int generated = 0;
Path link_goal;

Result<> print_name(const Subject& subject, Text& text) {
    text.print("thing {}\n", subject.id);
    return {};
}
Result<> print_long(const Subject&, Text& text) {
    ++generated;
    for (int i = 0; i < 1000; ++i) {
        text.print("line {:>8} {}\n", i,
                   "0123456789012345678901234567890123456789012345678901234567890123456789"
                   "0123456789012345678901234567890123456789012345678901234567890123456789"
                   "0123456789012345678901234567890123456789012345678901234567890123456789"
                   "0123456789012345678901234567890123456789012345678901234567890123456789");
    }
    return {};
}
Result<> print_setting(const Subject&, Text& text) {
    text.add(setting);
    return {};
}
Result<std::size_t> store_setting(const Subject&, std::string_view text) {
    if (text.size() > 10) {
        return Error::InvalidArgument;
    }
    setting = text;
    return text.size();
}
Result<> print_target(const Subject&, Text& text) {
    text.add("somewhere else");
    return {};
}
bool is_alive(const Subject& subject) {
    return things.contains(subject.id);
}
Owner owner_of(const Subject& subject) {
    return {.user = static_cast<std::uint32_t>(subject.id), .group = 7};
}

constexpr Entry kThingFiles[] = {
    {.name = "name", .generate = &print_name, .alive = &is_alive, .owner = &owner_of},
    {.name = "goal",
     .type = FileType::Symlink,
     .permissions = 0777,
     .target = &print_target,
     .follow = [](const Subject&) -> Result<Path> { return link_goal; }},
};
constexpr Entry kThing{.type = FileType::Directory, .permissions = 0555, .children = kThingFiles, .alive = &is_alive};

Result<Found> find_thing(const Subject&, std::string_view name) {
    std::uint64_t id = 0;
    for (const char digit : name) {
        if (digit < '0' || digit > '9') {
            return Error::NotFound;
        }
        id = id * 10 + static_cast<std::uint64_t>(digit - '0');
    }
    if (!things.contains(id)) {
        return Error::NotFound;
    }
    return Found{.entry = &kThing, .subject = {.object = {}, .id = id}};
}
Result<DynamicChildren::Listed> next_thing(const Subject&, std::uint64_t position) {
    const auto found = things.lower_bound(position);
    if (found == things.end()) {
        return Error::NotFound;
    }
    return DynamicChildren::Listed{.name = FixedString<32>::truncated(std::to_string(*found)),
                                   .entry = &kThing,
                                   .id = *found,
                                   .next_position = *found + 1};
}
constexpr DynamicChildren kThings{.look_up = &find_thing, .next = &next_thing};

constexpr Entry kSys[] = {
    {.name = "setting", .permissions = 0644, .generate = &print_setting, .store = &store_setting}};
constexpr Entry kTop[] = {
    {.name = "long", .generate = &print_long},
    {.name = "sys", .type = FileType::Directory, .permissions = 0555, .children = kSys},
};
constexpr Entry kRoot{.type = FileType::Directory, .permissions = 0555, .children = kTop, .dynamic = &kThings};

class PseudoFsTest : public VfsTest {
protected:
    void SetUp() override {
        VfsTest::SetUp();
        things = {3, 10, 200};
        MUST(world.start(MUST(create("things", 0x1234, kRoot))));
    }
    void TearDown() override {
        link_goal = Path();
        world.root = Path();
        world.start_at = Path();
        world.space.reset();
        world.credentials.reset();
        VfsTest::TearDown();
    }
    World world;
};

TEST_F(PseudoFsTest, GeneratesText) {
    EXPECT_EQ(MUST(world.get("3/name")), "thing 3\n");
    EXPECT_EQ(MUST(world.stat("3/name")).user, 3U);
    EXPECT_EQ(MUST(world.stat("3/name")).size_bytes, 0U);
    EXPECT_EQ(MUST(world.list("/")), (std::vector<std::string>{"10", "200", "3", "long", "sys"}));
    EXPECT_EQ(error_of(world.stat("4")), "NotFound");
    EXPECT_EQ(error_of(world.unlink("long")), "NotPermitted");
    EXPECT_EQ(error_of(world.mkdir("new")), "NotPermitted");
}

TEST_F(PseudoFsTest, OneReadingSeesOneText) {
    generated = 0;
    const std::string all = MUST(world.get("long"));
    EXPECT_EQ(generated, 1);
    EXPECT_EQ(all.size(), 1000U * (5 + 8 + 1 + 280 + 1));
    EXPECT_EQ(all.find('\0'), std::string::npos);
}

TEST_F(PseudoFsTest, StoresText) {
    MUST(world.put("sys/setting", "new"));
    EXPECT_EQ(MUST(world.get("sys/setting")), "new");
    EXPECT_EQ(error_of(world.put("sys/setting", "much too long")), "InvalidArgument");
    EXPECT_EQ(error_of(world.put("long", "x")), "InvalidArgument");
}

TEST_F(PseudoFsTest, SubjectsComeAndGo) {
    world.start_at = MUST(world.find("10"));
    EXPECT_EQ(error_of(world.stat("name")), "ok");
    const RefPtr<File> name = MUST(world.open("name"));
    EXPECT_EQ(MUST(path_text(name->path(), world.root)).text, "/10/name");
    things.erase(10);
    EXPECT_EQ(error_of(world.stat("/10")), "NotFound");
    EXPECT_EQ(error_of(world.stat("name")), "NotFound");
    EXPECT_EQ(error_of(World::read_all(*name)), "NoSuchProcess");
    things.insert(4);
    EXPECT_EQ(error_of(world.stat("/4/name")), "ok");
}

TEST_F(PseudoFsTest, MagicLinksLeadToThings) {
    link_goal = MUST(world.find("sys"));
    EXPECT_EQ(MUST(read_link(world.at(), "3/goal")).view(), "somewhere else");
    EXPECT_EQ(error_of(world.stat("3/goal/setting")), "ok");
    EXPECT_EQ(error_of(resolve(world.at(), "3/goal", WalkFlags::NoMagicLinks)), "SymlinkLoop");
    EXPECT_EQ(error_of(resolve(world.at(), "3/goal", WalkFlags::Beneath)), "CrossDevice");
}

// The devices stay registered for the rest of the program, so this looks like a leak to the fixture.
TEST(DevFs, HasTheMemoryDevices) {
    test_support::initialize_memory();
    MUST(devfs::register_memory_devices());
    World world;
    MUST(world.start(MUST(devfs::instance())));
    EXPECT_EQ(MUST(world.get("null")), "");
    EXPECT_EQ(error_of(world.put("null", "x")), "ok");
    EXPECT_EQ(error_of(world.put("full", "x")), "NoSpace");
    EXPECT_EQ(MUST(world.stat("null")).special, (DeviceNumber{1, 3}));
    std::string text(100, 'x');
    mm::IoBuffer zeros(std::as_writable_bytes(std::span(text)));
    EXPECT_EQ(MUST(MUST(world.open("zero"))->read(zeros)), 100U);
    EXPECT_EQ(text, std::string(100, '\0'));
    mm::IoBuffer random(std::as_writable_bytes(std::span(text)));
    EXPECT_EQ(MUST(MUST(world.open("urandom"))->read(random)), 100U);
    EXPECT_NE(text, std::string(100, '\0'));
    EXPECT_EQ(MUST(MUST(world.open("null"))->seek(5, SeekFrom::Start)), 0U);
    EXPECT_EQ(error_of(world.stat("late/device")), "NotFound");
    EXPECT_EQ(error_of(world.stat("late")), "NotFound");
    MUST(register_device({.name = "late",
                          .type = FileType::CharacterDevice,
                          .number = {.major = 240, .minor = 1},
                          .open = [](Inode&, OpenRequest&&) -> Result<RefPtr<File>> { return Error::Busy; }}));
    EXPECT_EQ(error_of(world.open("late")), "Busy");
    EXPECT_EQ(error_of(world.stat("late")), "ok");
    MUST(world.space->remount(world.root, MountFlags::NoDevices));
    EXPECT_EQ(error_of(world.open("null")), "AccessDenied");
}

}  // namespace
}  // namespace kernel::vfs::pseudofs
