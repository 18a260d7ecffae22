// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <atomic>

#include "core/sched/timer.h"
#include "core/sched/wait_queue.h"
#include "lib/guarded.h"
#include "services/linux/anonymous_file.h"
#include "services/linux/timer_clock.h"

namespace kernel::linux_abi {

// timerfd_create(2). The kernel's timer fires once; a period goes on when somebody looks, so that a timer that nobody
// reads costs nothing.
class TimerFile final : public AnonymousFile {
public:
    static constexpr char kClassTag = 0;

    static Result<RefPtr<TimerFile>> create(vfs::OpenRequest&& request, std::int32_t clock);
    std::int32_t clock() const { return clock_; }
    // What its clock shows.
    std::uint64_t now_ns() const;
    // `first_ns` is a moment of its clock, UINT64_MAX disarms. Returns what was left before.
    TimerSetting set(std::uint64_t first_ns, std::uint64_t interval_ns);
    TimerSetting remaining();
    Result<vfs::PollEvents> poll(vfs::PollRegistrar* registrar) override;

protected:
    Result<std::size_t> do_read(mm::IoBuffer& to, std::uint64_t) override;
    Result<std::size_t> do_write(mm::IoBuffer&, std::uint64_t&, vfs::WriteOrder) override {
        return Error::InvalidArgument;
    }

private:
    friend class kernel::ObjectMaker;
    struct State {
        Expiry expiry;
        std::uint64_t ticks = 0;  // that nobody has read
    };

    TimerFile(vfs::OpenRequest&& request, std::int32_t clock);
    ~TimerFile() override = default;
    static void expired(void* context);
    std::uint64_t take_ticks();
    // Counts what has passed and arms the timer for the next moment.
    void catch_up(State& state);
    void arm(const State& state);

    const std::int32_t clock_;
    SpinGuarded<State, Rank::EventFile> state_;
    sched::WaitQueue readable_;
    sched::Timer timer_;  // armed and cancelled under the state's lock; the callback takes none
};

}  // namespace kernel::linux_abi
