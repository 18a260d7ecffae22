// SPDX-License-Identifier: MIT OR Apache-2.0
// getsockopt(2), setsockopt(2): the options of socket(7) and unix(7).
#include <algorithm>

#include "lib/bytes.h"
#include "platform/clock.h"
#include "services/linux/errno.h"
#include "services/linux/file_arguments.h"
#include "services/linux/resource_usage.h"
#include "services/linux/socket_file.h"
#include "services/linux/syscalls.h"

namespace kernel::linux_abi {
namespace {

using unix_domain::SendBudget;

// What the buffer options accept; the value that is set is doubled, socket(7).
constexpr std::uint32_t kMaxBufferBytes = SendBudget::kDefaultBytes;
constexpr std::uint32_t kMinSendBytes = 4608;
constexpr std::uint32_t kMinReceiveBytes = 2304;

constexpr std::uint64_t option_bit(std::int32_t option) {
    return std::uint64_t{1} << option;
}
// Kept and returned; they mean nothing to a Unix socket.
constexpr std::uint64_t kUnusedOptions = option_bit(abi::kSoReuseaddr) | option_bit(abi::kSoDontroute) |
                                         option_bit(abi::kSoBroadcast) | option_bit(abi::kSoKeepalive) |
                                         option_bit(abi::kSoOobinline);

constexpr bool is_unused_option(std::int32_t option) {
    return option > 0 && option < 64 && (kUnusedOptions & option_bit(option)) != 0;
}

std::uint32_t buffer_bytes(std::int32_t wanted, std::uint32_t minimum, std::uint32_t maximum) {
    const std::uint32_t bytes = std::min(static_cast<std::uint32_t>(wanted), maximum);
    return std::max(bytes * 2, minimum);
}

Result<> set_timeout(std::atomic<std::uint64_t>& timeout_ns, const abi::Timeval& value) {
    constexpr std::int64_t kMicrosecondsPerSecond = 1'000'000;
    if (value.microseconds < 0 || value.microseconds >= kMicrosecondsPerSecond) {
        return Error::DomainError;
    }
    if (value.seconds < 0) {
        timeout_ns.store(0);
        return {};
    }
    const std::uint64_t wanted_ns = TRY(ns_of(abi::Timespec{value.seconds, value.microseconds * 1000}));
    timeout_ns.store(wanted_ns == 0 ? platform::kNoDeadline : wanted_ns);
    return {};
}

template <class T>
Result<T> load(Task& task, VirtAddr value, std::int32_t length) {
    if (length < 0 || static_cast<std::size_t>(length) < sizeof(T)) {
        return Error::InvalidArgument;
    }
    return task.space().read_user(UserPtr<T>{value});
}

Result<> set_number(Task& task, SocketFile& file, std::int32_t option, std::int32_t value) {
    const bool privileged = task.credentials()->capable(security::Capability::NetAdmin);
    switch (option) {
        case abi::kSoPasscred:
            file.passes_credentials().store(value != 0);
            return {};
        case abi::kSoSndbuf:
            file.socket().budget().set_limit(buffer_bytes(value, kMinSendBytes, kMaxBufferBytes));
            return {};
        case abi::kSoRcvbuf:
            file.receive_buffer_bytes().store(buffer_bytes(value, kMinReceiveBytes, kMaxBufferBytes));
            return {};
        case abi::kSoSndbufforce:
            if (!privileged) {
                return Error::NotPermitted;
            }
            file.socket().budget().set_limit(buffer_bytes(std::max(value, 0), kMinSendBytes, INT32_MAX / 2));
            return {};
        case abi::kSoRcvbufforce:
            if (!privileged) {
                return Error::NotPermitted;
            }
            file.receive_buffer_bytes().store(buffer_bytes(std::max(value, 0), kMinReceiveBytes, INT32_MAX / 2));
            return {};
        case abi::kSoRcvlowat:
            file.receive_low_water().store(value < 0 ? INT32_MAX : std::max(static_cast<std::uint32_t>(value), 1u));
            return {};
        case abi::kSoPriority:
            return {};
        default:
            break;
    }
    if (!is_unused_option(option)) {
        return Error::ProtocolOptionUnavailable;
    }
    if (value != 0) {
        file.unused_options().fetch_or(option_bit(option));
    } else {
        file.unused_options().fetch_and(~option_bit(option));
    }
    return {};
}

Result<> set_option(Task& task, SocketFile& file, std::int32_t option, VirtAddr value, std::int32_t length) {
    // Every option has at least a number, and it is looked at first.
    const std::int32_t number = TRY(load<std::int32_t>(task, value, length));
    switch (option) {
        case abi::kSoRcvtimeo:
            return set_timeout(file.timeout_ns(Direction::Receive), TRY(load<abi::Timeval>(task, value, length)));
        case abi::kSoSndtimeo:
            return set_timeout(file.timeout_ns(Direction::Send), TRY(load<abi::Timeval>(task, value, length)));
        case abi::kSoLinger: {
            const auto linger = TRY(load<abi::Linger>(task, value, length));
            const auto seconds = static_cast<std::uint32_t>(linger.seconds);
            file.linger().store((linger.on != 0 ? std::uint64_t{1} << 32 : 0) | seconds);
            return {};
        }
        default:
            return set_number(task, file, option, number);
    }
}

// The value and how much of it the user has room for.
class ValueWriter {
public:
    ValueWriter(Task& task, VirtAddr value, UserPtr<std::int32_t> length, std::int32_t room)
        : task_(task), value_(value), length_(length), room_(room) {}

    template <class T>
    Result<> write(const T& value) const {
        const std::size_t bytes = std::min(sizeof(T), static_cast<std::size_t>(room_));
        TRY(task_.space().copy_out(value_, as_bytes_of(value).first(bytes)));
        return task_.space().write_user(length_, static_cast<std::int32_t>(bytes));
    }
    template <class T>
    Result<> write_number(T value) const {
        return write(static_cast<std::int32_t>(value));
    }

private:
    Task& task_;
    VirtAddr value_;
    UserPtr<std::int32_t> length_;
    std::int32_t room_;
};

abi::Timeval timeout_value(std::uint64_t timeout_ns) {
    return timeout_ns == platform::kNoDeadline ? abi::Timeval{0, 0} : timeval_of(timeout_ns);
}

Result<> get_option(SocketFile& file, std::int32_t option, const ValueWriter& out) {
    unix_domain::Socket& socket = file.socket();
    switch (option) {
        case abi::kSoType:
            return out.write_number(socket.type());
        case abi::kSoDomain:
            return out.write_number(abi::kAfUnix);
        case abi::kSoProtocol:
        case abi::kSoPriority:
        case abi::kSoDebug:
            return out.write_number(0);
        case abi::kSoError: {
            const std::optional<Error> error = socket.take_error();
            return out.write_number(error ? errno_of(*error) : 0);
        }
        case abi::kSoAcceptconn:
            return out.write_number(socket.is_listening() ? 1 : 0);
        case abi::kSoSndbuf:
            return out.write_number(socket.budget().limit_bytes());
        case abi::kSoRcvbuf:
            return out.write_number(file.receive_buffer_bytes().load());
        case abi::kSoRcvlowat:
            return out.write_number(file.receive_low_water().load());
        case abi::kSoSndlowat:
            return out.write_number(1);
        case abi::kSoPasscred:
            return out.write_number(file.passes_credentials().load() ? 1 : 0);
        case abi::kSoPeercred: {
            const unix_domain::Identity peer = socket.peer_identity();
            return out.write(abi::Ucred{.pid = peer.pid, .uid = peer.user, .gid = peer.group});
        }
        case abi::kSoRcvtimeo:
            return out.write(timeout_value(file.timeout_ns(Direction::Receive).load()));
        case abi::kSoSndtimeo:
            return out.write(timeout_value(file.timeout_ns(Direction::Send).load()));
        case abi::kSoLinger: {
            const std::uint64_t linger = file.linger().load();
            return out.write(abi::Linger{.on = (linger >> 32) != 0 ? 1 : 0,
                                         .seconds = static_cast<std::int32_t>(linger & UINT32_MAX)});
        }
        default:
            break;
    }
    if (!is_unused_option(option)) {
        return Error::ProtocolOptionUnavailable;
    }
    return out.write_number((file.unused_options().load() & option_bit(option)) != 0 ? 1 : 0);
}

}  // namespace

Result<std::int64_t> sys_setsockopt(Task& task, Fd fd, Int level, Int option, Address value, Int length) {
    if (length < 0) {
        return Error::InvalidArgument;
    }
    const RefPtr<SocketFile> file = TRY(socket_of(task, fd));
    if (level != abi::kSolSocket) {
        return Error::NotSupported;
    }
    TRY(set_option(task, *file, option, value, length));
    return 0;
}

Result<std::int64_t> sys_getsockopt(Task& task, Fd fd, Int level, Int option, Address value,
                                    UserPtr<std::int32_t> length) {
    const RefPtr<SocketFile> file = TRY(socket_of(task, fd));
    if (level != abi::kSolSocket) {
        return Error::NotSupported;
    }
    const std::int32_t room = TRY(task.space().read_user(length));
    if (room < 0) {
        return Error::InvalidArgument;
    }
    TRY(get_option(*file, option, ValueWriter(task, value, length, room)));
    return 0;
}

}  // namespace kernel::linux_abi
