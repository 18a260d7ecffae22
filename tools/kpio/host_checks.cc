// SPDX-License-Identifier: MIT OR Apache-2.0
#include "kpio/host_checks.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "kpio/seccomp_trial.h"

namespace kpio {
namespace {

constexpr std::string_view kContainerAdvice =
    "in a container, start it with --security-opt seccomp=unconfined or a profile that allows this";

// Of a short file; without <fstream>, which would double the program's size.
std::string read_file(const char* path) {
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    char buffer[4096];
    const ssize_t count = descriptor < 0 ? 0 : read(descriptor, buffer, sizeof buffer);
    if (descriptor >= 0) {
        close(descriptor);
    }
    return {buffer, static_cast<std::size_t>(std::max<ssize_t>(count, 0))};
}

std::string read_line(const char* path) {
    const std::string text = read_file(path);
    return text.substr(0, text.find('\n'));
}

Check kernel_version() {
    utsname name{};
    uname(&name);
    const unsigned version = parse_kernel_version(name.release);
    Check check{.name = "Linux kernel", .found = name.release};
    if (version < 5019) {
        check.state = CheckState::Missing;
        check.advice = "5.19 is the oldest that works; Debian 12 has 6.1";
    }
    return check;
}

Check fsgsbase() {
    constexpr unsigned long kHwcap2Fsgsbase = 1ul << 1;  // asm/hwcap2.h
    Check check{.name = "FSGSBASE", .found = "user mode may set FS and GS bases"};
    if ((getauxval(AT_HWCAP2) & kHwcap2Fsgsbase) == 0) {
        check.state = CheckState::Missing;
        check.found = "not available";
        check.advice = "needs an Intel Ivy Bridge or AMD Zen 2 or later and a kernel without the option nofsgsbase";
    }
    return check;
}

void add_seccomp(std::vector<Check>& checks) {
    const SeccompTrial trial = try_seccomp();
    Check notify{.name = "seccomp notification", .found = "a child's system call was answered"};
    if (trial.listener_error != 0 || !trial.answered) {
        notify.state = CheckState::Missing;
        notify.found = trial.listener_error != 0 ? std::strerror(trial.listener_error) : "no notification arrived";
        notify.advice = trial.listener_error == EBUSY
                            ? "this process is already supervised by a seccomp listener; start kpio outside of it"
                            : std::string(kContainerAdvice);
    }
    checks.push_back(notify);
    Check sync{.name = "synchronous wake-up", .found = "guests are resumed without a detour over another CPU"};
    if (!trial.synchronous) {
        sync.state = CheckState::Limited;
        sync.found = "not in this kernel: system calls of guests cost more";
        sync.advice = "Linux 6.6 or later has it";
    }
    checks.push_back(sync);
    Check trap{.name = "seccomp trap", .found = "a forbidden call raised SIGSYS"};
    if (!trial.trapped) {
        trap.state = CheckState::Missing;
        trap.found = "a forbidden call did not raise SIGSYS";
        trap.advice = kContainerAdvice;
    }
    checks.push_back(trap);
}

Check guest_memory() {
    Check check{.name = "memfd", .found = "shared memory can be sealed, mapped and executed"};
    const int descriptor = memfd_create("kpio-check", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    const char* step = "memfd_create";
    bool good = descriptor >= 0;
    if (good) {
        step = "sealing";
        good = ftruncate(descriptor, 4096) == 0 && fcntl(descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == 0;
    }
    if (good) {
        step = "mapping it executable";
        good = mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, descriptor, 0) != MAP_FAILED;
    }
    if (!good) {
        check.state = CheckState::Missing;
        check.found = std::string(step) + ": " + std::strerror(errno);
        check.advice = "sysctl vm.memfd_noexec=0; " + std::string(kContainerAdvice);
    }
    if (descriptor >= 0) {
        close(descriptor);
    }
    return check;
}

// The first program of every guest is executed from a memfd.
Check memfd_execution() {
    Check check{.name = "execution from memfd", .found = "execveat works on a memfd"};
    const int descriptor = memfd_create("kpio-check", 0);
    // An empty file gives ENOEXEC where execution is allowed at all, EACCES or EPERM where it is not.
    char* const none[] = {nullptr};
    if (descriptor < 0 || syscall(SYS_execveat, descriptor, "", none, none, AT_EMPTY_PATH) != -1 || errno != ENOEXEC) {
        check.state = CheckState::Missing;
        check.found = std::strerror(errno);
        check.advice = "sysctl vm.memfd_noexec=0; " + std::string(kContainerAdvice);
    }
    if (descriptor >= 0) {
        close(descriptor);
    }
    return check;
}

Check host_directories() {
    Check check{.name = "openat2", .found = "host directories can be shown safely"};
    open_how how{};
    how.flags = O_PATH | O_CLOEXEC;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS;
    const int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    const long opened = syscall(SYS_openat2, root, ".", &how, sizeof how);
    if (opened < 0) {
        check.state = CheckState::Missing;
        check.found = std::strerror(errno);
        check.advice = kContainerAdvice;
    } else {
        close(static_cast<int>(opened));
    }
    close(root);
    return check;
}

Check process_handles() {
    Check check{.name = "pidfd", .found = "guest processes are ended by handle, not by number"};
    const long handle = syscall(SYS_pidfd_open, getpid(), 0);
    if (handle < 0) {
        check.state = CheckState::Missing;
        check.found = std::strerror(errno);
        check.advice = kContainerAdvice;
    } else {
        close(static_cast<int>(handle));
    }
    return check;
}

std::string limit_text(rlim_t value) {
    return value == RLIM_INFINITY ? "unlimited" : std::to_string(value);
}

void add_limits(std::vector<Check>& checks) {
    struct Limit {
        const char* name;
        __rlimit_resource resource;
        rlim_t minimum;  // below: does not work
        rlim_t wanted;   // below: fewer guest threads or less memory
        const char* advice;
    };
    constexpr rlim_t kGiB = rlim_t{1} << 30;
    const Limit limits[] = {
        {"open files (hard)", RLIMIT_NOFILE, 256, 4096, "ulimit -Hn 4096: each guest thread needs a descriptor"},
        {"processes", RLIMIT_NPROC, 64, 2048, "ulimit -u 2048: each guest thread is a thread of the host"},
        {"address space", RLIMIT_AS, 4 * kGiB, RLIM_INFINITY, "ulimit -v unlimited: guest memory is reserved at once"},
        {"pending signals", RLIMIT_SIGPENDING, 128, 1024, "ulimit -i 1024: each guest CPU has a timer"},
    };
    for (const Limit& limit : limits) {
        rlimit value{};
        getrlimit(limit.resource, &value);
        const rlim_t found = limit.resource == RLIMIT_NOFILE ? value.rlim_max : value.rlim_cur;
        checks.push_back({.name = limit.name,
                          .state = found < limit.minimum  ? CheckState::Missing
                                   : found < limit.wanted ? CheckState::Limited
                                                          : CheckState::Good,
                          .found = limit_text(found),
                          .advice = limit.advice});
    }
}

Check overcommit() {
    const std::string mode = read_line("/proc/sys/vm/overcommit_memory");
    Check check{.name = "memory overcommit", .found = "vm.overcommit_memory=" + mode};
    if (mode == "2") {
        check.state = CheckState::Limited;
        check.advice = "the guest's whole memory counts as used: sysctl vm.overcommit_memory=0, or a small --memory";
    }
    return check;
}

Check mappings() {
    const std::string count = read_line("/proc/sys/vm/max_map_count");
    Check check{.name = "mappings of a process", .found = "vm.max_map_count=" + count};
    if (std::atol(count.c_str()) < 65'530) {
        check.state = CheckState::Limited;
        check.advice = "sysctl vm.max_map_count=65530";
    }
    return check;
}

Check clock_source() {
    const std::string source = read_line("/sys/devices/system/clocksource/clocksource0/current_clocksource");
    Check check{.name = "clock source", .found = source.empty() ? "unknown" : source};
    if (!source.empty() && source != "tsc" && source != "kvm-clock" && !source.starts_with("hyperv")) {
        check.state = CheckState::Limited;
        check.advice = "reading the clock costs a system call of the host; tsc does not";
    }
    return check;
}

Check processors() {
    cpu_set_t allowed;
    const int count = sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? CPU_COUNT(&allowed) : 1;
    return {.name = "processors", .found = std::to_string(count) + (count == 1 ? " is" : " are") + " usable"};
}

Check container_profile() {
    const std::string status = read_file("/proc/self/status");
    const std::size_t field = status.find("\nSeccomp:\t");
    const bool filtered = field != std::string::npos && status[field + 10] != '0';
    Check check{.name = "seccomp of our own", .found = !filtered ? "none" : "a filter is in force (container?)"};
    if (filtered) {
        check.state = CheckState::Limited;
        check.advice = "every system call of the kernel process costs more under it";
    }
    return check;
}

Check file_confinement() {
    constexpr unsigned kVersionFlag = 1;  // LANDLOCK_CREATE_RULESET_VERSION
    const long version = syscall(SYS_landlock_create_ruleset, nullptr, 0, kVersionFlag);
    Check check{.name = "Landlock", .found = version > 0 ? "version " + std::to_string(version) : std::strerror(errno)};
    if (version <= 0) {
        check.state = CheckState::Limited;
        check.advice = "without it the kernel process keeps access to files that are not shown to the guest";
    }
    return check;
}

}  // namespace

unsigned parse_kernel_version(const std::string& release) {
    char* end = nullptr;
    const unsigned long major = std::strtoul(release.c_str(), &end, 10);
    if (*end != '.') {
        return 0;
    }
    const unsigned long minor = std::strtoul(end + 1, nullptr, 10);
    return static_cast<unsigned>(major * 1000 + std::min(minor, 999ul));
}

std::vector<Check> check_host() {
    std::vector<Check> checks{kernel_version(), fsgsbase()};
    add_seccomp(checks);
    for (const auto function : {guest_memory, memfd_execution, host_directories, process_handles, file_confinement}) {
        checks.push_back(function());
    }
    add_limits(checks);
    for (const auto function : {overcommit, mappings, clock_source, processors, container_profile}) {
        checks.push_back(function());
    }
    return checks;
}

}  // namespace kpio
