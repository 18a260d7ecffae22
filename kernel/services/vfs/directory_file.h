// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include "services/vfs/file.h"

namespace kernel::vfs {

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
};

}  // namespace kernel::vfs
