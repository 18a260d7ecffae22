// SPDX-License-Identifier: MIT OR Apache-2.0
// SOCK_STREAM: bytes without boundaries, except where descriptors or another sender's bytes begin.
#include <algorithm>
#include <utility>

#include "services/net/unix/garbage.h"
#include "services/net/unix/receive_turn.h"
#include "services/net/unix/socket.h"

namespace kernel::net::unix_domain {
namespace {

constexpr std::size_t kPieceBytes = 16384 - Message::kOverheadBytes;

}  // namespace

Result<std::size_t> Socket::send_stream(Outgoing& what, const Patience& patience) {
    const RefPtr<Socket> peer = TRY(peer_to_send_to());
    std::size_t sent = 0;
    const auto send_piece = [&]() -> Result<> {
        TRY(wait_for_room(patience));
        const auto bytes = static_cast<std::size_t>(std::min<std::uint64_t>(what.data.remaining(), kPieceBytes));
        OwnPtr<Message> message = TRY(make_message(what, bytes));
        TRY(hand_over(*peer, message, what.passenger_limit));
        sent += bytes;
        return {};
    };
    while (what.data.remaining() != 0) {
        if (const Result<> done = send_piece(); !done) {
            return sent != 0 ? Result<std::size_t>(sent) : Result<std::size_t>(done.error());
        }
    }
    return sent;
}

// Copies what is there. True: the call ends here, full or not.
Result<bool> Socket::receive_available(Incoming& what) {
    const auto front = [this] { return state_.with([](const State& state) { return state.queue.front(); }); };
    Message* message = front();
    while (message != nullptr && what.data.remaining() != 0) {
        if (what.one_sender_only && what.sender && *what.sender != message->sender) {
            return true;
        }
        if (!what.sender) {
            what.sender = message->sender;
            what.from = message->from;
        }
        const std::span<const std::byte> unread = message->unread();
        const std::uint64_t wanted = std::min<std::uint64_t>(unread.size(), what.data.remaining());
        const Result<std::size_t> copied = what.data.copy_from(unread);
        if (!copied) {
            return what.data.done() != 0 ? Result<bool>(true) : Result<bool>(copied.error());
        }
        const bool has_passengers = !message->passengers.empty();
        if (has_passengers) {
            what.passengers = what.peek ? TRY(garbage::copy(*message)) : garbage::unload(*message);
        }
        const bool whole = *copied == unread.size();
        if (what.peek) {
            if (has_passengers || !whole) {
                return true;
            }
            message = state_.with([&](const State& state) { return state.queue.next(*message); });
            continue;
        }
        state_.with([&](State& state) {
            message->consumed += *copied;
            state.unread_bytes -= *copied;
        });
        if (whole) {
            retire(*message);
        }
        if (has_passengers || *copied < wanted) {
            return true;
        }
        message = front();
    }
    return what.data.remaining() == 0;
}

Result<std::size_t> Socket::receive_stream(Incoming& what, const Patience& patience) {
    if (!is_connected()) {
        return Error::InvalidArgument;
    }
    while (true) {
        const Result<bool> ended = [&] {
            const ReceiveTurn turn(*this);
            return receive_available(what);
        }();
        const bool enough = what.data.done() != 0 && (!what.wait_for_all || what.peek);
        if (TRY(Result<bool>(ended)) || enough) {
            break;
        }
        const Result<bool> again = wait_for_message(patience, false);
        if (!again && what.data.done() == 0) {
            return again.error();
        }
        if (!again || !*again) {
            break;
        }
    }
    return static_cast<std::size_t>(what.data.done());
}

}  // namespace kernel::net::unix_domain
