// SPDX-License-Identifier: MIT OR Apache-2.0
#include <fcntl.h>
#include <linux/memfd.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <array>
#include <atomic>
#include <cerrno>

#include "platform/hosted/guest_memory.h"
#include "platform/hosted/host_syscall.h"
#include "platform/hosted/notify.h"
#include "platform/hosted/signal_frame.h"
#include "platform/hosted/stub_platform.h"
#include "platform/hosted/zygote_client.h"
#include "platform/hosted/zygote_start.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

extern "C" {
extern const std::byte kpio_stub_image[];
extern const std::byte kpio_stub_image_end[];
}

namespace kernel::platform::hosted {
namespace {

constexpr std::size_t kSpawnStackBytes = 8 * 1024;
constexpr int kFirstFreeDescriptor = 3;
constexpr unsigned long kHwcap2Fsgsbase = 1u << 1;
constexpr timeval kReportTimeout{.tv_sec = 5, .tv_usec = 0};

struct Platform {
    int socket = -1;
    int arena = -1;
    std::byte* arena_base = nullptr;
    Transport transport = Transport::Trap;
    Filter guest_filter;
    Filter mapper_filter;
    std::string_view failure;
};
constinit Platform state;
constinit std::atomic<int> zygote_process = 0;

struct SpawnArguments {
    int image, socket, guest_memory, arena;
};

// Runs in the memory of its parent, which goes on meanwhile, until it executes the zygote.
int run_zygote(void* argument) {
    const auto& arguments = *static_cast<const SpawnArguments*>(argument);
    host_syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    host_syscall(SYS_dup3, arguments.socket, kZygoteSocket, 0);
    host_syscall(SYS_dup3, arguments.guest_memory, kZygoteGuestMemory, 0);
    host_syscall(SYS_dup3, arguments.arena, kZygoteArena, 0);
    // So that the zygote's stack is not where the stub wants to be.
    host_syscall(SYS_personality, ADDR_NO_RANDOMIZE);
    const char* const none[] = {nullptr};
    const char* const name[] = {"kpio-zygote", nullptr};
    host_syscall(SYS_execveat, arguments.image, "", &name[0], &none[0], AT_EMPTY_PATH);
    host_syscall(SYS_exit, 127);
    return 127;
}

Error refuse(std::string_view text, Error error = Error::NotSupported) {
    state.failure = text;
    return error;
}

// A descriptor above the numbers that the zygote's own get.
Result<int> move_up(HostResult descriptor) {
    const auto low = static_cast<int>(TRY(host_checked(descriptor)));
    if (low >= kFirstFreeDescriptor) {
        return low;
    }
    const HostResult moved = host_syscall(SYS_fcntl, low, F_DUPFD_CLOEXEC, kFirstFreeDescriptor);
    host_syscall(SYS_close, low);
    return static_cast<int>(TRY(host_checked(moved)));
}

Result<int> make_memfd(const char* name, unsigned flags) {
    HostResult descriptor = host_syscall(SYS_memfd_create, name, MFD_CLOEXEC | flags);
    // Kernels before 6.3 do not know the flag that later ones want to see.
    if (descriptor == -EINVAL) {
        descriptor = host_syscall(SYS_memfd_create, name, MFD_CLOEXEC);
    }
    return move_up(descriptor);
}

Result<> check_host() {
    if ((getauxval(AT_HWCAP2) & kHwcap2Fsgsbase) == 0) {
        return refuse("the processor or host kernel lacks FSGSBASE");
    }
    const std::uint32_t action = SECCOMP_RET_USER_NOTIF;
    if (host_syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) != 0) {
        return refuse("the host kernel lacks seccomp user notification");
    }
    if (!calibrate_signal_frame().has_value()) {
        return refuse("signal frames of this processor do not fit in a page");
    }
    return {};
}

struct KernelVersion {
    std::array<int, 3> parts{};  // 6.12.52

    auto operator<=>(const KernelVersion&) const = default;
};

KernelVersion host_kernel_version() {
    utsname name{};
    uname(&name);
    KernelVersion version;
    unsigned part = 0;
    for (const char* c = &name.release[0]; *c != '\0'; ++c) {
        if (*c >= '0' && *c <= '9') {
            version.parts[part] = version.parts[part] * 10 + (*c - '0');
        } else if (*c != '.' || ++part == version.parts.size()) {
            break;
        }
    }
    return version;
}

// "seccomp: Fix a race with WAIT_KILLABLE_RECV if the tracer replies too fast": without it a reply can be lost when a
// signal is pending.
bool can_notify_plainly(const KernelVersion& version) {
    constexpr KernelVersion kFixed{{6, 18, 0}};
    constexpr KernelVersion kStable{{6, 12, 52}};
    constexpr KernelVersion kAfterStable{{6, 13, 0}};
    return version >= kFixed || (version >= kStable && version < kAfterStable);
}

Result<> set_up_arena() {
    state.arena = TRY(make_memfd("kpio-arena", 0));
    TRY(host_checked(host_syscall(SYS_ftruncate, state.arena, kArenaBytes)));
    const HostResult base = host_syscall(SYS_mmap, nullptr, kArenaBytes, PROT_READ | PROT_WRITE,
                                         MAP_SHARED | MAP_NORESERVE, state.arena, 0);
    // SAFETY: a fresh mapping of that size.
    state.arena_base = reinterpret_cast<std::byte*>(TRY(host_checked(base)));
    // SAFETY: the first page belongs to nobody else; the zygote reads it after its start.
    auto& parameters = *reinterpret_cast<ZygoteParameters*>(state.arena_base);
    parameters.kernel_process = static_cast<std::int32_t>(host_syscall(SYS_getpid));
    parameters.drop_root = host_syscall(SYS_geteuid) == 0 || host_syscall(SYS_getuid) == 0 ? 1 : 0;
    return {};
}

// The zygote's end of the socket in `other`.
Result<> set_up_socket(int& other) {
    int pair[2];
    TRY(host_checked(host_syscall(SYS_socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, &pair[0])));
    state.socket = TRY(move_up(pair[0]));
    other = TRY(move_up(pair[1]));
    const int on = 1;
    TRY(host_checked(host_syscall(SYS_setsockopt, state.socket, SOL_SOCKET, SO_PASSCRED, &on, sizeof on)));
    TRY(host_checked(
        host_syscall(SYS_setsockopt, state.socket, SOL_SOCKET, SO_RCVTIMEO, &kReportTimeout, sizeof kReportTimeout)));
    return {};
}

Result<int> make_image() {
    const int image = TRY(make_memfd("kpio-zygote", MFD_EXEC));
    const auto size = static_cast<std::uint64_t>(kpio_stub_image_end - kpio_stub_image);
    TRY(host_checked(host_syscall(SYS_ftruncate, image, size)));
    if (TRY(host_checked(host_syscall(SYS_pwrite64, image, kpio_stub_image, size, 0))) != size) {
        return Error::NoMemory;
    }
    return image;
}

Result<> spawn_zygote() {
    alignas(16) static std::byte stack[kSpawnStackBytes];
    static SpawnArguments arguments;
    int other = -1;
    TRY(set_up_socket(other));
    arguments = {TRY(make_image()), other, guest_memory().descriptor, state.arena};
    // Orphaned stubs become our children, so that we can wait until they are gone.
    host_syscall(SYS_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    const int child = clone(run_zygote, stack + kSpawnStackBytes, CLONE_VM | SIGCHLD, &arguments);
    // The child has a descriptor table of its own.
    host_syscall(SYS_close, other);
    host_syscall(SYS_close, arguments.image);
    if (child < 0) {
        return Error::WouldBlock;
    }
    zygote_process.store(child);
    return {};
}

}  // namespace

int zygote_socket() {
    return state.socket;
}
int arena_descriptor() {
    return state.arena;
}
const Filter& guest_filter() {
    return state.guest_filter;
}
const Filter& mapper_filter() {
    return state.mapper_filter;
}
Transport active_transport() {
    return state.transport;
}

StubArena& stub_arena(unsigned number) {
    // SAFETY: the arena holds a StubArena for each number.
    return *reinterpret_cast<StubArena*>(state.arena_base + number * kArenaStride);
}

Result<> start_stub_platform(Transport best) {
    TRY(check_host());
    const KernelVersion version = host_kernel_version();
    set_poll_before_receive(version < KernelVersion{{6, 11, 0}});
    state.transport = can_notify_plainly(version) ? best : Transport::Trap;
    state.guest_filter = make_guest_filter(state.transport);
    state.mapper_filter = make_mapper_filter();
    if (const Result<> result = set_up_arena(); !result.has_value()) {
        return refuse("no memory for guest processes", result.error());
    }
    if (const Result<> result = spawn_zygote(); !result.has_value()) {
        return refuse("the host does not let us start the zygote", result.error());
    }
    order_first_stub();
    return {};
}

std::string_view start_failure_text() {
    return state.failure;
}

namespace {

void wait_for_all(int which) {
    HostResult result;
    do {
        result = host_syscall(SYS_wait4, which, nullptr, __WALL, nullptr);
    } while (result >= 0 || result == -EINTR);
}

}  // namespace

void stop_stub_platform() {
    const int zygote = zygote_process.exchange(0);
    if (zygote == 0) {
        return;
    }
    host_syscall(SYS_kill, -zygote, SIGKILL);  // its process group; not there before it has started
    host_syscall(SYS_kill, zygote, SIGKILL);
    wait_for_all(zygote);
    wait_for_all(-zygote);  // stubs, which have become our children
}

std::string_view transport_name() {
    return state.transport == Transport::Trap ? "seccomp-trap" : "seccomp-notify";
}

}  // namespace kernel::platform::hosted
