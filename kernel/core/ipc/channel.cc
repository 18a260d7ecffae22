// SPDX-License-Identifier: MIT OR Apache-2.0
#include "core/ipc/channel.h"

#include <array>
#include <utility>

#include "lib/guarded.h"
#include "lib/list.h"
#include "lib/own.h"

namespace kernel::ipc {
namespace {

struct QueuedMessage {
    ListNode node;
    Message message;
};

using MessageList = IntrusiveList<QueuedMessage, &QueuedMessage::node>;

enum class Attempt : std::uint8_t { Done, WouldBlock, Closed };

// One direction: what waits to be read at one end.
class Inbox : NonCopyable {
public:
    explicit Inbox(const Channel::Limits& limits) : limits_(limits) {}
    ~Inbox() { discard_all(); }

    Attempt push(OwnPtr<QueuedMessage>& queued, Message& message) {
        return state_.with([&](State& state) {
            if (state.reader_closed) {
                return Attempt::Closed;
            }
            if (!has_room(state, message.bytes.size())) {
                return Attempt::WouldBlock;
            }
            ++state.messages;
            state.bytes += message.bytes.size();
            queued->message = std::move(message);
            state.lists[queued->message.priority].push_back(*queued.release());
            return Attempt::Done;
        });
    }

    Attempt pop(OwnPtr<QueuedMessage>& queued) {
        return state_.with([&](State& state) {
            for (std::size_t priority = state.lists.size(); priority-- > 0;) {
                if (QueuedMessage* const first = state.lists[priority].pop_front(); first != nullptr) {
                    --state.messages;
                    state.bytes -= first->message.bytes.size();
                    queued = OwnPtr<QueuedMessage>::adopt(first);
                    return Attempt::Done;
                }
            }
            return state.writer_closed ? Attempt::Closed : Attempt::WouldBlock;
        });
    }

    bool is_readable() const {
        return state_.with([](const State& state) { return state.messages != 0 || state.writer_closed; });
    }
    bool is_writable() const {
        return state_.with([&](const State& state) { return state.reader_closed || has_room(state, 1); });
    }

    void close_writer() {
        state_.with([](State& state) { state.writer_closed = true; });
        readers.wake_all();
    }
    void close_reader() {
        state_.with([](State& state) { state.reader_closed = true; });
        discard_all();
        writers.wake_all();
    }

    const Channel::Limits& limits() const { return limits_; }

    sched::WaitQueue readers;
    sched::WaitQueue writers;

private:
    struct State {
        std::array<MessageList, Channel::kPriorities> lists;
        std::size_t messages = 0;
        std::size_t bytes = 0;
        bool reader_closed = false;
        bool writer_closed = false;
    };

    bool has_room(const State& state, std::size_t bytes) const {
        return state.messages < limits_.messages && bytes <= limits_.bytes - state.bytes;
    }

    // The objects in the messages are dropped without the lock: that may run anything.
    void discard_all() {
        OwnPtr<QueuedMessage> queued;
        while (pop(queued) == Attempt::Done) {
        }
    }

    const Channel::Limits limits_;
    SpinGuarded<State, Rank::Channel> state_;
};

}  // namespace

class Channel::Shared final : public RefCounted {
public:
    explicit Shared(const Limits& limits) : inboxes_{Inbox(limits), Inbox(limits)} {}
    // Of the end with that number.
    Inbox& inbox(unsigned side) { return inboxes_[side]; }

private:
    std::array<Inbox, 2> inboxes_;
};

Result<Channel::Pair> Channel::create_pair(const Limits& limits) {
    RefPtr<Shared> shared = TRY(make_ref<Shared>(limits));
    Pair pair;
    pair.first = TRY(make_ref<Channel>(shared, 0u));
    pair.second = TRY(make_ref<Channel>(shared, 1u));
    return pair;
}

Channel::Channel(RefPtr<Shared> shared, unsigned side) : shared_(std::move(shared)), side_(side) {}

Channel::~Channel() {
    shared_->inbox(side_).close_reader();
    shared_->inbox(1 - side_).close_writer();
}

Result<> Channel::check(const Message& message) const {
    const std::size_t most_bytes = shared_->inbox(1 - side_).limits().bytes;
    if (message.bytes.size() > kMaxMessageBytes || message.bytes.size() > most_bytes ||
        message.handles.size() > kMaxMessageHandles) {
        return Error::Overflow;
    }
    if (message.priority >= kPriorities) {
        return Error::InvalidArgument;
    }
    for (const object::Slot& slot : message.handles) {
        if (slot.object && slot.object->type() == object::ObjectType::Channel &&
            static_cast<const Channel&>(*slot.object).shared_ == shared_) {
            return Error::InvalidArgument;
        }
    }
    return {};
}

Result<> Channel::write(Message&& message, bool may_block, const sched::WaitOptions& options) {
    TRY(check(message));
    Inbox& inbox = shared_->inbox(1 - side_);
    OwnPtr<QueuedMessage> queued = TRY(make_own<QueuedMessage>());
    Attempt attempt = inbox.push(queued, message);
    if (attempt == Attempt::WouldBlock) {
        if (!may_block) {
            return Error::WouldBlock;
        }
        TRY(sched::wait_until(
            inbox.writers,
            [&] {
                attempt = inbox.push(queued, message);
                return attempt != Attempt::WouldBlock;
            },
            options));
    }
    if (attempt == Attempt::Closed) {
        return Error::BrokenPipe;
    }
    // Who sends a message mostly waits for the answer next.
    inbox.readers.wake_one_sync();
    return {};
}

Result<Message> Channel::read(bool may_block, const sched::WaitOptions& options) {
    Inbox& inbox = shared_->inbox(side_);
    OwnPtr<QueuedMessage> queued;
    Attempt attempt = inbox.pop(queued);
    if (attempt == Attempt::WouldBlock) {
        if (!may_block) {
            return Error::WouldBlock;
        }
        TRY(sched::wait_until(
            inbox.readers,
            [&] {
                attempt = inbox.pop(queued);
                return attempt != Attempt::WouldBlock;
            },
            options));
    }
    if (attempt == Attempt::Closed) {
        return Error::BrokenPipe;
    }
    // All: the first writer may need more room than there is now, and one behind it less.
    inbox.writers.wake_all();
    return std::move(queued->message);
}

bool Channel::is_readable() const {
    return shared_->inbox(side_).is_readable();
}

bool Channel::is_writable() const {
    return shared_->inbox(1 - side_).is_writable();
}

sched::WaitQueue& Channel::read_queue() {
    return shared_->inbox(side_).readers;
}

sched::WaitQueue& Channel::write_queue() {
    return shared_->inbox(1 - side_).writers;
}

}  // namespace kernel::ipc
