// SPDX-License-Identifier: MIT OR Apache-2.0
// The zygote: a small process without a C library that forks stubs on request. It gives up all rights before anything
// else, and it never runs guest code: its children unmap it before they start.
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/mman.h>
#include <linux/prctl.h>
#include <linux/securebits.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <cerrno>

#include "lib/types.h"
#include "platform/hosted/host_syscall.h"
#include "platform/hosted/stub/layout.h"

extern "C" {
extern std::byte kpio_stub_page[];
extern std::byte kpio_stub_leader[];
}

namespace kernel::platform::hosted {
namespace {

constexpr unsigned kMaxEnded = 64;
constexpr std::uint64_t kAllSignals = ~std::uint64_t{0};
constexpr std::uint64_t kSignalMaskBytes = 8;
constexpr std::uint64_t kRestorer = 0x04000000;  // SA_RESTORER

struct HostSigaction {
    std::uint64_t handler, flags, restorer, mask;
};

[[noreturn]] void quit(int status) {
    for (;;) {
        host_syscall(SYS_exit_group, status);
    }
}

void require(bool condition, int status) {
    if (!condition) {
        quit(status);
    }
}

// Ends this process when its parent goes; the check is for a parent that is gone already.
void die_with_parent(int parent) {
    require(host_syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0, 2);
    require(host_syscall(SYS_getppid) == parent, 2);
}

void drop_capabilities() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct none[2]{};
    require(host_syscall(SYS_capset, &header, &none[0]) == 0, 3);
}

void drop_root() {
    host_syscall(SYS_setgroups, 0, nullptr);
    const HostResult group = host_syscall(SYS_setresgid, kStubUser, kStubUser, kStubUser);
    const HostResult user = host_syscall(SYS_setresuid, kStubUser, kStubUser, kStubUser);
    // EINVAL: a user namespace that does not know the id. There root is an ordinary user outside, and what it has
    // inside goes with the capabilities.
    require((group == 0 && user == 0) || group == -EINVAL || user == -EINVAL, 3);
}

void give_up_rights(const ZygoteParameters& parameters) {
    if (parameters.drop_root != 0) {
        drop_root();
    }
    drop_capabilities();
    require(host_syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, 3);
    // Not to be traced or looked into by other processes of the same user.
    require(host_syscall(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0) == 0, 3);
}

void set_signal(int signal, std::uint64_t handler, std::uint64_t flags) {
    const HostSigaction action{handler, flags, handler, kAllSignals};
    require(host_syscall(SYS_rt_sigaction, signal, &action, nullptr, kSignalMaskBytes) == 0, 4);
}

// Interrupts ppoll; nothing else is to be done here.
[[gnu::naked]] void child_ended() {
    // SAFETY: returns to the restorer, which is this same code's tail: rt_sigreturn.
    asm("add $8, %rsp\n mov $15, %eax\n syscall");
}

void set_up_signals() {
    const std::uint64_t all = kAllSignals;
    require(host_syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, nullptr, kSignalMaskBytes) == 0, 4);
    // Stubs inherit these. Until a guest thread unblocks them, a fault just kills.
    // SA_RESTART: a system call whose notification is withdrawn because of a kick is made again.
    constexpr std::uint64_t kFlags = SA_SIGINFO | SA_ONSTACK | SA_RESTART | kRestorer;
    for (const int signal : {SIGSYS, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGURG}) {
        set_signal(signal, kStubCode + KPIO_HANDLER, kFlags);
    }
    // SAFETY: a code address as the host wants it.
    set_signal(SIGCHLD, reinterpret_cast<std::uint64_t>(&child_ended), kRestorer);
}

// The child of a fork becomes the stub's leader.
[[noreturn]] void become_stub(std::uint32_t stub, int zygote) {
    die_with_parent(zygote);
    const std::uint64_t offset = stub * kArenaStride;
    const std::uint64_t read_only = kStubFrames - kStubControl;
    require(host_syscall(SYS_mmap, kStubControl, read_only, PROT_READ, MAP_SHARED | MAP_FIXED, kZygoteArena, offset) ==
                static_cast<HostResult>(kStubControl),
            5);
    require(host_syscall(SYS_mmap, kStubFrames, kStubEnd - kStubFrames, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                         kZygoteArena, offset + read_only) == static_cast<HostResult>(kStubFrames),
            5);
    require(host_syscall(SYS_close, kZygoteArena) == 0, 5);
    // SAFETY: the page has been moved to kStubCode; leader code takes no arguments and never returns.
    const std::uint64_t leader = kStubCode + static_cast<std::uint64_t>(kpio_stub_leader - kpio_stub_page);
    asm volatile("jmp *%0" : : "r"(leader));
    __builtin_unreachable();
}

// Guests find the code page at a fixed address, far from where programs lie.
void move_stub_page() {
    require(host_syscall(SYS_mremap, &kpio_stub_page[0], kPageSize, kPageSize, MREMAP_MAYMOVE | MREMAP_FIXED,
                         kStubCode) == static_cast<HostResult>(kStubCode),
            7);
}

void report_failure(const ZygoteRequest& request) {
    const StubReport report{StubEvent::CreateFailed, request.stub, 0, request.generation};
    host_syscall(SYS_sendto, kZygoteSocket, &report, sizeof report, MSG_NOSIGNAL, nullptr, 0);
}

// Process ids are given up only when the kernel process has said that it will not use them any more: so it can never
// signal a stranger.
class EndedProcesses {
public:
    void add(int process) {
        while (count_ == kMaxEnded) {
            reap(0);
        }
        processes_[count_++] = process;
    }
    void reap(int options) {
        for (unsigned i = 0; i < count_;) {
            const HostResult result = host_syscall(SYS_wait4, processes_[i], nullptr, options | __WALL, nullptr);
            if (result == 0 || result == -EINTR) {
                ++i;
            } else {
                processes_[i] = processes_[--count_];
            }
        }
    }

private:
    int processes_[kMaxEnded] = {};
    unsigned count_ = 0;
};

[[noreturn]] void serve(int zygote) {
    EndedProcesses ended;
    std::uint64_t mask = kAllSignals & ~(std::uint64_t{1} << (SIGCHLD - 1));
    for (;;) {
        ZygoteRequest request{};
        const HostResult size =
            host_syscall(SYS_recvfrom, kZygoteSocket, &request, sizeof request, MSG_DONTWAIT, nullptr, nullptr);
        if (size == -EAGAIN) {
            ended.reap(WNOHANG);
            pollfd poll{kZygoteSocket, POLLIN, 0};
            host_syscall(SYS_ppoll, &poll, 1, nullptr, &mask, kSignalMaskBytes);
            continue;
        }
        if (size != sizeof request) {
            host_syscall(SYS_kill, 0, SIGKILL);  // the kernel process is gone: so goes the whole process group
            quit(0);
        }
        if (request.command == ZygoteCommand::End) {
            ended.add(request.process);
            continue;
        }
        const HostResult child = host_syscall(SYS_clone, SIGCHLD, 0, nullptr, nullptr, 0);
        if (child == 0) {
            become_stub(request.stub, zygote);
        }
        if (child < 0) {
            report_failure(request);
        }
    }
}

}  // namespace

extern "C" [[noreturn]] void kpio_zygote_main() {
    // SAFETY: the mapping's address as a pointer to what the kernel process wrote there.
    const HostResult page = host_syscall(SYS_mmap, 0, kPageSize, PROT_READ, MAP_SHARED, kZygoteArena, 0);
    require(!host_failed(page), 1);
    const auto& parameters = *reinterpret_cast<const ZygoteParameters*>(page);
    host_syscall(SYS_close_range, kZygoteArena + 1, ~0u, 0);
    give_up_rights(parameters);
    // After the change of user, which clears it.
    die_with_parent(parameters.kernel_process);
    require(host_syscall(SYS_setsid) > 0, 6);
    move_stub_page();
    set_up_signals();
    serve(static_cast<int>(host_syscall(SYS_getpid)));
}

}  // namespace kernel::platform::hosted

extern "C" [[gnu::naked, noreturn]] void kpio_zygote_start() {
    // SAFETY: the entry point of the program; the stack is 16-byte aligned and holds argc.
    asm("xor %ebp, %ebp\n call kpio_zygote_main\n ud2");
}

// The compiler may call these. SAFETY: the empty asm keeps it from making the loop a call of the function itself.
extern "C" void* memset(void* target, int value, std::size_t bytes) {
    auto* out = static_cast<unsigned char*>(target);
    for (std::size_t i = 0; i < bytes; ++i) {
        asm volatile("" ::: "memory");
        out[i] = static_cast<unsigned char>(value);
    }
    return target;
}

extern "C" void* memcpy(void* target, const void* source, std::size_t bytes) {
    auto* out = static_cast<unsigned char*>(target);
    const auto* in = static_cast<const unsigned char*>(source);
    for (std::size_t i = 0; i < bytes; ++i) {
        asm volatile("" ::: "memory");  // SAFETY: as in memset
        out[i] = in[i];
    }
    return target;
}
