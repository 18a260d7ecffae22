// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/hosted/zygote_client.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <utility>

#include "platform/cpu.h"
#include "platform/hosted/zygote_start.h"

namespace kernel::platform::hosted {
namespace {

// Stubs that a second program and those after it find ready. They are ordered when others end, since the zygote is busy
// then anyway, and ordering in take_stub would have it compete with the program that waits for the stub. A run of one
// program needs none but the first.
constexpr unsigned kPool = 2;
// Stubs of programs that have ended, kept for the next: to empty one takes a tenth of the time that making one takes.
// Each CPU keeps its own, since a host thread that is woken by another CPU than its last one's takes ten times as long.
constexpr unsigned kMostKept = 4;

// A stub that has been ordered, or one thread of it.
struct Order {
    StubIdentity identity;
    unsigned slot = 0;
    bool wants_mapper = false;
    bool failed = false;
    bool was_forked = true;
    bool lost_listener =
        false;  // it came when we had no descriptor left: the thread behind it runs on, never to be caught
    std::int32_t process = 0;
    int mapper = -1;
    int thread = -1;

    bool is_settled() const { return failed || (thread >= 0 && (mapper >= 0 || !wants_mapper)); }
};

void close_descriptor(int& descriptor) {
    if (descriptor >= 0) {
        host_syscall(SYS_close, descriptor);
    }
    descriptor = -1;
}

struct Received {
    StubReport report{};
    std::int32_t process = 0;
    int descriptor = -1;
};

// Whether that many listeners can arrive. Another CPU may yet be faster; lost_listener is for that.
bool has_free_descriptors(unsigned count) {
    std::array<int, 2> probes{-1, -1};
    bool free = true;
    for (unsigned i = 0; i < count && free; ++i) {
        probes[i] = static_cast<int>(host_syscall(SYS_fcntl, zygote_socket(), F_DUPFD_CLOEXEC, 0));
        free = probes[i] >= 0;
    }
    std::ranges::for_each(probes, close_descriptor);
    return free;
}

// What one guest has left in its frame pages is not for the next.
bool wipe_frames(StubIdentity identity) {
    const std::uint64_t offset = identity.number * kArenaStride + offsetof(StubArena, frames);
    return host_syscall(SYS_fallocate, arena_descriptor(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset,
                        sizeof(StubArena::frames)) == 0;
}

// Waits for a killed process to be reaped by the zygote. False when it takes too long.
bool wait_until_gone(std::int32_t process) {
    constexpr int kMostWaitsMs = 200;
    for (int i = 0; i < kMostWaitsMs; ++i) {
        if (host_syscall(SYS_kill, process, 0) == -ESRCH) {
            return true;
        }
        host_syscall(SYS_poll, nullptr, 0, 1);
    }
    return false;
}

void end_process_id(std::int32_t process) {
    const ZygoteRequest request{ZygoteCommand::End, 0, 0, process};
    host_syscall(SYS_sendto, zygote_socket(), &request, sizeof request, MSG_NOSIGNAL, nullptr, 0);
}

// Reads one message of a stub or the zygote. False when none came in time or it is none of theirs.
bool receive_message(int socket, Received& received) {
    alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(ucred))> control{};
    iovec vector{&received.report, sizeof received.report};
    msghdr message{};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    HostResult size;
    do {
        size = host_syscall(SYS_recvmsg, socket, &message, MSG_CMSG_CLOEXEC);
    } while (size == -EINTR);
    if (size < 0) {
        return false;
    }
    for (const cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, const_cast<cmsghdr*>(header))) {
        if (header->cmsg_level != SOL_SOCKET) {
            continue;
        }
        if (header->cmsg_type == SCM_RIGHTS) {
            __builtin_memcpy(&received.descriptor, CMSG_DATA(header), sizeof(int));
        } else if (header->cmsg_type == SCM_CREDENTIALS) {
            ucred credentials;
            __builtin_memcpy(&credentials, CMSG_DATA(header), sizeof credentials);
            received.process = credentials.pid;
        }
    }
    if (size == sizeof received.report) {
        return true;
    }
    close_descriptor(received.descriptor);
    return false;
}

class Zygote {
public:
    std::optional<ReadyStub> take_kept();
    bool keep(ReadyStub& stub);
    Result<Order> take_stub();
    Result<Order> make_thread(StubArena& arena, StubIdentity identity, unsigned slot);
    void forget(StubIdentity identity, std::int32_t process);
    void order_until(unsigned pool);

private:
    Result<> order_stub();
    Result<unsigned> take_number();
    void give_back_number(unsigned number) { returned_[returned_count_++] = static_cast<std::uint16_t>(number); }
    void clear_away(const Order& order);
    Result<> wait_for(Order& order);
    Order* find(const Received& received);
    void enter(Order& order, const Received& received);

    unsigned taken_ = 0;
    std::uint32_t generation_ = 0;
    // Numbers from first_unused_ on have never been used; those given back are used again first.
    unsigned first_unused_ = 1;
    unsigned returned_count_ = 0;
    std::array<std::uint16_t, kMaxStubs> returned_{};
    // Oldest first.
    std::array<Order, kPool + 1> orders_{};
    unsigned order_count_ = 0;
    Order* thread_order_ = nullptr;
    // The last one is taken first: its memory is warm.
    struct KeptStubs {
        std::array<std::optional<ReadyStub>, kMostKept> stubs{};
        unsigned count = 0;
    };
    std::array<KeptStubs, kMaxCpus> kept_{};
    unsigned kept_count_ = 0;
};

Result<unsigned> Zygote::take_number() {
    if (returned_count_ != 0) {
        return unsigned{returned_[--returned_count_]};
    }
    if (first_unused_ == kMaxStubs) {
        return Error::WouldBlock;
    }
    return first_unused_++;
}

Result<> Zygote::order_stub() {
    if (!has_free_descriptors(2)) {
        return Error::WouldBlock;
    }
    const unsigned number = TRY(take_number());
    Order& order = orders_[order_count_];
    order = {.identity = {number, ++generation_}, .wants_mapper = true};
    prepare_stub(stub_arena(number), order.identity, active_transport(), guest_filter(), mapper_filter());
    const ZygoteRequest request{ZygoteCommand::Create, number, order.identity.generation, 0};
    if (host_syscall(SYS_sendto, zygote_socket(), &request, sizeof request, MSG_NOSIGNAL, nullptr, 0) < 0) {
        give_back_number(number);
        return Error::WouldBlock;
    }
    ++order_count_;
    return {};
}

void Zygote::order_until(unsigned pool) {
    while (order_count_ < pool && order_stub().has_value()) {
    }
}

Order* Zygote::find(const Received& received) {
    const auto matches = [&](const Order& order) {
        return order.identity.number == received.report.stub && order.identity.generation == received.report.generation;
    };
    if (thread_order_ != nullptr && matches(*thread_order_)) {
        return thread_order_;
    }
    const auto found = std::find_if(orders_.begin(), orders_.begin() + order_count_, matches);
    return found == orders_.begin() + order_count_ ? nullptr : &*found;
}

void Zygote::enter(Order& order, const Received& received) {
    if (received.process != 0 && received.report.event != StubEvent::CreateFailed) {
        order.process = received.process;
    }
    switch (received.report.event) {
        case StubEvent::MapperReady:
            order.mapper = received.descriptor;
            break;
        case StubEvent::ThreadReady:
            order.thread = received.descriptor;
            break;
        case StubEvent::CreateFailed:
            order.was_forked = false;
            order.failed = true;
            return;
        default:
            order.failed = true;
            return;
    }
    order.lost_listener = received.descriptor < 0;
    order.failed = order.failed || order.lost_listener;
}

Result<> Zygote::wait_for(Order& order) {
    while (!order.is_settled()) {
        Received received;
        if (!receive_message(zygote_socket(), received)) {
            order.failed = true;  // timed out
            break;
        }
        if (Order* target = find(received); target != nullptr) {
            enter(*target, received);
        } else {
            close_descriptor(received.descriptor);
        }
    }
    if (!order.failed) {
        return {};
    }
    close_descriptor(order.mapper);
    close_descriptor(order.thread);
    return Error::WouldBlock;
}

Result<Order> Zygote::take_stub() {
    if (order_count_ == 0) {
        TRY(order_stub());
    }
    ++taken_;
    const Result<> result = wait_for(orders_[0]);
    Order order = orders_[0];
    std::copy(orders_.begin() + 1, orders_.begin() + order_count_, orders_.begin());
    --order_count_;
    if (!result.has_value()) {
        clear_away(order);
        return result.error();
    }
    return order;
}

// A number is used again only when no process can report for it or look at its control page any more.
void Zygote::clear_away(const Order& order) {
    if (order.process != 0) {
        host_syscall(SYS_kill, order.process, SIGKILL);
        end_process_id(order.process);
    }
    if (!order.was_forked || (order.process != 0 && wait_until_gone(order.process))) {
        give_back_number(order.identity.number);
    }
}

Result<Order> Zygote::make_thread(StubArena& arena, StubIdentity identity, unsigned slot) {
    if (!has_free_descriptors(1)) {
        return Error::WouldBlock;
    }
    Order order{.identity = identity, .slot = slot};
    thread_order_ = &order;
    request_stub_thread(arena, slot);
    const Result<> result = wait_for(order);
    thread_order_ = nullptr;
    if (!result.has_value()) {
        return order.lost_listener ? Error::Killed : result.error();
    }
    return order;
}

void Zygote::forget(StubIdentity identity, std::int32_t process) {
    end_process_id(process);
    if (wipe_frames(identity)) {
        give_back_number(identity.number);
    }
    if (taken_ > 1 && kept_count_ < kPool) {
        order_until(kPool - kept_count_);
    }
}

std::optional<ReadyStub> Zygote::take_kept() {
    if (kept_count_ == 0) {
        return std::nullopt;
    }
    KeptStubs* from = &kept_[this_cpu().index];
    if (from->count == 0) {
        from = std::ranges::find_if(kept_, [](const KeptStubs& kept) { return kept.count != 0; });
    }
    ++taken_;
    --kept_count_;
    return std::exchange(from->stubs[--from->count], std::nullopt);
}

bool Zygote::keep(ReadyStub& stub) {
    KeptStubs& kept = kept_[this_cpu().index];
    if (kept.count == kMostKept || !wipe_frames(stub.identity)) {
        return false;
    }
    kept.stubs[kept.count++].emplace(std::move(stub));
    ++kept_count_;
    return true;
}

[[clang::no_destroy]] constinit SpinGuarded<Zygote, Rank::StubPool> zygote;

}  // namespace

void order_first_stub() {
    zygote.with([](Zygote& client) { client.order_until(1); });
}

Result<ReadyStub> take_stub() {
    if (auto kept = zygote.with([](Zygote& client) { return client.take_kept(); })) {
        return std::move(*kept);
    }
    OwnPtr<GuestThread> thread = TRY(make_own<GuestThread>());
    const Order order = TRY(zygote.with([](Zygote& client) { return client.take_stub(); }));
    thread->listener = Listener(order.thread);
    ReadyStub stub;
    stub.identity = order.identity;
    stub.arena = &stub_arena(order.identity.number);
    stub.process = order.process;
    stub.mapper.listener = Listener(order.mapper);
    stub.threads = std::move(thread);
    return stub;
}

bool keep_stub(ReadyStub& stub) {
    return zygote.with([&](Zygote& client) { return client.keep(stub); });
}

Result<OwnPtr<GuestThread>> make_guest_thread(StubArena& arena, StubIdentity identity, unsigned slot) {
    OwnPtr<GuestThread> thread = TRY(make_own<GuestThread>());
    thread->slot = slot;
    const Order order = TRY(zygote.with([&](Zygote& client) { return client.make_thread(arena, identity, slot); }));
    thread->listener = Listener(order.thread);
    return thread;
}

void forget_stub(const ReadyStub& stub) {
    zygote.with([&](Zygote& client) { client.forget(stub.identity, stub.process); });
}

}  // namespace kernel::platform::hosted
