// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/hosted/stub_control.h"

#include <linux/futex.h>
#include <linux/seccomp.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <algorithm>
#include <climits>

#include "platform/hosted/host_syscall.h"
#include "platform/hosted/signal_frame.h"

namespace kernel::platform::hosted {
namespace {

// SPEC_ALLOW: otherwise older host kernels take a filter for a reason to slow the thread down.
constexpr std::uint64_t kFilterFlags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_SPEC_ALLOW;

// Where a member of the control page lies in the stub.
template <class Member>
std::uint64_t stub_address(const StubControl& control, const Member& member) {
    // SAFETY: the distance of two addresses in one object.
    return kStubControl + (reinterpret_cast<std::uint64_t>(&member) - reinterpret_cast<std::uint64_t>(&control));
}

void place_filter(StubControl& control, const Filter& filter, std::array<sock_filter, kMaxFilterLength>& to,
                  StubFilterProgram& program) {
    const auto instructions = filter.instructions();
    std::ranges::copy(instructions, to.begin());
    program = {static_cast<std::uint16_t>(instructions.size()), {}, stub_address(control, to)};
}

void place_message(StubControl& control, StubSocketMessage& message, StubIoVector& vector, const StubReport& report) {
    vector = {stub_address(control, report), sizeof report};
    message = {};
    message.vector = stub_address(control, vector);
    message.vector_count = 1;
}

void add_listener(StubControl& control, StubSocketMessage& message) {
    message.control = stub_address(control, control.rights);
    message.control_bytes = sizeof control.rights;
}

void prepare_slot(StubArena& arena, unsigned index) {
    const FramePage page(arena.frames[index].data(), index);
    StubSlot& slot = arena.slots[index];
    slot = {};
    slot.stack_pointer = page.stub_stack_pointer();
    slot.signal_stack = page.signal_stack();
}

}  // namespace

void prepare_stub(StubArena& arena, StubIdentity identity, Transport transport, const Filter& guest,
                  const Filter& mapper) {
    StubControl& control = arena.control;
    // Signals must not withdraw a system call that the kernel works on.
    const std::uint64_t keep = transport == Transport::Notify ? SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV : 0;
    control.guest_filter_flags = kFilterFlags | keep;
    control.mapper_filter_flags = kFilterFlags;
    place_filter(control, guest, control.guest_filter, control.guest_program);
    place_filter(control, mapper, control.mapper_filter, control.mapper_program);
    control.thread_report = {StubEvent::ThreadReady, identity.number, 0, identity.generation};
    control.mapper_report = {StubEvent::MapperReady, identity.number, 0, identity.generation};
    control.failure_report = {StubEvent::ThreadFailed, identity.number, 0, identity.generation};
    place_message(control, control.thread_message, control.thread_vector, control.thread_report);
    place_message(control, control.mapper_message, control.mapper_vector, control.mapper_report);
    place_message(control, control.failure_message, control.failure_vector, control.failure_report);
    control.rights = {sizeof(cmsghdr) + sizeof(std::int32_t), SOL_SOCKET, SCM_RIGHTS, KPIO_STUB_LISTENER, 0};
    add_listener(control, control.thread_message);
    add_listener(control, control.mapper_message);
    prepare_slot(arena, 0);
    control.command_slot = 0;
    control.command_sequence = 1;
}

void request_stub_thread(StubArena& arena, unsigned slot) {
    prepare_slot(arena, slot);
    StubControl& control = arena.control;
    control.thread_report.slot = slot;
    control.command_slot = slot;
    // SAFETY: the word is shared with the stub's leader, which reads it with one aligned load.
    __atomic_fetch_add(&control.command_sequence, 1u, __ATOMIC_SEQ_CST);
    host_syscall(SYS_futex, &control.command_sequence, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

}  // namespace kernel::platform::hosted
