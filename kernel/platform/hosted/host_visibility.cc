// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/hosted/host_visibility.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <algorithm>
#include <array>

#include "platform/hosted/host_syscall.h"

namespace kernel::platform::hosted {
namespace {

// Magic numbers that <linux/magic.h> of some hosts lacks, from Linux's sources.
constexpr std::array kHiddenFileSystems = std::to_array<std::uint32_t>({
    PROC_SUPER_MAGIC, SYSFS_MAGIC,    DEBUGFS_MAGIC,      TRACEFS_MAGIC,       SECURITYFS_MAGIC,
    SELINUX_MAGIC,    SMACK_MAGIC,    CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, DEVPTS_SUPER_MAGIC,
    BPF_FS_MAGIC,     PSTOREFS_MAGIC, EFIVARFS_MAGIC,     NSFS_MAGIC,          BINFMTFS_MAGIC,
    0x0765'5821,  // resctrl
    0x1980'0202,  // mqueue
    0x6265'6570,  // configfs
    0x6573'5543,  // fusectl
    0xabba'1974,  // xenfs
});

struct Place {
    bool exists = false;
    dev_t device = 0;
    ino_t inode = 0;
};

Place place_of(const char* path) {
    struct stat status{};
    if (host_syscall(SYS_newfstatat, AT_FDCWD, path, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        return {};
    }
    return {.exists = true, .device = status.st_dev, .inode = status.st_ino};
}

struct HostPlaces {
    Place root = place_of("/");
    std::array<Place, 3> hidden{place_of("/proc"), place_of("/sys"), place_of("/dev")};
};

const HostPlaces& host_places() {
    static const HostPlaces places;
    return places;
}

// /dev may be any kind of file system, so it is known by its place: the directory itself, and all of its file system
// when that is not the root's.
bool is_known_place(const struct stat& status) {
    const HostPlaces& places = host_places();
    return std::ranges::any_of(places.hidden, [&](const Place& place) {
        return place.exists && place.device == status.st_dev &&
               (place.inode == status.st_ino || place.device != places.root.device);
    });
}

}  // namespace

bool is_hidden(int descriptor, const struct stat& status) {
    if (is_known_place(status)) {
        return true;
    }
    struct statfs file_system{};
    return host_syscall(SYS_fstatfs, descriptor, &file_system) != 0 ||
           std::ranges::count(kHiddenFileSystems, static_cast<std::uint32_t>(file_system.f_type)) != 0;
}

bool is_hidden_directory(int parent, dev_t parent_device, const char* name, const struct stat& status) {
    if (parent_device == status.st_dev) {
        return is_known_place(status);  // the parent's file system is visible
    }
    const HostResult opened = host_syscall(SYS_openat, parent, name, O_PATH | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC);
    if (host_failed(opened)) {
        return true;
    }
    const bool hidden = is_hidden(static_cast<int>(opened), status);
    host_syscall(SYS_close, opened);
    return hidden;
}

}  // namespace kernel::platform::hosted
