// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "core/mm/io_buffer.h"
#include "lib/bytes.h"
#include "services/vfs/fs/tmpfs/tmpfs.h"
#include "services/vfs/operations.h"
#include "support/memory.h"

// A namespace with a root, and calls on it that are as short as a shell's.
namespace test_support {

namespace vfs = kernel::vfs;
using kernel::Error;
using kernel::RefPtr;
using kernel::Result;
using vfs::OpenFlags;

inline kernel::RefPtr<vfs::tmpfs::Budget> make_budget(std::uint64_t bytes = 64 << 20) {
    return MUST(vfs::tmpfs::Budget::create(bytes));
}

inline Result<RefPtr<vfs::FileSystem>> make_tmpfs(std::uint64_t bytes = 64 << 20, std::uint32_t permissions = 0755) {
    return vfs::tmpfs::create({.budget = TRY(vfs::tmpfs::Budget::create(bytes)), .permissions = permissions});
}

class Names final : public vfs::DirectoryVisitor {
public:
    explicit Names(std::size_t limit = SIZE_MAX) : limit_(limit) {}
    bool accept(const vfs::DirectoryEntry& entry) override {
        if (names.size() == limit_) {
            return false;
        }
        names.emplace_back(entry.name);
        numbers.push_back(entry.inode);
        types.push_back(entry.type);
        next_position = entry.next_position;
        return true;
    }
    std::vector<std::string> names;
    std::vector<std::uint64_t> numbers;
    std::vector<vfs::FileType> types;
    std::uint64_t next_position = 0;

private:
    std::size_t limit_;
};

// Not copied: a context refers to it.
class World {
public:
    World() = default;
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    Result<> start(RefPtr<vfs::FileSystem> filesystem) {
        const vfs::FileSystemUse use(filesystem);
        credentials = TRY(kernel::security::Credentials::create_root());
        space = TRY(vfs::MountNamespace::create(filesystem, "none"));
        root = space->root();
        start_at = root;
        return {};
    }
    Result<> start_tmpfs() { return start(TRY(make_tmpfs())); }

    vfs::WalkContext at() const { return {root, start_at, credentials}; }

    Result<RefPtr<vfs::File>> open(std::string_view path, OpenFlags flags = OpenFlags::Read,
                                   std::uint32_t permissions = 0644) {
        return vfs::open(at(), path, flags, permissions);
    }
    Result<> mkdir(std::string_view path, std::uint32_t permissions = 0755) {
        return vfs::make_directory(at(), path, permissions);
    }
    Result<> symlink(std::string_view target, std::string_view path) { return vfs::make_symlink(at(), target, path); }
    Result<> link(std::string_view from, std::string_view to) { return vfs::make_link(at(), from, at(), to); }
    Result<> unlink(std::string_view path) { return vfs::unlink(at(), path); }
    Result<> rmdir(std::string_view path) { return vfs::remove_directory(at(), path); }
    Result<> rename(std::string_view from, std::string_view to, vfs::RenameMode mode = vfs::RenameMode::Replace) {
        return vfs::rename(at(), from, at(), to, mode);
    }
    Result<vfs::Status> stat(std::string_view path) { return vfs::status(at(), path); }
    Result<vfs::Status> lstat(std::string_view path) { return vfs::status(at(), path, vfs::WalkFlags::NoFollow); }
    Result<vfs::Path> find(std::string_view path) { return vfs::resolve(at(), path); }
    Result<> chmod(std::string_view path, std::uint32_t permissions) {
        return vfs::change_permissions(TRY(find(path)), permissions, *credentials);
    }
    Result<> chown(std::string_view path, std::uint32_t user, std::uint32_t group) {
        return vfs::change_owner(TRY(find(path)), user, group, *credentials);
    }

    Result<> put(std::string_view path, std::string_view text,
                 OpenFlags flags = OpenFlags::Write | OpenFlags::Create | OpenFlags::Truncate) {
        const RefPtr<vfs::File> file = TRY(open(path, flags));
        return write_all(*file, text);
    }
    static Result<> write_all(vfs::File& file, std::string_view text) {
        kernel::mm::IoBuffer from(kernel::as_bytes(text));
        while (from.remaining() != 0) {
            TRY(file.write(from));
        }
        return {};
    }
    static Result<std::string> read_all(vfs::File& file) {
        std::string all;
        while (true) {
            std::string part(3000, '\0');
            kernel::mm::IoBuffer to(std::as_writable_bytes(std::span(part)));
            const std::size_t count = TRY(file.read(to));
            if (count == 0) {
                return all;
            }
            all += part.substr(0, count);
        }
    }
    Result<std::string> get(std::string_view path) { return read_all(*TRY(open(path))); }

    // Sorted, without "." and "..".
    Result<std::vector<std::string>> list(std::string_view path) {
        Names names;
        TRY(TRY(open(path, OpenFlags::Read | OpenFlags::Directory))->list(names));
        std::erase_if(names.names, [](const std::string& name) { return name == "." || name == ".."; });
        std::ranges::sort(names.names);
        return names.names;
    }

    // Somebody without capabilities.
    Result<> become(std::uint32_t user, std::uint32_t group, std::vector<std::uint32_t> groups = {}) {
        kernel::security::CredentialValues values;
        values.user_real = values.user_effective = values.user_saved = values.user_filesystem = user;
        values.group_real = values.group_effective = values.group_saved = values.group_filesystem = group;
        credentials = TRY(kernel::security::Credentials::create(values, groups));
        return {};
    }
    Result<> become_root() {
        credentials = TRY(kernel::security::Credentials::create_root());
        return {};
    }

    RefPtr<vfs::MountNamespace> space;
    RefPtr<kernel::security::Credentials> credentials;
    vfs::Path root;
    vfs::Path start_at;
};

// Memory is checked for leaks; the name cache has its table before.
class VfsTest : public MemoryTest {
protected:
    void SetUp() override {
        MUST(vfs::dentries::reserve(4096));
        (void)vfs::dentries::shrink(SIZE_MAX);
        MemoryTest::SetUp();
    }
};

template <class T>
std::string error_of(const Result<T>& result) {
    return result ? "ok" : std::string(kernel::error_name(result.error()));
}

}  // namespace test_support
