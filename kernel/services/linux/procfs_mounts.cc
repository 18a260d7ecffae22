// SPDX-License-Identifier: MIT OR Apache-2.0
// /proc/PID/mounts and mountinfo, in the format of fstab(5) and proc(5).
#include "services/linux/mounts.h"
#include "services/linux/procfs_entries.h"

namespace kernel::linux_abi::procfs {
namespace {

constexpr std::string_view kSpecial = " \t\n#";

void add_mount_flags(Text& text, vfs::MountFlags flags) {
    struct Name {
        vfs::MountFlags flag;
        std::string_view name;
    };
    constexpr Name kNames[] = {
        {vfs::MountFlags::NoSetId, ",nosuid"},
        {vfs::MountFlags::NoDevices, ",nodev"},
        {vfs::MountFlags::NoExecute, ",noexec"},
        {vfs::MountFlags::NoAccessTime, ",noatime"},
        {vfs::MountFlags::NoDirectoryAccessTime, ",nodiratime"},
    };
    for (const Name& name : kNames) {
        if (has(flags, name.flag)) {
            text.add(name.name);
        }
    }
    if (!has(flags, vfs::MountFlags::NoAccessTime | vfs::MountFlags::StrictAccessTime)) {
        text.add(",relatime");
    }
}

std::string_view source_of(const vfs::Mount& mount) {
    return mount.source().empty() ? "none" : mount.source();
}

void add_options(Text& text, vfs::Mount& mount) {
    if (const std::string_view options = mount.filesystem().options(); !options.empty()) {
        text.add(",");
        text.add(options);
    }
}

std::string_view access_of(const vfs::Mount& mount) {
    return mount.is_read_only() ? "ro" : "rw";
}

// Where the mount is seen from the caller's root; nothing when it is not.
Result<std::optional<String>> place_of(const vfs::MountDescription& description) {
    const vfs::Path place(description.mount, RefPtr<vfs::Dentry>(description.mount->root()));
    vfs::PathText text = TRY(vfs::path_text(place, Task::current().fs().root(), false));
    if (!text.reachable) {
        return std::optional<String>();
    }
    return std::optional<String>(std::move(text.text));
}

template <class AddLine>
Result<> for_each_mount(AddLine add_line) {
    const RefPtr<vfs::MountNamespace> mounts = mount_namespace();
    for (std::size_t i = 0; mounts; ++i) {
        const Result<vfs::MountDescription> description = mounts->describe(i);
        if (!description) {
            break;
        }
        const std::optional<String> place = TRY(place_of(*description));
        if (place) {
            TRY(add_line(*description, place->view()));
        }
    }
    return {};
}

}  // namespace

Result<> process_mounts(const Subject&, Text& text) {
    return for_each_mount([&](const vfs::MountDescription& description, std::string_view place) -> Result<> {
        vfs::Mount& mount = *description.mount;
        add_escaped(text, source_of(mount), kSpecial);
        text.add(" ");
        add_escaped(text, place, kSpecial);
        text.print(" {} {}", mount.filesystem().type_name(), access_of(mount));
        add_mount_flags(text, mount.flags());
        add_options(text, mount);
        text.add(" 0 0\n");
        return {};
    });
}

Result<> process_mountinfo(const Subject&, Text& text) {
    return for_each_mount([&](const vfs::MountDescription& description, std::string_view place) -> Result<> {
        vfs::Mount& mount = *description.mount;
        const vfs::DeviceNumber device = mount.filesystem().device();
        text.print("{} {} {}:{} / ", mount.id(), description.parent_id, device.major, device.minor);
        add_escaped(text, place, kSpecial);
        text.print(" {}", access_of(mount));
        add_mount_flags(text, mount.flags());
        text.print(" - {} ", mount.filesystem().type_name());
        add_escaped(text, source_of(mount), kSpecial);
        text.print(" {}", mount.filesystem().is_read_only() ? "ro" : "rw");
        add_options(text, mount);
        text.add("\n");
        return {};
    });
}

}  // namespace kernel::linux_abi::procfs
