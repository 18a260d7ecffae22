// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/cpu.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <ctime>

#include "lib/assert.h"
#include "platform/hosted/host_clock.h"
#include "platform/hosted/host_node.h"
#include "platform/hosted/vcpu.h"

extern "C" {
long kpio_vcpu_ioctl(int descriptor, unsigned long request, void* argument, const std::uint32_t* stop);
extern const char kpio_vcpu_ioctl_begin[];
extern const char kpio_vcpu_ioctl_end[];
extern const char kpio_vcpu_ioctl_stopped[];
}

namespace kernel::platform::hosted {
namespace {

constexpr int kVcpuSignal = SIGUSR1;
constexpr std::size_t kSignalStackBytes = 32 * 1024;
constexpr std::size_t kSecondaryStackBytes = 64 * 1024;

enum class Place : std::uint32_t { Kernel, Idle, User };

struct alignas(128) Vcpu {
    CpuLocal local;
    std::atomic<std::uint32_t> pending = 0;  // Interrupts; also the futex of an idle CPU
    std::atomic<Place> place = Place::Kernel;

    // Of the vCPU's own thread and its signal handler only. Times are the host's CLOCK_MONOTONIC.
    std::atomic<std::uint64_t> deadline_ns = kNoDeadline;  // of platform::set_timer
    std::atomic<std::uint64_t> armed_ns = kNoDeadline;     // when the host's timer will fire
    std::atomic<std::uint64_t> limit_ns = kNoDeadline;     // of wait_for_kicked_guest
    std::atomic<std::uint32_t> limit_reached = 0;
    bool has_timer = false;
    timer_t timer{};

    int thread_id = 0;
    int host_cpu = -1;
    CpuEntry entry = nullptr;
};

std::array<Vcpu, kMaxCpus> vcpus;
unsigned vcpu_count = 1;

}  // namespace

// The host thread's vCPU. Read by volatile assembly only: after a context switch the same code may run on another
// host thread, so the compiler must not reuse an address that it computed before.
extern "C" {
[[gnu::tls_model("local-exec")]] constinit thread_local Vcpu* kpio_this_vcpu = &vcpus[0];
}

namespace {

Vcpu& this_vcpu() {
    Vcpu* vcpu;
    // SAFETY: reads the thread-local pointer above, local-exec because the program is linked statically.
    asm volatile("movq %%fs:kpio_this_vcpu@tpoff, %0" : "=r"(vcpu));
    return *vcpu;
}

const std::uint32_t* stop_word(const std::atomic<std::uint32_t>& word) {
    static_assert(sizeof word == sizeof(std::uint32_t) && std::atomic<std::uint32_t>::is_always_lock_free);
    // SAFETY: a lock-free 32-bit atomic is its value; the assembly reads it with one aligned load.
    return reinterpret_cast<const std::uint32_t*>(&word);
}

void create_timer(Vcpu& self) {
    sigevent event{};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = kVcpuSignal;
    event._sigev_un._tid = self.thread_id;
    if (timer_create(CLOCK_MONOTONIC, &event, &self.timer) != 0) {
        panic("the host refuses a timer (RLIMIT_SIGPENDING?)");
    }
    self.has_timer = true;
}

// Makes the host's timer fire no later than the nearest deadline. One that fires too early costs a signal and is set
// anew, which is cheaper than following each change of the deadline. Async-signal-safe: the timer's own signal may
// interrupt it anywhere, and then sets the same time.
void arm_host_timer(Vcpu& self) {
    const std::uint64_t wanted =
        std::min(self.deadline_ns.load(std::memory_order_relaxed), self.limit_ns.load(std::memory_order_relaxed));
    if (wanted >= self.armed_ns.load(std::memory_order_relaxed)) {
        return;
    }
    if (!self.has_timer) {
        create_timer(self);
    }
    self.armed_ns.store(wanted, std::memory_order_relaxed);
    itimerspec setting{};
    setting.it_value = to_timespec(std::max<std::uint64_t>(wanted, 1));  // 0 would disarm
    timer_settime(self.timer, TIMER_ABSTIME, &setting, nullptr);
}

void on_timer(Vcpu& self) {
    const std::uint64_t now = host_monotonic_ns();
    self.armed_ns.store(kNoDeadline, std::memory_order_relaxed);
    if (now >= self.deadline_ns.load(std::memory_order_relaxed)) {
        self.deadline_ns.store(kNoDeadline, std::memory_order_relaxed);
        self.pending.fetch_or(static_cast<std::uint32_t>(Interrupts::Timer));
    }
    if (now >= self.limit_ns.load(std::memory_order_relaxed)) {
        self.limit_ns.store(kNoDeadline, std::memory_order_relaxed);
        self.limit_reached.store(1, std::memory_order_relaxed);
    }
    // It may have fired too early, and the vCPU may have looked at armed_ns a moment ago and be on its way to sleep.
    arm_host_timer(self);
}

void on_vcpu_signal(int, siginfo_t* info, void* context) {
    if (info->si_code == SI_TIMER) {
        const int saved_errno = errno;
        on_timer(this_vcpu());
        errno = saved_errno;
    }
    greg_t& rip = static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP];
    // SAFETY: addresses of labels in vcpu_wait.S, compared and stored as numbers.
    const auto begin = reinterpret_cast<greg_t>(kpio_vcpu_ioctl_begin);
    const auto end = reinterpret_cast<greg_t>(kpio_vcpu_ioctl_end);
    if (rip >= begin && rip < end) {
        rip = reinterpret_cast<greg_t>(kpio_vcpu_ioctl_stopped);
    }
}

void pin_to_cpu(Vcpu& self) {
    if (self.host_cpu < 0) {
        return;
    }
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<std::size_t>(self.host_cpu), &set);
    // Refused when the allowed set has just shrunk: running anywhere is slower, not wrong.
    static_cast<void>(sched_setaffinity(0, sizeof set, &set));
}

// Signal handlers get a stack of their own, so that a kernel stack need not have room for a frame with vector state,
// and running off a kernel stack can still be reported.
void set_up_signal_stack() {
    stack_t stack{};
    stack.ss_size = kSignalStackBytes;
    stack.ss_sp = mmap(nullptr, stack.ss_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack.ss_sp == MAP_FAILED || sigaltstack(&stack, nullptr) != 0) {
        panic("no memory for a signal stack");
    }
}

// vCPU i runs on the i-th allowed host CPU, counted from the one we are on: several kernels on one host would all sit
// on the first otherwise.
void choose_host_cpus() {
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) {
        return;
    }
    unsigned host_cpu = 0;
    if (getcpu(&host_cpu, nullptr) != 0) {
        return;
    }
    for (unsigned i = 0; i < vcpu_count; ++i) {
        for (unsigned step = 0; step < CPU_SETSIZE && !CPU_ISSET(host_cpu % CPU_SETSIZE, &allowed); ++step) {
            ++host_cpu;
        }
        host_cpu %= CPU_SETSIZE;
        vcpus[i].host_cpu = static_cast<int>(host_cpu);
        ++host_cpu;
    }
}

void* run_secondary(void* argument) {
    Vcpu& self = *static_cast<Vcpu*>(argument);
    kpio_this_vcpu = &self;
    self.thread_id = gettid();
    set_up_signal_stack();
    pin_to_cpu(self);
    self.entry(self.local.index);
    panic("a CPU returned from its entry");
}

}  // namespace

bool interrupt_pending() {
    return this_vcpu().pending.load(std::memory_order_relaxed) != 0;
}

int vcpu_thread_id() {
    return this_vcpu().thread_id;
}

int vcpu_signal() {
    return kVcpuSignal;
}

long wait_in_user_mode(int descriptor, unsigned long request, void* argument) {
    Vcpu& self = this_vcpu();
    self.place.store(Place::User);
    long result;
    do {
        arm_host_timer(self);
        result = kpio_vcpu_ioctl(descriptor, request, argument, stop_word(self.pending));
    } while (result == -EINTR && self.pending.load() == 0);
    self.place.store(Place::Kernel, std::memory_order_release);
    return result;
}

long wait_for_kicked_guest(int descriptor, unsigned long request, void* argument, std::uint64_t limit_ns) {
    Vcpu& self = this_vcpu();
    self.limit_reached.store(0, std::memory_order_relaxed);
    self.limit_ns.store(host_monotonic_ns() + limit_ns, std::memory_order_relaxed);
    long result;
    do {
        arm_host_timer(self);
        result = kpio_vcpu_ioctl(descriptor, request, argument, stop_word(self.limit_reached));
    } while (result == -EINTR && self.limit_reached.load(std::memory_order_relaxed) == 0);
    self.limit_ns.store(kNoDeadline, std::memory_order_relaxed);
    return result == -EINTR ? -ETIME : result;
}

void raise_interrupt(unsigned cpu_index, Interrupts cause) {
    Vcpu& target = vcpus[cpu_index];
    target.pending.fetch_or(static_cast<std::uint32_t>(cause));
    const int saved_errno = errno;  // signal handlers come here too
    switch (target.place.load()) {
        case Place::Kernel:
            break;
        case Place::Idle:
            syscall(SYS_futex, &target.pending, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
            break;
        case Place::User:
            tgkill(getpid(), target.thread_id, kVcpuSignal);
            break;
    }
    errno = saved_errno;
}

void set_up_boot_cpu(unsigned cpus) {
    vcpu_count = std::clamp(cpus, 1u, kMaxCpus);
    for (unsigned i = 0; i < vcpu_count; ++i) {
        vcpus[i].local.index = i;
    }
    choose_host_cpus();
    Vcpu& self = vcpus[0];
    self.thread_id = gettid();
    kpio_this_vcpu = &self;
    set_up_signal_stack();
    pin_to_cpu(self);
    struct sigaction action{};
    action.sa_sigaction = on_vcpu_signal;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigaction(kVcpuSignal, &action, nullptr);
}

}  // namespace kernel::platform::hosted

namespace kernel::platform {

using hosted::this_vcpu;

unsigned cpu_count() {
    return hosted::vcpu_count;
}

CpuLocal& this_cpu() {
    return this_vcpu().local;
}

Result<> start_secondary_cpus(CpuEntry entry) {
    for (unsigned i = 1; i < hosted::vcpu_count; ++i) {
        hosted::Vcpu& vcpu = hosted::vcpus[i];
        vcpu.entry = entry;
        pthread_attr_t attributes;
        pthread_attr_init(&attributes);
        pthread_attr_setstacksize(&attributes, hosted::kSecondaryStackBytes);
        pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        pthread_t thread;
        const int status = pthread_create(&thread, &attributes, hosted::run_secondary, &vcpu);
        pthread_attr_destroy(&attributes);
        if (status != 0) {
            return std::unexpected(Error::NoMemory);
        }
    }
    return {};
}

void send_ipi(unsigned cpu_index) {
    hosted::raise_interrupt(cpu_index, Interrupts::Reschedule);
}

Interrupts take_interrupts() {
    hosted::Vcpu& self = this_vcpu();
    if (self.pending.load(std::memory_order_relaxed) == 0) {
        return Interrupts::None;
    }
    return static_cast<Interrupts>(self.pending.exchange(0));
}

void idle_until_interrupt() {
    hosted::Vcpu& self = this_vcpu();
    hosted::close_idle_writers();
    self.place.store(hosted::Place::Idle);
    while (self.pending.load() == 0) {
        const std::uint64_t deadline = self.deadline_ns.load(std::memory_order_relaxed);
        const timespec timeout = hosted::to_timespec(deadline);
        syscall(SYS_futex, &self.pending, FUTEX_WAIT_BITSET_PRIVATE, 0, deadline == kNoDeadline ? nullptr : &timeout,
                nullptr, FUTEX_BITSET_MATCH_ANY);
        if (deadline != kNoDeadline && hosted::host_monotonic_ns() >= deadline) {
            self.deadline_ns.store(kNoDeadline, std::memory_order_relaxed);
            self.pending.fetch_or(static_cast<std::uint32_t>(Interrupts::Timer));
        }
    }
    self.place.store(hosted::Place::Kernel, std::memory_order_release);
}

void spin_pause() {
    // SAFETY: PAUSE has no operands and no effect but time.
    asm volatile("pause");
}

void set_timer(std::uint64_t deadline_ns) {
    hosted::this_vcpu().deadline_ns.store(hosted::host_time_of(deadline_ns), std::memory_order_relaxed);
}

}  // namespace kernel::platform
