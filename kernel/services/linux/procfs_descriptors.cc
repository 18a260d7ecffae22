// SPDX-License-Identifier: MIT OR Apache-2.0
// /proc/PID/fd and fdinfo.
#include "services/linux/file_arguments.h"
#include "services/linux/procfs_entries.h"
#include "services/vfs/mount.h"

namespace kernel::linux_abi::procfs {
namespace {

using vfs::pseudofs::DynamicChildren;

Result<RefPtr<object::HandleTable>> handles_of(const Subject& subject) {
    RefPtr<object::HandleTable> handles = TRY(live_task(subject))->shared_handles();
    if (!handles) {
        return Error::NotFound;
    }
    return handles;
}

// Taken anew each time: an entry in a cache must not keep a pipe open.
Result<RefPtr<vfs::File>> file_at(const Subject& subject) {
    const RefPtr<object::HandleTable> handles = TRY(handles_of(subject));
    RefPtr<object::Object> object = TRY(handles->get(static_cast<int>(subject.sub_id)));
    if (object->type() != object::ObjectType::File) {
        return Error::NotFound;
    }
    return static_ref_cast<vfs::File>(std::move(object));
}

bool is_open(const Subject& subject) {
    return is_alive(subject) && file_at(subject).has_value();
}

std::string_view kind_of(vfs::FileType type) {
    switch (type) {
        case FileType::Fifo:
            return "pipe";
        case FileType::Socket:
            return "socket";
        default:
            return "anon_inode";
    }
}

Result<> descriptor_target(const Subject& subject, Text& text) {
    TRY(check_inspection(subject));
    const RefPtr<vfs::File> file = TRY(file_at(subject));
    if (file->path()) {
        return add_path(text, file->path());
    }
    if (const std::string_view label = file->label(); !label.empty()) {
        text.print("{}", label);
        return {};
    }
    const vfs::Status status = TRY(file->status());
    text.print("{}:[{}]", kind_of(status.type), status.inode);
    return {};
}

Result<vfs::Path> follow_descriptor(const Subject& subject) {
    TRY(check_inspection(subject));
    return TRY(file_at(subject))->link_path();
}

Result<> descriptor_info(const Subject& subject, Text& text) {
    TRY(check_inspection(subject));
    const RefPtr<vfs::File> file = TRY(file_at(subject));
    const RefPtr<object::HandleTable> handles = TRY(handles_of(subject));
    const Result<object::HandleFlags> flags = handles->flags(static_cast<int>(subject.sub_id));
    const bool close_on_exec = flags && has(*flags, object::HandleFlags::CloseOnExec);
    const std::uint64_t mount_id = file->path() ? file->path().mount->id() : 0;
    text.print("pos:\t{}\nflags:\t0{:o}\nmnt_id:\t{}\n", file->position(),
               linux_flags_of(file->flags()) | (close_on_exec ? std::uint32_t{abi::kOCloexec} : 0), mount_id);
    return {};
}

// The bits of the link tell how the file was opened.
constexpr Entry link_entry(std::uint32_t permissions) {
    Entry entry = link({}, descriptor_target);
    entry.permissions = permissions;
    entry.follow = follow_descriptor;
    entry.alive = is_open;
    entry.owner = owner_of;
    return entry;
}
constexpr Entry kNoAccessLink = link_entry(0);
constexpr Entry kReadLink = link_entry(0500);
constexpr Entry kWriteLink = link_entry(0300);
constexpr Entry kReadWriteLink = link_entry(0700);

constexpr Entry info_entry() {
    Entry entry = file({}, descriptor_info);
    entry.alive = is_open;
    entry.owner = owner_of;
    return entry;
}
constexpr Entry kInfo = info_entry();

const Entry& link_entry_for(const vfs::File& file) {
    if (file.is_readable()) {
        return file.is_writable() ? kReadWriteLink : kReadLink;
    }
    return file.is_writable() ? kWriteLink : kNoAccessLink;
}

template <bool Links>
Result<Found> look_up(const Subject& parent, std::string_view name) {
    TRY(check_inspection(parent));
    Found found;
    found.subject = parent;
    found.subject.sub_id = static_cast<std::uint64_t>(TRY(parse_number(name)));
    const Result<RefPtr<vfs::File>> file = file_at(found.subject);
    if (!file) {
        return Error::NotFound;
    }
    found.entry = Links ? &link_entry_for(**file) : &kInfo;
    return found;
}

template <bool Links>
Result<DynamicChildren::Listed> next(const Subject& parent, std::uint64_t position) {
    TRY(check_inspection(parent));
    const RefPtr<object::HandleTable> handles = TRY(handles_of(parent));
    if (position > INT32_MAX) {
        return Error::NotFound;
    }
    const std::optional<int> fd = handles->next(static_cast<int>(position));
    if (!fd) {
        return Error::NotFound;
    }
    InlineFormatBuffer<32> name;
    format_to(name, "{}", *fd);
    DynamicChildren::Listed listed;
    listed.name = TRY(FixedString<32>::create(name.view()));
    listed.entry = Links ? &kReadWriteLink : &kInfo;
    listed.id = static_cast<std::uint64_t>(*fd);
    listed.next_position = static_cast<std::uint64_t>(*fd) + 1;
    return listed;
}

}  // namespace

constinit const DynamicChildren kDescriptorLinks{.look_up = look_up<true>, .next = next<true>};
constinit const DynamicChildren kDescriptorFiles{.look_up = look_up<false>, .next = next<false>};

}  // namespace kernel::linux_abi::procfs
