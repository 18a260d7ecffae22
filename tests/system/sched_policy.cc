// SPDX-License-Identifier: MIT OR Apache-2.0
// sched_setscheduler(2), sched_setattr(2), sched_rr_get_interval(2), ioprio_set(2).
#include <grp.h>
#include <sched.h>
#include <sys/resource.h>

#include "system/support/scratch.h"

namespace {

using scratch::bad_address;

struct Attributes {
    std::uint32_t size, policy;
    std::uint64_t flags;
    std::int32_t nice;
    std::uint32_t priority;
    std::uint64_t runtime, deadline, period;
    std::uint32_t util_min, util_max;
};

long set_attributes(Attributes* attributes, unsigned flags = 0) {
    return syscall(SYS_sched_setattr, 0, attributes, flags);
}
long get_attributes(Attributes* attributes, unsigned size = sizeof(Attributes)) {
    return syscall(SYS_sched_getattr, 0, attributes, size, 0);
}

TEST(ranges) {
    CHECK_EQ(sched_get_priority_min(SCHED_FIFO), 1);
    CHECK_EQ(sched_get_priority_max(SCHED_FIFO), 99);
    CHECK_EQ(sched_get_priority_max(SCHED_RR), 99);
    CHECK_EQ(sched_get_priority_max(SCHED_OTHER), 0);
    CHECK_EQ(sched_get_priority_min(SCHED_BATCH), 0);
    CHECK_ERRNO(sched_get_priority_max(4), EINVAL);
    CHECK_ERRNO(sched_get_priority_min(-1), EINVAL);
}

TEST(ordinary_policies) {
    CHECK_EQ(sched_getscheduler(0), SCHED_OTHER);
    sched_param zero{0};
    CHECK_OK(sched_setscheduler(0, SCHED_BATCH, &zero));
    CHECK_EQ(sched_getscheduler(0), SCHED_BATCH);
    CHECK_CHILD([] { CHECK_EQ(sched_getscheduler(0), SCHED_BATCH); });
    CHECK_OK(sched_setscheduler(0, SCHED_OTHER, &zero));
    CHECK_EQ(sched_getscheduler(getpid()), SCHED_OTHER);
    CHECK_CHILD([&] {
        CHECK_OK(sched_setscheduler(0, SCHED_IDLE | SCHED_RESET_ON_FORK, &zero));
        CHECK_EQ(sched_getscheduler(0), SCHED_IDLE | SCHED_RESET_ON_FORK);
    });
    sched_param param{7};
    CHECK_OK(sched_getparam(0, &param));
    CHECK_EQ(param.sched_priority, 0);
}

TEST(real_time) {
    if (geteuid() != 0) {
        return;
    }
    CHECK_CHILD([] {
        sched_param param{10};
        if (sched_setscheduler(0, SCHED_RR, &param) != 0) {
            _exit(0);  // a container without the capability
        }
        CHECK_EQ(sched_getscheduler(0), SCHED_RR);
        param.sched_priority = 20;
        CHECK_OK(sched_setparam(0, &param));
        param.sched_priority = 0;
        CHECK_OK(sched_getparam(0, &param));
        CHECK_EQ(param.sched_priority, 20);
        timespec interval{};
        CHECK_OK(sched_rr_get_interval(0, &interval));
        CHECK(interval.tv_nsec > 0);
        CHECK_OK(sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param));
        CHECK_OK(sched_rr_get_interval(0, &interval));
        CHECK_EQ(interval.tv_nsec, 0);
        CHECK_CHILD([] { CHECK_EQ(sched_getscheduler(0), SCHED_OTHER); });
    });
}

TEST(attributes) {
    CHECK_CHILD([] {
        Attributes attributes{};
        CHECK_OK(get_attributes(&attributes));
        CHECK_EQ(attributes.policy, static_cast<unsigned>(SCHED_OTHER));
        CHECK(attributes.size >= 48);
        attributes = {};
        attributes.size = sizeof(attributes);
        attributes.policy = SCHED_BATCH;
        attributes.nice = 5;
        CHECK_OK(set_attributes(&attributes));
        CHECK_EQ(sched_getscheduler(0), SCHED_BATCH);
        CHECK_EQ(getpriority(PRIO_PROCESS, 0), 5);
        attributes = {};
        CHECK_OK(get_attributes(&attributes, 48));
        CHECK_EQ(attributes.nice, 5);
        CHECK_EQ(attributes.size, 48u);
    });
}

TEST(errors) {
    sched_param param{1};
    CHECK_ERRNO(sched_setscheduler(0, SCHED_OTHER, &param), EINVAL);
    CHECK_ERRNO(sched_setscheduler(0, 77, &param), EINVAL);
    param.sched_priority = 0;
    CHECK_ERRNO(sched_setscheduler(0, SCHED_FIFO, &param), EINVAL);
    CHECK_ERRNO(sched_setscheduler(-1, SCHED_OTHER, &param), EINVAL);
    CHECK_ERRNO(sched_setscheduler(0x3fffffff, SCHED_OTHER, &param), ESRCH);
    CHECK_ERRNO(sched_setscheduler(0, SCHED_OTHER, reinterpret_cast<sched_param*>(bad_address())), EFAULT);
    CHECK_ERRNO(syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, nullptr), EINVAL);
    CHECK_ERRNO(syscall(SYS_sched_getparam, 0, nullptr), EINVAL);
    CHECK_ERRNO(sched_getscheduler(0x3fffffff), ESRCH);
    CHECK_ERRNO(sched_getscheduler(-1), EINVAL);
    Attributes attributes{};
    CHECK_ERRNO(get_attributes(&attributes, 10), EINVAL);
    CHECK_ERRNO(set_attributes(nullptr), EINVAL);
    CHECK_ERRNO(set_attributes(&attributes, 1), EINVAL);
    attributes.size = 10;
    CHECK_ERRNO(set_attributes(&attributes), E2BIG);
    scratch::as_other_user([] {
        sched_param urgent{10};
        CHECK_ERRNO(sched_setscheduler(0, SCHED_FIFO, &urgent), EPERM);
        sched_param zero{0};
        CHECK_ERRNO(sched_setscheduler(getppid(), SCHED_BATCH, &zero), EPERM);
    });
}

TEST(io_priority) {
    constexpr int kProcess = 1;
    constexpr int kIdle = 3 << 13;
    constexpr int kBest3 = 2 << 13 | 3;
    CHECK_OK(syscall(SYS_ioprio_set, kProcess, 0, kBest3));
    CHECK_EQ(syscall(SYS_ioprio_get, kProcess, 0), kBest3);
    CHECK_CHILD([&] { CHECK_EQ(syscall(SYS_ioprio_get, kProcess, 0), kBest3); });
    CHECK_OK(syscall(SYS_ioprio_set, kProcess, getpid(), kIdle));
    CHECK_EQ(syscall(SYS_ioprio_get, kProcess, 0), kIdle);
    CHECK_ERRNO(syscall(SYS_ioprio_set, kProcess, 0, 5 << 13), EINVAL);
    CHECK_ERRNO(syscall(SYS_ioprio_set, 9, 0, kIdle), EINVAL);
    CHECK_ERRNO(syscall(SYS_ioprio_get, 9, 0), EINVAL);
    CHECK_ERRNO(syscall(SYS_ioprio_get, kProcess, 0x3fffffff), ESRCH);
}

}  // namespace

TEST_MAIN()
