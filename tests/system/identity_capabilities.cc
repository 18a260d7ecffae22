// SPDX-License-Identifier: MIT OR Apache-2.0
// capget(2), capset(2), setfsuid(2), setfsgid(2), sethostname(2), setdomainname(2), personality(2).
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/personality.h>
#include <sys/utsname.h>

#include "system/support/scratch.h"

namespace {

using scratch::bad_address;

long get(__user_cap_header_struct* header, __user_cap_data_struct* data) {
    return syscall(SYS_capget, header, data);
}
long set(__user_cap_header_struct* header, __user_cap_data_struct* data) {
    return syscall(SYS_capset, header, data);
}

TEST(versions) {
    __user_cap_header_struct header{0x123, 0};
    __user_cap_data_struct data[2]{};
    CHECK_ERRNO(get(&header, data), EINVAL);
    CHECK_EQ(header.version, _LINUX_CAPABILITY_VERSION_3);
    header.version = 0x123;
    CHECK_OK(get(&header, nullptr));
    CHECK_OK(get(&header, data));
    header = {_LINUX_CAPABILITY_VERSION_1, 0};
    CHECK_OK(get(&header, data));
}

TEST(drops) {
    if (geteuid() != 0) {
        return;
    }
    CHECK_CHILD([] {
        __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
        __user_cap_data_struct data[2]{};
        CHECK_OK(get(&header, data));
        const std::uint32_t chown_bit = 1u << CAP_CHOWN;
        CHECK((data[0].effective & chown_bit) != 0);
        __user_cap_data_struct fewer[2] = {data[0], data[1]};
        fewer[0].effective &= ~chown_bit;
        CHECK_OK(set(&header, fewer));
        CHECK_OK(set(&header, data));  // from the permitted set
        fewer[0].permitted &= ~chown_bit;
        CHECK_OK(set(&header, fewer));
        CHECK_ERRNO(set(&header, data), EPERM);
        fewer[0].effective |= chown_bit;
        CHECK_ERRNO(set(&header, fewer), EPERM);
        scratch::Directory directory;
        scratch::make_file("f");
        CHECK_ERRNO(chown("f", 5, 5), EPERM);
    });
}

TEST(errors) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, -1};
    __user_cap_data_struct data[2]{};
    CHECK_ERRNO(get(&header, data), EINVAL);
    header.pid = 0x3fffffff;
    CHECK_ERRNO(get(&header, data), ESRCH);
    CHECK_ERRNO(set(&header, data), EPERM);
    header.pid = 0;
    CHECK_ERRNO(get(&header, reinterpret_cast<__user_cap_data_struct*>(bad_address())), EFAULT);
    CHECK_ERRNO(get(reinterpret_cast<__user_cap_header_struct*>(bad_address()), data), EFAULT);
}

TEST(file_system_ids) {
    if (geteuid() != 0) {
        return;
    }
    CHECK_CHILD([] {
        scratch::Directory directory;
        CHECK_OK(chmod(".", 0777));
        CHECK_EQ(setfsgid(1234), 0);
        CHECK_EQ(setfsuid(1234), 0);
        CHECK_EQ(setfsuid(static_cast<uid_t>(-1)), 1234);
        scratch::make_file("mine");
        struct stat status{};
        CHECK_OK(stat("mine", &status));
        CHECK_EQ(status.st_uid, 1234u);
        CHECK_EQ(status.st_gid, 1234u);
        CHECK_ERRNO(open("/etc/shadow", O_RDONLY), access("/etc/shadow", F_OK) == 0 ? EACCES : ENOENT);
        CHECK_EQ(setfsuid(0), 1234);
        CHECK_EQ(setfsgid(0), 1234);
    });
    CHECK_EQ(scratch::as_other_user([] {
                 CHECK_EQ(setfsuid(77), 12345);
                 CHECK_EQ(setfsuid(77), 12345);
             }),
             0);
}

TEST(names) {
    CHECK_EQ(scratch::as_other_user([] {
                 CHECK_ERRNO(sethostname("x", 1), EPERM);
                 CHECK_ERRNO(setdomainname("x", 1), EPERM);
             }),
             0);
    if (geteuid() != 0) {
        return;
    }
    utsname before{};
    CHECK_OK(uname(&before));
    CHECK_ERRNO(sethostname("x", 65), EINVAL);
    CHECK_ERRNO(sethostname(bad_address(), 5), EFAULT);
    if (sethostname(before.nodename, strlen(before.nodename)) == 0) {  // the same name, for this may be a real machine
        utsname after{};
        CHECK_OK(uname(&after));
        CHECK_EQ(std::string(after.nodename), before.nodename);
        CHECK_EQ(scratch::contents_of("/proc/sys/kernel/hostname"), std::string(before.nodename) + "\n");
    }
}

TEST(persona) {
    const int before = personality(0xffffffff);
    CHECK_EQ(personality(ADDR_NO_RANDOMIZE), before);
    CHECK_EQ(personality(0xffffffff), ADDR_NO_RANDOMIZE);
    CHECK_CHILD([] { CHECK_EQ(personality(0xffffffff), ADDR_NO_RANDOMIZE); });
    CHECK_EQ(personality(static_cast<unsigned long>(before)), ADDR_NO_RANDOMIZE);
}

}  // namespace

TEST_MAIN()
