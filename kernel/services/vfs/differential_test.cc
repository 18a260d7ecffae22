// SPDX-License-Identifier: MIT OR Apache-2.0
// The same random operations on a directory of the host's Linux and on ours must have the same outcomes, errors
// included. So every rule that these operations touch is one that Linux has been seen to follow.
#include <fcntl.h>

#include <array>
#include <cstdlib>
#include <random>

#include "services/vfs/device_registry.h"
#include "services/vfs/fs/overlay/overlay.h"
#include "support/differential_sides.h"

namespace kernel::vfs::differential {
namespace {

using test_support::VfsTest;

// How long to play; more with KPIO_DIFFERENTIAL_SEEDS in the environment.
std::uint64_t seeds() {
    const char* const text = std::getenv("KPIO_DIFFERENTIAL_SEEDS");
    return text == nullptr ? 8 : std::strtoull(text, nullptr, 10);
}

class Player {
public:
    explicit Player(std::uint64_t seed) : random_(seed) {}

    unsigned below(unsigned limit) { return static_cast<unsigned>(random_() % limit); }
    bool one_in(unsigned n) { return below(n) == 0; }

    std::string path() {
        static const char* const kNames[] = {"a", "b", "c", "d"};
        std::string text;
        unsigned ups = 0;
        const unsigned depth = 1 + below(3);
        for (unsigned i = 0; i < depth; ++i) {
            if (!text.empty()) {
                text += one_in(12) ? "//" : "/";
            }
            if (one_in(14) && ups < 2) {
                text += "..";
                ++ups;
            } else if (one_in(14)) {
                text += ".";
            } else if (one_in(200)) {
                text += std::string(256, 'n');
            } else {
                text += kNames[below(4)];
            }
        }
        if (one_in(10)) {
            text += "/";
        }
        return one_in(150) ? std::string() : text;
    }
    // Without "..", so that chains of links stay inside.
    std::string target() {
        static const char* const kTargets[] = {"a", "b", "c", "d", "a/b", "b/c", "./c", "d/", "nowhere", "c/a"};
        return kTargets[below(std::size(kTargets))];
    }
    unsigned mode() {
        static const unsigned kModes[] = {0777,  0755,  0700,  0711,  0644, 0600, 0000,
                                          02775, 01777, 04755, 02750, 0070, 0007};
        return kModes[below(std::size(kModes))];
    }
    int open_flags() {
        static const int kAccess[] = {O_RDONLY, O_WRONLY, O_RDWR};
        int flags = kAccess[below(3)];
        const std::pair<int, unsigned> kMaybe[] = {{O_CREAT, 2},    {O_EXCL, 6},  {O_TRUNC, 4},  {O_DIRECTORY, 8},
                                                   {O_NOFOLLOW, 6}, {O_PATH, 10}, {O_APPEND, 4}, {O_NOATIME, 12}};
        for (const auto& [flag, chance] : kMaybe) {
            flags |= one_in(chance) ? flag : 0;
        }
        // Without O_CREAT the effect of O_EXCL is undefined.
        return (flags & O_CREAT) != 0 ? flags : flags & ~O_EXCL;
    }

    struct Step {
        std::string text;
        std::string outcome[2];
    };
    // One random operation on both sides.
    Step step(std::array<Side*, 2> sides, bool links) {
        switch (below(19)) {
            case 0:
            case 1:
            case 2: {
                const std::string name = path();
                const int flags = open_flags();
                const unsigned permissions = mode();
                return both(sides,
                            "open " + name + " flags " + std::to_string(flags) + " mode " + std::to_string(permissions),
                            [&](Side& side) { return side.open(name, flags, permissions); });
            }
            case 3:
                return with_path(sides, "stat", [](Side& side, const std::string& p) { return side.stat(p, true); });
            case 4:
                return with_path(sides, "lstat", [](Side& side, const std::string& p) { return side.stat(p, false); });
            case 5:
                return with_path(sides, "readlink", [](Side& side, const std::string& p) { return side.readlink(p); });
            case 6:
            case 7: {
                const unsigned permissions = mode();
                return with_path(sides, "mkdir",
                                 [&](Side& side, const std::string& p) { return side.mkdir(p, permissions); });
            }
            case 8:
                return with_path(sides, "rmdir", [](Side& side, const std::string& p) { return side.rmdir(p); });
            case 9:
                return with_path(sides, "unlink", [](Side& side, const std::string& p) { return side.unlink(p); });
            case 10: {
                const std::string to = one_in(30) ? "" : target();
                return with_path(sides, "symlink " + to,
                                 [&](Side& side, const std::string& p) { return side.symlink(to, p); });
            }
            case 11: {
                const std::string from = path();
                const bool follow = one_in(2);
                if (!links) {
                    return with_path(sides, "mkfifo",
                                     [](Side& side, const std::string& p) { return side.mkfifo(p, 0644); });
                }
                return with_path(sides, "link " + from + (follow ? " followed" : ""),
                                 [&](Side& side, const std::string& p) { return side.link(from, p, follow); });
            }
            case 12:
            case 13: {
                const std::string from = path();
                const unsigned flags = one_in(2) ? 0 : below(3);
                return with_path(sides, "rename flags " + std::to_string(flags) + " " + from,
                                 [&](Side& side, const std::string& p) { return side.rename(from, p, flags); });
            }
            case 14: {
                const unsigned permissions = mode();
                return with_path(sides, "chmod " + std::to_string(permissions),
                                 [&](Side& side, const std::string& p) { return side.chmod(p, permissions); });
            }
            case 15: {
                static const int kIds[] = {-1, 0, 1001, 1002, 77};
                const int user = kIds[below(4)];
                const int group = kIds[below(5)];
                const bool follow = one_in(2);
                return with_path(sides, "chown " + std::to_string(user) + ":" + std::to_string(group),
                                 [&](Side& side, const std::string& p) { return side.chown(p, user, group, follow); });
            }
            case 16: {
                const long bytes = below(10000);
                return with_path(sides, "truncate",
                                 [&](Side& side, const std::string& p) { return side.truncate(p, bytes); });
            }
            case 17: {
                const int wanted = static_cast<int>(below(8));
                return with_path(sides, "access " + std::to_string(wanted),
                                 [&](Side& side, const std::string& p) { return side.access(p, wanted); });
            }
            default: {
                if (one_in(3)) {
                    const bool now = one_in(2);
                    return with_path(sides, "touch",
                                     [&](Side& side, const std::string& p) { return side.touch(p, now); });
                }
                return with_path(sides, "list", [](Side& side, const std::string& p) { return side.list(p); });
            }
        }
    }

private:
    template <class F>
    static Step both(std::array<Side*, 2> sides, std::string text, F&& act) {
        Step step{.text = std::move(text), .outcome = {}};
        step.outcome[0] = act(*sides[0]);
        step.outcome[1] = act(*sides[1]);
        return step;
    }
    template <class F>
    Step with_path(std::array<Side*, 2> sides, const std::string& text, F&& act) {
        const std::string name = path();
        return both(sides, text + " " + name, [&](Side& side) { return act(side, name); });
    }

    std::mt19937_64 random_;
};

// A FIFO as O_NONBLOCK shows it when nobody else has it open, fifo(7).
class LonelyFifo final : public File {
public:
    explicit LonelyFifo(OpenRequest&& request) : File(std::move(request)) {}

private:
    bool is_stream() const override { return true; }
};

Result<RefPtr<File>> open_lonely_fifo(Inode&, OpenRequest&& request) {
    if (!has(request.flags, OpenFlags::Read)) {
        return Error::NoDevice;
    }
    return make_ref<LonelyFifo>(std::move(request));
}

class Differential : public VfsTest {
protected:
    void SetUp() override {
        VfsTest::SetUp();
        set_fifo_opener(&open_lonely_fifo);
    }
    void TearDown() override {
        set_fifo_opener(nullptr);
        VfsTest::TearDown();
    }
    static void make_start(World& world) {
        if (::geteuid() != 0) {
            become_caller(world);
        }
        for (const char* path : {"x", "x/x", "x/x/x", kStart}) {
            MUST(world.mkdir(path));
        }
        world.start_at = MUST(world.find(kStart));
    }
    // Plays until the outcomes differ.
    static void play(Player& player, Side& linux_side, Side& our_side, unsigned steps, bool links) {
        std::vector<std::string> history;
        for (unsigned i = 0; i < steps; ++i) {
            const User& user = kUsers[player.one_in(2) ? 0 : player.below(3)];
            linux_side.become(user);
            our_side.become(user);
            const Player::Step step = player.step({&linux_side, &our_side}, links);
            history.push_back(std::to_string(user.user) + " " + step.text + " -> " + step.outcome[0]);
            if (step.outcome[0] != step.outcome[1]) {
                std::string last;
                for (std::size_t j = history.size() > 25 ? history.size() - 25 : 0; j < history.size(); ++j) {
                    last += history[j] + "\n";
                }
                ADD_FAILURE() << "step " << i << ": Linux says \"" << step.outcome[0] << "\", we say \""
                              << step.outcome[1] << "\" after\n"
                              << last;
                break;
            }
        }
        linux_side.become(kUsers[0]);
        our_side.become(kUsers[0]);
    }
};

TEST_F(Differential, TmpfsBehavesLikeLinux) {
    for (std::uint64_t seed = 1; seed <= seeds() && !HasFailure(); ++seed) {
        SCOPED_TRACE(testing::Message() << "seed " << seed);
        World world;
        MUST(world.start(MUST(test_support::make_tmpfs(64 << 20, 0777))));
        make_start(world);
        LinuxSide linux_side;
        OurSide our_side(world, linux_side.counts_directory_links);
        Player player(seed);
        play(player, linux_side, our_side, 4000, true);
    }
}

// What one side did goes on above a lower layer, and Linux must not notice. The lower layer has no hard links, which a
// copy breaks.
TEST_F(Differential, OverlayBehavesLikeOneTree) {
    for (std::uint64_t seed = 1; seed <= seeds() && !HasFailure(); ++seed) {
        SCOPED_TRACE(testing::Message() << "seed " << seed);
        LinuxSide linux_side;
        Player player(seed * 1000);
        const FileSystemUse lower(MUST(test_support::make_tmpfs(64 << 20, 0777)));
        {
            World world;
            MUST(world.start(lower.reference()));
            make_start(world);
            OurSide our_side(world, false);
            linux_side.counts_directory_links = false;
            play(player, linux_side, our_side, 600, false);
        }
        World world;
        MUST(world.start(MUST(overlay::create(std::array{lower.reference()}, test_support::make_budget()))));
        world.start_at = MUST(world.find(kStart));
        OurSide our_side(world, false);
        play(player, linux_side, our_side, 2000, true);
        // The same with nothing cached.
        dentries::shrink(SIZE_MAX);
        play(player, linux_side, our_side, 1000, true);
    }
}

}  // namespace
}  // namespace kernel::vfs::differential
