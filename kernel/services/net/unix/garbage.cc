// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/net/unix/garbage.h"

#include <utility>

#include "lib/guarded.h"
#include "lib/hash_map.h"
#include "lib/immortal.h"
#include "services/net/unix/socket.h"

namespace kernel::net::unix_domain::garbage {
namespace {

struct Travellers {
    TravelList sockets;
    HashMap<std::uint32_t, std::uint64_t> passengers_of_users;
};
Immortal<SpinGuarded<Travellers, Rank::SocketGarbage>> travellers;

void count_in(Travellers& all, Message& message) {
    for (const Passenger& passenger : message.passengers) {
        if (passenger.socket != nullptr && passenger.socket->travel().messages++ == 0) {
            all.sockets.push_back(*passenger.socket);
        }
    }
    *all.passengers_of_users.find(message.charged_user) += message.passengers.size();
}

void count_out(Travellers& all, Message& message) {
    for (const Passenger& passenger : message.passengers) {
        if (passenger.socket != nullptr && --passenger.socket->travel().messages == 0) {
            all.sockets.remove(*passenger.socket);
        }
    }
    if (!message.passengers.empty()) {
        *all.passengers_of_users.find(message.charged_user) -= message.passengers.size();
    }
}

Result<> check_limit(Travellers& all, const Message& message, std::uint64_t limit) {
    const std::uint64_t* const known = all.passengers_of_users.find(message.charged_user);
    if (known == nullptr) {
        TRY(all.passengers_of_users.insert(message.charged_user, 0));
        return {};
    }
    return *known > limit ? Result<>(Error::TooManyReferences) : Result<>();
}

// Calls f for each socket that travels in a message to this one.
template <class F>
void for_each_passenger(Socket& socket, F&& f) {
    socket.for_each_message([&](const Message& message) {
        for (const Passenger& passenger : message.passengers) {
            if (passenger.socket != nullptr) {
                f(*passenger.socket);
            }
        }
    });
}

using WorkList = IntrusiveList<Socket, &Socket::work_node>;

void reach(Socket& socket, WorkList& work) {
    if (socket.travel().candidate && !std::exchange(socket.travel().reached, true)) {
        work.push_back(socket);
    }
}

// Candidates are referenced by messages alone; those that a message in somebody else's queue refers to can be reached,
// and what is in their queues, too.
void mark(Travellers& all) {
    for (Socket& socket : all.sockets) {
        Socket::Travel& travel = socket.travel();
        travel.candidate = socket.owner_references() == travel.messages;
        travel.reached = false;
        travel.from_candidates = 0;
    }
    for (Socket& socket : all.sockets) {
        if (socket.travel().candidate) {
            for_each_passenger(socket, [](Socket& passenger) { ++passenger.travel().from_candidates; });
        }
    }
    WorkList work;
    for (Socket& socket : all.sockets) {
        if (socket.travel().from_candidates < socket.travel().messages) {
            reach(socket, work);
        }
    }
    while (Socket* const socket = work.pop_front()) {
        for_each_passenger(*socket, [&](Socket& passenger) { reach(passenger, work); });
    }
}

}  // namespace

Result<> send(Socket& receiver, OwnPtr<Message>& message, std::uint64_t limit) {
    return travellers->with([&](Travellers& all) -> Result<> {
        TRY(check_limit(all, *message, limit));
        Message& sent = *message;
        count_in(all, sent);
        if (const Result<> delivered = receiver.deliver(message); !delivered) {
            count_out(all, sent);
            return delivered;
        }
        return {};
    });
}

Vector<Passenger> unload(Message& message) {
    return travellers->with([&](Travellers& all) {
        count_out(all, message);
        return std::move(message.passengers);
    });
}

Result<Vector<Passenger>> copy(const Message& message) {
    Vector<Passenger> copies;
    TRY(copies.reserve(message.passengers.size()));
    return travellers->with([&](Travellers&) -> Result<Vector<Passenger>> {
        TRY(copies.append(message.passengers.span()));
        return std::move(copies);
    });
}

void forget(MessageList& messages) {
    travellers->with([&](Travellers& all) {
        for (Message& message : messages) {
            count_out(all, message);
        }
    });
}

void collect() {
    MessageList garbage;
    travellers->with([&](Travellers& all) {
        if (all.sockets.empty()) {
            return;
        }
        mark(all);
        for (Socket& socket : all.sockets) {
            if (socket.travel().candidate && !socket.travel().reached) {
                socket.take_messages_with_passengers(garbage);
            }
        }
        for (Message& message : garbage) {
            count_out(all, message);
        }
    });
    release(garbage);
}

}  // namespace kernel::net::unix_domain::garbage
