// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/hosted/confinement.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <algorithm>
#include <array>
#include <cerrno>

#include "platform/hosted/host_syscall.h"

namespace kernel::platform::hosted {
namespace {

constexpr std::uint32_t kFchmodat2 = 452;  // from Linux 6.6 on; not in Debian 12's headers

// Allowed with any arguments. Where only some arguments are, the filter below looks at them.
constexpr auto kAllowed = [] {
    auto numbers = std::to_array<std::uint32_t>({
        // Host files.
        SYS_close,
        SYS_fallocate,
        SYS_fchmod,
        SYS_fchmodat,
        kFchmodat2,
        SYS_fcntl,
        SYS_fstat,
        SYS_fstatfs,
        SYS_fsync,
        SYS_ftruncate,
        SYS_getdents64,
        SYS_linkat,
        SYS_lseek,
        SYS_mkdirat,
        SYS_newfstatat,
        SYS_openat,
        SYS_openat2,
        SYS_pread64,
        SYS_preadv2,
        SYS_pwrite64,
        SYS_pwritev2,
        SYS_read,
        SYS_readlinkat,
        SYS_renameat2,
        SYS_symlinkat,
        SYS_unlinkat,
        SYS_utimensat,
        SYS_write,
        SYS_writev,
        // Memory.
        SYS_brk,
        SYS_madvise,
        SYS_mremap,
        SYS_munmap,
        // CPUs: threads, sleeping, interrupts, time.
        SYS_clock_gettime,
        SYS_clock_nanosleep,
        SYS_exit,
        SYS_exit_group,
        SYS_futex,
        SYS_getpid,
        SYS_gettid,
        SYS_kill,
        SYS_poll,
        SYS_prlimit64,
        SYS_restart_syscall,
        SYS_rseq,
        SYS_rt_sigaction,
        SYS_rt_sigprocmask,
        SYS_rt_sigreturn,
        SYS_sched_getaffinity,
        SYS_sched_setaffinity,
        SYS_sched_yield,
        SYS_set_robust_list,
        SYS_sigaltstack,
        SYS_tgkill,
        SYS_timer_create,
        SYS_timer_delete,
        SYS_timer_settime,
        SYS_getrandom,
        SYS_getpgrp,
        // Guest processes: the zygote's socket, and waiting for their ends.
        SYS_pidfd_open,
        SYS_recvmsg,
        SYS_sendmsg,
        SYS_sendto,
        SYS_wait4,
    });
    std::ranges::sort(numbers);
    return numbers;
}();

// TIOCSTI and its like, with which one could type into the caller's shell, are not among them.
constexpr auto kAllowedIoctls = std::to_array<std::uint32_t>({
    SECCOMP_IOCTL_NOTIF_RECV,
    SECCOMP_IOCTL_NOTIF_SEND,
    SECCOMP_IOCTL_NOTIF_ID_VALID,
    SECCOMP_IOW(4, __u64),  // SECCOMP_IOCTL_NOTIF_SET_FLAGS, not in Debian 12's headers
    TCGETS,
    TCSETS,
    TCSETSW,
    TCSETSF,
    TIOCGPGRP,
    TIOCGWINSZ,
});

// A BPF program that is put together in place.
class Filter {
public:
    void add(std::uint32_t code, std::uint32_t value, std::size_t if_true = 0, std::size_t if_false = 0) {
        code_[size_++] = {.code = static_cast<std::uint16_t>(code),
                          .jt = static_cast<std::uint8_t>(if_true),
                          .jf = static_cast<std::uint8_t>(if_false),
                          .k = value};
    }
    void load(std::size_t offset) { add(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset)); }
    void give(std::uint32_t action) { add(BPF_RET | BPF_K, action); }
    void give_if_equal(std::uint32_t value, std::uint32_t action) {
        add(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
        give(action);
    }
    // Sections end with give(), so nothing runs from one into the next.
    template <class Section>
    void section_if_equal(std::uint32_t value, Section&& section) {
        const std::size_t jump = size_;
        add(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 0);
        section();
        code_[jump].jf = static_cast<std::uint8_t>(size_ - jump - 1);
    }
    // Ends the program. The numbers are sorted and looked up by a binary search over the bounds of their runs: the host
    // compiles the program at each start and evaluates it once for every number, so its size and depth are start-up
    // time.
    void allow_any_of(std::span<const std::uint32_t> sorted) {
        std::array<std::uint32_t, 2 * kAllowed.size()> bounds{};
        std::size_t count = 0;
        for (const std::uint32_t number : sorted) {
            if (count != 0 && bounds[count - 1] == number) {
                bounds[count - 1] = number + 1;
            } else {
                bounds[count++] = number;
                bounds[count++] = number + 1;
            }
        }
        search(std::span(bounds).first(count), false);
        const std::size_t allow = size_;
        give(SECCOMP_RET_ALLOW);
        give(SECCOMP_RET_TRAP);
        for (std::size_t at = 0; at < allow; ++at) {
            resolve(code_[at].jt, at, allow);
            resolve(code_[at].jf, at, allow);
        }
    }
    bool install() {
        const sock_fprog program{.len = static_cast<std::uint16_t>(size_), .filter = code_.data()};
        return host_syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
    }

private:
    // Stand for the two ends of allow_any_of until their distance is known.
    static constexpr std::uint8_t kToAllow = 255;
    static constexpr std::uint8_t kToTrap = 254;

    // Emits the search for the run that the loaded number is in. Below all bounds numbers are `allowed` or not, and
    // each bound changes that.
    void search(std::span<const std::uint32_t> bounds, bool allowed) {
        const std::size_t middle = bounds.size() / 2;
        const std::size_t jump = size_;
        add(BPF_JMP | BPF_JGE | BPF_K, bounds[middle], 0, 0);
        code_[jump].jf = branch(bounds.first(middle), allowed, jump);
        code_[jump].jt = branch(bounds.subspan(middle + 1), allowed != (middle % 2 == 0), jump);
    }
    std::uint8_t branch(std::span<const std::uint32_t> bounds, bool allowed, std::size_t jump) {
        if (bounds.empty()) {
            return allowed ? kToAllow : kToTrap;
        }
        const std::size_t distance = size_ - jump - 1;
        search(bounds, allowed);
        return static_cast<std::uint8_t>(distance);
    }
    static void resolve(std::uint8_t& distance, std::size_t at, std::size_t allow) {
        if (distance == kToAllow || distance == kToTrap) {
            distance = static_cast<std::uint8_t>(allow - at - (distance == kToAllow ? 1 : 0));
        }
    }

    std::array<sock_filter, 250> code_{};
    std::size_t size_ = 0;
};

bool filter_system_calls() {
    const auto argument_low = [](std::size_t index) {
        return offsetof(seccomp_data, args) + index * sizeof(std::uint64_t);
    };
    Filter filter;
    filter.load(offsetof(seccomp_data, arch));
    filter.add(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
    filter.give(SECCOMP_RET_KILL_PROCESS);
    filter.load(offsetof(seccomp_data, nr));
    filter.section_if_equal(SYS_ioctl, [&] {
        filter.load(argument_low(1));
        for (const std::uint32_t request : kAllowedIoctls) {
            filter.give_if_equal(request, SECCOMP_RET_ALLOW);
        }
        filter.give(SECCOMP_RET_TRAP);
    });
    for (const std::uint32_t number : std::to_array<std::uint32_t>({SYS_mmap, SYS_mprotect})) {
        filter.section_if_equal(number, [&] {
            filter.load(argument_low(2));
            filter.add(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1);
            filter.give(SECCOMP_RET_TRAP);
            filter.give(SECCOMP_RET_ALLOW);
        });
    }
    // Threads, no processes. The C library falls back to clone, whose flags a filter can see.
    filter.give_if_equal(SYS_clone3, SECCOMP_RET_ERRNO | ENOSYS);
    filter.section_if_equal(SYS_clone, [&] {
        filter.load(argument_low(0));
        filter.add(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 0, 1);
        filter.give(SECCOMP_RET_ALLOW);
        filter.give(SECCOMP_RET_TRAP);
    });
    filter.allow_any_of(kAllowed);
    return filter.install();
}

// --- files

constexpr std::uint64_t kReadAccess = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr std::uint64_t kFileWriteAccess = LANDLOCK_ACCESS_FS_WRITE_FILE;
constexpr std::uint64_t kDirectoryWriteAccess = kFileWriteAccess | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                                                LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
                                                LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SYM;
constexpr std::uint64_t kNeverAccess = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
                                       LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
                                       LANDLOCK_ACCESS_FS_MAKE_BLOCK;
// Version 2: moving between directories, which version 1 always forbids. Version 3: truncating.
constexpr std::uint64_t kRefer = std::uint64_t{1} << 13;
constexpr std::uint64_t kTruncate = std::uint64_t{1} << 14;

// Access that the host's version of Landlock knows.
std::uint64_t known_access(HostResult version, std::uint64_t access) {
    return access & ~((version < 2 ? kRefer : 0) | (version < 3 ? kTruncate : 0));
}

void allow_root(int ruleset, HostResult version, const HostRoot& root) {
    const HostResult opened = host_syscall(SYS_openat, AT_FDCWD, root.path, O_PATH | O_CLOEXEC);
    if (host_failed(opened)) {
        return;  // missing: the kernel will say so when it binds it
    }
    struct stat status{};
    const bool directory = fstat(static_cast<int>(opened), &status) == 0 && S_ISDIR(status.st_mode);
    std::uint64_t access = directory ? kReadAccess : std::uint64_t{LANDLOCK_ACCESS_FS_READ_FILE};
    if (root.writable) {
        access |= directory ? kDirectoryWriteAccess | kRefer | kTruncate : kFileWriteAccess | kTruncate;
    }
    const landlock_path_beneath_attr rule{.allowed_access = known_access(version, access),
                                          .parent_fd = static_cast<int>(opened)};
    host_syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    host_syscall(SYS_close, opened);
}

// Not all hosts have it; then the system call filter alone limits what can be done with files.
void restrict_files(std::span<const HostRoot> roots) {
    const HostResult version = host_syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (host_failed(version)) {
        return;
    }
    const landlock_ruleset_attr attributes{
        .handled_access_fs =
            known_access(version, kReadAccess | kDirectoryWriteAccess | kNeverAccess | kRefer | kTruncate)};
    const HostResult ruleset =
        host_syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes.handled_access_fs, 0);
    if (host_failed(ruleset)) {
        return;
    }
    for (const HostRoot& root : roots) {
        allow_root(static_cast<int>(ruleset), version, root);
    }
    host_syscall(SYS_landlock_restrict_self, ruleset, 0);
    host_syscall(SYS_close, ruleset);
}

// --- capabilities

void drop_capabilities(bool writes_files) {
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    std::array<__user_cap_data_struct, 2> sets{};
    if (host_failed(host_syscall(SYS_capget, &header, sets.data())) || sets[0].permitted == 0) {
        return;
    }
    std::uint32_t keep = 1u << CAP_DAC_READ_SEARCH | 1u << CAP_KILL;
    if (writes_files) {
        keep |= 1u << CAP_DAC_OVERRIDE | 1u << CAP_FOWNER;
    }
    sets[0] = {.effective = sets[0].permitted & keep, .permitted = sets[0].permitted & keep, .inheritable = 0};
    sets[1] = {};
    host_syscall(SYS_capset, &header, sets.data());
}

}  // namespace

bool confine_kernel_process(std::span<const HostRoot> roots) {
    host_syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    drop_capabilities(std::ranges::any_of(roots, &HostRoot::writable));
    restrict_files(roots);
    return filter_system_calls();
}

}  // namespace kernel::platform::hosted
