// SPDX-License-Identifier: MIT OR Apache-2.0
// uname(2), sysinfo(2), getrandom(2), limits, priorities, affinity, getcpu(2), prctl(2), personality(2), unknown calls.
#include <sched.h>
#include <signal.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cstdint>
#include <thread>

#include "system/support/check.h"

TEST(names) {
    utsname name;
    CHECK_OK(uname(&name));
    const std::string system = name.sysname;
    CHECK(system == "Linux" || system == "KPIO");
    CHECK_EQ(std::string(name.machine), std::string("x86_64"));
    CHECK(name.nodename[0] != '\0' && name.version[0] != '\0');
    // Programs parse the release: major.minor first, and the C library refuses one that is too old.
    int major = 0;
    int minor = -1;
    CHECK_EQ(std::sscanf(name.release, "%d.%d", &major, &minor), 2);
    CHECK(major >= 4 && minor >= 0);
    CHECK_ERRNO(syscall(SYS_uname, 8), EFAULT);
}

TEST(system_information) {
    struct sysinfo info;
    std::memset(&info, 0x55, sizeof(info));
    CHECK_OK(sysinfo(&info));
    CHECK(info.uptime >= 0 && info.uptime < 100L * 365 * 86400);
    const std::uint64_t unit = info.mem_unit;
    CHECK(unit > 0);
    CHECK(info.totalram * unit >= 4u << 20);
    CHECK(info.freeram <= info.totalram && info.freeram > 0);
    CHECK(info.procs >= 1);
    CHECK_ERRNO(syscall(SYS_sysinfo, 8), EFAULT);
}

TEST(random) {
    unsigned char first[64] = {};
    unsigned char second[64] = {};
    CHECK_EQ(getrandom(first, 64, 0), 64);
    CHECK_EQ(getrandom(second, 64, GRND_NONBLOCK), 64);
    CHECK(std::memcmp(first, second, 64) != 0);
    CHECK_EQ(getrandom(first, 0, 0), 0);
    static unsigned char large[100'000];
    CHECK_EQ(getrandom(large, sizeof(large), 0), sizeof(large));
    CHECK(std::count(std::begin(large), std::end(large), 0) < 2000);
    CHECK_ERRNO(getrandom(first, 64, 0x100), EINVAL);
    CHECK_ERRNO(getrandom(first, 64, GRND_RANDOM | GRND_INSECURE), EINVAL);
    CHECK_ERRNO(syscall(SYS_getrandom, 8, 64, 0), EFAULT);
}

TEST(limits) {
    CHECK_CHILD([] {
        rlimit limit;
        for (int resource = 0; resource < RLIM_NLIMITS; ++resource) {
            CHECK_OK(getrlimit(static_cast<__rlimit_resource>(resource), &limit));
            CHECK(limit.rlim_cur <= limit.rlim_max);
        }
        CHECK_ERRNO(syscall(SYS_getrlimit, 99, &limit), EINVAL);
        CHECK_ERRNO(syscall(SYS_setrlimit, 99, &limit), EINVAL);
        CHECK_ERRNO(syscall(SYS_getrlimit, RLIMIT_NOFILE, 8), EFAULT);
        CHECK_ERRNO(syscall(SYS_setrlimit, RLIMIT_NOFILE, 8), EFAULT);
        limit = {20, 10};
        CHECK_ERRNO(setrlimit(RLIMIT_NOFILE, &limit), EINVAL);
        limit = {20, 40};
        rlimit old;
        CHECK_OK(syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &limit, &old));
        CHECK_OK(syscall(SYS_prlimit64, getpid(), RLIMIT_NOFILE, nullptr, &old));
        CHECK(old.rlim_cur == 20 && old.rlim_max == 40);
        CHECK_ERRNO(syscall(SYS_prlimit64, 4'000'000, RLIMIT_NOFILE, nullptr, &old), ESRCH);
        CHECK_ERRNO(syscall(SYS_prlimit64, 0, 99, nullptr, &old), EINVAL);
        CHECK_ERRNO(syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, nullptr, 8), EFAULT);
        // The limit is on numbers.
        CHECK_ERRNO(dup2(1, 20), EBADF);
        CHECK_OK(dup2(1, 19));
        CHECK_CHILD([] {
            rlimit inherited;
            CHECK_OK(getrlimit(RLIMIT_NOFILE, &inherited));
            CHECK_EQ(inherited.rlim_cur, 20u);
        });
        if (getuid() == 0) {
            CHECK_OK(setresuid(100, 100, 100));
            limit = {20, 41};
            CHECK_ERRNO(setrlimit(RLIMIT_NOFILE, &limit), EPERM);
        }
    });
}

TEST(priorities) {
    CHECK_CHILD([] {
        errno = 0;
        CHECK_EQ(getpriority(PRIO_PROCESS, 0), 0);
        CHECK_EQ(errno, 0);
        CHECK_OK(setpriority(PRIO_PROCESS, 0, 5));
        CHECK_EQ(getpriority(PRIO_PROCESS, 0), 5);
        CHECK_EQ(syscall(SYS_getpriority, PRIO_PROCESS, 0), 15);  // 20 - nice
        CHECK_OK(setpriority(PRIO_PROCESS, 0, 100));              // clamped
        CHECK_EQ(getpriority(PRIO_PROCESS, static_cast<id_t>(getpid())), 19);
        CHECK_CHILD([] { CHECK_EQ(getpriority(PRIO_PROCESS, 0), 19); });
        if (getuid() == 0) {
            CHECK_OK(setresuid(100, 100, 100));
        }
        CHECK_ERRNO(setpriority(PRIO_PROCESS, 0, 3), EACCES);
        CHECK_ERRNO(getpriority(static_cast<__priority_which>(7), 0), EINVAL);
        CHECK_ERRNO(setpriority(static_cast<__priority_which>(7), 0, 0), EINVAL);
        CHECK_ERRNO(getpriority(PRIO_PROCESS, 4'000'000), ESRCH);
        CHECK_ERRNO(setpriority(PRIO_PROCESS, 4'000'000, 0), ESRCH);
    });
}

TEST(affinity) {
    cpu_set_t set;
    CPU_ZERO(&set);
    const long bytes = syscall(SYS_sched_getaffinity, 0, sizeof(set), &set);
    CHECK(bytes >= 8 && bytes % 8 == 0);
    CHECK(CPU_COUNT(&set) >= 1);
    unsigned cpu = 9999;
    unsigned node = 9999;
    CHECK_OK(syscall(SYS_getcpu, &cpu, &node, nullptr));
    CHECK(cpu < 1024 && CPU_ISSET(cpu, &set));
    CHECK_EQ(node, 0u);
    CHECK_OK(syscall(SYS_getcpu, nullptr, nullptr, nullptr));
    CHECK_ERRNO(syscall(SYS_getcpu, 8, nullptr, nullptr), EFAULT);
    CHECK_CHILD([&] {
        for (std::size_t i = 0; i < 1024; ++i) {
            if (!CPU_ISSET(i, &set)) {
                continue;
            }
            cpu_set_t one;
            CPU_ZERO(&one);
            CPU_SET(i, &one);
            CHECK_OK(sched_setaffinity(0, sizeof(one), &one));
            unsigned now;
            CHECK_OK(syscall(SYS_getcpu, &now, nullptr, nullptr));
            CHECK_EQ(now, i);
            cpu_set_t seen;
            CHECK_OK(sched_getaffinity(getpid(), sizeof(seen), &seen));
            CHECK(CPU_EQUAL(&one, &seen));
        }
    });
    cpu_set_t none;
    CPU_ZERO(&none);
    CHECK_ERRNO(sched_setaffinity(0, sizeof(none), &none), EINVAL);
    CHECK_ERRNO(syscall(SYS_sched_getaffinity, 0, 0, &set), EINVAL);
    CHECK_ERRNO(syscall(SYS_sched_getaffinity, 0, 7, &set), EINVAL);
    CHECK_ERRNO(syscall(SYS_sched_getaffinity, 4'000'000, sizeof(set), &set), ESRCH);
    CHECK_ERRNO(syscall(SYS_sched_setaffinity, 4'000'000, sizeof(set), &set), ESRCH);
    CHECK_ERRNO(syscall(SYS_sched_setaffinity, 0, sizeof(set), 8), EFAULT);
    CHECK_ERRNO(syscall(SYS_sched_getaffinity, 0, sizeof(set), 8), EFAULT);
}

TEST(process_control) {
    CHECK_CHILD([] {
        CHECK_OK(prctl(PR_SET_NAME, "a name that is too long"));
        char name[17] = "";
        CHECK_OK(prctl(PR_GET_NAME, name));
        CHECK_EQ(std::string(name), std::string("a name that is "));
        std::thread([] {
            char inherited[16];
            CHECK_OK(prctl(PR_GET_NAME, inherited));
            CHECK_EQ(std::string(inherited), std::string("a name that is "));
            CHECK_OK(prctl(PR_SET_NAME, "thread"));
        }).join();
        CHECK_OK(prctl(PR_GET_NAME, name));
        CHECK_EQ(std::string(name), std::string("a name that is "));
        CHECK_ERRNO(prctl(PR_SET_NAME, 8), EFAULT);
        CHECK_ERRNO(prctl(PR_GET_NAME, 8), EFAULT);
        CHECK_EQ(prctl(PR_GET_DUMPABLE), 1);
        CHECK_OK(prctl(PR_SET_DUMPABLE, 0));
        CHECK_EQ(prctl(PR_GET_DUMPABLE), 0);
        CHECK_ERRNO(prctl(PR_SET_DUMPABLE, 2), EINVAL);
        CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
        CHECK_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
        CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
        CHECK_ERRNO(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
        CHECK_CHILD([] { CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1); });
        CHECK_ERRNO(prctl(99'999), EINVAL);
    });
    CHECK_OK(personality(0xffffffff));
}

TEST(calls_that_do_not_exist) {
    CHECK_ERRNO(syscall(999), ENOSYS);
    CHECK_ERRNO(syscall(-1), ENOSYS);
    CHECK_ERRNO(syscall(0x7fffffff), ENOSYS);
    // The number is an unsigned 32-bit value in eax.
    std::int64_t result;
    asm volatile("syscall" : "=a"(result) : "a"(0x1'0000'0000l + SYS_getpid) : "rcx", "r11", "memory");
    CHECK(result == getpid() || result == -ENOSYS);
}

TEST(registers_of_a_call) {
    // Only rax, rcx and r11 change.
    std::uint64_t sum = 0;
    asm volatile(
        "mov $1, %%rdi\n\tmov $2, %%rsi\n\tmov $3, %%rdx\n\tmov $4, %%r10\n\tmov $5, %%r8\n\tmov $6, %%r9\n\t"
        "mov $7, %%r12\n\tmov $8, %%r13\n\tmov $9, %%r14\n\tmov $10, %%r15\n\tmov $11, %%rbx\n\t"
        "mov %[nr], %%eax\n\tsyscall\n\t"
        "lea (%%rdi, %%rsi), %%rax\n\tadd %%rdx, %%rax\n\tadd %%r10, %%rax\n\tadd %%r8, %%rax\n\tadd %%r9, %%rax\n\t"
        "add %%r12, %%rax\n\tadd %%r13, %%rax\n\tadd %%r14, %%rax\n\tadd %%r15, %%rax\n\tadd %%rbx, %%rax"
        : "=a"(sum)
        : [nr] "i"(SYS_getppid)
        : "rdi", "rsi", "rdx", "rcx", "rbx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory");
    CHECK_EQ(sum, 66u);
}

TEST_MAIN()
