// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstdint>

#include "lib/result.h"
#include "lib/vector.h"
#include "services/net/unix/message.h"

// Sockets that travel in messages to sockets can keep each other alive although no process has them any more. A socket
// is garbage when all references to its open file are in messages, and none of these messages is in a queue that
// somebody could still read. Sending and receiving passengers, and looking for garbage, exclude each other, so that a
// reference is never seen in two places or in none.
namespace kernel::net::unix_domain::garbage {

// Puts a message with passengers into the queue of `receiver`, unless refused there (Socket::deliver). Errors:
// TooManyReferences (the user has more than `limit` on their way), NoMemory, those of deliver.
Result<> send(Socket& receiver, OwnPtr<Message>& message, std::uint64_t limit);
// The passengers leave their message, which is in nobody's queue or whose reader has its turn.
Vector<Passenger> unload(Message& message);
// Further references for a receiver that only looks. Errors: NoMemory.
Result<Vector<Passenger>> copy(const Message& message);
// The messages, which were taken out of a queue, will not be received.
void forget(MessageList& messages);
// Empties the queues of sockets that nobody can reach. Called when a socket is closed; no lock is held.
void collect();

}  // namespace kernel::net::unix_domain::garbage
