// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <string_view>

#include "lib/guarded.h"
#include "lib/ref.h"
#include "lib/result.h"
#include "lib/tree.h"
#include "services/net/unix/address.h"

namespace kernel::net::unix_domain {

class Socket;
enum class SocketType : std::uint8_t { Stream = 1, Datagram = 2, SeqPacket = 5 };  // the values of socket(2)

// What a name leads to, without keeping the socket: attached to the inode of a path, or in the table of abstract names.
class Binding final : public RefCounted {
public:
    static Result<RefPtr<Binding>> create(Socket& socket, SocketType type, RefPtr<Address> address) {
        return make_ref<Binding>(socket, type, std::move(address));
    }
    // Null when the socket has been closed.
    RefPtr<Socket> socket() const;
    // The socket is being closed.
    void clear();

    SocketType type() const { return type_; }
    const RefPtr<Address>& address() const { return address_; }

    TreeNode node;  // for the table of abstract names

private:
    friend class kernel::ObjectMaker;
    Binding(Socket& socket, SocketType type, RefPtr<Address> address)
        : type_(type), address_(std::move(address)), socket_(&socket) {}
    ~Binding() override = default;

    const SocketType type_;
    const RefPtr<Address> address_;
    mutable SpinGuarded<Socket*, Rank::SocketNames> socket_;
};

// Abstract names, unix(7): one space of names for each type of socket.
namespace abstract_names {

// Errors: AddressInUse. The binding stays until it is cleared and removed.
Result<> add(Binding& binding);
void remove(Binding& binding);
RefPtr<Socket> find(SocketType type, std::string_view name);

}  // namespace abstract_names
}  // namespace kernel::net::unix_domain
