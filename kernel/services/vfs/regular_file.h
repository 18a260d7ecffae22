// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include "services/vfs/file.h"

namespace kernel::vfs {

// The largest file: what a signed 64-bit offset can address (lseek(2)).
inline constexpr std::uint64_t kMaxFileBytes = INT64_MAX;

// A file whose contents are the inode's memory object: reads and writes go through the page cache.
class RegularFile : public File {
public:
    bool is_stream() const final { return false; }
    Result<RefPtr<mm::MemoryObject>> memory_object() override;
    Result<> resize(std::uint64_t bytes) override;
    Result<> sync(bool data_only) override;
    Result<> allocate(std::uint64_t offset, std::uint64_t bytes, std::uint32_t mode) override;

protected:
    friend class kernel::ObjectMaker;
    explicit RegularFile(OpenRequest&& request) : File(std::move(request)) {}

    Result<std::optional<std::uint64_t>> seek_hole(std::uint64_t offset, bool data) override;
    Result<std::size_t> do_read(mm::IoBuffer& to, std::uint64_t offset) override;
    Result<std::size_t> do_write(mm::IoBuffer& from, std::uint64_t& offset, WriteOrder order) override;
    // Behind a write that changed these bytes, while the turn to write is held.
    virtual Result<> written(mm::MemoryObject& object, std::uint64_t offset, std::size_t bytes);

private:
    Result<> note_write();
    static Result<> reserve(mm::MemoryObject& object, std::uint64_t offset, std::uint64_t end);
};

// fallocate(2).
inline constexpr std::uint32_t kAllocateKeepSize = 1;
inline constexpr std::uint32_t kAllocatePunchHole = 2;

}  // namespace kernel::vfs
