// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/object/object.h"
#include "core/object/rights.h"
#include "core/sched/wait_queue.h"
#include "lib/list.h"
#include "lib/own.h"
#include "lib/ref.h"
#include "lib/vector.h"
#include "services/net/unix/address.h"

namespace kernel::net::unix_domain {

class Socket;

// Who sent a message or made a socket, as SCM_CREDENTIALS and SO_PEERCRED show it. The defaults mean "nobody".
struct Identity {
    std::int32_t pid = 0;
    std::uint32_t user = UINT32_MAX;
    std::uint32_t group = UINT32_MAX;
    bool operator==(const Identity&) const = default;
};

// An object that travels in a message, SCM_RIGHTS. `socket` is the Unix socket behind it, if it is one.
struct Passenger {
    RefPtr<object::Object> object;
    object::Rights rights = object::Rights::None;
    Socket* socket = nullptr;
};

// How much of what a socket has sent nobody has received yet. It outlives the socket while messages do.
class SendBudget final : public RefCounted {
public:
    static constexpr std::uint32_t kDefaultBytes = 212992;

    std::size_t used_bytes() const { return used_bytes_.load(std::memory_order_relaxed); }
    std::uint32_t limit_bytes() const { return limit_bytes_.load(std::memory_order_relaxed); }
    void set_limit(std::uint32_t bytes) { limit_bytes_.store(bytes, std::memory_order_relaxed); }
    // One message may go over the limit, as on Linux.
    bool has_room() const { return used_bytes() < limit_bytes(); }
    // What poll calls writable: a quarter of the budget is used at most.
    bool is_writable() const { return used_bytes() * 4 <= limit_bytes(); }
    void take(std::size_t bytes) { used_bytes_.fetch_add(bytes, std::memory_order_relaxed); }
    void give_back(std::size_t bytes);

    // Senders that wait for room, and pollers of the socket.
    sched::WaitQueue& event() { return event_; }

private:
    std::atomic<std::size_t> used_bytes_ = 0;
    std::atomic<std::uint32_t> limit_bytes_ = kDefaultBytes;
    sched::WaitQueue event_;
};

// Bytes on their way, with what travels along. A stream's message is received piece by piece.
class Message : NonCopyable {
public:
    static constexpr std::size_t kOverheadBytes = 512;  // charged beside the bytes: what a message costs at least

    Message() = default;
    ~Message();

    std::span<const std::byte> unread() const { return bytes.span().subspan(consumed); }
    std::size_t charge() const { return bytes.size() + kOverheadBytes; }

    ListNode node;
    Vector<std::byte> bytes;
    std::size_t consumed = 0;
    Identity sender;
    RefPtr<Address> from;  // null: the sender has no name
    Vector<Passenger> passengers;
    std::uint32_t charged_user = 0;  // whose passengers they count as
    RefPtr<SendBudget> budget;       // charged as long as the message lives
};
using MessageList = IntrusiveList<Message, &Message::node>;

// Destroys all of them; those with passengers one after the other, however deep messages hold sockets that hold
// messages. No lock is held.
void release(MessageList& messages);
void release(OwnPtr<Message> message);

}  // namespace kernel::net::unix_domain
