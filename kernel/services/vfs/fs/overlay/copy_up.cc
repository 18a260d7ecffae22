// SPDX-License-Identifier: MIT OR Apache-2.0
// Copying into the upper layer: made in the work directory, then put into its place in one step.
#include "core/mm/memory_object.h"
#include "lib/bytes.h"
#include "lib/scope_guard.h"
#include "services/vfs/fs/overlay/overlay_inode.h"

namespace kernel::vfs::overlay {

class CopyUp {
public:
    explicit CopyUp(OverlayInode& inode) : inode_(inode), overlay_(inode.overlay()), lower_(*inode.lowers_[0]) {}

    Result<> run(bool keep_contents) {
        const Turn::Holder turn(inode_.copy_turn_);
        if (inode_.upper()) {
            return {};
        }
        const FixedString<24> name = overlay_.unique_name();
        const RefPtr<Inode> copy = TRY(make(name.view()));
        ScopeGuard undo([&] { static_cast<void>(overlay_.work().unlink(name.view(), *copy)); });
        if (copy->is_regular() && keep_contents) {
            TRY(copy_contents(*copy));
        }
        TRY(copy_attributes(*copy));
        TRY(copy->set_attribute(kNumber, as_bytes_of(inode_.number_), AttributeMode::Set));
        TRY(copy->change_status(StatusChange{.access_ns = status_.access_ns, .modify_ns = status_.modify_ns}));
        TRY(put_in_place(name.view(), *copy));
        undo.dismiss();
        return {};
    }

private:
    Result<RefPtr<Inode>> make(std::string_view name) {
        status_ = TRY(lower_.status());
        String target;
        if (lower_.is_symlink()) {
            target = TRY(lower_.read_link());
        }
        return overlay_.work().create(name, NewInode{.type = inode_.type(),
                                                     .permissions = status_.permissions,
                                                     .user = status_.user,
                                                     .group = status_.group,
                                                     .device = status_.special,
                                                     .target = target.view()});
    }

    // Pages of zeros stay holes.
    Result<> copy_contents(Inode& copy) {
        const RefPtr<mm::MemoryObject> from = TRY(lower_.memory_object());
        const RefPtr<mm::MemoryObject> to = TRY(copy.memory_object());
        Vector<std::byte> buffer;
        TRY(buffer.resize(8 * kPageSize));
        std::uint64_t offset = 0;
        while (true) {
            const std::size_t count = TRY(from->read(offset, buffer.span()));
            if (count == 0) {
                break;
            }
            for (std::size_t done = 0; done < count; done += kPageSize) {
                const std::size_t left = count - done;
                TRY(copy_page(*to, offset + done, buffer.span().subspan(done, left < kPageSize ? left : kPageSize)));
            }
            offset += count;
        }
        to->resize(offset);
        return {};
    }

    static Result<> copy_page(mm::MemoryObject& to, std::uint64_t offset, std::span<const std::byte> bytes) {
        bool all_zero = true;
        for (const std::byte byte : bytes) {
            all_zero = all_zero && byte == std::byte{0};
        }
        while (!all_zero && !bytes.empty()) {
            const std::size_t count = TRY(to.write(offset, bytes));
            bytes = bytes.subspan(count);
            offset += count;
        }
        return {};
    }

    Result<> copy_attributes(Inode& copy) {
        const std::size_t names_bytes = TRY(lower_.list_attributes({}, true));
        if (names_bytes == 0) {
            return {};
        }
        Vector<std::byte> names;
        TRY(names.resize(names_bytes));
        std::string_view rest = as_text(names.span()).substr(0, TRY(lower_.list_attributes(names.span(), true)));
        while (!rest.empty()) {
            const std::string_view name = rest.substr(0, rest.find('\0'));
            rest.remove_prefix(name.size() + 1);
            if (name.starts_with(kPrivatePrefix)) {
                continue;
            }
            Vector<std::byte> value;
            TRY(value.resize(TRY(lower_.get_attribute(name, {}))));
            if (!value.empty()) {
                value.shrink(TRY(lower_.get_attribute(name, value.span())));
            }
            TRY(copy.set_attribute(name, value.span(), AttributeMode::Set));
        }
        return {};
    }

    Result<> put_in_place(std::string_view work_name, Inode& copy) {
        if (!inode_.parent_) {
            TRY(overlay_.put(work_name, copy, overlay_.upper_base(), OverlayFs::kRootName, nullptr));
            inode_.set_upper(RefPtr<Inode>(copy));
            return {};
        }
        LockGuard guard(inode_.parent_->directory_lock());
        if (inode_.nameless_.load(std::memory_order_relaxed)) {
            TRY(overlay_.work().unlink(work_name, copy));
        } else {
            const RefPtr<Inode> directory = inode_.parent_->upper();
            TRY(overlay_.put(work_name, copy, *directory, inode_.name_.view(), nullptr));
        }
        inode_.set_upper(RefPtr<Inode>(copy));
        return {};
    }

    OverlayInode& inode_;
    OverlayFs& overlay_;
    Inode& lower_;
    Status status_;
};

// Parents first; without recursion, because paths can be deep.
Result<> OverlayInode::copy_up_with_parents(bool keep_contents) {
    if (upper()) {
        return {};
    }
    Vector<RefPtr<OverlayInode>> chain;
    for (OverlayInode* inode = this; inode != nullptr && !inode->upper(); inode = inode->parent_.get()) {
        TRY(chain.push_back(RefPtr<OverlayInode>(*inode)));
        if (inode->nameless_.load(std::memory_order_relaxed)) {
            break;
        }
    }
    while (!chain.empty()) {
        TRY(CopyUp(*chain.take_back()).run(keep_contents));
    }
    return {};
}

}  // namespace kernel::vfs::overlay
