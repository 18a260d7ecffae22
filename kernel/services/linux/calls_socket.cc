// SPDX-License-Identifier: MIT OR Apache-2.0
// socket(2), socketpair(2), bind(2), listen(2), accept(2), connect(2), shutdown(2), getsockname(2), getpeername(2).
#include <algorithm>

#include "services/linux/file_arguments.h"
#include "services/linux/process.h"
#include "services/linux/socket_address.h"
#include "services/linux/syscalls.h"

namespace kernel::linux_abi {
namespace {

using unix_domain::Socket;
using unix_domain::SocketType;

constexpr std::uint32_t kMaxBacklog = 4096;  // net.core.somaxconn

struct SocketRequest {
    SocketType type;
    bool non_blocking;
    bool close_on_exec;
};

// The order of the errors is Linux's.
Result<SocketRequest> request_of(std::int32_t family, std::int32_t type, std::int32_t protocol) {
    constexpr std::int32_t kFlags = abi::kSockNonblock | abi::kSockCloexec;
    const std::int32_t kind = type & abi::kSockTypeMask;
    if ((type & ~(abi::kSockTypeMask | kFlags)) != 0) {
        return Error::InvalidArgument;
    }
    if (family == abi::kAfUnix && kind >= abi::kSockTypeCount) {
        return Error::InvalidArgument;
    }
    if (family != abi::kAfUnix) {
        return Error::AddressFamilyUnsupported;
    }
    if (protocol != 0 && protocol != abi::kAfUnix) {
        return Error::ProtocolUnsupported;
    }
    SocketRequest request{.type = SocketType::Stream,
                          .non_blocking = (type & abi::kSockNonblock) != 0,
                          .close_on_exec = (type & abi::kSockCloexec) != 0};
    switch (kind) {
        case abi::kSockStream:
            return request;
        case abi::kSockDgram:
        case abi::kSockRaw:
            request.type = SocketType::Datagram;
            return request;
        case abi::kSockSeqpacket:
            request.type = SocketType::SeqPacket;
            return request;
        default:
            return Error::SocketTypeUnsupported;
    }
}

Result<RefPtr<SocketFile>> make_socket(Task& task, const SocketRequest& request) {
    return SocketFile::create(anonymous_request(task, request.non_blocking), TRY(Socket::create(request.type)));
}

}  // namespace

Result<std::int64_t> sys_socket(Task& task, Int family, Int type, Int protocol) {
    const SocketRequest request = TRY(request_of(family, type, protocol));
    RefPtr<SocketFile> file = TRY(make_socket(task, request));
    return insert_file(task, std::move(file), request.close_on_exec);
}

Result<std::int64_t> sys_socketpair(Task& task, Int family, Int type, Int protocol, OutStruct<FdPair> fds) {
    const SocketRequest request = TRY(request_of(family, type, protocol));
    RefPtr<SocketFile> left = TRY(make_socket(task, request));
    RefPtr<SocketFile> right = TRY(make_socket(task, request));
    TRY(Socket::connect_pair(left->socket(), right->socket(), peer_identity_of(task)));
    ReservedHandle left_handle(task, TRY(ReservedHandle::reserve(task)));
    ReservedHandle right_handle(task, TRY(ReservedHandle::reserve(task)));
    TRY(task.space().write_user(UserPtr<FdPair>(fds), FdPair{left_handle.fd(), right_handle.fd()}));
    left_handle.install(std::move(left), request.close_on_exec);
    right_handle.install(std::move(right), request.close_on_exec);
    return 0;
}

Result<std::int64_t> sys_bind(Task& task, Fd fd, Address address, Int length) {
    const RefPtr<SocketFile> file = TRY(socket_of(task, fd));
    SocketName argument;
    TRY(argument.read(task, address, length));
    TRY(bind_socket(task, *file, argument));
    return 0;
}

Result<std::int64_t> sys_listen(Task& task, Fd fd, Int backlog) {
    const RefPtr<SocketFile> file = TRY(socket_of(task, fd));
    const std::uint32_t wanted = std::min(static_cast<std::uint32_t>(backlog.value), kMaxBacklog);
    TRY(file->socket().listen(wanted, peer_identity_of(task)));
    return 0;
}

Result<std::int64_t> sys_connect(Task& task, Fd fd, Address address, Int length) {
    const RefPtr<SocketFile> file = TRY(socket_of(task, fd));
    SocketName argument;
    TRY(argument.read(task, address, length));
    Socket& socket = file->socket();
    const unix_domain::Patience patience = file->patience(Direction::Send, false);
    if (!socket.is_connection_based()) {
        if (argument.length() < abi::kFamilyBytes) {
            return Error::InvalidArgument;
        }
        if (argument.family() == abi::kAfUnspec) {
            TRY(socket.connect({}, {}, patience));
            return 0;
        }
    }
    TRY(argument.check_named());
    if (file->passes_credentials().load()) {
        TRY(socket.bind_automatically());
    }
    RefPtr<Socket> target = TRY(find_socket(task, argument, socket.type()));
    const Result<> connected = socket.connect(std::move(target), peer_identity_of(task), patience);
    if (!connected) {
        return file->after_wait(Direction::Send, connected.error());
    }
    return 0;
}

Result<std::int64_t> sys_accept4(Task& task, Fd fd, Address address, UserPtr<std::int32_t> length, Int flags) {
    if ((flags & ~std::int32_t{abi::kSockCloexec | abi::kSockNonblock}) != 0) {
        return Error::InvalidArgument;
    }
    const RefPtr<SocketFile> file = TRY(socket_of(task, fd));
    ReservedHandle handle(task, TRY(ReservedHandle::reserve(task)));
    Result<RefPtr<Socket>> accepted = file->socket().accept(file->patience(Direction::Receive, false));
    if (!accepted) {
        return file->after_wait(Direction::Receive, accepted.error());
    }
    Socket& socket = **accepted;
    Result<RefPtr<SocketFile>> opened =
        SocketFile::create(anonymous_request(task, (flags & abi::kSockNonblock) != 0), *accepted);
    if (!opened) {
        socket.close();
        return opened.error();
    }
    (*opened)->passes_credentials().store(file->passes_credentials().load());
    if (!address.is_null()) {
        const RefPtr<unix_domain::Address> peer = TRY(socket.peer_address());
        TRY(write_address(task, peer.get(), address, length));
    }
    handle.install(std::move(*opened), (flags & abi::kSockCloexec) != 0);
    return handle.fd();
}

Result<std::int64_t> sys_accept(Task& task, Fd fd, Address address, UserPtr<std::int32_t> length) {
    return sys_accept4(task, fd, address, length, Int{0});
}

Result<std::int64_t> sys_shutdown(Task& task, Fd fd, Int how) {
    const RefPtr<SocketFile> file = TRY(socket_of(task, fd));
    switch (how) {
        case 0:
            file->socket().shut_down(unix_domain::Shutdown::Receive);
            return 0;
        case 1:
            file->socket().shut_down(unix_domain::Shutdown::Send);
            return 0;
        case 2:
            file->socket().shut_down(unix_domain::Shutdown::Both);
            return 0;
        default:
            return Error::InvalidArgument;
    }
}

Result<std::int64_t> sys_getsockname(Task& task, Fd fd, Address address, UserPtr<std::int32_t> length) {
    const RefPtr<SocketFile> file = TRY(socket_of(task, fd));
    const RefPtr<unix_domain::Address> name = file->socket().address();
    TRY(write_address(task, name.get(), address, length));
    return 0;
}

Result<std::int64_t> sys_getpeername(Task& task, Fd fd, Address address, UserPtr<std::int32_t> length) {
    const RefPtr<SocketFile> file = TRY(socket_of(task, fd));
    const RefPtr<unix_domain::Address> name = TRY(file->socket().peer_address());
    TRY(write_address(task, name.get(), address, length));
    return 0;
}

}  // namespace kernel::linux_abi
