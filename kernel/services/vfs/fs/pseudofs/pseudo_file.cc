// SPDX-License-Identifier: MIT OR Apache-2.0
#include "core/mm/io_buffer.h"
#include "lib/bytes.h"
#include "services/vfs/fs/pseudofs/pseudo_inode.h"

namespace kernel::vfs::pseudofs {

Result<> PseudoFile::generate() {
    const PseudoInode& inode = static_cast<PseudoInode&>(*this->inode());
    if (inode.entry().generate == nullptr) {
        return Error::InvalidArgument;
    }
    if (!inode.is_alive()) {
        return Error::NoSuchProcess;
    }
    Text text;
    TRY(inode.entry().generate(inode.subject(), text));
    content_ = TRY(text.take());
    has_content_ = true;
    return {};
}

Result<std::size_t> PseudoFile::do_read(mm::IoBuffer& to, std::uint64_t offset) {
    const Turn::Holder turn(turn_);
    if (offset == 0 || !has_content_) {
        TRY(generate());
    }
    if (offset >= content_.size()) {
        return std::size_t{0};
    }
    return to.copy_from(as_bytes(content_.view().substr(offset)));
}

Result<std::size_t> PseudoFile::do_write(mm::IoBuffer& from, std::uint64_t&, WriteOrder) {
    const PseudoInode& inode = static_cast<PseudoInode&>(*this->inode());
    if (inode.entry().store == nullptr) {
        return Error::InvalidArgument;
    }
    const std::uint64_t bytes = from.remaining() < kPageSize ? from.remaining() : kPageSize;
    String text;
    TRY(text.resize(bytes));
    const std::size_t copied = TRY(from.copy_to(std::as_writable_bytes(std::span(text.data(), bytes))));
    return inode.entry().store(inode.subject(), text.view().substr(0, copied));
}

Result<std::uint64_t> PseudoFile::end_position() {
    return Error::InvalidArgument;
}

}  // namespace kernel::vfs::pseudofs
