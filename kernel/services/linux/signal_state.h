// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <array>

#include "abi/linux/signal.h"
#include "lib/guarded.h"
#include "lib/list.h"
#include "lib/lock_rank.h"
#include "lib/ref.h"
#include "lib/result.h"

// Signal dispositions and queues, signal(7). Rules: a standard signal is pending at most once, a real-time signal
// queues; SIGKILL and SIGSTOP cannot be caught, blocked or ignored.
namespace kernel::linux_abi {

inline constexpr abi::SignalMask kUnblockable = abi::signal_bit(abi::kSigkill) | abi::signal_bit(abi::kSigstop);
inline constexpr abi::SignalMask kStopSignals = abi::signal_bit(abi::kSigstop) | abi::signal_bit(abi::kSigtstp) |
                                                abi::signal_bit(abi::kSigttin) | abi::signal_bit(abi::kSigttou);
// Signals that a CPU exception raises; delivered before others.
inline constexpr abi::SignalMask kSynchronousSignals = abi::signal_bit(abi::kSigsegv) | abi::signal_bit(abi::kSigbus) |
                                                       abi::signal_bit(abi::kSigill) | abi::signal_bit(abi::kSigtrap) |
                                                       abi::signal_bit(abi::kSigfpe) | abi::signal_bit(abi::kSigsys);

enum class DefaultAction : std::uint8_t { Terminate, Core, Ignore, Stop, Continue };
DefaultAction default_action(int signal);
constexpr bool is_valid_signal(int signal) {
    return signal >= 1 && signal <= abi::kSignalCount;
}

// The action table that the threads of a process share (CLONE_SIGHAND).
class SignalActions : public RefCounted {
public:
    static Result<RefPtr<SignalActions>> create();
    Result<RefPtr<SignalActions>> clone() const;

    abi::Sigaction get(int signal) const;
    abi::Sigaction exchange(int signal, const abi::Sigaction& action);
    // execve(2): handled signals go back to their default, ignored ones stay ignored.
    void reset_for_exec();
    // CLONE_CLEAR_SIGHAND.
    void reset_all();
    // SA_RESETHAND: takes the action and puts the default in its place.
    abi::Sigaction take_for_delivery(int signal);
    bool is_ignored(int signal) const;  // by action or by default

private:
    using Table = std::array<abi::Sigaction, abi::kSignalCount>;
    mutable SpinGuarded<Table, Rank::SignalHandlers> actions_;
    friend class kernel::ObjectMaker;
    SignalActions() = default;
};

// Signals that wait for delivery to one task or to one process. Not locked: its owner's lock guards it.
class PendingSignals {
public:
    PendingSignals() = default;
    ~PendingSignals();
    PendingSignals(const PendingSignals&) = delete;
    PendingSignals& operator=(const PendingSignals&) = delete;

    abi::SignalMask mask() const { return mask_; }
    // A standard signal that is pending already is dropped. Without memory for the details of a standard signal they
    // are lost and the signal is kept; for a real-time signal WouldBlock is returned, as sigqueue(3) says. `limit` is
    // RLIMIT_SIGPENDING.
    Result<> add(const abi::Siginfo& info, std::uint64_t limit);
    // Of a timer: there may be several of a standard signal. Errors: WouldBlock.
    Result<> add_beside_others(const abi::Siginfo& info, std::uint64_t limit);
    // Takes the most urgent signal that is in `wanted`: synchronous ones first, then the lowest number.
    bool take(abi::SignalMask wanted, abi::Siginfo& info);
    void discard(abi::SignalMask signals);

private:
    struct Entry {
        abi::Siginfo info;
        ListNode node;
    };
    bool enqueue(const abi::Siginfo& info, std::uint64_t limit);
    void free_entry(Entry& entry);
    IntrusiveList<Entry, &Entry::node> queue_;
    abi::SignalMask mask_ = 0;
    unsigned queued_ = 0;
};

}  // namespace kernel::linux_abi
