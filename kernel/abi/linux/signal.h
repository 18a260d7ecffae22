// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstdint>

// signal(7), sigaction(2), and the x86-64 signal frame (arch/x86/include/uapi/asm/sigcontext.h, ucontext.h).
namespace kernel::abi {

enum SignalNumber : int {
    kSighup = 1,
    kSigint,
    kSigquit,
    kSigill,
    kSigtrap,
    kSigabrt,
    kSigbus,
    kSigfpe,
    kSigkill,
    kSigusr1,
    kSigsegv,
    kSigusr2,
    kSigpipe,
    kSigalrm,
    kSigterm,
    kSigstkflt,
    kSigchld,
    kSigcont,
    kSigstop,
    kSigtstp,
    kSigttin,
    kSigttou,
    kSigurg,
    kSigxcpu,
    kSigxfsz,
    kSigvtalrm,
    kSigprof,
    kSigwinch,
    kSigio,
    kSigpwr,
    kSigsys,
    kSigrtmin = 32,
};
inline constexpr int kSignalCount = 64;  // signals are 1..64

using SignalMask = std::uint64_t;  // bit n-1 stands for signal n
constexpr SignalMask signal_bit(int signal) {
    return SignalMask{1} << (signal - 1);
}

enum SigactionFlags : std::uint64_t {
    kSaNocldstop = 1,
    kSaNocldwait = 2,
    kSaSiginfo = 4,
    kSaRestorer = 0x04000000,
    kSaOnstack = 0x08000000,
    kSaRestart = 0x10000000,
    kSaNodefer = 0x40000000,
    kSaResethand = 0x80000000,
    kSaUnsupported = 0x400,
    kSaExposeTagbits = 0x800,
};
inline constexpr std::uint64_t kSigDfl = 0;
inline constexpr std::uint64_t kSigIgn = 1;

struct Sigaction {
    std::uint64_t handler;
    std::uint64_t flags;
    std::uint64_t restorer;
    SignalMask mask;
};
static_assert(sizeof(Sigaction) == 32);

enum SigprocmaskHow : std::uint32_t { kSigBlock = 0, kSigUnblock = 1, kSigSetmask = 2 };

enum SignalCode : int {
    kSiUser = 0,
    kSiKernel = 0x80,
    kSiQueue = -1,
    kSiTimer = -2,
    kSiTkill = -6,
    kIllIllopn = 2,
    kFpeIntdiv = 1,
    kFpeIntovf = 2,
    kFpeFltdiv = 3,
    kFpeFltovf = 4,
    kFpeFltund = 5,
    kFpeFltres = 6,
    kFpeFltinv = 7,
    kSegvMaperr = 1,
    kSegvAccerr = 2,
    kBusAdraln = 1,
    kBusAdrerr = 2,
    kTrapBrkpt = 1,
    kTrapTrace = 2,
    kCldExited = 1,
    kCldKilled = 2,
    kCldDumped = 3,
    kCldTrapped = 4,
    kCldStopped = 5,
    kCldContinued = 6,
    kSysSeccomp = 1,
};

struct Siginfo {
    std::int32_t signal;
    std::int32_t error;
    std::int32_t code;
    std::int32_t padding0;
    union {
        struct {
            std::int32_t pid;
            std::uint32_t uid;
            std::uint64_t value;
        } sender;  // kill, rt_sigqueue
        struct {
            std::int32_t pid;
            std::uint32_t uid;
            std::int32_t status;
            std::int32_t padding;
            std::int64_t utime, stime;
        } child;
        struct {
            std::uint64_t address;
            std::int16_t address_lsb;
        } fault;
        struct {
            std::int32_t timer;
            std::int32_t overrun;
            std::uint64_t value;
        } timer;
        struct {
            std::uint64_t call_address;
            std::int32_t number;
            std::uint32_t architecture;
        } syscall;
        std::uint8_t bytes[112];
    };
};
static_assert(sizeof(Siginfo) == 128);

// timer_create(2), sigevent(3type)
enum SigeventNotify : std::int32_t { kSigevSignal = 0, kSigevNone = 1, kSigevThread = 2, kSigevThreadId = 4 };
struct Sigevent {
    std::uint64_t value;
    std::int32_t signal;
    std::int32_t notify;
    std::int32_t thread;
    std::int32_t padding[11];
};
static_assert(sizeof(Sigevent) == 64);

struct SignalStack {
    std::uint64_t address;
    std::int32_t flags;
    std::int32_t padding;
    std::uint64_t bytes;
};
inline constexpr std::int32_t kSsOnstack = 1;
inline constexpr std::int32_t kSsDisable = 2;
inline constexpr std::int32_t kSsAutodisarm = static_cast<std::int32_t>(1u << 31);
inline constexpr std::uint64_t kMinSigstksz = 2048;

struct Sigcontext {
    std::uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags;
    std::uint16_t cs, gs, fs, ss;
    std::uint64_t error_code, trap_number, old_mask, cr2;
    std::uint64_t fpstate;  // user address of the XSAVE area
    std::uint64_t reserved[8];
};
static_assert(sizeof(Sigcontext) == 256);

inline constexpr std::uint64_t kUcFpXstate = 1;
inline constexpr std::uint64_t kUcSigcontextSs = 2;
inline constexpr std::uint64_t kUcStrictRestoreSs = 4;

struct Ucontext {
    std::uint64_t flags;
    std::uint64_t link;
    SignalStack stack;
    Sigcontext mcontext;
    SignalMask mask;
};

struct SignalFrame {
    std::uint64_t return_address;
    Ucontext context;
    Siginfo info;
};
static_assert(sizeof(SignalFrame) == 8 + 304 + 128);

// The software-reserved bytes of the FXSAVE area, offset 464: struct _fpx_sw_bytes.
inline constexpr std::uint32_t kFpXstateMagic1 = 0x46505853;
inline constexpr std::uint32_t kFpXstateMagic2 = 0x46505845;
inline constexpr std::uint64_t kFpSoftwareOffset = 464;
struct FpSoftwareBytes {
    std::uint32_t magic1;
    std::uint32_t extended_size;
    std::uint64_t features;
    std::uint32_t xstate_size;
    std::uint32_t padding[7];
};
static_assert(sizeof(FpSoftwareBytes) == 48);

}  // namespace kernel::abi
