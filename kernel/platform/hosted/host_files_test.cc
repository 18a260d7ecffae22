// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/host_files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <thread>

#include "platform/frames.h"
#include "platform/hosted/guest_memory.h"
#include "platform/hosted/host_node.h"

namespace kernel::platform {
namespace {

namespace fs = std::filesystem;

std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text));
}

std::string read_all(HostFile& file) {
    std::string text(64, '\0');
    const auto count = file.read_at(0, std::as_writable_bytes(std::span(text)));
    return count.has_value() ? text.substr(0, *count) : "error " + std::string(error_name(count.error()));
}

std::set<std::string> names_in(HostFile& directory) {
    std::set<std::string> names;
    std::uint64_t position = 0;
    const auto visit = [](void* context, const HostDirectoryEntry& entry) {
        static_cast<std::set<std::string>*>(context)->emplace(entry.name);
        return true;
    };
    EXPECT_TRUE(directory.list(position, visit, &names).has_value());
    return names;
}

class HostFiles : public testing::Test {
protected:
    void SetUp() override {
        char pattern[] = "/tmp/kpio-host-files-XXXXXX";
        path_ = mkdtemp(pattern);
        fs::create_directory(path_ / "tree");
        write("tree/file", "contents");
        write("outside", "secret");
    }
    void TearDown() override {
        root_.reset();
        hosted::limit_host_descriptors(64);
        EXPECT_EQ(hosted::open_host_descriptors(), 0u);
        fs::remove_all(path_);
    }
    void write(const std::string& name, std::string_view text) { std::ofstream(path_ / name) << text; }
    HostFile& root(bool writable = false) {
        if (!root_) {
            auto opened = open_host_root((path_ / "tree").native(), writable);
            EXPECT_TRUE(opened.has_value());
            root_ = std::move(*opened);
        }
        return *root_;
    }
    OwnPtr<HostFile> find(std::string_view name) { return find_in(root(), name); }
    OwnPtr<HostFile> find_in(HostFile& directory, std::string_view name) {
        auto found = directory.lookup(name);
        EXPECT_TRUE(found.has_value()) << name;
        return found.has_value() ? std::move(*found) : nullptr;
    }

    fs::path path_;
    OwnPtr<HostFile> root_;
};

TEST_F(HostFiles, ReadsFilesAndStatus) {
    const auto file = find("file");
    const auto status = file->status();
    ASSERT_TRUE(status.has_value());
    EXPECT_EQ(status->type, HostFileType::Regular);
    EXPECT_EQ(status->size_bytes, 8u);
    EXPECT_EQ(read_all(*file), "contents");
    std::array<std::byte, 4> part;
    EXPECT_EQ(file->read_at(6, part).value_or(0), 2u);
    EXPECT_EQ(file->read_at(100, part).value_or(1), 0u);
    EXPECT_EQ(root().read_at(0, part).error(), Error::IsDirectory);
    EXPECT_EQ(root().lookup("none").error(), Error::NotFound);
    EXPECT_EQ(file->lookup("x").error(), Error::NotDirectory);
}

// Memory that was never touched is filled past the kernel's mapping; what is read must be the same.
TEST_F(HostFiles, ReadsIntoFreshAndUsedFrames) {
    constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
    ASSERT_TRUE(hosted::set_up_frames(16 * kMiB, kMiB));
    std::string text(100'001, '\0');
    for (std::size_t i = 0; i < text.size(); ++i) {
        text[i] = static_cast<char>(i * 7 + i / 251);
    }
    write("tree/big", text);
    const auto file = find("big");
    const std::span memory(frame_pointer(frame_ranges()[0].first), 4 * kMiB);
    for (int round = 0; round < 2; ++round) {
        for (const std::size_t at : {std::size_t{0}, std::size_t{kMiB}}) {
            EXPECT_EQ(file->read_at(1, memory.subspan(at, 65'536)).value_or(0), 65'536u);
            EXPECT_EQ(std::memcmp(memory.data() + at, text.data() + 1, 65'536), 0);
        }
        const std::size_t end = (2 + static_cast<std::size_t>(round)) * kMiB;
        EXPECT_EQ(file->read_at(65'536, memory.subspan(end, 65'536)).value_or(0), text.size() - 65'536);
        EXPECT_EQ(std::memcmp(memory.data() + end, text.data() + 65'536, text.size() - 65'536), 0);
        EXPECT_EQ(file->read_at(200'000, memory.subspan(end, 65'536)).value_or(1), 0u);
    }
    EXPECT_FALSE(hosted::fresh_guest_offset(bytes_of("elsewhere")).has_value());
}

TEST_F(HostFiles, NamesAreSingleComponents) {
    for (const std::string_view name : {"..", ".", "", "a/b", "/", "/etc", "../outside", "file/"}) {
        EXPECT_EQ(root(true).lookup(name).error(), Error::InvalidArgument) << name;
        EXPECT_EQ(root().create_file(name, 0644).error(), Error::InvalidArgument) << name;
        EXPECT_EQ(root().unlink(name, false).error(), Error::InvalidArgument) << name;
        EXPECT_EQ(root().rename("file", root(), name, 0).error(), Error::InvalidArgument) << name;
    }
    EXPECT_EQ(root().lookup(std::string_view("a\0b", 3)).error(), Error::InvalidArgument);
    EXPECT_EQ(root().lookup(std::string(256, 'x')).error(), Error::NameTooLong);
}

TEST_F(HostFiles, SymbolicLinksAreNeverFollowed) {
    fs::create_symlink("../outside", path_ / "tree/link");
    fs::create_directory_symlink("..", path_ / "tree/up");
    const auto link = find("link");
    EXPECT_EQ(link->status()->type, HostFileType::Symlink);
    std::array<std::byte, 32> target;
    EXPECT_EQ(link->read_link(target).value_or(0), 10u);
    EXPECT_EQ(std::memcmp(target.data(), "../outside", 10), 0);
    EXPECT_FALSE(link->read_at(0, target).has_value());
    EXPECT_EQ(find("up")->lookup("outside").error(), Error::NotDirectory);
}

TEST_F(HostFiles, SpecialFilesAreNotOpened) {
    mkfifo((path_ / "tree/fifo").c_str(), 0666);
    const auto fifo = find("fifo");
    EXPECT_EQ(fifo->status()->type, HostFileType::Other);
    EXPECT_EQ(read_all(*fifo), "error NotSupported");
    EXPECT_EQ(open_host_root((path_ / "tree/fifo").native(), false).error(), Error::NotSupported);
    EXPECT_EQ(open_host_root("/dev/null", false).error(), Error::NotSupported);
}

TEST_F(HostFiles, KernelWindowsOfTheHostAreEmpty) {
    auto host = open_host_root("/", false);
    ASSERT_TRUE(host.has_value());
    for (const std::string_view name : {"proc", "sys", "dev"}) {
        const auto directory = find_in(**host, name);
        EXPECT_EQ(directory->status()->type, HostFileType::Directory);
        EXPECT_TRUE(names_in(*directory).empty()) << name;
        EXPECT_EQ(directory->lookup("self").error(), Error::NotFound);
        EXPECT_EQ(open_host_root("/" + std::string(name), false).error(), Error::NotSupported);
    }
    EXPECT_EQ(open_host_root("/proc/self/fd", false).error(), Error::NotSupported);
    EXPECT_EQ(open_host_root("/proc/self/status", false).error(), Error::NotSupported);
    EXPECT_FALSE(names_in(*find_in(**host, "etc")).empty());
}

TEST_F(HostFiles, ListsInPieces) {
    for (int i = 0; i < 500; ++i) {
        write("tree/entry-with-a-long-name-" + std::to_string(i), "");
    }
    std::set<std::string> names;
    std::uint64_t position = 0;
    struct Context {
        std::set<std::string>& names;
        int left;
    };
    std::size_t before = SIZE_MAX;
    while (names.size() != before) {
        before = names.size();
        Context context{names, 7};
        const auto visit = [](void* raw, const HostDirectoryEntry& entry) {
            auto& c = *static_cast<Context*>(raw);
            if (c.left == 0) {
                return false;
            }
            --c.left;
            EXPECT_TRUE(c.names.emplace(entry.name).second) << entry.name;
            return true;
        };
        ASSERT_TRUE(root().list(position, visit, &context).has_value());
    }
    EXPECT_EQ(names.size(), 501u);
    EXPECT_EQ(names_in(root()), names);
}

TEST_F(HostFiles, ReadOnlyTreesRefuseEveryChange) {
    const auto file = find("file");
    EXPECT_EQ(file->write_at(0, bytes_of("x")).error(), Error::ReadOnly);
    EXPECT_EQ(file->truncate(0).error(), Error::ReadOnly);
    EXPECT_EQ(file->set_permissions(0).error(), Error::ReadOnly);
    EXPECT_EQ(file->set_times(0, 0).error(), Error::ReadOnly);
    EXPECT_EQ(root().create_file("new", 0644).error(), Error::ReadOnly);
    EXPECT_EQ(root().make_directory("new", 0755).error(), Error::ReadOnly);
    EXPECT_EQ(root().make_symlink("new", "t").error(), Error::ReadOnly);
    EXPECT_EQ(root().link("new", *file).error(), Error::ReadOnly);
    EXPECT_EQ(root().unlink("file", false).error(), Error::ReadOnly);
    EXPECT_EQ(root().rename("file", root(), "new", 0).error(), Error::ReadOnly);
}

TEST_F(HostFiles, ChangesReachTheHost) {
    umask(0);
    auto made = root(true).create_file("new", 04751);
    ASSERT_TRUE(made.has_value());
    EXPECT_EQ((*made)->status()->permissions, 0751u);  // no set-user-ID on the host
    EXPECT_EQ((*made)->write_at(0, bytes_of("hello")).value_or(0), 5u);
    EXPECT_EQ(read_all(**made), "hello");
    EXPECT_TRUE((*made)->truncate(2).has_value());
    EXPECT_TRUE((*made)->set_permissions(06600).has_value());
    EXPECT_TRUE((*made)->set_times(-1, 1'500'000'000).has_value());
    EXPECT_TRUE((*made)->sync().has_value());
    EXPECT_EQ((*made)->status()->permissions, 0600u);
    EXPECT_EQ((*made)->status()->access_ns, -1);
    EXPECT_EQ((*made)->status()->modify_ns, 1'500'000'000);
    EXPECT_EQ(root().create_file("new", 0644).error(), Error::Exists);
    EXPECT_TRUE(root().make_directory("folder", 0755).has_value());
    EXPECT_TRUE(root().make_symlink("link", "new").has_value());
    EXPECT_TRUE(root().link("hard", **made).has_value());
    EXPECT_EQ((*made)->status()->links, 2u);
    const auto folder = find("folder");
    EXPECT_TRUE(root().rename("new", *folder, "moved", 0).has_value());
    hosted::limit_host_descriptors(0);
    EXPECT_EQ(read_all(**made), "he");
    EXPECT_TRUE(fs::exists(path_ / "tree/folder/moved"));
    EXPECT_EQ(root().unlink("folder", true).error(), Error::NotEmpty);
    EXPECT_EQ(names_in(root()), (std::set<std::string>{"file", "folder", "hard", "link"}));
}

TEST_F(HostFiles, UnlinkedFilesStayUsable) {
    const auto file = find_in(root(true), "file");
    EXPECT_TRUE(root().unlink("file", false).has_value());
    write("tree/file", "another");
    hosted::limit_host_descriptors(0);
    EXPECT_EQ(read_all(*file), "contents");
    EXPECT_EQ(file->write_at(0, bytes_of("C")).value_or(0), 1u);
    EXPECT_EQ(read_all(*file), "Contents");
    EXPECT_EQ(file->status()->links, 0u);
    EXPECT_EQ(read_all(*find("file")), "another");
}

TEST_F(HostFiles, ReplacedAndExchangedFilesStayThemselves) {
    write("tree/other", "other");
    const auto file = find_in(root(true), "file");
    const auto other = find("other");
    EXPECT_TRUE(root().rename("file", root(), "other", RENAME_EXCHANGE).has_value());
    EXPECT_EQ(read_all(*find("file")), "other");
    EXPECT_EQ(read_all(*file), "contents");
    EXPECT_EQ(root().rename("file", root(), "other", RENAME_NOREPLACE).error(), Error::Exists);
    EXPECT_TRUE(root().rename("file", root(), "other", 0).has_value());
    EXPECT_EQ(read_all(*file), "contents");
    EXPECT_EQ(read_all(*other), "other");
}

TEST_F(HostFiles, AnotherFileUnderTheNameIsNotTaken) {
    const auto file = find("file");
    write("tree/swap", "forged");
    fs::rename(path_ / "tree/swap", path_ / "tree/file");
    EXPECT_EQ(read_all(*file), "error StaleHandle");
    EXPECT_EQ(file->status().error(), Error::StaleHandle);
    fs::remove(path_ / "tree/file");
    EXPECT_EQ(file->status().error(), Error::StaleHandle);
}

TEST_F(HostFiles, WorksWithFewDescriptorsAndDeepTrees) {
    fs::path deep = "tree";
    for (int i = 0; i < 40; ++i) {
        deep /= "d";
    }
    fs::create_directories(path_ / deep);
    write((deep / "file").native(), "deep");
    hosted::limit_host_descriptors(3);
    std::vector<OwnPtr<HostFile>> chain;
    chain.push_back(find("d"));
    for (int i = 1; i < 40; ++i) {
        chain.push_back(find_in(*chain.back(), "d"));
        EXPECT_LE(hosted::open_host_descriptors(), 5u);
    }
    const auto file = find_in(*chain.back(), "file");
    hosted::limit_host_descriptors(0);
    hosted::limit_host_descriptors(3);
    EXPECT_EQ(read_all(*file), "deep");
    chain.clear();
    EXPECT_EQ(read_all(*file), "deep");
    EXPECT_LE(hosted::open_host_descriptors(), 4u);
}

TEST_F(HostFiles, DeletingALongChainDoesNotNest) {
    fs::path deep = path_ / "tree";
    auto at = open_host_root(deep.native(), false);
    ASSERT_TRUE(at.has_value());
    OwnPtr<HostFile> directory = std::move(*at);
    int descriptor = open(deep.c_str(), O_PATH);
    for (int i = 0; i < 3000; ++i) {
        mkdirat(descriptor, "d", 0755);
        const int next = openat(descriptor, "d", O_PATH);
        close(descriptor);
        descriptor = next;
        directory = find_in(*directory, "d");
    }
    close(descriptor);
    directory.reset();
    ASSERT_EQ(std::system(("rm -rf " + (path_ / "tree/d").native()).c_str()), 0);
}

TEST_F(HostFiles, WritersAreClosedWhenIdle) {
    auto file = root(true).create_file("program", 0755);
    ASSERT_TRUE(file.has_value());
    EXPECT_EQ((*file)->write_at(0, bytes_of("x")).value_or(0), 1u);
    EXPECT_EQ(hosted::open_host_descriptors(), 2u);
    hosted::close_idle_writers();
    EXPECT_EQ(hosted::open_host_descriptors(), 1u);
    EXPECT_EQ(read_all(**file), "x");
}

// A name that another process of the host keeps changing between a directory and a link out of the tree.
TEST_F(HostFiles, SymlinkRaceNeverLeavesTheTree) {
    fs::create_directory(path_ / "tree/flip");
    write("tree/flip/outside", "inside");
    fs::create_directory_symlink("..", path_ / "tree/flop");
    std::atomic<bool> stop = false;
    std::thread flipper([&] {
        while (!stop) {
            syscall(SYS_renameat2, AT_FDCWD, (path_ / "tree/flip").c_str(), AT_FDCWD, (path_ / "tree/flop").c_str(),
                    RENAME_EXCHANGE);
        }
    });
    unsigned seen = 0;
    for (int i = 0; i < 20'000; ++i) {
        auto directory = root().lookup("flip");
        if (!directory.has_value()) {
            continue;
        }
        auto file = (*directory)->lookup("outside");
        if (file.has_value()) {
            const std::string text = read_all(**file);
            EXPECT_TRUE(text == "inside" || text.starts_with("error")) << text;
            seen += text == "inside";
        }
    }
    stop = true;
    flipper.join();
    EXPECT_GT(seen, 0u);
}

// A name that changes between a file and a FIFO or a link to a secret: what is read is the file or an error.
TEST_F(HostFiles, FileRaceNeverReadsSomethingElse) {
    fs::create_symlink("../outside", path_ / "tree/other");
    std::atomic<bool> stop = false;
    std::thread flipper([&] {
        while (!stop) {
            syscall(SYS_renameat2, AT_FDCWD, (path_ / "tree/file").c_str(), AT_FDCWD, (path_ / "tree/other").c_str(),
                    RENAME_EXCHANGE);
        }
    });
    unsigned seen = 0;
    for (int i = 0; i < 20'000; ++i) {
        auto file = root().lookup("file");
        if (file.has_value()) {
            const std::string text = read_all(**file);
            EXPECT_TRUE(text == "contents" || text.starts_with("error")) << text;
            seen += text == "contents";
        }
    }
    stop = true;
    flipper.join();
    EXPECT_GT(seen, 0u);
}

}  // namespace
}  // namespace kernel::platform
