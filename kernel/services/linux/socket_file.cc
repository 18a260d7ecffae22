// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/socket_file.h"

#include <utility>

#include "abi/linux/tty.h"
#include "core/mm/address_space.h"
#include "platform/clock.h"
#include "services/linux/anonymous_file.h"
#include "services/linux/anonymous_place.h"
#include "services/linux/file_arguments.h"
#include "services/linux/process.h"
#include "services/linux/signals.h"

namespace kernel::linux_abi {
namespace {

using vfs::PollEvents;

constexpr vfs::DeviceNumber kSocketDevice{.major = 0, .minor = 0xfffd};
constinit std::atomic<std::uint64_t> next_inode = 1;

}  // namespace

SocketFile::SocketFile(vfs::OpenRequest&& request, RefPtr<unix_domain::Socket> socket)
    : File(std::move(request)),
      socket_(std::move(socket)),
      inode_number_(next_inode.fetch_add(1, std::memory_order_relaxed)),
      birth_ns_(platform::realtime_ns()) {
    socket_->set_owner(*this);
}

Result<RefPtr<SocketFile>> SocketFile::create(vfs::OpenRequest&& request, RefPtr<unix_domain::Socket> socket) {
    return make_ref<SocketFile>(std::move(request), std::move(socket));
}

Result<PollEvents> SocketFile::poll(vfs::PollRegistrar* registrar) {
    if (registrar != nullptr) {
        TRY(registrar->watch(socket_->readable_event()));
        TRY(registrar->watch(socket_->writable_event()));
    }
    const unix_domain::Readiness now = socket_->readiness();
    PollEvents events = PollEvents::None;
    events |= now.readable ? PollEvents::In | PollEvents::ReadNormal : PollEvents::None;
    events |= now.writable ? PollEvents::Out | PollEvents::WriteNormal | PollEvents::WriteBand : PollEvents::None;
    events |= now.error ? PollEvents::Error : PollEvents::None;
    events |= now.hang_up ? PollEvents::HangUp : PollEvents::None;
    events |= now.receive_hang_up ? PollEvents::ReadHangUp : PollEvents::None;
    return events;
}

Result<std::uint64_t> SocketFile::ioctl(vfs::Ioctl& request) {
    std::size_t bytes = 0;
    switch (request.command) {
        case abi::kFionread:
            bytes = TRY(socket_->unread_bytes());
            break;
        case abi::kSiocoutq:
            bytes = socket_->unreceived_bytes();
            break;
        default:
            return Error::NotTerminal;
    }
    const UserPtr<std::int32_t> result{VirtAddr{request.argument}};
    TRY(request.space.write_user(result, static_cast<std::int32_t>(bytes)));
    return 0;
}

Result<vfs::Status> SocketFile::status() {
    return status_of_unnamed(vfs::FileType::Socket, 0777, kSocketDevice, inode_number_, birth_ns_, *credentials());
}

Result<vfs::Path> SocketFile::link_path() {
    return make_anonymous_place(TRY(status()), TRY(make_ref<UnopenedAgain>()));
}

unix_domain::Patience SocketFile::patience(Direction direction, bool non_blocking) {
    const std::uint64_t timeout_ns = this->timeout_ns(direction).load(std::memory_order_relaxed);
    unix_domain::Patience patience{.non_blocking = non_blocking || is_non_blocking()};
    if (timeout_ns != platform::kNoDeadline) {
        patience.deadline_ns = checked_add(platform::monotonic_ns(), timeout_ns).value_or(platform::kNoDeadline);
    }
    return patience;
}

Error SocketFile::after_wait(Direction direction, Error error) {
    const bool has_timeout = timeout_ns(direction).load(std::memory_order_relaxed) != platform::kNoDeadline;
    return has_timeout ? error : restartable(error);
}

Result<std::size_t> SocketFile::do_read(mm::IoBuffer& to, std::uint64_t) {
    if (to.remaining() == 0) {
        return 0;
    }
    unix_domain::Incoming incoming{.data = to, .one_sender_only = passes_credentials_.load()};
    return socket_->receive(incoming, patience(Direction::Receive, false));
}

Result<std::size_t> SocketFile::do_write(mm::IoBuffer& from, std::uint64_t&, vfs::WriteOrder) {
    unix_domain::Outgoing outgoing{.data = from, .sender = sender_identity_of(Task::current())};
    return send_to_socket(*this, outgoing, patience(Direction::Send, false), true);
}

Result<RefPtr<SocketFile>> socket_of(Task& task, std::int32_t fd) {
    RefPtr<vfs::File> file = TRY(file_of(task, fd));
    if (file_cast<SocketFile>(*file) == nullptr) {
        return Error::NotSocket;
    }
    return static_ref_cast<SocketFile>(std::move(file));
}

unix_domain::Identity peer_identity_of(Task& task) {
    const RefPtr<security::Credentials> credentials = task.credentials();
    return {.pid = task.process().pid(),
            .user = credentials->values().user_effective,
            .group = credentials->values().group_effective};
}

unix_domain::Identity sender_identity_of(Task& task) {
    const RefPtr<security::Credentials> credentials = task.credentials();
    return {.pid = task.process().pid(),
            .user = credentials->values().user_real,
            .group = credentials->values().group_real};
}

Result<std::size_t> send_to_socket(SocketFile& file, unix_domain::Outgoing& what, const unix_domain::Patience& patience,
                                   bool raise_signal) {
    unix_domain::Socket& socket = file.socket();
    if (file.passes_credentials().load() && socket.type() == unix_domain::SocketType::Datagram) {
        TRY(socket.bind_automatically());
    }
    const Result<std::size_t> sent = socket.send(what, patience);
    if (!sent && sent.error() == Error::BrokenPipe && raise_signal &&
        socket.type() == unix_domain::SocketType::Stream) {
        Task& task = Task::current();
        (void)send_to_task(task, user_signal(abi::kSigpipe, abi::kSiUser, task));
    }
    return sent;
}

Error transfer_error(vfs::File& file, Direction direction, Error error) {
    SocketFile* const socket = file_cast<SocketFile>(file);
    return socket != nullptr ? socket->after_wait(direction, error) : restartable(error);
}

}  // namespace kernel::linux_abi
