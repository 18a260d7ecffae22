// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <atomic>

#include "abi/linux/socket.h"
#include "services/linux/task.h"
#include "services/net/unix/socket.h"
#include "services/vfs/file.h"

namespace kernel::linux_abi {

namespace unix_domain = net::unix_domain;

enum class Direction : std::uint8_t { Receive, Send };

// A socket as an open file: socket(2).
class SocketFile final : public vfs::File {
public:
    static constexpr char kClassTag = 0;

    // Errors: NoMemory.
    static Result<RefPtr<SocketFile>> create(vfs::OpenRequest&& request, RefPtr<unix_domain::Socket> socket);

    unix_domain::Socket& socket() const { return *socket_; }
    const void* class_tag() const override { return &kClassTag; }
    bool is_pollable() const override { return true; }
    Result<vfs::PollEvents> poll(vfs::PollRegistrar* registrar) override;
    Result<std::uint64_t> ioctl(vfs::Ioctl& request) override;
    Result<vfs::Status> status() override;
    Result<vfs::Path> link_path() override;
    Result<> sync(bool) override { return Error::InvalidArgument; }

    // SO_RCVTIMEO and SO_SNDTIMEO; kNoDeadline: none.
    std::atomic<std::uint64_t>& timeout_ns(Direction direction) {
        return direction == Direction::Receive ? receive_timeout_ns_ : send_timeout_ns_;
    }
    unix_domain::Patience patience(Direction direction, bool non_blocking);
    // What a wait that a signal ended returns, signal(7): with a timeout it is not restarted.
    Error after_wait(Direction direction, Error error);

    std::atomic<bool>& passes_credentials() { return passes_credentials_; }
    std::atomic<std::uint32_t>& receive_buffer_bytes() { return receive_buffer_bytes_; }
    std::atomic<std::uint32_t>& receive_low_water() { return receive_low_water_; }
    // Options that a Unix socket keeps without using them, by number.
    std::atomic<std::uint64_t>& unused_options() { return unused_options_; }
    std::atomic<std::uint64_t>& linger() { return linger_; }
    // The name's place stays in memory as long as the socket. Once, by whoever binds it.
    void keep_place(vfs::Path place) { place_ = std::move(place); }

protected:
    bool is_stream() const override { return true; }
    Result<std::size_t> do_read(mm::IoBuffer& to, std::uint64_t) override;
    Result<std::size_t> do_write(mm::IoBuffer& from, std::uint64_t&, vfs::WriteOrder) override;

private:
    friend class kernel::ObjectMaker;
    SocketFile(vfs::OpenRequest&& request, RefPtr<unix_domain::Socket> socket);
    ~SocketFile() override { socket_->close(); }

    const RefPtr<unix_domain::Socket> socket_;
    const std::uint64_t inode_number_;
    const std::uint64_t birth_ns_;
    vfs::Path place_;
    std::atomic<std::uint64_t> receive_timeout_ns_ = platform::kNoDeadline;
    std::atomic<std::uint64_t> send_timeout_ns_ = platform::kNoDeadline;
    std::atomic<std::uint32_t> receive_buffer_bytes_ = unix_domain::SendBudget::kDefaultBytes;
    std::atomic<std::uint32_t> receive_low_water_ = 1;
    std::atomic<std::uint64_t> unused_options_ = 0;
    std::atomic<std::uint64_t> linger_ = 0;
    std::atomic<bool> passes_credentials_ = false;
};

// Of a descriptor. Errors: BadHandle, NotSocket.
Result<RefPtr<SocketFile>> socket_of(Task& task, std::int32_t fd);

// The caller, as others see it. SO_PEERCRED has the effective ids, messages the real ones.
unix_domain::Identity peer_identity_of(Task& task);
unix_domain::Identity sender_identity_of(Task& task);

// What sends have in common. SIGPIPE goes to a task that writes to a broken stream, unless it asked not to.
Result<std::size_t> send_to_socket(SocketFile& file, unix_domain::Outgoing& what, const unix_domain::Patience& patience,
                                   bool raise_signal);

// read(2) and its like: what an error of a transfer becomes.
Error transfer_error(vfs::File& file, Direction direction, Error error);

}  // namespace kernel::linux_abi
