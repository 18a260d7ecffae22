// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "lib/format.h"
#include "lib/ref.h"
#include "lib/result.h"
#include "lib/string.h"
#include "services/vfs/filesystem.h"
#include "services/vfs/path.h"

// Files whose contents are made when they are read, declared as data: tables of entries with a function each. /proc and
// /sys are such tables.
namespace kernel::vfs::pseudofs {

// What an entry is about: a process, a thread, a descriptor; nothing for global files. `id` tells subjects of one table
// apart.
struct Subject {
    RefPtr<RefCounted> object;
    std::uint64_t id = 0;
    std::uint64_t sub_id = 0;
};

// Text that grows; out of memory is remembered and reported at the end.
class Text {
public:
    void add(std::string_view text);
    template <class... Args>
    void print(FormatString<Args...> format, const Args&... args) {
        InlineFormatBuffer<256> line;
        format_to<Args...>(line, format, args...);
        if (!line.truncated()) {
            add(line.view());
            return;
        }
        if (std::span<char> room = grow(line.wanted_size()); !room.empty()) {
            FormatBuffer whole(room);
            format_to<Args...>(whole, format, args...);
        }
    }
    std::string_view view() const { return content_.view(); }
    Result<String> take();

private:
    // The new bytes and the terminating zero behind them; empty when out of memory.
    std::span<char> grow(std::size_t bytes);

    String content_;
    bool failed_ = false;
};

struct Entry;

// The changing part of a directory (process numbers, descriptor numbers).
struct Found {
    const Entry* entry = nullptr;  // what kind of thing it is; its name is not used
    Subject subject;
};
struct DynamicChildren {
    // NotFound if there is none of this name now.
    Result<Found> (*look_up)(const Subject& parent, std::string_view name) = nullptr;
    // The first child at or after `position` (0 first): its name and kind, and the position behind it. NotFound at the
    // end.
    struct Listed {
        FixedString<32> name;
        const Entry* entry = nullptr;
        std::uint64_t id = 0;
        std::uint64_t next_position = 0;
    };
    Result<Listed> (*next)(const Subject& parent, std::uint64_t position) = nullptr;
};

struct Owner {
    std::uint32_t user = 0;
    std::uint32_t group = 0;
};

struct Entry {
    std::string_view name{};
    FileType type = FileType::Regular;
    std::uint32_t permissions = 0444;
    // Regular files. The text is made when a read begins at offset 0 and stays for the reads that go on.
    Result<> (*generate)(const Subject& subject, Text& text) = nullptr;
    // One write is one call, with at most a page. Returns what was taken.
    Result<std::size_t> (*store)(const Subject& subject, std::string_view text) = nullptr;
    // An open file that the entry makes itself, instead of generate/store.
    Result<RefPtr<File>> (*open)(const Subject& subject, Inode& inode, OpenRequest&& request) = nullptr;
    // Symbolic links: the text that readlink shows; `follow`, when given, leads to the object itself (a magic link).
    Result<> (*target)(const Subject& subject, Text& text) = nullptr;
    Result<Path> (*follow)(const Subject& subject) = nullptr;
    // Directories.
    std::span<const Entry> children{};
    const DynamicChildren* dynamic = nullptr;
    // False: the subject is gone, so the file is too. Absent: always there.
    bool (*alive)(const Subject& subject) = nullptr;
    // Absent: user 0, group 0.
    Owner (*owner)(const Subject& subject) = nullptr;
};

// A file system whose root directory is `root`; tables live for ever. `type_name` is static. Errors: NoMemory.
Result<RefPtr<FileSystem>> create(std::string_view type_name, std::uint64_t magic, const Entry& root);

}  // namespace kernel::vfs::pseudofs
