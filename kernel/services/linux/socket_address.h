// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <array>
#include <string_view>

#include "services/linux/socket_file.h"

// Addresses of Unix sockets between user memory, paths and sockets.
namespace kernel::linux_abi {

// A sockaddr that a call was given.
class SocketName : NonCopyable {
public:
    SocketName() {}
    // Errors: InvalidArgument (length), BadAddress.
    Result<> read(Task& task, VirtAddr address, std::int32_t length);

    std::uint16_t family() const { return address_.family; }
    std::uint32_t length() const { return length_; }
    // Errors: InvalidArgument (not a Unix address with a name).
    Result<> check_named() const;
    bool is_abstract() const { return address_.path[0] == '\0'; }
    // An abstract name with its leading zero; a path without the zero behind it.
    std::string_view name() const;

private:
    abi::SockaddrUn address_{};
    std::uint32_t length_ = 0;
};

// Null: unnamed. Writes what fits and the whole length. Errors: BadAddress, InvalidArgument (negative room).
Result<> write_address(Task& task, const unix_domain::Address* name, VirtAddr address, UserPtr<std::int32_t> length);
// As recvmsg(2): nothing at all for a sender without a name. Returns the length.
Result<std::int32_t> write_sender(Task& task, const unix_domain::Address* name, VirtAddr address, std::int32_t room);

// The socket behind a name. Errors: ConnectionRefused, AccessDenied, NotFound and those of paths, WrongProtocolType.
Result<RefPtr<unix_domain::Socket>> find_socket(Task& task, const SocketName& address, unix_domain::SocketType type);
// bind(2). Errors: AddressInUse, InvalidArgument, those of making a node.
Result<> bind_socket(Task& task, SocketFile& file, const SocketName& address);

}  // namespace kernel::linux_abi
