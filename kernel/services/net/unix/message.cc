// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/net/unix/message.h"

#include <utility>

#include "lib/guarded.h"
#include "lib/immortal.h"
#include "services/net/unix/reasons.h"

namespace kernel::net::unix_domain {
namespace {

// Messages with passengers that wait to be destroyed, and whether somebody is at it.
struct Doomed {
    MessageList messages;
    bool busy = false;
};
Immortal<SpinGuarded<Doomed, Rank::SocketNames>> doomed;

void destroy(Message& message) {
    OwnPtr<Message>::adopt(&message).reset();
}

// Destroying a message may close a socket, which comes back here with the messages in that one: they are only put into
// the list, for the first caller to go on with.
void destroy_doomed() {
    const bool mine = doomed->with([](Doomed& state) { return !std::exchange(state.busy, true); });
    while (mine) {
        Message* const next = doomed->with([](Doomed& state) {
            Message* const first = state.messages.pop_front();
            state.busy = first != nullptr;
            return first;
        });
        if (next == nullptr) {
            return;
        }
        destroy(*next);
    }
}

}  // namespace

void SendBudget::give_back(std::size_t bytes) {
    used_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
    if (is_writable()) {
        event_.wake_all(sched::WakeHint::Sync, kBecameWritable);
    }
}

Message::~Message() {
    if (budget) {
        budget->give_back(charge());
    }
}

void release(MessageList& messages) {
    bool any_doomed = false;
    while (Message* const message = messages.pop_front()) {
        if (message->passengers.empty()) {
            destroy(*message);
            continue;
        }
        any_doomed = true;
        doomed->with([&](Doomed& state) { state.messages.push_back(*message); });
    }
    if (any_doomed) {
        destroy_doomed();
    }
}

void release(OwnPtr<Message> message) {
    MessageList list;
    list.push_back(*message.release());
    release(list);
}

}  // namespace kernel::net::unix_domain
