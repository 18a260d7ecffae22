// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "lib/own.h"
#include "lib/result.h"
#include "platform/page_map.h"

namespace kernel::platform {

// The user-visible general registers of an x86-64 thread.
struct Registers {
    std::uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    std::uint64_t rip, rflags, rsp;
    std::uint64_t fs_base, gs_base;
};

struct SyscallFrame {
    std::uint64_t number;
    std::array<std::uint64_t, 6> arguments;
    std::uint64_t instruction_pointer;  // after the syscall instruction
};

enum class TrapKind : std::uint8_t {
    Syscall,     // SYSCALL with the 64-bit convention
    Fault,       // page fault: fault_address, fault_access, fault_present
    Exception,   // any other CPU exception: vector, error_code
    Interrupt,   // nothing of the thread's own: take_interrupts()
    BadSyscall,  // a system call by another door (int 0x80, x32, sysenter …): the registers are valid
    Dead,        // the thread's user half is gone (killed from outside, or it broke the platform's rules)
};

struct Trap {
    TrapKind kind = TrapKind::Interrupt;
    std::uint8_t vector = 0;  // x86 exception number
    std::uint32_t error_code = 0;
    VirtAddr fault_address{};
    Access fault_access = Access::None;  // what the thread tried: exactly one of Read, Write, Execute
};

// The user half of one thread. Owned by one kernel thread, which alone calls it, from whatever CPU it runs on.
class UserContext {
public:
    // A context that will run in `map` and starts with the given registers and a fresh vector state. May block.
    // Errors: NoMemory, TooManyThreads limits of the host as Error::WouldBlock.
    static Result<OwnPtr<UserContext>> create(PageMap& map, const Registers& initial);
    virtual ~UserContext() = default;

    // Runs user code on this CPU until it traps. Commits the page map first.
    virtual Trap enter_user() = 0;

    // After a Syscall trap, until the result is set or registers are changed.
    virtual SyscallFrame syscall() const = 0;
    // Sets what the system call returns (rax). Cheap: does not fetch the registers.
    virtual void set_syscall_result(std::uint64_t value) = 0;

    // All registers, as they will be when user code goes on; may be changed. On some platforms the first call after a
    // Syscall trap costs a round trip into the thread (and may find it dead: Error::Killed); set the result before it
    // or in it.
    virtual Result<Registers*> registers() = 0;

    // The vector state in the XSAVE standard format with the layout that Linux puts into a signal frame (512 bytes
    // legacy, xsave header, extended area); valid after registers(). May be changed; set_xstate checks it and returns
    // InvalidArgument for what XRSTOR would refuse.
    virtual std::span<const std::byte> xstate() = 0;
    virtual Result<> set_xstate(std::span<const std::byte> state) = 0;
    virtual void reset_xstate() = 0;
};

// Size of the standard-format XSAVE area that xstate() gives and the XCR0 features in it.
std::size_t xstate_size();
std::uint64_t xstate_features();

// CPUID leaf 1, edx, as programs find it in AT_HWCAP.
std::uint32_t cpu_feature_word();

// CPUID, as programs can execute it themselves; zeros for a leaf that the processor does not have.
struct CpuIdentification {
    std::uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
};
CpuIdentification cpu_identification(std::uint32_t leaf, std::uint32_t subleaf = 0);

}  // namespace kernel::platform
