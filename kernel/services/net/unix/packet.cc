// SPDX-License-Identifier: MIT OR Apache-2.0
// SOCK_DGRAM and SOCK_SEQPACKET: each message is received whole, or cut.
#include <algorithm>
#include <utility>

#include "services/net/unix/garbage.h"
#include "services/net/unix/receive_turn.h"
#include "services/net/unix/socket.h"

namespace kernel::net::unix_domain {
namespace {

constexpr std::size_t kMaxQueueLength = 10;  // net.unix.max_dgram_qlen
constexpr std::size_t kSparedBytes = 32;     // of the budget: the largest message, unix(7)

}  // namespace

// Only strangers are held up by a long queue: whoever the receiver talks to is bounded by its own budget.
bool Socket::is_full_for(const State& receiver) const {
    return receiver.peer != this && receiver.queue_length > kMaxQueueLength;
}

// Whether the receiver would take a message; WouldBlock when its queue is full.
Result<> Socket::check_receiver(Socket& receiver) {
    return receiver.state_.with([&](const State& state) -> Result<> {
        if (state.closed) {
            return is_connection_based() ? Error::BrokenPipe : Error::ConnectionRefused;
        }
        if (state.peer && state.peer != this) {
            return Error::NotPermitted;
        }
        if (state.receive_shut) {
            return Error::BrokenPipe;
        }
        return is_full_for(state) ? Result<>(Error::WouldBlock) : Result<>();
    });
}

Result<> Socket::deliver_packet(Socket& receiver, OwnPtr<Message>& message, Outgoing& what, const Patience& patience) {
    while (true) {
        Result<> accepted = check_receiver(receiver);
        if (accepted) {
            accepted = hand_over(receiver, message, what.passenger_limit);
        }
        if (accepted || accepted.error() != Error::WouldBlock || patience.non_blocking) {
            return accepted;
        }
        const auto changed = [&] {
            const Result<> now = check_receiver(receiver);
            return now || now.error() != Error::WouldBlock;
        };
        if (const Result<> waited = sched::wait_until(receiver.room_, changed, patience.options()); !waited) {
            return waited.error() == Error::TimedOut ? Error::WouldBlock : waited.error();
        }
    }
}

Result<std::size_t> Socket::send_packet(Outgoing& what, const Patience& patience) {
    const auto bytes = static_cast<std::size_t>(what.data.remaining());
    if (bytes + kSparedBytes > budget_->limit_bytes()) {
        return Error::MessageTooLong;
    }
    const bool to_peer = !what.target || is_connection_based();
    const RefPtr<Socket> receiver = to_peer ? TRY(peer_to_send_to()) : what.target;
    TRY(wait_for_room(patience));
    OwnPtr<Message> message = TRY(make_message(what, bytes));
    if (const Result<> delivered = deliver_packet(*receiver, message, what, patience); !delivered) {
        if (to_peer && !is_connection_based() && delivered.error() == Error::ConnectionRefused) {
            change_peer({});
        }
        return delivered.error();
    }
    return bytes;
}

Result<std::size_t> Socket::take_packet(Incoming& what, bool& found) {
    Message* const message = state_.with([](const State& state) { return state.queue.front(); });
    found = message != nullptr;
    if (!found) {
        return 0;
    }
    what.message_bytes = message->bytes.size();
    what.sender = message->sender;
    what.from = message->from;
    if (!message->passengers.empty()) {
        what.passengers = what.peek ? TRY(garbage::copy(*message)) : garbage::unload(*message);
    }
    const std::uint64_t wanted = std::min<std::uint64_t>(message->bytes.size(), what.data.remaining());
    Result<std::size_t> copied = std::size_t{0};
    if (wanted != 0) {
        copied = what.data.copy_from(message->bytes.span());
        if (copied && *copied < wanted) {
            copied = Error::BadAddress;
        }
    }
    if (!what.peek) {
        // Even one that could not be copied is gone, as on Linux.
        state_.with([&](State& state) { state.unread_bytes -= message->bytes.size(); });
        retire(*message);
    }
    return copied;
}

Result<std::size_t> Socket::receive_packet(Incoming& what, const Patience& patience) {
    if (is_connection_based() && !is_connected()) {
        return Error::NotConnected;
    }
    while (true) {
        bool found = false;
        const Result<std::size_t> taken = [&] {
            const ReceiveTurn turn(*this);
            return take_packet(what, found);
        }();
        if (found && !what.peek) {
            room_.wake_one();
            wake_blocked();
        }
        if (found || !taken) {
            return taken;
        }
        if (!TRY(wait_for_message(patience, true))) {
            return 0;
        }
    }
}

}  // namespace kernel::net::unix_domain
