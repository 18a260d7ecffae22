// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/hosted/notify.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <cerrno>
#include <utility>

#include "platform/hosted/stub/layout.h"
#include "platform/hosted/vcpu.h"

// Linux 6.6; not in this system's headers.
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

namespace kernel::platform::hosted {
namespace {

bool poll_before_receive = false;

short poll_events(int descriptor, int timeout_ms) {
    pollfd entry{descriptor, POLLIN, 0};
    const HostResult result = host_syscall(SYS_poll, &entry, 1, timeout_ms);
    return result > 0 ? entry.revents : short{0};
}

}  // namespace

bool is_from_handler(const Notification& notification) {
    return notification.instruction_pointer == kStubCode + KPIO_NOTIFY_RETURN &&
           notification.number == SYS_rt_sigreturn;
}

void set_poll_before_receive(bool poll) {
    poll_before_receive = poll;
}

Listener::Listener(int descriptor) : descriptor_(descriptor) {
    // The thread that is woken takes over this CPU, instead of another that would have to be woken up itself. Older
    // host kernels refuse; then it is slower.
    host_syscall(SYS_ioctl, descriptor_, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
}

Listener::Listener(Listener&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

Listener& Listener::operator=(Listener&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
}

Listener::~Listener() {
    if (descriptor_ >= 0) {
        host_syscall(SYS_close, descriptor_);
    }
}

bool Listener::is_gone() const {
    return (poll_events(descriptor_, 0) & (POLLHUP | POLLERR | POLLNVAL)) != 0;
}

HostResult Listener::receive_once(seccomp_notif& raw, Patience patience) {
    raw = {};  // the host insists
    switch (patience) {
        case Patience::UserMode:
            return wait_in_user_mode(descriptor_, SECCOMP_IOCTL_NOTIF_RECV, &raw);
        case Patience::AfterKick:
            return wait_for_kicked_guest(descriptor_, SECCOMP_IOCTL_NOTIF_RECV, &raw, kKickLimitNs);
        case Patience::Endless:
            break;
    }
    if (poll_before_receive) {
        const short events = poll_events(descriptor_, -1);
        if ((events & POLLIN) == 0) {
            return events == 0 ? -EINTR : -ENOENT;
        }
    }
    return host_syscall(SYS_ioctl, descriptor_, SECCOMP_IOCTL_NOTIF_RECV, &raw);
}

Arrival Listener::receive(Notification& notification, Patience patience) {
    seccomp_notif raw;
    for (;;) {
        const HostResult result = receive_once(raw, patience);
        if (result == 0) {
            break;
        }
        if (result == -ETIME) {
            return Arrival::TimedOut;
        }
        if (result == -EINTR && patience == Patience::UserMode) {
            return Arrival::Interrupted;
        }
        // ENOENT also stands for a notification that was withdrawn between wake-up and look.
        if (result != -EINTR && (result != -ENOENT || is_gone())) {
            return Arrival::Gone;
        }
    }
    notification.id = raw.id;
    notification.thread = raw.pid;
    notification.number = raw.data.nr;
    notification.instruction_pointer = raw.data.instruction_pointer;
    for (std::size_t i = 0; i < notification.arguments.size(); ++i) {
        notification.arguments[i] = raw.data.args[i];
    }
    return Arrival::Received;
}

bool Listener::send(std::uint64_t id, std::int64_t value, std::uint32_t flags) {
    seccomp_notif_resp response{};
    response.id = id;
    response.val = value;
    response.flags = flags;
    HostResult result;
    do {
        result = host_syscall(SYS_ioctl, descriptor_, SECCOMP_IOCTL_NOTIF_SEND, &response);
    } while (result == -EINTR);
    return result == 0;
}

bool Listener::answer(std::uint64_t id, std::int64_t value) {
    return send(id, value, 0);
}

bool Listener::let_continue(std::uint64_t id) {
    return send(id, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
}

}  // namespace kernel::platform::hosted
