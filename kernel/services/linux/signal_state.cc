// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/signal_state.h"

#include <algorithm>
#include <bit>

#include "lib/own.h"

namespace kernel::linux_abi {
namespace {

// Bound on the details that one queue keeps, whatever RLIMIT_SIGPENDING says.
constexpr unsigned kMaxQueued = 1024;

constexpr bool is_realtime(int signal) {
    return signal >= abi::kSigrtmin;
}
std::size_t slot(int signal) {
    return static_cast<std::size_t>(signal - 1);
}

}  // namespace

DefaultAction default_action(int signal) {
    switch (signal) {
        case abi::kSigchld:
        case abi::kSigurg:
        case abi::kSigwinch:
            return DefaultAction::Ignore;
        case abi::kSigcont:
            return DefaultAction::Continue;
        case abi::kSigstop:
        case abi::kSigtstp:
        case abi::kSigttin:
        case abi::kSigttou:
            return DefaultAction::Stop;
        case abi::kSigquit:
        case abi::kSigill:
        case abi::kSigtrap:
        case abi::kSigabrt:
        case abi::kSigbus:
        case abi::kSigfpe:
        case abi::kSigsegv:
        case abi::kSigxcpu:
        case abi::kSigxfsz:
        case abi::kSigsys:
            return DefaultAction::Core;
        default:
            return DefaultAction::Terminate;
    }
}

Result<RefPtr<SignalActions>> SignalActions::create() {
    return make_ref<SignalActions>();
}

Result<RefPtr<SignalActions>> SignalActions::clone() const {
    RefPtr<SignalActions> copy = TRY(create());
    const Table table = actions_.with([](const Table& t) { return t; });
    copy->actions_.with([&](Table& t) { t = table; });
    return copy;
}

abi::Sigaction SignalActions::get(int signal) const {
    return actions_.with([&](const Table& t) { return t[slot(signal)]; });
}

abi::Sigaction SignalActions::exchange(int signal, const abi::Sigaction& action) {
    return actions_.with([&](Table& t) { return std::exchange(t[slot(signal)], action); });
}

void SignalActions::reset_for_exec() {
    actions_.with([](Table& t) {
        for (abi::Sigaction& action : t) {
            const bool ignored = action.handler == abi::kSigIgn;
            action = {};
            if (ignored) {
                action.handler = abi::kSigIgn;
            }
        }
    });
}

void SignalActions::reset_all() {
    actions_.with([](Table& t) {
        for (abi::Sigaction& action : t) {
            if (action.handler != abi::kSigIgn) {
                action = {};
            }
        }
    });
}

abi::Sigaction SignalActions::take_for_delivery(int signal) {
    return actions_.with([&](Table& t) {
        const abi::Sigaction action = t[slot(signal)];
        if ((action.flags & abi::kSaResethand) != 0) {
            t[slot(signal)].handler = abi::kSigDfl;
        }
        return action;
    });
}

bool SignalActions::is_ignored(int signal) const {
    const std::uint64_t handler = get(signal).handler;
    if (handler == abi::kSigIgn) {
        return true;
    }
    return handler == abi::kSigDfl && default_action(signal) == DefaultAction::Ignore;
}

PendingSignals::~PendingSignals() {
    discard(~abi::SignalMask{0});
}

Result<> PendingSignals::add(const abi::Siginfo& info, std::uint64_t limit) {
    const abi::SignalMask bit = abi::signal_bit(info.signal);
    if (!is_realtime(info.signal) && (mask_ & bit) != 0) {
        return {};
    }
    if (!enqueue(info, limit) && is_realtime(info.signal)) {
        return Error::WouldBlock;
    }
    mask_ |= bit;
    return {};
}

Result<> PendingSignals::add_beside_others(const abi::Siginfo& info, std::uint64_t limit) {
    if (!enqueue(info, limit)) {
        return Error::WouldBlock;
    }
    mask_ |= abi::signal_bit(info.signal);
    return {};
}

bool PendingSignals::enqueue(const abi::Siginfo& info, std::uint64_t limit) {
    if (queued_ >= std::min<std::uint64_t>(limit, kMaxQueued)) {
        return false;
    }
    Result<OwnPtr<Entry>> entry = make_own<Entry>();
    if (!entry) {
        return false;
    }
    (*entry)->info = info;
    queue_.push_back(*entry->release());
    ++queued_;
    return true;
}

bool PendingSignals::take(abi::SignalMask wanted, abi::Siginfo& info) {
    const abi::SignalMask ready = mask_ & wanted;
    if (ready == 0) {
        return false;
    }
    const abi::SignalMask urgent = (ready & kSynchronousSignals) != 0 ? ready & kSynchronousSignals : ready;
    const int signal = std::countr_zero(urgent) + 1;
    Entry* found = nullptr;
    bool more = false;
    for (Entry& entry : queue_) {
        if (entry.info.signal != signal) {
            continue;
        }
        if (found != nullptr) {
            more = true;
            break;
        }
        found = &entry;
    }
    info = {};
    info.signal = signal;
    if (found != nullptr) {
        info = found->info;
        free_entry(*found);
    }
    if (!more) {
        mask_ &= ~abi::signal_bit(signal);
    }
    return true;
}

void PendingSignals::discard(abi::SignalMask signals) {
    mask_ &= ~signals;
    for (auto it = queue_.begin(); it != queue_.end();) {
        Entry& entry = *it;
        ++it;
        if ((abi::signal_bit(entry.info.signal) & signals) != 0) {
            free_entry(entry);
        }
    }
}

void PendingSignals::free_entry(Entry& entry) {
    queue_.remove(entry);
    --queued_;
    OwnPtr<Entry>::adopt(&entry).reset();
}

}  // namespace kernel::linux_abi
