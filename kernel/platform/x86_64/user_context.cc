// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/user_context.h"

#include <atomic>
#include <utility>

#include "lib/assert.h"
#include "platform/x86_64/cpu_data.h"
#include "platform/x86_64/cpu_features.h"
#include "platform/x86_64/instructions.h"
#include "platform/x86_64/panic.h"
#include "platform/x86_64/user_context_impl.h"
#include "platform/x86_64/vectors.h"

extern "C" void x86_enter_user(kernel::platform::Registers* registers, bool by_sysret);

namespace kernel::platform::x86 {
namespace {

constexpr std::uint64_t kUserHalfEnd = std::uint64_t{1} << 47;
constexpr std::uint32_t kFaultWrite = 1u << 1;
constexpr std::uint32_t kFaultUser = 1u << 2;
constexpr std::uint32_t kFaultReserved = 1u << 3;
constexpr std::uint32_t kFaultFetch = 1u << 4;

std::uint64_t new_context_id() {
    static constinit std::atomic<std::uint64_t> last = 0;
    return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

constexpr bool is_canonical(std::uint64_t address) {
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(address << 16) >> 16) == address;
}

// The base registers fault on other values; a program's own attempt is refused long before (arch_prctl(2): EPERM).
constexpr std::uint64_t canonical_or_zero(std::uint64_t address) {
    return is_canonical(address) ? address : 0;
}

// What the CPU would report for fetching an instruction from the kernel half or from no address at all. User mode is
// never entered there: IRET and SYSRET could fault in kernel mode, on some CPUs with the user's stack.
Trap trap_of_impossible_rip(std::uint64_t rip) {
    Trap trap;
    if (is_canonical(rip)) {
        trap.kind = TrapKind::Fault;
        trap.vector = kVectorPageFault;
        trap.error_code = kFaultUser | kFaultFetch;
        trap.fault_address = VirtAddr{rip};
        trap.fault_access = Access::Execute;
    } else {
        trap.kind = TrapKind::Exception;
        trap.vector = kVectorGeneralProtection;
    }
    return trap;
}

Trap page_fault(std::uint32_t error_code) {
    Trap trap;
    trap.kind = TrapKind::Fault;
    trap.vector = kVectorPageFault;
    trap.error_code = error_code;
    trap.fault_address = VirtAddr{read_cr2()};
    trap.fault_access = Access::Read;
    if ((error_code & kFaultFetch) != 0) {
        trap.fault_access = Access::Execute;
    } else if ((error_code & kFaultWrite) != 0) {
        trap.fault_access = Access::Write;
    }
    return trap;
}

// Selectors mean nothing in 64-bit mode but could carry bits from one process to another. Loading FS and GS changes the
// bases, which the caller writes afterwards.
void clear_data_selectors() {
    std::uint32_t ds, es, fs, gs;
    // SAFETY: reading selectors has no effect.
    asm volatile("movl %%ds, %0; movl %%es, %1; movl %%fs, %2; movl %%gs, %3" : "=r"(ds), "=r"(es), "=r"(fs), "=r"(gs));
    if ((ds | es | fs | gs) == 0) {
        return;
    }
    // SAFETY: null selectors may be loaded in 64-bit mode. GS is loaded while the user's base is in place, interrupts
    // are off, and nothing between the two SWAPGS uses GS.
    asm volatile("movl %0, %%ds; movl %0, %%es; movl %0, %%fs; swapgs; movl %0, %%gs; swapgs" : : "r"(0) : "memory");
}

[[noreturn]] void fatal_trap(const CpuData& cpu, const Registers& r, const char* message) {
    KernelTrapFrame frame{.r15 = r.r15,
                          .r14 = r.r14,
                          .r13 = r.r13,
                          .r12 = r.r12,
                          .rbp = r.rbp,
                          .rbx = r.rbx,
                          .r11 = r.r11,
                          .r10 = r.r10,
                          .r9 = r.r9,
                          .r8 = r.r8,
                          .rax = r.rax,
                          .rcx = r.rcx,
                          .rdx = r.rdx,
                          .rsi = r.rsi,
                          .rdi = r.rdi,
                          .vector = cpu.trap_vector,
                          .error_code = cpu.trap_error,
                          .rip = r.rip,
                          .cs = KPIO_SELECTOR_USER_CODE,
                          .rflags = r.rflags,
                          .rsp = r.rsp,
                          .ss = KPIO_SELECTOR_USER_DATA};
    frame.rbp = 0;  // no backtrace into user memory
    panic_with_frame(message, frame);
}

}  // namespace

Result<OwnPtr<UserContext>> X86UserContext::create(PageMap& map, const Registers& initial) {
    // SAFETY: every PageMap of this platform is an X86PageMap.
    auto& x86_map = static_cast<X86PageMap&>(map);
    XstateArea xstate = TRY(XstateArea::create());
    return OwnPtr<UserContext>(TRY(make_own<X86UserContext>(x86_map, initial, std::move(xstate))));
}

X86UserContext::X86UserContext(X86PageMap& map, const Registers& initial, XstateArea xstate)
    : registers_(initial), map_(map), xstate_(std::move(xstate)), id_(new_context_id()) {}

X86UserContext::~X86UserContext() {
    forget_cpu_copy();
}

bool X86UserContext::is_loaded(const CpuData& cpu) const {
    return cpu.loaded_context_id == id_;
}

// From here on the memory is what counts.
void X86UserContext::forget_cpu_copy() {
    CpuData& cpu = cpu_data();
    if (cpu.live_context == this) {
        cpu.live_context = nullptr;
    }
    id_ = new_context_id();
}

void X86UserContext::read_bases() {
    if (bases_in_memory_) {
        return;
    }
    cpu_fs_base_ = cpu_features().fsgsbase ? read_fs_base() : read_msr(kMsrFsBase);
    cpu_gs_base_ = read_msr(kMsrKernelGsBase);
    registers_.fs_base = cpu_fs_base_;
    registers_.gs_base = cpu_gs_base_;
    bases_in_memory_ = true;
}

void X86UserContext::write_bases() {
    cpu_fs_base_ = canonical_or_zero(registers_.fs_base);
    cpu_gs_base_ = canonical_or_zero(registers_.gs_base);
    if (cpu_features().fsgsbase) {
        write_fs_base(cpu_fs_base_);
    } else {
        write_msr(kMsrFsBase, cpu_fs_base_);
    }
    write_msr(kMsrKernelGsBase, cpu_gs_base_);
}

void X86UserContext::save(CpuData& cpu) {
    KASSERT(cpu.live_context == this);
    read_bases();
    xstate_.save();
    cpu.live_context = nullptr;
}

[[gnu::noinline]] void X86UserContext::load_registers(CpuData& cpu) {
    if (!is_loaded(cpu)) {
        save_live_user_state(cpu);
        clear_data_selectors();
        write_bases();
        xstate_.restore();
        cpu.loaded_context_id = id_;
    } else if (bases_in_memory_ && (registers_.fs_base != cpu_fs_base_ || registers_.gs_base != cpu_gs_base_)) {
        write_bases();
    }
    bases_in_memory_ = false;
}

void save_live_user_state(CpuData& cpu) {
    if (cpu.live_context != nullptr) {
        cpu.live_context->save(cpu);
    }
}

[[gnu::hot]] Trap X86UserContext::enter_user() {
    CpuData& cpu = cpu_data();
    if (cpu.pending != 0) {
        return {};
    }
    if (registers_.rip >= kUserHalfEnd) {
        return trap_of_impossible_rip(registers_.rip);
    }
    map_.activate();
    load(cpu);
    // SYSRET takes RIP from RCX and RFLAGS from R11, where SYSCALL left them, and does not work with TF or RF.
    const bool by_sysret = as_syscall_left_them_ && (registers_.rflags & (kFlagTrap | kFlagResume)) == 0;
    if (!as_syscall_left_them_) {
        registers_.rflags = (registers_.rflags & kFlagsOfUser) | kFlagInterrupt | kFlagAlwaysOne;
    }
    x86_enter_user(&registers_, by_sysret);
    as_syscall_left_them_ = cpu.trap_vector == KPIO_VECTOR_SYSCALL;
    if (as_syscall_left_them_) [[likely]] {
        return {.kind = TrapKind::Syscall};
    }
    return decode_trap(cpu);
}

Trap X86UserContext::decode_trap(const CpuData& cpu) {
    Trap trap;
    const auto vector = static_cast<unsigned>(cpu.trap_vector);
    const auto error_code = static_cast<std::uint32_t>(cpu.trap_error);
    switch (vector) {
        case kVectorPageFault:
            if ((error_code & kFaultReserved) != 0) {
                fatal_trap(cpu, registers_, "corrupt page table");
            }
            if ((error_code & kFaultUser) != 0) {
                return page_fault(error_code);
            }
            // An access of the CPU's own, to a descriptor table: the program named something that it may not. (QEMU's
            // TCG up to 9.0 also takes the stack of a far return for such an access, against SMAP.)
            trap.kind = TrapKind::Exception;
            trap.vector = kVectorGeneralProtection;
            return trap;
        case kVectorNmi:
            fatal_trap(cpu, registers_, "non-maskable interrupt in user mode");
        case kVectorDoubleFault:
            fatal_trap(cpu, registers_, "double fault in user mode");
        case kVectorMachineCheck:
            fatal_trap(cpu, registers_, "machine check in user mode");
        case kVectorLegacySyscall:
            trap.kind = TrapKind::BadSyscall;
            return trap;
        default:
            break;
    }
    if (vector >= kFirstInterruptVector) {
        handle_interrupt(vector);
        return trap;
    }
    trap.kind = TrapKind::Exception;
    trap.vector = static_cast<std::uint8_t>(vector);
    trap.error_code = error_code;
    return trap;
}

Result<Registers*> X86UserContext::registers() {
    as_syscall_left_them_ = false;
    if (is_loaded(cpu_data())) {
        read_bases();
    }
    return &registers_;
}

std::span<const std::byte> X86UserContext::xstate() {
    CpuData& cpu = cpu_data();
    if (cpu.live_context == this) {
        save(cpu);
    }
    return xstate_.complete();
}

Result<> X86UserContext::set_xstate(std::span<const std::byte> state) {
    Registers* const current = TRY(registers());  // the bases must not be lost with the CPU's copy
    static_cast<void>(current);
    TRY(xstate_.assign(state));
    forget_cpu_copy();
    return {};
}

void X86UserContext::reset_xstate() {
    if (is_loaded(cpu_data())) {
        read_bases();
    }
    xstate_.reset();
    forget_cpu_copy();
}

}  // namespace kernel::platform::x86

namespace kernel::platform {

Result<OwnPtr<UserContext>> UserContext::create(PageMap& map, const Registers& initial) {
    return x86::X86UserContext::create(map, initial);
}

}  // namespace kernel::platform
