// SPDX-License-Identifier: MIT OR Apache-2.0
// System calls, page faults, exceptions, and the ways back to user mode.
#include "lib/bytes.h"
#include "platform/cpu.h"
#include "platform/frames.h"
#include "selftest.h"

DECLARE_USER_CODE(syscalls);
DECLARE_USER_CODE(loop);
DECLARE_USER_CODE(read_data);
DECLARE_USER_CODE(write_data);
DECLARE_USER_CODE(read_code);
DECLARE_USER_CODE(call_data);
DECLARE_USER_CODE(read_kernel);
DECLARE_USER_CODE(read_far);
DECLARE_USER_CODE(push_far);
DECLARE_USER_CODE(jump_rdi);
DECLARE_USER_CODE(divide);
DECLARE_USER_CODE(invalid);
DECLARE_USER_CODE(breakpoint);
DECLARE_USER_CODE(overflow);
DECLARE_USER_CODE(legacy_syscall);
DECLARE_USER_CODE(other_interrupt);
DECLARE_USER_CODE(halt);
DECLARE_USER_CODE(clear_interrupts);
DECLARE_USER_CODE(port);
DECLARE_USER_CODE(single_step_trap);
DECLARE_USER_CODE(far_return);
DECLARE_USER_CODE(sysenter);
DECLARE_USER_CODE(store_gdt);
DECLARE_USER_CODE(unaligned);
DECLARE_USER_CODE(sse_divide);
DECLARE_USER_CODE(x87_divide);
DECLARE_USER_CODE(flags);
DECLARE_USER_CODE(trap_flag);
DECLARE_USER_CODE(debug_register);

namespace selftest {

using namespace kernel;
using namespace kernel::platform;

namespace {

std::uint64_t word(const Program& program, std::size_t offset) {
    return read_unaligned<std::uint64_t>(program.data(), offset);
}

Trap trap_of(const std::byte* begin, const std::byte* end) {
    Program program(begin, end);
    return program.run();
}

void check_exception(const char* name, const Trap& trap, unsigned vector, std::uint32_t error_code = 0) {
    if (trap.kind != TrapKind::Exception || trap.vector != vector || trap.error_code != error_code) {
        say("    {}: kind {} vector {} error {:#x}\n", name, static_cast<unsigned>(trap.kind), trap.vector,
            trap.error_code);
        note_failure(name, __FILE__, __LINE__);
    }
}

void check_fault(const Trap& trap, std::uint64_t address, Access access, bool present) {
    CHECK(trap.kind == TrapKind::Fault);
    CHECK_EQUAL(trap.fault_address.value, address);
    CHECK(trap.fault_access == access);
    CHECK((trap.error_code & 1) == (present ? 1u : 0u));
    CHECK((trap.error_code & 4) != 0);
}

}  // namespace

void test_syscalls() {
    Program program(USER_CODE(syscalls));
    CHECK(program.run().kind == TrapKind::Syscall);
    const SyscallFrame& frame = program.context().syscall();
    CHECK_EQUAL(frame.number, 1001);
    for (unsigned i = 0; i < 6; ++i) {
        CHECK_EQUAL(frame.arguments[i], i + 1);
    }
    CHECK_EQUAL(program.registers().rip, frame.instruction_pointer);
    program.context().set_syscall_result(0x7777'8888'9999'aaaa);
    CHECK(program.run().kind == TrapKind::Syscall);
    CHECK_EQUAL(program.context().syscall().number, 1002);
    CHECK_EQUAL(word(program, 0), 0x7777'8888'9999'aaaa);
    CHECK_EQUAL(word(program, 8), 0x11);
    CHECK_EQUAL(word(program, 16), 0x12);
    CHECK_EQUAL(word(program, 24), 0x13);
    CHECK_EQUAL(word(program, 32), 0x16);
    CHECK_EQUAL(word(program, 40), 1);
    CHECK_EQUAL(word(program, 48), 6);
    CHECK_EQUAL(word(program, 56), kStackTop.value);
    CHECK_EQUAL(word(program, 64), frame.instruction_pointer - (frame.instruction_pointer - word(program, 64)));
    // Changed registers take effect, by IRET since RCX is no longer RIP.
    Registers& r = program.registers();
    r.rip = kCode.value;
    r.rcx = 5;
    CHECK(program.run().kind == TrapKind::Syscall);
    CHECK_EQUAL(program.context().syscall().number, 1001);
}

void test_faults() {
    {
        Program program(USER_CODE(read_data));
        check_fault(program.run(), 0x610000, Access::Read, false);
        CHECK_EQUAL(program.registers().rip, kCode.value);
        const FrameNumber frame = take_frame();
        write_unaligned(std::span(frame_pointer(frame), kPageSize), 0, std::uint64_t{0xfeed});
        MUST(program.map().map(VirtAddr{0x610000}, frame, 1, Access::Read));
        CHECK(program.run().kind == TrapKind::Syscall);
        CHECK_EQUAL(program.context().syscall().number, 0xfeed);
        program.map().unmap(VirtAddr{0x610000}, 1);
        program.map().commit();
        give_back_frame(frame);
    }
    {
        Program program(USER_CODE(write_data));
        check_fault(program.run(), 0x610008, Access::Write, false);
        MUST(program.map().map(VirtAddr{0x610000}, program.data_frame(), 1, Access::Read));
        check_fault(program.run(), 0x610008, Access::Write, true);
    }
    check_fault(trap_of(USER_CODE(read_code)), kCode.value, Access::Write, true);
    check_fault(trap_of(USER_CODE(call_data)), kData.value, Access::Execute, true);
    check_fault(trap_of(USER_CODE(read_kernel)), 0xffff'ffff'8020'0000, Access::Read, true);
    {
        Program program(USER_CODE(jump_rdi));
        program.registers().rdi = 0x1000;
        check_fault(program.run(), 0x1000, Access::Execute, false);
        CHECK_EQUAL(program.registers().rip, 0x1000);
        program.registers().rdi = 0xffff'ffff'8020'0000;
        program.registers().rip = kCode.value;
        check_fault(program.run(), 0xffff'ffff'8020'0000, Access::Execute, true);
    }
}

void test_exceptions() {
    check_exception("divide", trap_of(USER_CODE(divide)), 0);
    check_exception("int3", trap_of(USER_CODE(breakpoint)), 3);
    check_exception("int $4", trap_of(USER_CODE(overflow)), 4);
    check_exception("ud2", trap_of(USER_CODE(invalid)), 6);
    check_exception("hlt", trap_of(USER_CODE(halt)), 13);
    check_exception("cli", trap_of(USER_CODE(clear_interrupts)), 13);
    check_exception("out", trap_of(USER_CODE(port)), 13);
    check_exception("mov to dr7", trap_of(USER_CODE(debug_register)), 13);
    check_exception("fdiv", trap_of(USER_CODE(x87_divide)), 16);

    const Trap other = trap_of(USER_CODE(other_interrupt));
    CHECK(other.kind == TrapKind::Exception && other.vector == 13);
    // What QEMU's TCG does not emulate exactly; the second alternatives are its own.
    const Trap icebp = trap_of(USER_CODE(single_step_trap));
    CHECK(icebp.kind == TrapKind::Exception && (icebp.vector == 1 || icebp.vector == 6));
    const Trap far_return = trap_of(USER_CODE(far_return));
    CHECK(far_return.kind == TrapKind::Exception && far_return.vector == 13);
    CHECK(far_return.error_code == 0x20 || far_return.error_code == 0);
    const Trap sse = trap_of(USER_CODE(sse_divide));
    CHECK((sse.kind == TrapKind::Exception && sse.vector == 19) || sse.kind == TrapKind::Syscall);
    const Trap far = trap_of(USER_CODE(read_far));
    CHECK(far.kind == TrapKind::Exception || far.kind == TrapKind::Fault);
    const Trap push = trap_of(USER_CODE(push_far));
    CHECK(push.kind == TrapKind::Exception || push.kind == TrapKind::Fault);
    const Trap sysenter = trap_of(USER_CODE(sysenter));
    CHECK(sysenter.kind == TrapKind::Exception && (sysenter.vector == 13 || sysenter.vector == 6));
    const Trap unaligned = trap_of(USER_CODE(unaligned));
    CHECK((unaligned.kind == TrapKind::Exception && unaligned.vector == 17) || unaligned.kind == TrapKind::Syscall);
    const Trap store = trap_of(USER_CODE(store_gdt));  // UMIP
    CHECK((store.kind == TrapKind::Exception && store.vector == 13) || store.kind == TrapKind::Syscall);

    Program program(USER_CODE(legacy_syscall));
    CHECK(program.run().kind == TrapKind::BadSyscall);
    CHECK_EQUAL(program.registers().rip, kCode.value + 2);
    CHECK(program.run().kind == TrapKind::Syscall);
    Program stop(USER_CODE(breakpoint));
    check_exception("int3", stop.run(), 3);
    CHECK_EQUAL(stop.registers().rip, kCode.value + 1);
}

namespace {

void check_impossible_addresses() {
    for (const bool by_sysret : {false, true}) {
        Program program(USER_CODE(loop));
        CHECK(program.run().kind == TrapKind::Syscall);
        const auto attempt = [&](std::uint64_t rip) {
            Registers& r = program.registers();
            r.rip = rip;
            r.rcx = by_sysret ? rip : 0;
            r.r11 = r.rflags;
            return program.run();
        };
        check_exception("rip just behind the user half", attempt(0x0000'8000'0000'0000), 13);
        check_exception("rip nowhere", attempt(0xdead'beef'0000'1234), 13);
        check_fault(attempt(0xffff'ffff'8020'0000), 0xffff'ffff'8020'0000, Access::Execute, false);
        check_fault(attempt(0x7fff'ffff'f000), 0x7fff'ffff'f000, Access::Execute, false);
        Registers& r = program.registers();
        r.rip = kCode.value;
        r.rsp = 0xdead'beef'0000'1234;  // a stack that cannot be is allowed until it is used
        CHECK(program.run().kind == TrapKind::Syscall);
        CHECK_EQUAL(program.registers().rsp, 0xdead'beef'0000'1234);
    }
    Program program(USER_CODE(jump_rdi));
    program.registers().rdi = 0x0000'8000'0000'0000;
    const Trap trap = program.run();
    CHECK(trap.kind == TrapKind::Exception || trap.kind == TrapKind::Fault);
    // A SYSCALL in the last bytes of the user half returns to an address that is no longer in it.
    Program last(USER_CODE(loop));
    constexpr VirtAddr kLastPage{kUserMax.value - kPageSize};
    const FrameNumber frame = take_frame();
    write_unaligned(std::span(frame_pointer(frame), kPageSize), kPageSize - 2, std::uint16_t{0x050f});
    MUST(last.map().map(kLastPage, frame, 1, Access::Read | Access::Execute));
    last.registers().rip = kUserMax.value - 2;
    CHECK(last.run().kind == TrapKind::Syscall);
    check_fault(last.run(), kUserMax.value, Access::Execute, false);
    last.map().unmap(kLastPage, 1);
    last.map().commit();
    give_back_frame(frame);
}

void check_flags() {
    Program program(USER_CODE(flags));
    program.registers().rflags = ~std::uint64_t{0x100 | 0x4000 | 0x40000};  // all but TF, NT, AC
    CHECK(program.run().kind == TrapKind::Syscall);
    CHECK_EQUAL(word(program, 0) & 0x1b3000, 0);  // IOPL, RF, VM, VIF, VIP
    CHECK((word(program, 0) & 0x200) != 0);       // IF
    CHECK((word(program, 0) & 0x400) != 0);       // DF is the program's own
    Registers& r = program.registers();
    r.rip = kCode.value;
    r.rflags = 0x4000 | 0x40000;  // NT, AC
    CHECK(program.run().kind == TrapKind::Syscall);
    CHECK_EQUAL(word(program, 0) & 0x44000, 0x44000);
    CHECK((program.registers().r11 & 0x44000) == 0x44000);
}

void check_single_step() {
    Program program(USER_CODE(flags));
    program.registers().rflags = 0x100;
    check_exception("TF", program.run(), 1);
    CHECK_EQUAL(program.registers().rip, kCode.value + 1);

    // TF set by the program itself: a trap after each instruction, none inside the kernel.
    Program stepping(USER_CODE(trap_flag));
    unsigned traps = 0;
    unsigned calls = 0;
    for (unsigned i = 0; i < 4; ++i) {
        const Trap trap = stepping.run();
        traps += trap.kind == TrapKind::Exception && trap.vector == 1 ? 1 : 0;
        calls += trap.kind == TrapKind::Syscall ? 1 : 0;
    }
    CHECK_EQUAL(calls, 1);
    CHECK_EQUAL(traps, 3);
    // Kernel code ran without TF all the time, or we would not be here.
}

}  // namespace

void test_return_to_user() {
    check_impossible_addresses();
    check_flags();
    check_single_step();
    Program program(USER_CODE(loop));
    send_ipi(0);
    CHECK(program.context().enter_user().kind == TrapKind::Interrupt);
    CHECK(has(take_interrupts(), Interrupts::Reschedule));
    CHECK(program.run().kind == TrapKind::Syscall);
}

}  // namespace selftest
