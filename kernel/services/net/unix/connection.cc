// SPDX-License-Identifier: MIT OR Apache-2.0
// Names and connections: bind(2), listen(2), connect(2), accept(2), socketpair(2).
#include <algorithm>

#include "lib/format.h"
#include "services/net/unix/socket.h"

namespace kernel::net::unix_domain {
namespace {

constexpr std::uint32_t kAutomaticNames = 1u << 20;  // five digits, unix(7)

constinit std::atomic<std::uint32_t> next_automatic_name = 0;

Error waiting_error(Error error) {
    return error == Error::TimedOut ? Error::WouldBlock : error;
}

}  // namespace

Result<> Socket::connect_pair(Socket& left, Socket& right, const Identity& both) {
    left.state_.with_both(right.state_, [&](State& a, State& b) {
        a.phase = Phase::Connected;
        b.phase = Phase::Connected;
        a.peer = RefPtr<Socket>(right);
        b.peer = RefPtr<Socket>(left);
        a.peer_identity = both;
        b.peer_identity = both;
    });
    return {};
}

Result<> Socket::reserve_name() {
    return state_.with([](State& state) -> Result<> {
        if (state.naming || state.address) {
            return Error::InvalidArgument;
        }
        state.naming = true;
        return {};
    });
}

void Socket::cancel_name() {
    state_.with([](State& state) { state.naming = false; });
}

void Socket::set_name(RefPtr<Binding> binding) {
    state_.with([&](State& state) {
        state.naming = false;
        state.address = binding->address();
        state.binding = std::move(binding);
    });
}

Result<> Socket::bind_abstract(std::string_view name) {
    RefPtr<Address> address = TRY(Address::create(name));
    const RefPtr<Binding> binding = TRY(Binding::create(*this, type_, std::move(address)));
    TRY(reserve_name());
    if (const Result<> added = abstract_names::add(*binding); !added) {
        cancel_name();
        return added;
    }
    set_name(binding);
    return {};
}

Result<> Socket::bind_automatically() {
    if (address()) {
        return {};
    }
    for (std::uint32_t i = 0; i < kAutomaticNames; ++i) {
        InlineFormatBuffer<16> name;
        format_to(name, "{}{:05x}", '\0',
                  next_automatic_name.fetch_add(1, std::memory_order_relaxed) % kAutomaticNames);
        const Result<> bound = bind_abstract(name.view());
        if (bound || bound.error() != Error::AddressInUse) {
            return bound;
        }
    }
    return Error::NoSpace;
}

RefPtr<Address> Socket::address() const {
    return state_.with([](const State& state) { return state.address; });
}

Result<RefPtr<Address>> Socket::peer_address() const {
    const RefPtr<Socket> peer = state_.with([](const State& state) { return state.peer; });
    if (!peer) {
        return Error::NotConnected;
    }
    return peer->address();
}

Result<> Socket::listen(unsigned backlog, const Identity& self) {
    if (!is_connection_based()) {
        return Error::NotSupported;
    }
    TRY(state_.with([&](State& state) -> Result<> {
        if (!state.address || state.phase == Phase::Connected) {
            return Error::InvalidArgument;
        }
        state.phase = Phase::Listening;
        state.backlog_limit = backlog;
        state.self = self;
        return {};
    }));
    room_.wake_all();
    return {};
}

// False: the listener's backlog is full.
Result<bool> Socket::try_connect(Socket& listener, Socket& accepted, const Identity& self) {
    return state_.with_both(listener.state_, [&](State& own, State& other) -> Result<bool> {
        if (own.phase != Phase::Idle) {
            return own.phase == Phase::Connected ? Error::AlreadyConnected : Error::InvalidArgument;
        }
        if (other.phase != Phase::Listening || other.receive_shut) {
            return Error::ConnectionRefused;
        }
        if (other.backlog_length > other.backlog_limit) {
            return false;
        }
        own.phase = Phase::Connected;
        own.peer = RefPtr<Socket>(accepted);
        own.peer_identity = other.self;
        // Nobody else knows it yet.
        State& third = accepted.state_.unguarded();
        third.phase = Phase::Connected;
        third.peer = RefPtr<Socket>(*this);
        third.peer_identity = self;
        third.address = other.address;
        accepted.add_reference();
        other.backlog.push_back(accepted);
        ++other.backlog_length;
        return true;
    });
}

Result<> Socket::connect_stream(RefPtr<Socket> listener, const Identity& self, const Patience& patience) {
    if (listener == this) {
        return is_listening() ? Error::InvalidArgument : Error::ConnectionRefused;
    }
    const RefPtr<Socket> accepted = TRY(create(type_));
    while (!TRY(try_connect(*listener, *accepted, self))) {
        if (patience.non_blocking) {
            return Error::WouldBlock;
        }
        const auto changed = [&] {
            return listener->state_.with([](const State& state) {
                return state.phase != Phase::Listening || state.receive_shut ||
                       state.backlog_length <= state.backlog_limit;
            });
        };
        if (const Result<> waited = sched::wait_until(listener->room_, changed, patience.options()); !waited) {
            return waiting_error(waited.error());
        }
    }
    listener->readable_.wake_one(sched::WakeHint::Sync);
    return {};
}

// Takes the socket off the list of those that wait for room in the queue of its peer.
void Socket::change_peer(RefPtr<Socket> peer) {
    RefPtr<Socket> listed;
    while (true) {
        const RefPtr<Socket> old = state_.with([](const State& state) { return state.peer; });
        bool changed = false;
        const auto change = [&](State& own) {
            changed = own.peer == old;
            if (changed) {
                own.phase = peer ? Phase::Connected : Phase::Idle;
                own.peer.swap(peer);
            }
        };
        if (!old || old == this) {
            state_.with(change);
        } else {
            state_.with_both(old->state_, [&](State& own, State& other) {
                change(own);
                if (changed && Blocked::is_linked(*this)) {
                    other.blocked.remove(*this);
                    listed = RefPtr<Socket>::adopt(*this);
                }
            });
        }
        if (changed) {
            return;
        }
    }
}

Result<> Socket::connect_datagram(RefPtr<Socket> target) {
    if (target) {
        const bool hears_us =
            target->state_.with([&](const State& state) { return !state.peer || state.peer == this; });
        if (!hears_us) {
            return Error::NotPermitted;
        }
    }
    change_peer(std::move(target));
    return {};
}

Result<> Socket::connect(RefPtr<Socket> target, const Identity& self, const Patience& patience) {
    if (target && target->type_ != type_) {
        return Error::WrongProtocolType;
    }
    if (!is_connection_based()) {
        return connect_datagram(std::move(target));
    }
    return target ? connect_stream(std::move(target), self, patience) : Result<>(Error::InvalidArgument);
}

Result<RefPtr<Socket>> Socket::accept(const Patience& patience) {
    if (!is_connection_based()) {
        return Error::NotSupported;
    }
    RefPtr<Socket> accepted;
    bool ended = false;
    const auto ready = [&] {
        state_.with([&](State& state) {
            if (Socket* const first = state.backlog.pop_front(); first != nullptr) {
                accepted = RefPtr<Socket>::adopt(*first);
                --state.backlog_length;
            }
            ended = state.phase != Phase::Listening || state.receive_shut;
        });
        return accepted || ended;
    };
    if (!ready()) {
        if (patience.non_blocking) {
            return Error::WouldBlock;
        }
        if (const Result<> waited = sched::wait_until(readable_, ready, patience.options()); !waited) {
            return waiting_error(waited.error());
        }
    }
    if (!accepted) {
        return Error::InvalidArgument;
    }
    room_.wake_one();
    return accepted;
}

}  // namespace kernel::net::unix_domain
