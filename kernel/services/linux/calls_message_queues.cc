// SPDX-License-Identifier: MIT OR Apache-2.0
// msgget(2), msgsnd(2), msgrcv(2), msgctl(2).
#include "core/sched/wait_queue.h"
#include "lib/immortal.h"
#include "lib/list.h"
#include "lib/own.h"
#include "lib/vector.h"
#include "services/linux/ipc_table.h"
#include "services/linux/process.h"
#include "services/linux/signals.h"
#include "services/linux/syscalls.h"
#include "services/linux/task.h"

namespace kernel::linux_abi {
namespace {

constexpr std::uint64_t kMaxMessageBytes = 8192;  // MSGMAX
constexpr std::uint64_t kMaxQueueBytes = 16384;   // MSGMNB

struct QueuedMessage {
    ListNode node;
    std::int64_t type = 0;
    Vector<std::byte> bytes;
};

// Which message msgrcv wants.
struct Wanted {
    std::int64_t type = 0;
    bool except = false;
    std::uint64_t room_bytes = 0;
    bool may_cut = false;
};

class MessageQueue final : public IpcObject {
public:
    static Result<RefPtr<MessageQueue>> create(std::int32_t key, std::uint32_t mode, const security::Credentials& who) {
        RefPtr<MessageQueue> queue = TRY(make_ref<MessageQueue>(key, mode, who));
        queue->state_.unguarded().change_s = ipc_now_s();
        return queue;
    }

    // May block. Errors: WouldBlock, Interrupted, IdentifierRemoved.
    Result<> send(OwnPtr<QueuedMessage>& message, int pid, bool non_blocking);
    // May block. Errors: NoMessage, ArgumentListTooLong (the message is longer than the room), Interrupted,
    // IdentifierRemoved.
    Result<OwnPtr<QueuedMessage>> receive(const Wanted& wanted, int pid, bool non_blocking);
    abi::MsqidDs status() const;
    void change(const abi::MsqidDs& wanted);
    // After it was removed.
    void give_up();
    std::uint64_t max_bytes() const {
        return state_.with([](const State& state) { return state.max_bytes; });
    }

private:
    friend class kernel::ObjectMaker;
    using List = IntrusiveList<QueuedMessage, &QueuedMessage::node>;
    struct State {
        List messages;
        std::uint64_t bytes = 0, count = 0, max_bytes = kMaxQueueBytes;
        std::int64_t send_s = 0, receive_s = 0, change_s = 0;
        int last_sender = 0, last_receiver = 0;
    };

    MessageQueue(std::int32_t key, std::uint32_t mode, const security::Credentials& who) : IpcObject(key, mode, who) {}
    ~MessageQueue() override { free_messages(); }
    static QueuedMessage* find(State& state, const Wanted& wanted);
    void free_messages();

    SpinGuarded<State, Rank::Pipe> state_;
    sched::WaitQueue sent_;
    sched::WaitQueue received_;
};

void MessageQueue::free_messages() {
    List messages;
    state_.with([&](State& state) {
        messages.splice_back(state.messages);
        state.bytes = state.count = 0;
    });
    messages.drain([](QueuedMessage& message) { OwnPtr<QueuedMessage>::adopt(&message).reset(); });
}

Result<> MessageQueue::send(OwnPtr<QueuedMessage>& message, int pid, bool non_blocking) {
    Result<> result;
    const auto put = [&] {
        return state_.with([&](State& state) {
            if (is_removed()) {
                result = Error::IdentifierRemoved;
                return true;
            }
            const std::uint64_t bytes = message->bytes.size();
            // Empty messages are bounded by their number, msgsnd(2).
            if (bytes + state.bytes > state.max_bytes || state.count + 1 > state.max_bytes) {
                return false;
            }
            state.bytes += bytes;
            ++state.count;
            state.send_s = ipc_now_s();
            state.last_sender = pid;
            state.messages.push_back(*message.release());
            return true;
        });
    };
    if (!put()) {
        if (non_blocking) {
            return Error::WouldBlock;
        }
        TRY(sched::wait_until(received_, put, {.interruptible = true}));
    }
    if (result) {
        sent_.wake_all();
    }
    return result;
}

QueuedMessage* MessageQueue::find(State& state, const Wanted& wanted) {
    QueuedMessage* best = nullptr;
    for (QueuedMessage& message : state.messages) {
        if (wanted.type == 0) {
            return &message;
        }
        if (wanted.type > 0) {
            if ((message.type == wanted.type) != wanted.except) {
                return &message;
            }
        } else if (message.type <= -wanted.type && (best == nullptr || message.type < best->type)) {
            best = &message;
        }
    }
    return best;
}

Result<OwnPtr<QueuedMessage>> MessageQueue::receive(const Wanted& wanted, int pid, bool non_blocking) {
    Result<OwnPtr<QueuedMessage>> result = OwnPtr<QueuedMessage>();
    const auto take = [&] {
        return state_.with([&](State& state) {
            if (is_removed()) {
                result = Error::IdentifierRemoved;
                return true;
            }
            QueuedMessage* const message = find(state, wanted);
            if (message == nullptr) {
                return false;
            }
            if (message->bytes.size() > wanted.room_bytes && !wanted.may_cut) {
                result = Error::ArgumentListTooLong;
                return true;
            }
            state.messages.remove(*message);
            state.bytes -= message->bytes.size();
            --state.count;
            state.receive_s = ipc_now_s();
            state.last_receiver = pid;
            result = OwnPtr<QueuedMessage>::adopt(message);
            return true;
        });
    };
    if (!take()) {
        if (non_blocking) {
            return Error::NoMessage;
        }
        TRY(sched::wait_until(sent_, take, {.interruptible = true}));
    }
    if (result) {
        received_.wake_all();
    }
    return result;
}

abi::MsqidDs MessageQueue::status() const {
    abi::MsqidDs status{};
    status.perm = permissions();
    state_.with([&](const State& state) {
        status.send_time = state.send_s;
        status.receive_time = state.receive_s;
        status.change_time = state.change_s;
        status.bytes = state.bytes;
        status.messages = state.count;
        status.max_bytes = state.max_bytes;
        status.last_sender = state.last_sender;
        status.last_receiver = state.last_receiver;
    });
    return status;
}

void MessageQueue::change(const abi::MsqidDs& wanted) {
    set_owner(wanted.perm);
    state_.with([&](State& state) {
        state.max_bytes = wanted.max_bytes;
        state.change_s = ipc_now_s();
    });
    received_.wake_all();
}

void MessageQueue::give_up() {
    free_messages();
    sent_.wake_all();
    received_.wake_all();
}

Immortal<IpcTable<MessageQueue>> queues;

// msgsnd and msgrcv are never restarted, signal(7); an interrupt that was for nothing is forgotten.
template <class Wait>
auto wait_out(Task& task, Wait&& wait) {
    while (true) {
        auto result = wait();
        if (result || result.error() != Error::Interrupted || must_answer_interrupt(task)) {
            return result;
        }
    }
}

}  // namespace

Result<std::int64_t> sys_msgget(Task& task, Int key, Hex flags) {
    const auto bits = static_cast<std::uint32_t>(flags);
    const auto make = [&] { return MessageQueue::create(key, bits, *task.credentials()); };
    const auto check = [](const MessageQueue&) -> Result<> { return {}; };
    return TRY(queues->get(task, key, bits, make, check));
}

Result<std::int64_t> sys_msgsnd(Task& task, Int id, Address message, Size bytes, Hex flags) {
    const auto type = TRY(task.space().read_user(UserPtr<std::int64_t>{message}));
    if (bytes > kMaxMessageBytes || id < 0 || type < 1) {
        return Error::InvalidArgument;
    }
    OwnPtr<QueuedMessage> copy = TRY(make_own<QueuedMessage>());
    copy->type = type;
    TRY(copy->bytes.resize(bytes));
    TRY(task.space().copy_in(copy->bytes.span(), VirtAddr(message) + sizeof(type)));
    const RefPtr<MessageQueue> queue = TRY(queues->find(id));
    TRY(queue->check_access(*task.credentials(), IpcAccess::Write));
    const bool non_blocking = (flags & abi::kIpcNowait) != 0;
    TRY(wait_out(task, [&] { return queue->send(copy, task.process().pid(), non_blocking); }));
    return 0;
}

Result<std::int64_t> sys_msgrcv(Task& task, Int id, Address message, Size bytes, Offset type, Hex flags) {
    if (id < 0 || bytes > INT64_MAX) {
        return Error::InvalidArgument;
    }
    if ((flags & abi::kMsgCopy) != 0) {
        return Error::NotImplemented;
    }
    const RefPtr<MessageQueue> queue = TRY(queues->find(id));
    TRY(queue->check_access(*task.credentials(), IpcAccess::Read));
    const Wanted wanted{.type = type == INT64_MIN ? -INT64_MAX : type.value,
                        .except = (flags & abi::kMsgExcept) != 0,
                        .room_bytes = bytes,
                        .may_cut = (flags & abi::kMsgNoerror) != 0};
    const bool non_blocking = (flags & abi::kIpcNowait) != 0;
    const OwnPtr<QueuedMessage> taken =
        TRY(wait_out(task, [&] { return queue->receive(wanted, task.process().pid(), non_blocking); }));
    TRY(task.space().write_user(UserPtr<std::int64_t>{message}, taken->type));
    const std::size_t count = taken->bytes.size() < bytes ? taken->bytes.size() : bytes;
    TRY(task.space().copy_out(VirtAddr(message) + sizeof(taken->type), taken->bytes.span().first(count)));
    return static_cast<std::int64_t>(count);
}

Result<std::int64_t> sys_msgctl(Task& task, Int id, Int command, UserPtr<abi::MsqidDs> buffer) {
    if (id < 0 || command < 0) {
        return Error::InvalidArgument;
    }
    const RefPtr<security::Credentials> credentials = task.credentials();
    switch (command) {
        case abi::kIpcStat: {
            const RefPtr<MessageQueue> queue = TRY(queues->find(id));
            TRY(queue->check_access(*credentials, IpcAccess::Read));
            TRY(task.space().write_user(buffer, queue->status()));
            return 0;
        }
        case abi::kIpcSet: {
            const abi::MsqidDs wanted = TRY(task.space().read_user(buffer));
            const RefPtr<MessageQueue> queue = TRY(queues->find(id));
            TRY(queue->check_owner(*credentials));
            if (wanted.max_bytes > kMaxQueueBytes && !credentials->capable(security::Capability::SysResource)) {
                return Error::NotPermitted;
            }
            queue->change(wanted);
            return 0;
        }
        case abi::kIpcRmid: {
            const RefPtr<MessageQueue> queue = TRY(queues->find(id));
            TRY(queue->check_owner(*credentials));
            if (queues->remove(*queue)) {
                queue->give_up();
            }
            return 0;
        }
        default:
            return Error::InvalidArgument;
    }
}

}  // namespace kernel::linux_abi
