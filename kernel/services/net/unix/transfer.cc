// SPDX-License-Identifier: MIT OR Apache-2.0
// What streams and packets share: room to send, messages on their way, waiting for some.
#include <utility>

#include "services/net/unix/garbage.h"
#include "services/net/unix/reasons.h"
#include "services/net/unix/socket.h"

namespace kernel::net::unix_domain {

Result<std::size_t> Socket::send(Outgoing& what, const Patience& patience) {
    return type_ == SocketType::Stream ? send_stream(what, patience) : send_packet(what, patience);
}

Result<std::size_t> Socket::receive(Incoming& what, const Patience& patience) {
    return type_ == SocketType::Stream ? receive_stream(what, patience) : receive_packet(what, patience);
}

Result<RefPtr<Socket>> Socket::peer_to_send_to() {
    return state_.with([](const State& state) -> Result<RefPtr<Socket>> {
        if (!state.peer) {
            return Error::NotConnected;
        }
        if (state.send_shut) {
            return Error::BrokenPipe;
        }
        return state.peer;
    });
}

Result<> Socket::wait_for_room(const Patience& patience) {
    const auto is_over = [this] {
        return state_.with([](const State& state) { return state.send_shut || state.error.has_value(); });
    };
    const auto ready = [&] { return budget_->has_room() || is_over(); };
    if (!ready()) {
        if (patience.non_blocking) {
            return Error::WouldBlock;
        }
        if (const Result<> waited = sched::wait_until(writable_event(), ready, patience.options()); !waited) {
            return waited.error() == Error::TimedOut ? Error::WouldBlock : waited.error();
        }
    }
    if (const std::optional<Error> error = take_error()) {
        return *error;
    }
    return is_over() ? Result<>(Error::BrokenPipe) : Result<>();
}

Result<OwnPtr<Message>> Socket::make_message(Outgoing& what, std::size_t bytes) {
    OwnPtr<Message> message = TRY(make_own<Message>());
    TRY(message->bytes.resize(bytes));
    if (bytes != 0) {
        const std::size_t copied = TRY(what.data.copy_to(message->bytes.span()));
        if (copied != bytes) {
            // As on Linux nothing of the message is sent.
            what.data.rewind(copied);
            return Error::BadAddress;
        }
    }
    message->sender = what.sender;
    message->from = address();
    message->charged_user = what.user;
    message->passengers = std::move(what.passengers);
    message->budget = budget_;
    budget_->take(message->charge());
    return message;
}

Result<> Socket::deliver(OwnPtr<Message>& message) {
    return state_.with([&](State& state) -> Result<> {
        if (state.closed) {
            return is_connection_based() ? Error::BrokenPipe : Error::ConnectionRefused;
        }
        if (state.receive_shut) {
            return Error::BrokenPipe;
        }
        ++state.queue_length;
        state.unread_bytes += message->bytes.size();
        state.queue.push_back(*message.release());
        return {};
    });
}

Result<> Socket::hand_over(Socket& receiver, OwnPtr<Message>& message, std::uint64_t passenger_limit) {
    if (message->passengers.empty()) {
        TRY(receiver.deliver(message));
    } else {
        TRY(garbage::send(receiver, message, passenger_limit));
    }
    receiver.readable_.wake_one(sched::WakeHint::Sync, kBecameReadable);
    return {};
}

Result<bool> Socket::wait_for_message(const Patience& patience, bool packets) {
    const auto ready = [&] {
        return state_.with(
            [&](const State& state) { return !state.queue.empty() || state.error.has_value() || state.receive_shut; });
    };
    if (!ready()) {
        if (patience.non_blocking) {
            return Error::WouldBlock;
        }
        if (const Result<> waited = sched::wait_until(readable_, ready, patience.options()); !waited) {
            return waited.error() == Error::TimedOut ? Error::WouldBlock : waited.error();
        }
    }
    if (state_.with([](const State& state) { return !state.queue.empty(); })) {
        return true;
    }
    if (const std::optional<Error> error = take_error()) {
        return *error;
    }
    // A datagram socket that nobody waits at says that nothing is there.
    if (packets && type_ == SocketType::Datagram && patience.non_blocking) {
        return Error::WouldBlock;
    }
    return !state_.with([](const State& state) { return state.receive_shut; });
}

// The front message, which has been received.
void Socket::retire(Message& message) {
    const bool more = state_.with([&](State& state) {
        state.queue.remove(message);
        --state.queue_length;
        return !state.queue.empty();
    });
    OwnPtr<Message>::adopt(&message).reset();
    if (more) {
        readable_.pass_on();
    }
}

}  // namespace kernel::net::unix_domain
