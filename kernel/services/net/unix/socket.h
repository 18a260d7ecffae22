// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include "core/mm/io_buffer.h"
#include "core/sched/wait_queue.h"
#include "lib/guarded.h"
#include "lib/list.h"
#include "lib/mutex.h"
#include "lib/ref.h"
#include "lib/result.h"
#include "platform/clock.h"
#include "services/net/unix/message.h"
#include "services/net/unix/names.h"

namespace kernel::net::unix_domain {

enum class Shutdown : std::uint8_t { Receive = 1, Send = 2, Both = 3 };

// What poll(2) is to say.
struct Readiness {
    bool readable = false;
    bool writable = false;
    bool error = false;
    bool hang_up = false;
    bool receive_hang_up = false;
};

// How a call waits.
struct Patience {
    bool non_blocking = false;
    std::uint64_t deadline_ns = platform::kNoDeadline;

    sched::WaitOptions options() const { return {.deadline_ns = deadline_ns, .interruptible = true}; }
};

// What a send call brings.
struct Outgoing {
    mm::IoBuffer& data;
    Identity sender{};
    Vector<Passenger> passengers{};
    std::uint32_t user = 0;                      // whose passengers they count as
    std::uint64_t passenger_limit = UINT64_MAX;  // for that user, RLIMIT_NOFILE
    RefPtr<Socket> target{};                     // null: the peer
};

// What a receive call wants, and gets.
struct Incoming {
    mm::IoBuffer& data;
    bool peek = false;
    bool wait_for_all = false;     // streams: MSG_WAITALL
    bool one_sender_only = false;  // streams: stop where the sender changes (SO_PASSCRED)
    std::optional<Identity> sender{};
    RefPtr<Address> from{};
    Vector<Passenger> passengers{};
    std::size_t message_bytes = 0;  // packets: as it was sent
};

// A Unix socket, unix(7), without a descriptor or a path around it. Bytes are copied without a lock, by whoever has the
// turn of the receiving side; the state's lock is held for moments. Sends to a peer lock only the receiver.
//
// Order: turn, SocketGarbage, state of one socket, in pairs by address; wait queues are woken without any of them.
class Socket final : public RefCounted {
public:
    // Errors: NoMemory.
    static Result<RefPtr<Socket>> create(SocketType type);
    static Result<> connect_pair(Socket& left, Socket& right, const Identity& both);

    SocketType type() const { return type_; }
    bool is_connection_based() const { return type_ != SocketType::Datagram; }
    // The open file of this socket, for the collector: its references are compared with those of messages.
    void set_owner(object::Object& owner) { owner_ = &owner; }
    // Nobody has the socket any more.
    void close();

    // Names. Errors of reserve_name: InvalidArgument (there is one already). After it either set_name or cancel_name.
    Result<> reserve_name();
    void set_name(RefPtr<Binding> binding);
    void cancel_name();
    // Errors: AddressInUse, NoMemory, InvalidArgument.
    Result<> bind_abstract(std::string_view name);
    // Any free abstract name, unless it has a name already.
    Result<> bind_automatically();
    RefPtr<Address> address() const;
    // Errors: NotConnected. Null: the peer has no name.
    Result<RefPtr<Address>> peer_address() const;

    // Errors: InvalidArgument, NotSupported (datagrams).
    Result<> listen(unsigned backlog, const Identity& self);
    // A datagram socket's peer is where it sends to and whom it hears; null dissolves that. Errors: WrongProtocolType,
    // ConnectionRefused, NotPermitted; streams: AlreadyConnected, InvalidArgument, WouldBlock, Interrupted, NoMemory.
    Result<> connect(RefPtr<Socket> target, const Identity& self, const Patience& patience);
    // Errors: InvalidArgument (does not listen), NotSupported, WouldBlock, Interrupted.
    Result<RefPtr<Socket>> accept(const Patience& patience);
    void shut_down(Shutdown how);

    // Errors: NotConnected, BrokenPipe, ConnectionReset, ConnectionRefused, MessageTooLong, NotPermitted, WouldBlock,
    // Interrupted, BadAddress, NoMemory, TooManyReferences, InvalidArgument (a stream that is not connected).
    Result<std::size_t> send(Outgoing& what, const Patience& patience);
    Result<std::size_t> receive(Incoming& what, const Patience& patience);

    Readiness readiness();
    // Woken when the socket becomes readable and when its state changes, and when it becomes writable.
    sched::WaitQueue& readable_event() { return readable_; }
    sched::WaitQueue& writable_event() { return budget_->event(); }
    bool is_listening() const;
    bool is_connected() const;
    // Bytes that a read would find; packets: of the next one. Errors: InvalidArgument (listening).
    Result<std::size_t> unread_bytes() const;
    std::size_t unreceived_bytes() const { return budget_->used_bytes(); }
    SendBudget& budget() { return *budget_; }
    // Takes the pending error, SO_ERROR.
    std::optional<Error> take_error();
    Identity peer_identity() const;

    // For garbage.h: what it knows of a socket that travels, under its lock.
    struct Travel {
        std::uint32_t messages = 0;         // that hold it
        std::uint32_t from_candidates = 0;  // of these, in queues of candidates
        bool candidate = false;
        bool reached = false;
    };
    Travel& travel() { return travel_; }
    std::uint32_t owner_references() const { return owner_ != nullptr ? owner_->reference_count() : UINT32_MAX; }
    // At the end of the queue; the message is taken only if that succeeds. Errors: as send.
    Result<> deliver(OwnPtr<Message>& message);
    // Of messages that were sent to it, and to connections that it has not accepted.
    template <class F>
    void for_each_message(F&& f) {
        state_.with([&](State& state) {
            for (Message& message : state.queue) {
                f(message);
            }
            for (Socket& waiting : state.backlog) {
                waiting.state_.with_after_same_rank([&](State& other) {
                    for (Message& message : other.queue) {
                        f(message);
                    }
                });
            }
        });
    }
    void take_messages_with_passengers(MessageList& taken);
    ListNode travel_node;
    ListNode work_node;

private:
    friend class kernel::ObjectMaker;
    enum class Phase : std::uint8_t { Idle, Listening, Connected };
    struct BacklogNode;
    ListNode backlog_node_;
    ListNode blocked_node_;
    using Backlog = IntrusiveList<Socket, &Socket::backlog_node_>;
    using Blocked = IntrusiveList<Socket, &Socket::blocked_node_>;

    struct State {
        Phase phase = Phase::Idle;
        bool closed = false;
        bool receive_shut = false;
        bool send_shut = false;
        bool naming = false;
        RefPtr<Socket> peer;
        RefPtr<Binding> binding;
        RefPtr<Address> address;
        std::optional<Error> error;
        Identity self;  // of who listens
        Identity peer_identity;
        MessageList queue;
        std::size_t queue_length = 0;
        std::size_t unread_bytes = 0;
        Backlog backlog;  // connections nobody has accepted, with a reference each
        unsigned backlog_length = 0;
        unsigned backlog_limit = 0;
        Blocked
            blocked;  // datagram sockets whose peer this is and that poll for room in the queue, with a reference each
    };
    using Guard = SpinGuarded<State, Rank::Socket>;

    Socket(SocketType type, RefPtr<SendBudget> budget) : type_(type), budget_(std::move(budget)) {}
    ~Socket() override = default;

    class ReceiveTurn;
    struct Departure;

    // connection.cc
    Result<> connect_stream(RefPtr<Socket> listener, const Identity& self, const Patience& patience);
    Result<> connect_datagram(RefPtr<Socket> target);
    Result<bool> try_connect(Socket& listener, Socket& accepted, const Identity& self);
    void change_peer(RefPtr<Socket> peer);
    void abandon(bool reset);
    void wake_everybody();
    void wake_blocked();
    // transfer
    Result<> wait_for_room(const Patience& patience);
    Result<OwnPtr<Message>> make_message(Outgoing& what, std::size_t bytes);
    Result<> hand_over(Socket& receiver, OwnPtr<Message>& message, std::uint64_t passenger_limit);
    Result<RefPtr<Socket>> peer_to_send_to();
    Result<std::size_t> send_stream(Outgoing& what, const Patience& patience);
    Result<std::size_t> send_packet(Outgoing& what, const Patience& patience);
    Result<> deliver_packet(Socket& receiver, OwnPtr<Message>& message, Outgoing& what, const Patience& patience);
    Result<> check_receiver(Socket& receiver);
    bool is_full_for(const State& receiver) const;
    Result<std::size_t> receive_stream(Incoming& what, const Patience& patience);
    Result<bool> receive_available(Incoming& what);
    Result<std::size_t> receive_packet(Incoming& what, const Patience& patience);
    Result<std::size_t> take_packet(Incoming& what, bool& found);
    // Nothing is there: waits, or says why not. True: look again; false: the end.
    Result<bool> wait_for_message(const Patience& patience, bool packets);
    void retire(Message& message);

    const SocketType type_;
    const RefPtr<SendBudget> budget_;
    object::Object* owner_ = nullptr;
    Guard state_;
    MutexCore receive_turn_;  // one receiver copies at a time; unranked, because copying can fault
    sched::WaitQueue readable_;
    sched::WaitQueue room_;  // those that wait for room in the queue or the backlog
    Travel travel_;
};

using TravelList = IntrusiveList<Socket, &Socket::travel_node>;

}  // namespace kernel::net::unix_domain
