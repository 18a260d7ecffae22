// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include "lib/own.h"
#include "lib/vector.h"
#include "services/vfs/file.h"

namespace kernel::vfs {

// What a directory that lists as a whole said at one moment. Positions are kFirstEntryPosition + index.
class DirectorySnapshot {
public:
    // Errors: NoMemory, Io and those of the directory.
    static Result<OwnPtr<DirectorySnapshot>> take(Inode& directory);
    void list(std::uint64_t position, DirectoryVisitor& visitor) const;

private:
    friend class kernel::ObjectMaker;
    class Collector;
    struct Entry {
        std::size_t name_offset;
        std::size_t name_bytes;
        std::uint64_t inode;
        FileType type;
    };
    DirectorySnapshot() = default;

    String names_;
    Vector<Entry> entries_;
};

// getdents64(2). The position is that of Inode::list, with "." at 0 and ".." at 1.
class DirectoryFile final : public File {
public:
    bool is_stream() const override { return false; }
    Result<std::uint64_t> seek(std::int64_t offset, SeekFrom from) override;
    Result<> list(DirectoryVisitor& visitor) override;
    Result<> sync(bool data_only) override;

private:
    friend class kernel::ObjectMaker;
    explicit DirectoryFile(OpenRequest&& request) : File(std::move(request)) {}
    Result<std::uint64_t> parent_number() const;
    Result<> list_entries(std::uint64_t position, DirectoryVisitor& visitor);

    OwnPtr<DirectorySnapshot> snapshot_;  // under the turn
};

}  // namespace kernel::vfs
