// SPDX-License-Identifier: MIT OR Apache-2.0
// User and group ids: setuid(2), setreuid(2), setresuid(2), their group forms, setgroups(2).
#include <grp.h>

#include <tuple>

#include "system/support/check.h"

namespace {

using Ids = std::tuple<uid_t, uid_t, uid_t>;

Ids user_ids() {
    uid_t real;
    uid_t effective;
    uid_t saved;
    CHECK_OK(getresuid(&real, &effective, &saved));
    CHECK_EQ(real, getuid());
    CHECK_EQ(effective, geteuid());
    return {real, effective, saved};
}

Ids group_ids() {
    gid_t real;
    gid_t effective;
    gid_t saved;
    CHECK_OK(getresgid(&real, &effective, &saved));
    CHECK_EQ(real, getgid());
    CHECK_EQ(effective, getegid());
    return {real, effective, saved};
}

bool root() {
    return geteuid() == 0;
}

}  // namespace

TEST(queries) {
    user_ids();
    group_ids();
    uid_t id;
    CHECK_ERRNO(syscall(SYS_getresuid, 8, &id, &id), EFAULT);
    CHECK_ERRNO(syscall(SYS_getresuid, &id, 8, &id), EFAULT);
    CHECK_ERRNO(syscall(SYS_getresgid, &id, &id, 8), EFAULT);
}

TEST(own_ids_may_be_set) {
    CHECK_CHILD([] {
        CHECK_OK(setuid(getuid()));
        CHECK_OK(setgid(getgid()));
        CHECK_OK(setresuid(getuid(), geteuid(), getuid()));
        CHECK_OK(setreuid(getuid(), geteuid()));
        CHECK_OK(setresuid(uid_t(-1), uid_t(-1), uid_t(-1)));
        CHECK_OK(setregid(gid_t(-1), gid_t(-1)));
        CHECK_ERRNO(setuid(uid_t(-1)), EINVAL);
        CHECK_ERRNO(setgid(gid_t(-1)), EINVAL);
    });
}

TEST(dropping_for_good) {
    if (!root()) {
        CHECK_ERRNO(setuid(0), EPERM);
        CHECK_ERRNO(setgid(0), EPERM);
        CHECK_ERRNO(setgroups(0, nullptr), EPERM);
        return;
    }
    CHECK_CHILD([] {
        CHECK_OK(setgid(50));
        CHECK(group_ids() == Ids(50, 50, 50));
        CHECK_OK(setuid(100));
        CHECK(user_ids() == Ids(100, 100, 100));
        CHECK_ERRNO(setuid(0), EPERM);
        CHECK_ERRNO(setgid(0), EPERM);
        CHECK_ERRNO(setreuid(0, uid_t(-1)), EPERM);
        CHECK_ERRNO(setresuid(uid_t(-1), uid_t(-1), 0), EPERM);
        CHECK_ERRNO(setresgid(0, gid_t(-1), gid_t(-1)), EPERM);
        CHECK_ERRNO(setregid(gid_t(-1), 0), EPERM);
        CHECK_ERRNO(setgroups(0, nullptr), EPERM);
        CHECK_CHILD([] { CHECK(user_ids() == Ids(100, 100, 100)); });
    });
}

TEST(dropping_for_a_while) {
    if (!root()) {
        return;
    }
    CHECK_CHILD([] {
        CHECK_OK(seteuid(100));
        CHECK(user_ids() == Ids(0, 100, 0));
        CHECK_ERRNO(setgid(50), EPERM);
        CHECK_OK(seteuid(0));
        CHECK_OK(setresuid(1, 2, 3));
        CHECK(user_ids() == Ids(1, 2, 3));
        CHECK_OK(setresuid(3, 1, 2));
        CHECK(user_ids() == Ids(3, 1, 2));
        CHECK_ERRNO(setresuid(4, uid_t(-1), uid_t(-1)), EPERM);
        CHECK_OK(setuid(2));  // not privileged: the effective id only
        CHECK(user_ids() == Ids(3, 2, 2));
    });
    CHECK_CHILD([] {
        // setreuid sets the saved id when the real one is given or the effective one differs from it.
        CHECK_OK(setreuid(5, 6));
        CHECK(user_ids() == Ids(5, 6, 6));
        CHECK_OK(setreuid(6, 5));
        CHECK(user_ids() == Ids(6, 5, 5));
        CHECK_ERRNO(setreuid(7, uid_t(-1)), EPERM);
    });
    CHECK_CHILD([] {
        CHECK_OK(setregid(5, 6));
        CHECK(group_ids() == Ids(5, 6, 6));
        CHECK_OK(setresgid(7, 8, 9));
        CHECK(group_ids() == Ids(7, 8, 9));
    });
}

TEST(supplementary_groups) {
    const int count = getgroups(0, nullptr);
    CHECK_OK(count);
    if (!root()) {
        return;
    }
    CHECK_CHILD([] {
        gid_t groups[] = {30, 10, 20};
        CHECK_OK(setgroups(3, groups));
        CHECK_EQ(getgroups(0, nullptr), 3);
        gid_t seen[3] = {};
        CHECK_EQ(getgroups(3, seen), 3);
        CHECK_EQ(seen[0] + seen[1] + seen[2], 60u);
        CHECK_ERRNO(getgroups(2, seen), EINVAL);
        CHECK_ERRNO(getgroups(-1, seen), EINVAL);
        CHECK_ERRNO(syscall(SYS_getgroups, 3, 8), EFAULT);
        CHECK_ERRNO(syscall(SYS_setgroups, 65537, groups), EINVAL);
        CHECK_ERRNO(syscall(SYS_setgroups, 3, 8), EFAULT);
        CHECK_CHILD([] { CHECK_EQ(getgroups(0, nullptr), 3); });
        CHECK_OK(setgroups(0, nullptr));
        CHECK_EQ(getgroups(0, nullptr), 0);
    });
}

TEST(file_permission_follows) {
    if (!root()) {
        return;
    }
    char path[] = "/tmp/kpio_ids_XXXXXX";
    const int fd = mkstemp(path);
    REQUIRE(fd >= 0);
    close(fd);
    CHECK_OK(chown(path, 100, 50));
    CHECK_OK(chmod(path, 0640));
    const auto openable = [&](int flags) {
        const int opened = open(path, flags);
        close(opened);
        return opened >= 0;
    };
    CHECK_CHILD([&] {
        CHECK_OK(setgroups(0, nullptr));
        CHECK_OK(setgid(60));
        CHECK_OK(setuid(100));
        CHECK(openable(O_RDWR));
    });
    CHECK_CHILD([&] {
        gid_t groups[] = {50};
        CHECK_OK(setgroups(1, groups));
        CHECK_OK(setgid(60));
        CHECK_OK(setuid(101));
        CHECK(openable(O_RDONLY) && !openable(O_RDWR));
    });
    CHECK_CHILD([&] {
        CHECK_OK(setgroups(0, nullptr));
        CHECK_OK(setgid(60));
        CHECK_OK(setuid(101));
        CHECK(!openable(O_RDONLY));
        CHECK_ERRNO(access(path, R_OK), EACCES);
    });
    unlink(path);
}

TEST_MAIN()
