// SPDX-License-Identifier: MIT OR Apache-2.0
// Making, looking at and ending sockets.
#include "services/net/unix/socket.h"

#include "services/net/unix/garbage.h"
#include "services/net/unix/reasons.h"

namespace kernel::net::unix_domain {

Result<RefPtr<Socket>> Socket::create(SocketType type) {
    return make_ref<Socket>(type, TRY(make_ref<SendBudget>()));
}

void Socket::wake_everybody() {
    readable_.wake_all();
    writable_event().wake_all();
    room_.wake_all();
}

// Datagram sockets that found the queue full when they were polled.
void Socket::wake_blocked() {
    while (true) {
        const RefPtr<Socket> next = state_.with([](State& state) {
            Socket* const first = state.blocked.pop_front();
            return first != nullptr ? RefPtr<Socket>::adopt(*first) : RefPtr<Socket>();
        });
        if (!next) {
            return;
        }
        next->writable_event().wake_all(sched::WakeHint::None, kBecameWritable);
    }
}

// The other end has gone; with unread bytes, or before it was accepted, that is an error.
void Socket::abandon(bool reset) {
    state_.with([&](State& state) {
        state.send_shut = true;
        state.receive_shut = true;
        if (reset) {
            state.error = Error::ConnectionReset;
        }
    });
    wake_everybody();
}

void Socket::close() {
    RefPtr<Socket> peer = state_.with([](const State& state) { return state.peer; });
    if (type_ == SocketType::Datagram) {
        change_peer({});
    }
    MessageList messages;
    Backlog backlog;
    RefPtr<Binding> binding;
    RefPtr<Address> address;
    RefPtr<Socket> old_peer;
    state_.with([&](State& state) {
        state.closed = true;
        state.phase = Phase::Idle;
        state.send_shut = true;
        state.receive_shut = true;
        state.queue_length = 0;
        state.unread_bytes = 0;
        messages.splice_back(state.queue);
        backlog.splice_back(state.backlog);
        binding.swap(state.binding);
        address.swap(state.address);
        old_peer.swap(state.peer);
    });
    if (binding) {
        binding->clear();
        if (binding->address()->is_abstract()) {
            abstract_names::remove(*binding);
        }
    }
    wake_everybody();
    wake_blocked();
    if (peer && is_connection_based()) {
        peer->abandon(!messages.empty());
    }
    while (Socket* const waiting = backlog.pop_front()) {
        const RefPtr<Socket> connection = RefPtr<Socket>::adopt(*waiting);
        if (const RefPtr<Socket> client = connection->state_.with([](const State& state) { return state.peer; })) {
            client->abandon(true);
        }
        connection->close();
    }
    if (!messages.empty()) {
        garbage::forget(messages);
        release(messages);
    }
    garbage::collect();
}

Readiness Socket::readiness() {
    Readiness result;
    const RefPtr<Socket> peer = state_.with([&](const State& state) {
        result.readable = !state.queue.empty() || !state.backlog.empty() || state.receive_shut;
        result.receive_hang_up = state.receive_shut;
        result.hang_up =
            (state.receive_shut && state.send_shut) || (is_connection_based() && state.phase == Phase::Idle);
        result.error = state.error.has_value();
        result.writable = state.phase != Phase::Listening && budget_->is_writable();
        return state.peer;
    });
    if (type_ != SocketType::Datagram || !result.writable || !peer || peer == this) {
        return result;
    }
    state_.with_both(peer->state_, [&](const State& own, State& other) {
        if (own.peer != peer || other.closed || !is_full_for(other)) {
            return;
        }
        result.writable = false;
        if (!Blocked::is_linked(*this)) {
            add_reference();
            other.blocked.push_back(*this);
        }
    });
    return result;
}

bool Socket::is_listening() const {
    return state_.with([](const State& state) { return state.phase == Phase::Listening; });
}

bool Socket::is_connected() const {
    return state_.with([](const State& state) { return state.phase == Phase::Connected; });
}

Result<std::size_t> Socket::unread_bytes() const {
    return state_.with([&](const State& state) -> Result<std::size_t> {
        if (state.phase == Phase::Listening) {
            return Error::InvalidArgument;
        }
        if (is_connection_based()) {
            return state.unread_bytes;
        }
        const Message* const first = state.queue.front();
        return first != nullptr ? first->bytes.size() : 0;
    });
}

std::optional<Error> Socket::take_error() {
    return state_.with([](State& state) { return std::exchange(state.error, std::nullopt); });
}

Identity Socket::peer_identity() const {
    return state_.with([](const State& state) { return state.peer_identity; });
}

void Socket::shut_down(Shutdown how) {
    const bool receive = how != Shutdown::Send;
    const bool send = how != Shutdown::Receive;
    const RefPtr<Socket> peer = state_.with([&](State& state) {
        state.receive_shut = state.receive_shut || receive;
        state.send_shut = state.send_shut || send;
        return state.peer;
    });
    wake_everybody();
    if (!peer || !is_connection_based()) {
        return;
    }
    peer->state_.with([&](State& state) {
        state.receive_shut = state.receive_shut || send;
        state.send_shut = state.send_shut || receive;
    });
    peer->wake_everybody();
}

void Socket::take_messages_with_passengers(MessageList& taken) {
    const auto take = [&](State& state) {
        state.queue.remove_if([](const Message& message) { return !message.passengers.empty(); },
                              [&](Message& message) {
                                  --state.queue_length;
                                  state.unread_bytes -= message.unread().size();
                                  taken.push_back(message);
                              });
    };
    state_.with([&](State& state) {
        take(state);
        for (Socket& waiting : state.backlog) {
            waiting.state_.with_after_same_rank(take);
        }
    });
}

}  // namespace kernel::net::unix_domain
