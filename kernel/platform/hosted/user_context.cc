// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/user_context.h"

#include <signal.h>
#include <sys/syscall.h>

#include "lib/scope_guard.h"
#include "platform/hosted/signal_frame.h"
#include "platform/hosted/stub_page_map.h"
#include "platform/hosted/stub_process.h"
#include "platform/hosted/vcpu.h"

namespace kernel::platform::hosted {
namespace {

// How long a kicked guest thread may be late before it is suspected of having blocked the signal, in kKickLimitNs.
constexpr unsigned kUnsuspiciousWaits = 10;
// A suspect that has had the processor for that long, and still does not come, has. (A few microseconds would do, but
// the mapper's work counts too.)
constexpr std::uint64_t kSuspectProcessorNs = 50'000'000;

// A guest's host thread comes to us in one of two ways. From the stub's handler, with a complete frame in its frame
// page: its sigreturn is the notification, and carrying it out resumes user code. Or (Transport::Notify) from a system
// call anywhere in user code, which has no frame: the answer is the call's result. With a frame everything is possible,
// so registers() makes a thread of the second kind one of the first.
class StubContext final : public UserContext {
public:
    StubContext(StubPageMap& map, RefPtr<StubProcess> stub, OwnPtr<GuestThread> thread, const Registers& initial)
        : map_(map),
          stub_(std::move(stub)),
          thread_(std::move(thread)),
          page_(stub_->frame_page(thread_->slot), thread_->slot),
          registers_(initial) {}
    ~StubContext() override { stub_->give_back_thread(std::move(thread_)); }

    // Errors: Killed.
    Result<> begin();

    Trap enter_user() override;
    SyscallFrame syscall() const override { return syscall_; }
    void set_syscall_result(std::uint64_t value) override { registers_.rax = value; }
    Result<Registers*> registers() override;

    // The frame page itself: until user code goes on only other threads of the same process can change it, which may
    // spoil nobody's vector state but their own.
    std::span<const std::byte> xstate() override { return page_.xstate(); }
    Result<> set_xstate(std::span<const std::byte> state) override;
    void reset_xstate() override { page_.reset_xstate(); }

private:
    Trap dead();
    bool can_go();
    bool let_go();
    Arrival run_user_code();
    bool load_bases();
    bool fetch_frame();
    Arrival wait(Patience patience);
    Arrival wait_after_kick();
    void take_frame_registers(const HostFrame& frame);
    Trap take_trap();

    StubPageMap& map_;
    RefPtr<StubProcess> stub_;
    OwnPtr<GuestThread> thread_;
    FramePage page_;
    Registers registers_;
    SyscallFrame syscall_{};
};

Result<> StubContext::set_xstate(std::span<const std::byte> state) {
    if (!xstate_is_valid(state)) {
        return Error::InvalidArgument;
    }
    page_.write_xstate(state);
    return {};
}

Trap StubContext::dead() {
    stub_->kill();
    thread_->is_waiting = false;
    return {.kind = TrapKind::Dead};
}

Arrival StubContext::wait(Patience patience) {
    const Arrival arrival = thread_->listener.receive(thread_->waiting, patience);
    thread_->is_waiting = arrival == Arrival::Received;
    return arrival;
}

// A thread that has never run comes by itself; a spare one may have ended in a system call. Its program may have left
// its stack pointer anywhere, which load_bases() mends.
Result<> StubContext::begin() {
    const bool ready = (thread_->is_waiting || wait(Patience::Endless) == Arrival::Received) &&
                       (is_from_handler(thread_->waiting) || fetch_frame()) && load_bases();
    if (!ready) {
        dead();
        return Error::Killed;
    }
    page_.reset_xstate();
    return {};
}

// The bases are not in the frame: an answer with its slot has the thread load them, and the place of its frame, from
// the slot table and come again, whatever the guest does.
bool StubContext::load_bases() {
    StubSlot& slot = stub_->slot(thread_->slot);
    slot.fs_base = is_canonical(registers_.fs_base) ? registers_.fs_base : 0;
    slot.gs_base = is_canonical(registers_.gs_base) ? registers_.gs_base : 0;
    return thread_->listener.answer(thread_->waiting.id, thread_->slot) &&
           wait(Patience::Endless) == Arrival::Received && is_from_handler(thread_->waiting);
}

// Results that the host would take for its own restart codes (ERESTARTSYS to ERESTART_RESTARTBLOCK) if a signal is
// pending.
bool is_host_restart_code(std::uint64_t value) {
    return value >= -std::uint64_t{516} && value <= -std::uint64_t{512};
}

// The thread waits, in a way that can be answered with what is in registers_. False when it is dead.
bool StubContext::can_go() {
    if (stub_->is_dead() || !thread_->is_waiting) {
        return false;
    }
    return !is_host_restart_code(registers_.rax) || registers().has_value();
}

// Lets the thread run user code with registers_, or with the result in them. False when it is dead.
bool StubContext::let_go() {
    bool sent;
    if (is_from_handler(thread_->waiting)) {
        const auto& bases = thread_->waiting.arguments;
        if (!is_canonical(registers_.fs_base)) {
            registers_.fs_base = bases[0];
        }
        if (!is_canonical(registers_.gs_base)) {
            registers_.gs_base = bases[1];
        }
        if ((bases[0] != registers_.fs_base || bases[1] != registers_.gs_base) && !load_bases()) {
            return false;
        }
        page_.write(registers_);
        // Only ever here: no other call of a guest's is carried out.
        sent = thread_->listener.let_continue(thread_->waiting.id);
    } else {
        sent = thread_->listener.answer(thread_->waiting.id, static_cast<std::int64_t>(registers_.rax));
    }
    thread_->is_waiting = false;
    // It may have got a signal meanwhile, if it forged its signal mask: then it comes again by itself.
    return sent || !thread_->listener.is_gone();
}

// Gets a thread that waits in a system call into the handler. The signal goes first: it stays pending, since a thread
// whose notification has been received can only be killed (WAIT_KILLABLE_RECV), and is taken when the call returns,
// before the next user instruction. Sending first would let the guest run on.
bool StubContext::fetch_frame() {
    stub_->kick(*thread_);
    thread_->is_waiting = false;
    if (!thread_->listener.answer(thread_->waiting.id, 0)) {
        return false;
    }
    thread_->is_waiting = wait_after_kick() == Arrival::Received;
    if (!thread_->is_waiting) {
        return false;
    }
    // Anything else: the thread has blocked the signal, by a forged sigreturn.
    return is_from_handler(thread_->waiting) && page_.read().info.signal == SIGURG;
}

Result<Registers*> StubContext::registers() {
    if (thread_->is_waiting && !is_from_handler(thread_->waiting)) {
        const std::uint64_t rax = registers_.rax;
        if (!fetch_frame()) {
            dead();
            return Error::Killed;
        }
        take_frame_registers(page_.read());
        registers_.rax = rax;
    }
    return &registers_;
}

void interrupt_other_cpus() {
    for (unsigned i = 0; i < cpu_count(); ++i) {
        if (i != this_cpu().index) {
            send_ipi(i);
        }
    }
}

// Processor time decides whether a thread does not want to come or cannot: on a busy host it may be late by any time.
// The host tells the time of whole processes only, so the other threads of the process are kept out of user mode
// meanwhile.
Arrival StubContext::wait_after_kick() {
    bool holds = false;
    const ScopeGuard let_others_run([&] {
        if (holds) {
            stub_->release();
        }
    });
    bool alone = false;
    std::uint64_t alone_since_ns = 0;
    for (unsigned waits = 1;; ++waits) {
        const Arrival arrival = thread_->listener.receive(thread_->waiting, Patience::AfterKick);
        if (arrival != Arrival::TimedOut) {
            return arrival;
        }
        // Older host kernels leave a receiver asleep when the thread dies.
        if (thread_->listener.is_gone()) {
            return Arrival::Gone;
        }
        if (waits < kUnsuspiciousWaits) {
            continue;
        }
        if (!holds) {
            stub_->hold();
            holds = true;
        }
        if (!alone) {
            alone = stub_->nobody_runs();
            alone_since_ns = stub_->processor_time_ns();
            if (!alone) {
                interrupt_other_cpus();
            }
        } else if (stub_->processor_time_ns() - alone_since_ns >= kSuspectProcessorNs) {
            break;
        }
    }
    stub_->kill();
    return Arrival::Gone;
}

void StubContext::take_frame_registers(const HostFrame& frame) {
    copy_registers(frame, registers_);
    registers_.fs_base = thread_->waiting.arguments[0];
    registers_.gs_base = thread_->waiting.arguments[1];
}

Trap StubContext::take_trap() {
    const Notification& notification = thread_->waiting;
    if (!is_from_handler(notification)) {
        syscall_.number = static_cast<std::uint32_t>(notification.number);
        syscall_.arguments = notification.arguments;
        syscall_.instruction_pointer = notification.instruction_pointer;
        registers_.rax = syscall_.number;
        return {.kind = TrapKind::Syscall};
    }
    const HostFrame frame = page_.read();
    take_frame_registers(frame);
    return decode_trap(frame, syscall_);
}

Arrival StubContext::run_user_code() {
    if (!let_go()) {
        return Arrival::Gone;
    }
    return thread_->listener.receive(thread_->waiting, Patience::UserMode);
}

Trap StubContext::enter_user() {
    for (;;) {
        if (interrupt_pending()) {
            return {.kind = TrapKind::Interrupt};
        }
        map_.commit();
        if (!can_go()) {
            return dead();
        }
        if (!stub_->begin_user_mode()) {
            return {.kind = TrapKind::Interrupt};
        }
        Arrival arrival = run_user_code();
        stub_->end_user_mode();
        if (arrival == Arrival::Interrupted) {
            stub_->kick(*thread_);
            arrival = wait_after_kick();
        }
        if (arrival != Arrival::Received) {
            return dead();
        }
        thread_->is_waiting = true;
        const Trap trap = take_trap();
        // A kick that came late, after the thread had trapped by itself, is no event any more.
        if (trap.kind != TrapKind::Interrupt || interrupt_pending()) {
            return trap;
        }
    }
}

}  // namespace
}  // namespace kernel::platform::hosted

namespace kernel::platform {

Result<OwnPtr<UserContext>> UserContext::create(PageMap& map, const Registers& initial) {
    // Page maps are made by this platform only.
    auto& stub_map = static_cast<hosted::StubPageMap&>(map);
    RefPtr<hosted::StubProcess> stub = TRY(stub_map.stub());
    OwnPtr<hosted::GuestThread> thread = TRY(stub->take_thread());
    auto context = TRY(make_own<hosted::StubContext>(stub_map, std::move(stub), std::move(thread), initial));
    TRY(context->begin());
    return context;
}

}  // namespace kernel::platform
