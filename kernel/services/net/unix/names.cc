// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/net/unix/names.h"

#include <compare>

#include "lib/immortal.h"
#include "services/net/unix/socket.h"

namespace kernel::net::unix_domain {

RefPtr<Socket> Binding::socket() const {
    return socket_.with([](Socket* socket) {
        return socket != nullptr && socket->try_add_reference() ? RefPtr<Socket>::adopt(*socket) : RefPtr<Socket>();
    });
}

void Binding::clear() {
    socket_.with([](Socket*& socket) { socket = nullptr; });
}

namespace abstract_names {
namespace {

struct Key {
    SocketType type;
    std::string_view name;
    auto operator<=>(const Key&) const = default;
};
struct ByName {
    Key operator()(const Binding& binding) const { return {binding.type(), binding.address()->name()}; }
};
using Table = IntrusiveTree<Binding, &Binding::node, ByName>;
Immortal<SpinGuarded<Table, Rank::SocketGarbage>> table;

}  // namespace

Result<> add(Binding& binding) {
    return table->with([&](Table& names) -> Result<> {
        if (names.find(ByName{}(binding)) != nullptr) {
            return Error::AddressInUse;
        }
        names.insert(binding);
        return {};
    });
}

void remove(Binding& binding) {
    table->with([&](Table& names) { names.remove(binding); });
}

RefPtr<Socket> find(SocketType type, std::string_view name) {
    return table->with([&](const Table& names) {
        const Binding* const binding = names.find(Key{type, name});
        return binding != nullptr ? binding->socket() : RefPtr<Socket>();
    });
}

}  // namespace abstract_names
}  // namespace kernel::net::unix_domain
