// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <atomic>
#include <cstdint>
#include <span>

#include "lib/guarded.h"
#include "lib/own.h"
#include "lib/ref.h"
#include "platform/hosted/notify.h"
#include "platform/hosted/stub_control.h"

namespace kernel::platform::hosted {

// One host thread of a stub that runs guest code. It belongs to one UserContext, or is a spare one of its stub. While
// the kernel has control, it waits in `waiting` for an answer; or it has not come for the first time yet.
struct GuestThread {
    Listener listener;
    unsigned slot = 0;
    bool is_waiting = false;
    Notification waiting;
    OwnPtr<GuestThread> next_spare;
};

// The thread that changes a stub's mappings. It waits in `waiting` for a batch, or has not come for the first time yet.
struct Mapper {
    Listener listener;
    bool is_waiting = false;
    Notification waiting;
};

// A stub with nothing mapped that nobody uses: a new one, or one whose program has ended.
struct ReadyStub {
    StubIdentity identity;
    StubArena* arena = nullptr;
    std::int32_t process = 0;
    unsigned slots_used = 1;
    Mapper mapper;
    OwnPtr<GuestThread> threads;  // at least one, chained by next_spare
};

// The host process that a guest address space lives in. Shared by its page map and its user contexts. When the last of
// them goes, the process is emptied and kept for another address space, or killed.
class StubProcess final : public RefCounted {
public:
    // Errors: NoMemory, WouldBlock (limits of the host). Blocks the host thread, mostly not at all.
    static Result<RefPtr<StubProcess>> create();

    // No thread of it runs any more.
    bool is_dead() const { return dead_.load(std::memory_order_acquire); }
    // Ends the process, whatever its threads do, and waits until none runs any more. Frames that a dead stub had mapped
    // may be given to others.
    void kill();

    // Has the mapper carry out the operations (at most kMapperBatch) in order, stopping at the first that fails.
    // Returns the number done; `failure` is 0 or a negative errno. When the process is dead all count as done. The
    // caller serialises calls.
    std::size_t run_operations(std::span<const MapperOperation> operations, HostResult& failure);

    // A thread that waits in its first or a later notification. Errors: NoMemory, WouldBlock (limits), Killed.
    Result<OwnPtr<GuestThread>> take_thread();
    // The thread waits, or it is dead.
    void give_back_thread(OwnPtr<GuestThread> thread);

    // Sends the thread the signal that interrupts guest code.
    void kick(const GuestThread& thread);

    StubSlot& slot(unsigned index) { return stub_.arena->slots[index]; }
    std::byte* frame_page(unsigned index) { return stub_.arena->frames[index].data(); }
    const StubIdentity& identity() const { return stub_.identity; }
    std::int32_t host_process() const { return stub_.process; }

    // Brackets for the time that a thread runs user code and has not been kicked. False: another context holds the
    // process; the caller has slept for a moment, and must not enter now.
    bool begin_user_mode();
    void end_user_mode() { running_.fetch_sub(1); }
    // While somebody holds the process, none of its threads enters user mode. They leave it at the next interrupt of
    // their vCPUs; then nobody_runs() is true until release().
    void hold() { holders_.fetch_add(1); }
    void release() { holders_.fetch_sub(1); }
    bool nobody_runs() const { return running_.load() == 0; }

    // The processor time that the process has used, in nanoseconds.
    std::uint64_t processor_time_ns() const;

private:
    friend class kernel::ObjectMaker;
    struct Threads {
        OwnPtr<GuestThread> spare;
        unsigned slots_used = 1;
    };

    explicit StubProcess(ReadyStub&& stub);
    ~StubProcess() override;
    void signal_kill();
    bool can_be_kept(const Threads& threads) const;
    bool unmap_everything();
    static bool settle_threads(Threads& threads);

    ReadyStub stub_;  // its threads are in threads_
    std::atomic<bool> dead_ = false;
    // Who enters counts itself, then looks for holders; who holds does so, then looks whether anybody runs.
    std::atomic<unsigned> running_ = 0;
    std::atomic<unsigned> holders_ = 0;
    std::uint64_t mapped_bytes_ = 0;
    SpinGuarded<Threads, Rank::Stub> threads_;
};

}  // namespace kernel::platform::hosted
