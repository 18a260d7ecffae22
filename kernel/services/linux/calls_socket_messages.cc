// SPDX-License-Identifier: MIT OR Apache-2.0
// send(2), recv(2) and their like; sendmmsg(2), recvmmsg(2).
#include <algorithm>
#include <cstddef>

#include "platform/clock.h"
#include "services/linux/control_messages.h"
#include "services/linux/file_arguments.h"
#include "services/linux/poll_files.h"
#include "services/linux/socket_address.h"
#include "services/linux/syscalls.h"

namespace kernel::linux_abi {
namespace {

using unix_domain::Incoming;
using unix_domain::Outgoing;
using unix_domain::SocketType;

// What a send call names as its target, if anything.
Result<> set_target(Task& task, SocketFile& file, VirtAddr name, std::int32_t length, Outgoing& outgoing) {
    unix_domain::Socket& socket = file.socket();
    if (name.is_null() || length == 0) {
        return {};
    }
    SocketName address;
    TRY(address.read(task, name, length));
    switch (socket.type()) {
        case SocketType::Stream:
            return socket.is_connected() ? Error::AlreadyConnected : Error::NotSupported;
        case SocketType::SeqPacket:
            return {};
        case SocketType::Datagram:
            break;
    }
    TRY(address.check_named());
    outgoing.target = TRY(find_socket(task, address, socket.type()));
    return {};
}

Result<std::int64_t> send_on(SocketFile& file, Outgoing& outgoing, std::uint32_t flags) {
    if ((flags & abi::kMsgOob) != 0) {
        return Error::NotSupported;
    }
    const unix_domain::Patience patience = file.patience(Direction::Send, (flags & abi::kMsgDontwait) != 0);
    const Result<std::size_t> sent = send_to_socket(file, outgoing, patience, (flags & abi::kMsgNosignal) == 0);
    if (!sent) {
        return file.after_wait(Direction::Send, sent.error());
    }
    return static_cast<std::int64_t>(*sent);
}

Result<abi::Msghdr> read_header(Task& task, UserPtr<abi::Msghdr> message) {
    abi::Msghdr header = TRY(task.space().read_user(message));
    if (header.name_length < 0) {
        return Error::InvalidArgument;
    }
    if (header.vector_length > abi::kMaxVectorLength) {
        return Error::MessageTooLong;
    }
    header.name_length = std::min(header.name_length, abi::kSockaddrStorageBytes);
    return header;
}

Result<std::int64_t> send_message(Task& task, SocketFile& file, UserPtr<abi::Msghdr> message, std::uint32_t flags) {
    const abi::Msghdr header = TRY(read_header(task, message));
    IovecArgument vector;
    TRY(vector.read(task.space(), UserPtr<abi::Iovec>{VirtAddr{header.vector}},
                    static_cast<std::int32_t>(header.vector_length)));
    mm::IoBuffer data(task.space(), vector.ranges());
    Outgoing outgoing{.data = data, .sender = sender_identity_of(task)};
    if (header.control_length != 0) {
        TRY(read_control(task, VirtAddr{header.control}, header.control_length, outgoing));
    }
    TRY(set_target(task, file, VirtAddr{header.name}, header.name_length, outgoing));
    return send_on(file, outgoing, flags);
}

struct Received {
    std::size_t bytes = 0;
    bool truncated = false;
};

Result<Received> receive_on(SocketFile& file, Incoming& incoming, std::uint32_t flags) {
    const SocketType type = file.socket().type();
    if ((flags & abi::kMsgOob) != 0) {
        return type == SocketType::Stream ? Error::InvalidArgument : Error::NotSupported;
    }
    incoming.peek = (flags & abi::kMsgPeek) != 0;
    incoming.wait_for_all = (flags & abi::kMsgWaitall) != 0;
    incoming.one_sender_only = file.passes_credentials().load();
    const unix_domain::Patience patience = file.patience(Direction::Receive, (flags & abi::kMsgDontwait) != 0);
    const Result<std::size_t> bytes = file.socket().receive(incoming, patience);
    if (!bytes) {
        return file.after_wait(Direction::Receive, bytes.error());
    }
    Received received{.bytes = *bytes};
    if (type != SocketType::Stream) {
        received.truncated = incoming.message_bytes > *bytes;
        if (received.truncated && (flags & abi::kMsgTrunc) != 0) {
            received.bytes = incoming.message_bytes;
        }
    }
    return received;
}

// What recvmsg writes back beside the bytes.
Result<> write_header(Task& task, SocketFile& file, UserPtr<abi::Msghdr> message, const abi::Msghdr& header,
                      Incoming& incoming, std::uint32_t flags, bool truncated) {
    const bool close_on_exec = (flags & abi::kMsgCmsgCloexec) != 0;
    const auto field = [&](std::size_t offset) { return message.address + offset; };
    if (header.name != 0) {
        const std::int32_t length =
            TRY(write_sender(task, incoming.from.get(), VirtAddr{header.name}, header.name_length));
        TRY(task.space().write_user(UserPtr<std::int32_t>{field(offsetof(abi::Msghdr, name_length))}, length));
    }
    const ControlResult control =
        TRY(write_control(task, VirtAddr{header.control}, header.control_length, file, incoming, close_on_exec));
    std::uint32_t result_flags = flags & abi::kMsgCmsgCloexec;
    result_flags |= truncated ? std::uint32_t{abi::kMsgTrunc} : 0;
    result_flags |= control.truncated ? std::uint32_t{abi::kMsgCtrunc} : 0;
    TRY(task.space().write_user(UserPtr<std::uint32_t>{field(offsetof(abi::Msghdr, flags))}, result_flags));
    return task.space().write_user(UserPtr<std::uint64_t>{field(offsetof(abi::Msghdr, control_length))}, control.bytes);
}

Result<std::int64_t> receive_message(Task& task, SocketFile& file, UserPtr<abi::Msghdr> message, std::uint32_t flags) {
    const abi::Msghdr header = TRY(read_header(task, message));
    IovecArgument vector;
    TRY(vector.read(task.space(), UserPtr<abi::Iovec>{VirtAddr{header.vector}},
                    static_cast<std::int32_t>(header.vector_length)));
    mm::IoBuffer data(task.space(), vector.ranges());
    Incoming incoming{.data = data};
    const Received received = TRY(receive_on(file, incoming, flags));
    TRY(write_header(task, file, message, header, incoming, flags, received.truncated));
    return static_cast<std::int64_t>(received.bytes);
}

UserPtr<abi::Msghdr> header_of(UserPtr<abi::Mmsghdr> entry) {
    return UserPtr<abi::Msghdr>{entry.address + offsetof(abi::Mmsghdr, header)};
}

Result<> write_length(Task& task, UserPtr<abi::Mmsghdr> entry, std::int64_t bytes) {
    const UserPtr<std::uint32_t> place{entry.address + offsetof(abi::Mmsghdr, length)};
    return task.space().write_user(place, static_cast<std::uint32_t>(bytes));
}

}  // namespace

Result<std::int64_t> sys_sendto(Task& task, Fd fd, InBuffer buffer, Size count, Hex flags, Address address,
                                Int length) {
    TRY(check_user_range(buffer, count));
    const RefPtr<SocketFile> file = TRY(socket_of(task, fd));
    mm::IoBuffer data(task.space(), buffer, std::min<std::uint64_t>(count, kMaxTransferBytes));
    Outgoing outgoing{.data = data, .sender = sender_identity_of(task)};
    TRY(set_target(task, *file, address, length, outgoing));
    return send_on(*file, outgoing, static_cast<std::uint32_t>(flags));
}

Result<std::int64_t> sys_recvfrom(Task& task, Fd fd, OutBuffer buffer, Size count, Hex flags, Address address,
                                  UserPtr<std::int32_t> length) {
    TRY(check_user_range(buffer, count));
    const RefPtr<SocketFile> file = TRY(socket_of(task, fd));
    mm::IoBuffer data(task.space(), buffer, std::min<std::uint64_t>(count, kMaxTransferBytes));
    Incoming incoming{.data = data};
    const Received received = TRY(receive_on(*file, incoming, static_cast<std::uint32_t>(flags)));
    if (!address.is_null()) {
        const std::int32_t room = TRY(task.space().read_user(length));
        TRY(task.space().write_user(length, TRY(write_sender(task, incoming.from.get(), address, room))));
    }
    return static_cast<std::int64_t>(received.bytes);
}

Result<std::int64_t> sys_sendmsg(Task& task, Fd fd, UserPtr<abi::Msghdr> message, Hex flags) {
    const RefPtr<SocketFile> file = TRY(socket_of(task, fd));
    return send_message(task, *file, message, static_cast<std::uint32_t>(flags));
}

Result<std::int64_t> sys_recvmsg(Task& task, Fd fd, UserPtr<abi::Msghdr> message, Hex flags) {
    const RefPtr<SocketFile> file = TRY(socket_of(task, fd));
    return receive_message(task, *file, message, static_cast<std::uint32_t>(flags));
}

Result<std::int64_t> sys_sendmmsg(Task& task, Fd fd, UserPtr<abi::Mmsghdr> messages, Unsigned count, Hex flags) {
    const RefPtr<SocketFile> file = TRY(socket_of(task, fd));
    const std::uint32_t limit = std::min<std::uint32_t>(count, abi::kMaxVectorLength);
    for (std::uint32_t done = 0; done < limit; ++done) {
        const UserPtr<abi::Mmsghdr> entry = messages + done;
        Result<std::int64_t> sent = send_message(task, *file, header_of(entry), static_cast<std::uint32_t>(flags));
        if (sent) {
            if (const Result<> written = write_length(task, entry, *sent); !written) {
                sent = written.error();
            }
        }
        if (!sent) {
            return done != 0 ? Result<std::int64_t>(done) : sent;
        }
    }
    return limit;
}

// recvmmsg(2): the timeout is looked at between messages; BUGS there.
Result<std::int64_t> sys_recvmmsg(Task& task, Fd fd, UserPtr<abi::Mmsghdr> messages, Unsigned count, Hex flags,
                                  UserPtr<abi::Timespec> timeout) {
    const std::uint64_t deadline_ns = TRY(read_deadline(task, timeout));
    const RefPtr<SocketFile> file = TRY(socket_of(task, fd));
    auto bits = static_cast<std::uint32_t>(flags) & ~std::uint32_t{abi::kMsgWaitforone};
    std::uint32_t done = 0;
    Result<std::int64_t> last = 0;
    while (done < std::min<std::uint32_t>(count, abi::kMaxVectorLength)) {
        const UserPtr<abi::Mmsghdr> entry = messages + done;
        last = receive_message(task, *file, header_of(entry), bits);
        if (last) {
            if (const Result<> written = write_length(task, entry, *last); !written) {
                last = written.error();
            }
        }
        if (!last) {
            break;
        }
        ++done;
        if ((flags & abi::kMsgWaitforone) != 0) {
            bits |= abi::kMsgDontwait;
        }
        if (!timeout.is_null() && platform::monotonic_ns() >= deadline_ns) {
            break;
        }
    }
    TRY(write_remaining(task, timeout, deadline_ns));
    if (done == 0 && !last) {
        return last;
    }
    return static_cast<std::int64_t>(done);
}

}  // namespace kernel::linux_abi
