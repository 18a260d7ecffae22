// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/user_context.h"

#include <cerrno>
#include <sys/syscall.h>

#include "platform/hosted/signal_frame.h"
#include "platform/hosted/stub_page_map.h"
#include "platform/hosted/stub_process.h"
#include "platform/hosted/vcpu.h"

namespace kernel::platform::hosted {
namespace {

// A guest thread that does not come although its process has had the processor for that long has blocked the signal. The
// wall-clock time alone says nothing on a busy host.
constexpr std::uint64_t kKickProcessorNs = kKickLimitNs;
constexpr unsigned kFewestKickWaits = 10;

// The user half of a thread in trap mode: whatever the host thread does that needs us, its handler comes with a complete
// frame in its frame page, and its sigreturn is the notification that we answer.
class TrapContext final : public UserContext {
  public:
    TrapContext(StubPageMap& map, RefPtr<StubProcess> stub, OwnPtr<GuestThread> thread, const Registers& initial)
        : map_(map), stub_(std::move(stub)), thread_(std::move(thread)),
          page_(stub_->frame_page(thread_->slot), thread_->slot), registers_(initial) {
        page_.reset_xstate();
    }
    ~TrapContext() override { stub_->give_back_thread(std::move(thread_)); }

    Trap enter_user() override;
    const SyscallFrame& syscall() const override { return syscall_; }
    void set_syscall_result(std::uint64_t value) override { registers_.rax = value; }
    Result<Registers*> registers() override { return &registers_; }

    // The frame page itself: until user code goes on only other threads of the same process can change it, which may
    // spoil nobody's vector state but their own.
    std::span<const std::byte> xstate() override { return page_.xstate(); }
    Result<> set_xstate(std::span<const std::byte> state) override;
    void reset_xstate() override { page_.reset_xstate(); }

  private:
    Trap dead();
    bool let_go();
    bool load_bases();
    Arrival wait();
    Arrival wait_after_kick();
    Trap take_frame();

    StubPageMap& map_;
    RefPtr<StubProcess> stub_;
    OwnPtr<GuestThread> thread_;
    FramePage page_;
    Registers registers_;
    SyscallFrame syscall_{};
};

Result<> TrapContext::set_xstate(std::span<const std::byte> state) {
    if (!xstate_is_valid(state)) return Error::InvalidArgument;
    page_.write_xstate(state);
    return {};
}

Trap TrapContext::dead() {
    stub_->kill();
    thread_->is_waiting = false;
    return {.kind = TrapKind::Dead};
}

// The thread's first notification, or that after new FS and GS bases. It comes by itself, whatever the guest does.
Arrival TrapContext::wait() {
    const Arrival arrival = thread_->listener.receive(thread_->waiting, Patience::Endless);
    thread_->is_waiting = arrival == Arrival::Received;
    return arrival;
}

// The bases are not in the frame: an answer with a value has the handler load them from the slot table and come again.
bool TrapContext::load_bases() {
    StubSlot& slot = stub_->slot(thread_->slot);
    slot.fs_base = registers_.fs_base;
    slot.gs_base = registers_.gs_base;
    return thread_->listener.answer(thread_->waiting.id, 0) && wait() == Arrival::Received;
}

// Lets the thread run user code with registers_. False when it is dead.
bool TrapContext::let_go() {
    if (!thread_->is_waiting && wait() != Arrival::Received) return false;
    const auto& bases = thread_->waiting.arguments;
    if (!is_canonical(registers_.fs_base)) registers_.fs_base = bases[0];
    if (!is_canonical(registers_.gs_base)) registers_.gs_base = bases[1];
    if ((bases[0] != registers_.fs_base || bases[1] != registers_.gs_base) && !load_bases()) return false;
    page_.write(registers_);
    thread_->is_waiting = false;
    // It may have got a signal meanwhile if it forged its mask: then it comes again by itself.
    return thread_->listener.let_continue(thread_->waiting.id) || !thread_->listener.is_gone();
}

// After the kick; processor time decides whether the thread does not want to come or cannot.
Arrival TrapContext::wait_after_kick() {
    stub_->kick(*thread_);
    const std::uint64_t begin = stub_->processor_time_ns();
    for (unsigned waits = 1;; ++waits) {
        const Arrival arrival = thread_->listener.receive(thread_->waiting, Patience::AfterKick);
        if (arrival != Arrival::TimedOut) return arrival;
        const std::uint64_t used = stub_->processor_time_ns() - begin;
        if (waits >= kFewestKickWaits && used >= kKickProcessorNs * cpu_count()) break;
    }
    stub_->kill();
    // Its frames may be given to others only when it has stopped.
    while (thread_->listener.receive(thread_->waiting, Patience::Endless) != Arrival::Gone) {
    }
    return Arrival::Gone;
}

Trap TrapContext::take_frame() {
    const HostFrame frame = page_.read();
    copy_registers(frame, registers_);
    registers_.fs_base = thread_->waiting.arguments[0];
    registers_.gs_base = thread_->waiting.arguments[1];
    return decode_trap(frame, syscall_);
}

Trap TrapContext::enter_user() {
    for (;;) {
        if (interrupt_pending()) return {.kind = TrapKind::Interrupt};
        map_.commit();
        if (stub_->is_dead() || !let_go()) return dead();
        Arrival arrival = thread_->listener.receive(thread_->waiting, Patience::UserMode);
        if (arrival == Arrival::Interrupted) arrival = wait_after_kick();
        if (arrival != Arrival::Received) return dead();
        thread_->is_waiting = true;
        const Trap trap = take_frame();
        // A kick that came late, after the thread had trapped by itself, is no event any more.
        if (trap.kind != TrapKind::Interrupt || interrupt_pending()) return trap;
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
    return TRY(make_own<hosted::TrapContext>(stub_map, std::move(stub), std::move(thread), initial));
}

}  // namespace kernel::platform
