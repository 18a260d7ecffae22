// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/object/handle_table.h"
#include "core/object/object.h"
#include "core/sched/wait_queue.h"
#include "lib/ref.h"
#include "lib/result.h"
#include "lib/vector.h"

namespace kernel::ipc {

// A message: bytes, and objects with the rights that the receiver gets on them.
struct Message {
    Vector<std::byte> bytes;
    Vector<object::Slot> handles;
    unsigned priority = 0;  // 0..Channel::kPriorities-1, the greater is delivered first
};

// One end of a bidirectional pipe of messages. Messages arrive whole, in order within a priority. Closing one end (its
// last reference) makes writes to the other fail and its reads fail once it is empty.
class Channel final : public object::Object {
public:
    static constexpr unsigned kPriorities = 4;
    static constexpr std::size_t kMaxMessageBytes = 64 * 1024;
    static constexpr std::size_t kMaxMessageHandles = 64;

    // What may wait to be read at one end; a writer blocks beyond that.
    struct Limits {
        std::size_t messages = 256;
        std::size_t bytes = 256 * 1024;
    };

    struct Pair;
    // Errors: NoMemory.
    static Result<Pair> create_pair(const Limits& limits);

    object::ObjectType type() const override { return object::ObjectType::Channel; }

    // Sends to the other end. Blocks while that is full, unless `may_block` is false (WouldBlock). Takes the message
    // over only on success. Errors: BrokenPipe (the other end is closed), InvalidArgument (priority, or an end of this
    // very channel among the handles, which would keep itself alive), Overflow (larger than the limits above or than
    // this channel's), NoMemory, Interrupted, TimedOut.
    Result<> write(Message&& message, bool may_block, const sched::WaitOptions& options);

    // The next message. Blocks while there is none, unless `may_block` is false (WouldBlock).
    // Errors: BrokenPipe (none, and the other end is closed), Interrupted, TimedOut.
    Result<Message> read(bool may_block, const sched::WaitOptions& options);

    bool is_readable() const;  // read() would not block
    bool is_writable() const;  // write() of a message of one byte would not block
    sched::WaitQueue& read_queue();
    sched::WaitQueue& write_queue();

private:
    friend class kernel::ObjectMaker;
    class Shared;  // both directions, kept by both ends
    Channel(RefPtr<Shared> shared, unsigned side);
    ~Channel() override;
    Result<> check(const Message& message) const;

    RefPtr<Shared> shared_;
    unsigned side_;  // 0 or 1
};

struct Channel::Pair {
    RefPtr<Channel> first;
    RefPtr<Channel> second;
};

}  // namespace kernel::ipc
