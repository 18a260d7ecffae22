// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/hosted/signal_frame.h"

#include <linux/audit.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <algorithm>

#include "lib/bytes.h"
#include "platform/hosted/host_syscall.h"

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1U << 31)
#endif

namespace kernel::platform::hosted {
namespace {

// The legacy region and header of an XSAVE area: Intel SDM volume 1, 13.4.
constexpr std::size_t kControlWord = 0;
constexpr std::size_t kMxcsr = 24;
constexpr std::size_t kMxcsrMask = 28;
constexpr std::size_t kSoftwareBytes = 464;
constexpr std::size_t kHeader = 512;
constexpr std::size_t kHeaderBytes = 64;
constexpr std::uint16_t kInitialControlWord = 0x37f;
constexpr std::uint32_t kInitialMxcsr = 0x1f80;
constexpr std::uint32_t kDefaultMxcsrMask = 0xffbf;

// The host's marks around the area (arch/x86/include/uapi/asm/sigcontext.h).
constexpr std::uint32_t kMagic1 = 0x46505853;
constexpr std::uint32_t kMagic2 = 0x46505845;
struct SoftwareBytes {
    std::uint32_t magic1, extended_bytes;
    std::uint64_t features;
    std::uint32_t xstate_bytes, padding[7];
};
static_assert(sizeof(SoftwareBytes) == 48);

constexpr std::uint64_t kContextFlags = 0x1 | 0x2 | 0x4;  // UC_FP_XSTATE, UC_SIGCONTEXT_SS, UC_STRICT_RESTORE_SS
constexpr std::uint16_t kUserCode = 0x33;
constexpr std::uint16_t kUserStack = 0x2b;
constexpr std::uint32_t kX32Bit = 0x4000'0000;

constexpr std::size_t kTrialStackBytes = 64 * 1024;

FrameLayout layout;
std::uint32_t mxcsr_mask = kDefaultMxcsrMask;
bool calibrated = false;

template <class T>
T read_at(const std::byte* base, std::size_t offset) {
    T value;
    __builtin_memcpy(&value, base + offset, sizeof value);
    return value;
}

template <class T>
void write_at(std::byte* base, std::size_t offset, const T& value) {
    __builtin_memcpy(base + offset, &value, sizeof value);
}

// SAFETY: the memory may change at any time; after this the compiler may not read it again in place of a copy.
void copies_are_final() {
    asm volatile("" ::: "memory");
}

void on_trial_signal(int, siginfo_t*, void* context) {
    const auto* user = static_cast<const ucontext_t*>(context);
    // SAFETY: addresses as numbers; the frame begins with the return address before the context.
    const auto frame = reinterpret_cast<std::uint64_t>(user) - sizeof(std::uint64_t);
    const auto* state = static_cast<const std::byte*>(static_cast<const void*>(user->uc_mcontext.fpregs));
    const auto address = reinterpret_cast<std::uint64_t>(state);
    const std::uint64_t page = frame & ~(kFramePageBytes - 1);
    if (state == nullptr || address - frame > kFramePageBytes) {
        return;
    }
    const auto software = read_at<SoftwareBytes>(state, kSoftwareBytes);
    if (software.magic1 != kMagic1 || (address & ~(kFramePageBytes - 1)) != page) {
        return;
    }
    layout.frame = frame - page;
    layout.vector_state = address - page;
    layout.xstate_bytes = software.xstate_bytes;
    layout.features = software.features;
    __builtin_memcpy(layout.software_bytes.data(), &software, sizeof software);
    const auto mask = read_at<std::uint32_t>(state, kMxcsrMask);
    mxcsr_mask = mask == 0 ? kDefaultMxcsrMask : mask;
    calibrated = layout.vector_state + software.extended_bytes <= kFramePageBytes;
}

void take_trial_signal() {
    struct sigaction action{}, old_action{};
    action.sa_sigaction = on_trial_signal;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigset_t unblock, old_mask;
    sigemptyset(&unblock);
    sigaddset(&unblock, SIGURG);
    sigaction(SIGURG, &action, &old_action);
    sigprocmask(SIG_UNBLOCK, &unblock, &old_mask);
    host_syscall(SYS_tgkill, host_syscall(SYS_getpid), host_syscall(SYS_gettid), SIGURG);
    sigprocmask(SIG_SETMASK, &old_mask, nullptr);
    sigaction(SIGURG, &old_action, nullptr);
}

}  // namespace

Result<> calibrate_signal_frame() {
    void* memory = mmap(nullptr, kTrialStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return Error::NoMemory;
    }
    stack_t stack{}, old_stack{};
    stack.ss_sp = memory;
    stack.ss_size = kTrialStackBytes;
    const bool ready = sigaltstack(&stack, &old_stack) == 0;
    if (ready) {
        take_trial_signal();
        sigaltstack(&old_stack, nullptr);
    }
    munmap(memory, kTrialStackBytes);
    if (!calibrated) {
        return Error::NotSupported;
    }
    return {};
}

const FrameLayout& frame_layout() {
    return layout;
}

HostFrame FramePage::read() const {
    HostFrame frame;
    __builtin_memcpy(&frame, page_ + layout.frame, sizeof frame);
    copies_are_final();
    return frame;
}

void FramePage::write(const Registers& registers) {
    HostFrame frame{};
    frame.flags = kContextFlags;
    frame.stack = signal_stack();
    HostRegisters& to = frame.registers;
    to.r8 = registers.r8, to.r9 = registers.r9, to.r10 = registers.r10, to.r11 = registers.r11;
    to.r12 = registers.r12, to.r13 = registers.r13, to.r14 = registers.r14, to.r15 = registers.r15;
    to.rdi = registers.rdi, to.rsi = registers.rsi, to.rbp = registers.rbp, to.rbx = registers.rbx;
    to.rdx = registers.rdx, to.rax = registers.rax, to.rcx = registers.rcx, to.rsp = registers.rsp;
    to.rip = registers.rip;
    to.rflags = sanitise_flags(registers.rflags);
    to.cs = kUserCode;
    to.ss = kUserStack;
    frame.vector_state = stub_page() + layout.vector_state;
    __builtin_memcpy(page_ + layout.frame, &frame, offsetof(HostFrame, info));
}

std::span<const std::byte> FramePage::xstate() const {
    return {page_ + layout.vector_state, layout.xstate_bytes};
}

void FramePage::reset_xstate() {
    std::byte* to = page_ + layout.vector_state;
    make_initial_xstate({to, layout.xstate_bytes});
    mark_xstate();
}

// Without these marks the host would take the area for the old FXSAVE format.
void FramePage::mark_xstate() {
    std::byte* to = page_ + layout.vector_state;
    write_at(to, kSoftwareBytes, layout.software_bytes);
    write_at(to, layout.xstate_bytes, kMagic2);
}

void FramePage::write_xstate(std::span<const std::byte> state) {
    std::byte* to = page_ + layout.vector_state;
    copy_bytes({to, layout.xstate_bytes}, state);
    mark_xstate();
}

std::uint64_t FramePage::stub_stack_pointer() const {
    return stub_page() + layout.frame + sizeof(std::uint64_t);
}

StubSignalStack FramePage::signal_stack() const {
    return {stub_page(), SS_AUTODISARM, 0, kFramePageBytes};
}

void copy_registers(const HostFrame& frame, Registers& registers) {
    const HostRegisters& from = frame.registers;
    registers.r8 = from.r8, registers.r9 = from.r9, registers.r10 = from.r10, registers.r11 = from.r11;
    registers.r12 = from.r12, registers.r13 = from.r13, registers.r14 = from.r14, registers.r15 = from.r15;
    registers.rdi = from.rdi, registers.rsi = from.rsi, registers.rbp = from.rbp, registers.rbx = from.rbx;
    registers.rdx = from.rdx, registers.rax = from.rax, registers.rcx = from.rcx, registers.rsp = from.rsp;
    registers.rip = from.rip;
    registers.rflags = sanitise_flags(from.rflags);
}

namespace {

constexpr std::uint8_t kOverflowVector = 4;
constexpr std::uint8_t kInvalidOpcodeVector = 6;
constexpr std::uint8_t kGeneralProtectionVector = 13;
constexpr std::uint64_t kPageFaultVector = 14;
constexpr std::uint64_t kErrorWrite = 0x2;
constexpr std::uint64_t kErrorFetch = 0x10;

Trap decode_system_call(const HostFrame& frame, SyscallFrame& call) {
    const HostRegisters& registers = frame.registers;
    const auto number = static_cast<std::uint32_t>(frame.info.system_call);
    call.number = number;
    call.arguments = {registers.rdi, registers.rsi, registers.rdx, registers.r10, registers.r8, registers.r9};
    call.instruction_pointer = registers.rip;
    // Negative numbers have the bit too; they are unknown calls, not x32 ones.
    const bool x32 = (number & kX32Bit) != 0 && frame.info.system_call >= 0;
    const bool ours = frame.info.architecture == AUDIT_ARCH_X86_64 && !x32;
    return {.kind = ours ? TrapKind::Syscall : TrapKind::BadSyscall};
}

// Signals that the host sends without an exception (for a bad call into its vsyscall page, say, or its uretprobe call)
// carry vector, error code and address of the thread's last exception, whatever that was.
bool is_stale(const HostFrame& frame) {
    const std::uint64_t vector = frame.registers.vector;
    switch (frame.info.signal) {
        case SIGSEGV:
            return frame.info.code == SI_KERNEL &&
                   (vector == kPageFaultVector || vector < kOverflowVector || vector == kInvalidOpcodeVector);
        case SIGILL:
            return vector != kInvalidOpcodeVector;
        default:
            return frame.info.code == SI_KERNEL && vector == kPageFaultVector;
    }
}

Trap decode_exception(const HostFrame& frame) {
    const HostRegisters& registers = frame.registers;
    if (is_stale(frame)) {
        const bool illegal = frame.info.signal == SIGILL;
        return {.kind = TrapKind::Exception, .vector = illegal ? kInvalidOpcodeVector : kGeneralProtectionVector};
    }
    Trap trap{.kind = TrapKind::Exception,
              .vector = static_cast<std::uint8_t>(registers.vector),
              .error_code = static_cast<std::uint32_t>(registers.error_code)};
    if (registers.vector == kPageFaultVector) {
        trap.kind = TrapKind::Fault;
        trap.fault_address = VirtAddr{registers.fault_address};
        trap.fault_access = (registers.error_code & kErrorFetch) != 0   ? Access::Execute
                            : (registers.error_code & kErrorWrite) != 0 ? Access::Write
                                                                        : Access::Read;
    }
    return trap;
}

}  // namespace

Trap decode_trap(const HostFrame& frame, SyscallFrame& call) {
    // SI_USER and the like: sent from outside, by somebody who may; not an exception of the thread's.
    const bool from_processor = frame.info.code > 0;
    switch (frame.info.signal) {
        case SIGSYS:
            return decode_system_call(frame, call);
        case SIGSEGV:
        case SIGBUS:
        case SIGILL:
        case SIGFPE:
        case SIGTRAP:
            if (from_processor) {
                return decode_exception(frame);
            }
            break;
        default:
            break;
    }
    return {.kind = TrapKind::Interrupt};
}

bool xstate_is_valid(std::span<const std::byte> state) {
    if (state.size() != layout.xstate_bytes) {
        return false;
    }
    const std::byte* base = state.data();
    if ((read_at<std::uint32_t>(base, kMxcsr) & ~mxcsr_mask) != 0) {
        return false;
    }
    if ((read_at<std::uint64_t>(base, kHeader) & ~layout.features) != 0) {
        return false;
    }
    // XCOMP_BV is 0 in the standard format and the rest is reserved.
    const auto rest = state.subspan(kHeader + sizeof(std::uint64_t), kHeaderBytes - sizeof(std::uint64_t));
    return std::ranges::all_of(rest, [](std::byte byte) { return byte == std::byte{0}; });
}

void make_initial_xstate(std::span<std::byte> state) {
    zero(state);
    // Components that the header does not list take their initial value; MXCSR is read all the same.
    write_at(state.data(), kControlWord, kInitialControlWord);
    write_at(state.data(), kMxcsr, kInitialMxcsr);
    write_at(state.data(), kMxcsrMask, mxcsr_mask);
}

}  // namespace kernel::platform::hosted

namespace kernel::platform {

std::size_t xstate_size() {
    return hosted::layout.xstate_bytes;
}

std::uint64_t xstate_features() {
    return hosted::layout.features;
}

}  // namespace kernel::platform
