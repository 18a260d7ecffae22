// SPDX-License-Identifier: MIT OR Apache-2.0
// What a context keeps besides its general registers.
#include <array>

#include "lib/bytes.h"
#include "platform/x86_64/cpu_features.h"
#include "selftest.h"

DECLARE_USER_CODE(bases);
DECLARE_USER_CODE(write_bases);
DECLARE_USER_CODE(load_selectors);
DECLARE_USER_CODE(read_selectors);
DECLARE_USER_CODE(sse_state);
DECLARE_USER_CODE(avx_state);
DECLARE_USER_CODE(loop);

namespace selftest {

using namespace kernel;
using namespace kernel::platform;

namespace {

constexpr std::uint64_t kAvx = 4;
constexpr std::size_t kXmm0 = 160;

std::uint64_t word(const Program& program, std::size_t offset) {
    return read_unaligned<std::uint64_t>(program.data(), offset);
}

void check_two_threads_bases() {
    Program a(USER_CODE(bases));
    Program b(USER_CODE(bases));
    write_unaligned(a.data(), 0, std::uint64_t{0xa1});
    write_unaligned(a.data(), 24, std::uint64_t{0xa2});
    write_unaligned(b.data(), 0, std::uint64_t{0xb1});
    write_unaligned(b.data(), 24, std::uint64_t{0xb2});
    for (Program* program : {&a, &b}) {
        program->registers().fs_base = kData.value;
        program->registers().gs_base = kData.value + 16;
    }
    for (int round = 0; round < 3; ++round) {
        CHECK(a.run().kind == TrapKind::Syscall);
        CHECK(b.run().kind == TrapKind::Syscall);
        CHECK_EQUAL(word(a, 0x100), 0xa1);
        CHECK_EQUAL(word(a, 0x108), 0xa2);
        CHECK_EQUAL(word(b, 0x100), 0xb1);
        CHECK_EQUAL(word(b, 0x108), 0xb2);
    }
    // arch_prctl(2) while the context is loaded.
    write_unaligned(b.data(), 32, std::uint64_t{0xb3});
    b.registers().fs_base = kData.value + 32;
    CHECK(b.run().kind == TrapKind::Syscall);
    CHECK_EQUAL(word(b, 0x100), 0xb3);
    CHECK_EQUAL(b.registers().gs_base, kData.value + 16);
    // A base that no register can hold must not bring the kernel down.
    b.registers().gs_base = 0xdead'0000'0000'0000;
    b.run();
}

void check_user_writes_bases() {
    if (!x86::cpu_features().fsgsbase) {
        return;
    }
    Program program(USER_CODE(write_bases));
    Program other(USER_CODE(loop));
    constexpr std::uint64_t kKernelLooking = 0xffff'ffff'8020'0000;
    program.registers().rdi = 0x1234'5678;
    program.registers().rsi = kKernelLooking;
    CHECK(program.run().kind == TrapKind::Syscall);
    CHECK_EQUAL(program.registers().fs_base, 0x1234'5678);
    CHECK_EQUAL(program.registers().gs_base, kKernelLooking);
    CHECK(other.run().kind == TrapKind::Syscall);
    CHECK(program.run().kind == TrapKind::Syscall);
    CHECK_EQUAL(program.registers().rdi, 0x1234'5678);
    CHECK_EQUAL(program.registers().rsi, kKernelLooking);
}

void check_selectors() {
    Program loader(USER_CODE(load_selectors));
    Program reader(USER_CODE(read_selectors));
    CHECK(loader.run().kind == TrapKind::Syscall);
    CHECK(loader.run().kind == TrapKind::Syscall);
    CHECK_EQUAL(loader.registers().rdi, 0x2b);
    CHECK(reader.run().kind == TrapKind::Syscall);
    const auto& arguments = reader.context().syscall().arguments;
    CHECK_EQUAL(arguments[0] | arguments[1] | arguments[2] | arguments[3], 0);
}

void check_sse() {
    Program a(USER_CODE(sse_state));
    Program b(USER_CODE(sse_state));
    a.registers().rdi = 0xaaaa'0001;
    b.registers().rdi = 0xbbbb'0002;
    for (int round = 0; round < 3; ++round) {
        CHECK(a.run().kind == TrapKind::Syscall);
        CHECK(b.run().kind == TrapKind::Syscall);
    }
    CHECK_EQUAL(word(a, 0x200), 0xaaaa'0001);
    CHECK_EQUAL(word(a, 0x210), 0xaaaa'0001);
    CHECK_EQUAL(word(a, 0x220), 0x3ff0'0000'0000'0000);  // 1.0
    CHECK_EQUAL(word(b, 0x200), 0xbbbb'0002);

    const auto saved = a.context().xstate();
    CHECK_EQUAL(saved.size(), xstate_size());
    CHECK_EQUAL(read_unaligned<std::uint64_t>(saved, kXmm0), 0xaaaa'0001);
    CHECK_EQUAL(read_unaligned<std::uint64_t>(saved, 512) & ~xstate_features(), 0);
}

void check_replacing_state() {
    Program a(USER_CODE(sse_state));
    a.registers().rdi = 0xaaaa'0001;
    CHECK(a.run().kind == TrapKind::Syscall);
    alignas(64) std::array<std::byte, 4096> copy{};
    const auto state = std::span(copy).first(xstate_size());
    copy_bytes(state, a.context().xstate());
    write_unaligned(state, kXmm0, std::uint64_t{0xcccc'0003});
    write_unaligned(state, 512, read_unaligned<std::uint64_t>(state, 512) | 2);
    CHECK(a.context().set_xstate(state).has_value());
    CHECK(a.run().kind == TrapKind::Syscall);
    CHECK_EQUAL(word(a, 0x200), 0xcccc'0003);
    CHECK_EQUAL(word(a, 0x210), 0xaaaa'0001);
    // As old programs write signal frames: the 512 bytes of FXSAVE.
    write_unaligned(state, kXmm0, std::uint64_t{0xdddd'0004});
    CHECK(a.context().set_xstate(state.first(512)).has_value());
    CHECK(a.run().kind == TrapKind::Syscall);
    CHECK_EQUAL(word(a, 0x200), 0xdddd'0004);

    // What XRSTOR would refuse.
    const auto refuse = [&](std::size_t offset, std::uint64_t bits) {
        const auto old = read_unaligned<std::uint64_t>(state, offset);
        write_unaligned(state, offset, old | bits);
        const auto result = a.context().set_xstate(state);
        CHECK(!result && result.error() == Error::InvalidArgument);
        write_unaligned(state, offset, old);
    };
    refuse(24, 0x8000'0000);              // MXCSR
    refuse(512, std::uint64_t{1} << 62);  // a feature that is not there
    refuse(520, std::uint64_t{1} << 63);  // compacted format
    refuse(536, 1);                       // reserved
    CHECK(!a.context().set_xstate(state.first(100)));
    CHECK(a.run().kind == TrapKind::Syscall);
    CHECK_EQUAL(word(a, 0x200), 0xdddd'0004);

    a.context().reset_xstate();
    CHECK(a.run().kind == TrapKind::Syscall);
    CHECK_EQUAL(word(a, 0x200), 0);
    CHECK_EQUAL(word(a, 0x210), 0);
}

void check_avx() {
    if ((xstate_features() & kAvx) == 0) {
        say("     no AVX here\n");
        return;
    }
    Program a(USER_CODE(avx_state));
    Program b(USER_CODE(avx_state));
    Program idle(USER_CODE(loop));
    a.registers().rdi = 0x1111'0001;
    b.registers().rdi = 0x2222'0002;
    for (int round = 0; round < 3; ++round) {
        CHECK(a.run().kind == TrapKind::Syscall);
        CHECK(b.run().kind == TrapKind::Syscall);
        CHECK(idle.run().kind == TrapKind::Syscall);
    }
    for (const std::size_t offset : {0x200u, 0x208u, 0x210u, 0x218u}) {
        CHECK_EQUAL(word(a, offset), 0x1111'0001);
        CHECK_EQUAL(word(b, offset), 0x2222'0002);
    }
    // ymm7's upper half in the AVX component, at its standard place.
    CHECK_EQUAL(read_unaligned<std::uint64_t>(a.context().xstate(), 576 + 7 * 16), 0x1111'0001);
    // Never used: complete and initial.
    const auto fresh = idle.context().xstate();
    CHECK_EQUAL(read_unaligned<std::uint64_t>(fresh, 576 + 7 * 16), 0);
    CHECK_EQUAL(read_unaligned<std::uint16_t>(fresh, 0), 0x37f);
}

}  // namespace

void test_segment_bases() {
    check_two_threads_bases();
    check_user_writes_bases();
    check_selectors();
}

void test_vector_state() {
    say("     xstate {} bytes, features {:#x}\n", xstate_size(), xstate_features());
    check_sse();
    check_replacing_state();
    check_avx();
}

}  // namespace selftest
