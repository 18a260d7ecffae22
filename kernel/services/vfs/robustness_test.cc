// SPDX-License-Identifier: MIT OR Apache-2.0
// Operations when memory runs out at any point, and when several threads are at them at once.
#include <array>
#include <atomic>
#include <chrono>
#include <random>
#include <thread>

#include "services/vfs/fs/hostfs/hostfs.h"
#include "services/vfs/fs/initramfs/initramfs.h"
#include "services/vfs/fs/overlay/overlay.h"
#include "support/fake_host_files.h"
#include "support/vfs_world.h"

namespace kernel::vfs {
namespace {

using test_support::error_of;
using test_support::for_each_allocation_failure;
using test_support::HostNode;
using test_support::VfsTest;
using test_support::World;

class OutOfMemory : public VfsTest {
protected:
    static void SetUpTestSuite() {
        // What is made once stays, and would look like a leak.
        test_support::initialize_memory();
        World world;
        MUST(world.start_tmpfs());
    }
};

Result<> use_names(World& world) {
    TRY(world.mkdir("d"));
    TRY(world.put("d/f", "some text"));
    TRY(world.symlink("d/f", "l"));
    TRY(world.link("d/f", "hard"));
    const std::string text = TRY(world.get("l"));
    EXPECT_EQ(text, "some text");
    TRY(world.mkdir("e"));
    TRY(world.rename("d", "e/moved"));
    TRY(world.rename("hard", "l", RenameMode::Exchange));
    TRY(world.rename("e/moved/f", "e/f"));
    const PathText path = TRY(path_text(TRY(world.find("e/moved")), world.root));
    EXPECT_EQ(path.text, "/e/moved");
    EXPECT_EQ(TRY(world.list("e")), (std::vector<std::string>{"f", "moved"}));
    TRY(set_attribute(TRY(world.find("e/f")), "user.a", as_bytes(std::string_view("v")), AttributeMode::Set,
                      *world.credentials));
    TRY(world.unlink("e/f"));
    TRY(world.rmdir("e/moved"));
    EXPECT_EQ(TRY(world.list("e")), std::vector<std::string>{});
    return {};
}

TEST_F(OutOfMemory, Tmpfs) {
    for_each_allocation_failure([]() -> Result<> {
        World world;
        TRY(world.start_tmpfs());
        return use_names(world);
    });
}

// A half-done operation would show as a name that is there twice, or not at all.
TEST_F(OutOfMemory, RenamesHappenWhollyOrNotAtAll) {
    for_each_allocation_failure([]() -> Result<> {
        World world;
        TRY(world.start_tmpfs());
        TRY(world.mkdir("a"));
        TRY(world.mkdir("b"));
        TRY(world.put("a/f", "x"));
        const Result<> renamed = world.rename("a/f", "b/g");
        if (const Result<std::vector<std::string>> names = world.list("a"); names) {
            EXPECT_EQ(names->empty(), renamed.has_value());
        }
        if (const Result<std::vector<std::string>> names = world.list("b"); names) {
            EXPECT_EQ(names->empty(), !renamed.has_value());
        }
        return renamed;
    });
}

Result<> mount_tmpfs(World& world, std::string_view where) {
    const FileSystemUse use(TRY(test_support::make_tmpfs()));
    const Path place = TRY(world.find(where));
    const RefPtr<Mount> mount = TRY(world.space->mount(use.reference(), place, "none", MountFlags::None));
    return {};
}

TEST_F(OutOfMemory, Mounts) {
    for_each_allocation_failure([]() -> Result<> {
        World world;
        TRY(world.start_tmpfs());
        TRY(world.mkdir("m"));
        TRY(world.mkdir("n"));
        TRY(mount_tmpfs(world, "m"));
        TRY(world.mkdir("m/inner"));
        TRY(mount_tmpfs(world, "m/inner"));
        TRY(world.space->bind(TRY(world.find("m")), TRY(world.find("n")), MountFlags::None, true)).reset();
        TRY(world.put("n/inner/f", "x"));
        EXPECT_EQ(TRY(world.get("m/inner/f")), "x");
        return world.space->unmount(TRY(world.find("n")), UnmountMode::Detach);
    });
}

std::shared_ptr<HostNode> sample_host() {
    const auto tree = test_support::make_host_directory();
    tree->add_file("f", "host file");
    const auto directory = tree->add_directory("dir");
    directory->add_file("g", "g");
    directory->add_directory("sub")->add_file("h", "h");
    return tree;
}

Result<> start_layered(World& world, const std::shared_ptr<HostNode>& tree) {
    const FileSystemUse lower(
        TRY(hostfs::create(TRY(test_support::open_host_node(tree, false)), hostfs::Options{.believed_ns = 0})));
    return world.start(TRY(overlay::create(std::array{lower.reference()}, TRY(tmpfs::Budget::create(16 << 20)))));
}

TEST_F(OutOfMemory, LayersOverTheHost) {
    const auto tree = sample_host();
    for_each_allocation_failure([&]() -> Result<> {
        World world;
        TRY(start_layered(world, tree));
        TRY(use_names(world));
        TRY(world.put("f", "!", OpenFlags::Write | OpenFlags::Append));
        EXPECT_EQ(TRY(world.get("f")), "host file!");
        TRY(world.rename("dir", "moved"));
        TRY(world.unlink("moved/g"));
        TRY(world.rename("moved/sub", "sub"));
        EXPECT_EQ(TRY(world.get("sub/h")), "h");
        TRY(world.rmdir("moved"));
        TRY(world.mkdir("dir"));
        EXPECT_EQ(TRY(world.list("dir")), std::vector<std::string>{});
        return {};
    });
}

// Removing what a lower layer has must leave it either there or gone.
TEST_F(OutOfMemory, WhiteoutsAppearWhollyOrNotAtAll) {
    const auto tree = sample_host();
    for_each_allocation_failure([&]() -> Result<> {
        World world;
        TRY(start_layered(world, tree));
        const Result<> removed = world.unlink("dir/g");
        const Result<std::vector<std::string>> names = world.list("dir");
        if (names) {
            EXPECT_EQ(*names, removed ? std::vector<std::string>{"sub"} : (std::vector<std::string>{"g", "sub"}));
        }
        TRY(removed);
        TRY(names);
        return {};
    });
}

class Threads : public VfsTest {
protected:
    // Each thread plays with its own luck until the time is over.
    template <class F>
    static void run(unsigned count, std::chrono::milliseconds time, F&& play) {
        std::atomic<bool> stop = false;
        std::vector<std::thread> threads;
        for (unsigned i = 0; i < count; ++i) {
            threads.emplace_back([&, i] {
                std::mt19937_64 random(i);
                while (!stop) {
                    play(random);
                }
            });
        }
        std::this_thread::sleep_for(time);
        stop = true;
        for (std::thread& thread : threads) {
            thread.join();
        }
    }

    static std::string any_path(std::mt19937_64& random) {
        static const char* const kNames[] = {"a", "b", "c"};
        std::string path;
        for (std::uint64_t depth = 1 + random() % 3; depth != 0; --depth) {
            path += "/";
            path += kNames[random() % 3];
        }
        return path;
    }

    static void step(World& world, std::mt19937_64& random) {
        const std::string one = any_path(random);
        const std::string two = any_path(random);
        switch (random() % 10) {
            case 0:
                (void)world.mkdir(one);
                break;
            case 1:
                (void)world.rmdir(one);
                break;
            case 2:
                (void)world.unlink(one);
                break;
            case 3:
                (void)world.rename(one, two);
                break;
            case 4:
                (void)world.rename(one, two, RenameMode::Exchange);
                break;
            case 5:
                (void)world.put(one, "text");
                break;
            case 6:
                (void)world.put(one, "more", OpenFlags::Write | OpenFlags::Append);
                break;
            case 7:
                (void)world.list(one);
                break;
            case 8:
                (void)world.link(one, two);
                break;
            default:
                if (const Result<Path> place = world.find(one); place) {
                    (void)path_text(*place, world.root);
                }
                break;
        }
    }

    // Names that are listed lead to something; directories count their subdirectories; everything can be removed.
    static void check_and_clear(World& world, const std::string& path, bool counts_links) {
        const std::vector<std::string> names = MUST(world.list(path));
        std::uint32_t directories = 0;
        for (const std::string& name : names) {
            const std::string child = path + "/" + name;
            const Result<Status> status = world.lstat(child);
            EXPECT_TRUE(status) << child;
            if (status && status->type == FileType::Directory) {
                ++directories;
            }
        }
        if (counts_links) {
            EXPECT_EQ(MUST(world.stat(path)).links, 2 + directories) << path;
        }
        for (const std::string& name : names) {
            const std::string child = path + "/" + name;
            if (MUST(world.lstat(child)).type == FileType::Directory) {
                check_and_clear(world, child, counts_links);
                EXPECT_EQ(error_of(world.rmdir(child)), "ok") << child;
            } else {
                EXPECT_EQ(error_of(world.unlink(child)), "ok") << child;
            }
        }
    }
};

TEST_F(Threads, ChangeOneTree) {
    World world;
    MUST(world.start_tmpfs());
    run(3, std::chrono::milliseconds(1500), [&](std::mt19937_64& random) { step(world, random); });
    check_and_clear(world, "/", true);
}

TEST_F(Threads, ChangeOneTreeOverTheHost) {
    const auto tree = sample_host();
    const auto a = tree->add_directory("a");
    a->add_file("b", "b");
    a->add_directory("c")->add_file("a", "a");
    World world;
    MUST(start_layered(world, tree));
    run(3, std::chrono::milliseconds(1500), [&](std::mt19937_64& random) {
        if (random() % 200 == 0) {
            (void)dentries::shrink(100);
        }
        step(world, random);
    });
    check_and_clear(world, "/", false);
}

TEST_F(Threads, AppendWithoutLosingAnything) {
    World world;
    MUST(world.start_tmpfs());
    constexpr unsigned kThreads = 3;
    constexpr unsigned kLines = 300;
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < kThreads; ++i) {
        threads.emplace_back([&, i] {
            const RefPtr<File> file = MUST(world.open("log", OpenFlags::Write | OpenFlags::Append | OpenFlags::Create));
            const std::string line = std::string(50, static_cast<char>('a' + i)) + "\n";
            for (unsigned n = 0; n < kLines; ++n) {
                MUST(World::write_all(*file, line));
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    const std::string all = MUST(world.get("log"));
    ASSERT_EQ(all.size(), kThreads * kLines * 51U);
    for (std::size_t at = 0; at < all.size(); at += 51) {
        EXPECT_EQ(all.substr(at, 50), std::string(50, all[at]));
        EXPECT_EQ(all[at + 50], '\n');
    }
}

TEST_F(Threads, MountAndWalk) {
    World world;
    MUST(world.start_tmpfs());
    MUST(world.mkdir("m"));
    MUST(world.put("m/below", "x"));
    run(3, std::chrono::milliseconds(800), [&](std::mt19937_64& random) {
        switch (random() % 4) {
            case 0:
                (void)world.space->mount(MUST(test_support::make_tmpfs()), MUST(world.find("m")), "none",
                                         MountFlags::None);
                break;
            case 1:
                (void)world.space->unmount(MUST(world.find("m")), UnmountMode::Detach);
                break;
            case 2:
                (void)world.put("m/f", "x");
                break;
            default:
                (void)world.stat("m/../m/below");
                break;
        }
    });
}

}  // namespace
}  // namespace kernel::vfs
