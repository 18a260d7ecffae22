// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/hosted/seccomp_filter.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <cstddef>

#include "lib/assert.h"

namespace kernel::platform::hosted {

class FilterBuilder {
public:
    void load(std::size_t offset) { emit(BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<std::uint32_t>(offset)); }
    void finish(std::uint32_t action) { emit(BPF_RET | BPF_K, 0, 0, action); }
    // Skips count instructions unless the accumulator has the value.
    void skip_unless_equal(std::uint32_t value, std::size_t count) { jump(BPF_JEQ, value, 0, count); }
    void skip_if_equal(std::uint32_t value, std::size_t count) { jump(BPF_JEQ, value, count, 0); }
    void skip_if_at_least(std::uint32_t value, std::size_t count) { jump(BPF_JGE, value, count, 0); }

    // With the low half of the instruction pointer in the accumulator: at this place of the stub's code, one of the
    // calls gets the action and all others get `otherwise`.
    void at(std::uint32_t code_offset, std::initializer_list<std::uint32_t> calls, std::uint32_t action,
            std::uint32_t otherwise) {
        skip_unless_equal(static_cast<std::uint32_t>(kStubCode + code_offset), place_length(calls.size()) - 1);
        load(offsetof(seccomp_data, nr));
        std::size_t left = calls.size();
        for (const std::uint32_t call : calls) {
            skip_if_equal(call, left);
            --left;
        }
        finish(otherwise);
        finish(action);
    }
    static constexpr std::size_t place_length(std::size_t calls) { return 4 + calls; }

    Filter take() const { return filter_; }

private:
    void jump(std::uint16_t condition, std::uint32_t value, std::size_t if_true, std::size_t if_false) {
        KASSERT(if_true < 256 && if_false < 256);
        emit(static_cast<std::uint16_t>(BPF_JMP | BPF_K | condition), static_cast<std::uint8_t>(if_true),
             static_cast<std::uint8_t>(if_false), value);
    }
    void emit(std::uint16_t code, std::uint8_t if_true, std::uint8_t if_false, std::uint32_t value) {
        KASSERT(filter_.length_ < kMaxFilterLength);
        filter_.instructions_[filter_.length_++] = {code, if_true, if_false, value};
    }

    Filter filter_;
};

namespace {

constexpr std::uint32_t kTrap = SECCOMP_RET_TRAP;
constexpr std::uint32_t kNotify = SECCOMP_RET_USER_NOTIF;
constexpr std::uint32_t kAllow = SECCOMP_RET_ALLOW;
constexpr std::uint32_t kKill = SECCOMP_RET_KILL_PROCESS;
constexpr std::uint32_t kX32Bit = 0x4000'0000;

// Leaves the low half of the instruction pointer in the accumulator for calls from the stub's region; others skip
// `places` instructions, the architecture that is not ours ends.
void begin(FilterBuilder& builder, std::size_t places, std::uint32_t foreign) {
    builder.load(offsetof(seccomp_data, arch));
    builder.skip_if_equal(AUDIT_ARCH_X86_64, 1);
    builder.finish(foreign);
    builder.load(offsetof(seccomp_data, instruction_pointer) + 4);
    builder.skip_unless_equal(static_cast<std::uint32_t>(kStubCode >> 32), 1 + places);
    builder.load(offsetof(seccomp_data, instruction_pointer));
}

}  // namespace

Filter make_guest_filter(Transport transport) {
    FilterBuilder builder;
    begin(builder, 3 * FilterBuilder::place_length(1), kTrap);
    builder.at(KPIO_NOTIFY_RETURN, {SYS_rt_sigreturn}, kNotify, kTrap);
    builder.at(KPIO_THREAD_SEND_RETURN, {SYS_sendmsg}, kAllow, kTrap);
    builder.at(KPIO_THREAD_CLOSE_RETURN, {SYS_close_range}, kAllow, kTrap);
    if (transport == Transport::Notify) {
        // Calls after which the kernel wants all registers anyway, and those after which the thread waits to be reused.
        constexpr std::array<std::uint32_t, 10> kWithRegisters{SYS_rt_sigreturn, SYS_clone,     SYS_clone3,   SYS_fork,
                                                               SYS_vfork,        SYS_execve,    SYS_execveat, SYS_exit,
                                                               SYS_exit_group,   SYS_arch_prctl};
        builder.load(offsetof(seccomp_data, nr));
        builder.skip_if_at_least(kX32Bit, kWithRegisters.size() + 1);
        std::size_t left = kWithRegisters.size();
        for (const std::uint32_t call : kWithRegisters) {
            builder.skip_if_equal(call, left);
            --left;
        }
        builder.finish(kNotify);
    }
    builder.finish(kTrap);
    return builder.take();
}

Filter make_mapper_filter() {
    FilterBuilder builder;
    begin(builder, 4 * FilterBuilder::place_length(1) + FilterBuilder::place_length(3), kKill);
    builder.at(KPIO_MAPPER_NOTIFY_RETURN, {KPIO_MAPPER_NOTIFY_NUMBER}, kNotify, kKill);
    builder.at(KPIO_MAPPER_OPERATION_RETURN, {SYS_mmap, SYS_munmap, SYS_mprotect}, kAllow, kKill);
    builder.at(KPIO_MAPPER_SEND_RETURN, {SYS_sendmsg}, kAllow, kKill);
    builder.at(KPIO_MAPPER_CLOSE_RETURN, {SYS_close_range}, kAllow, kKill);
    builder.at(KPIO_MAPPER_CLOSE_SOCKET_RETURN, {SYS_close}, kAllow, kKill);
    builder.finish(kKill);
    return builder.take();
}

}  // namespace kernel::platform::hosted
