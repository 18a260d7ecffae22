// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/session.h"

#include "services/linux/terminal.h"

namespace kernel::linux_abi {

Session::Session(int id) : id_(id) {}
Session::~Session() = default;

Result<RefPtr<Session>> Session::create(int id) {
    return make_ref<Session>(id);
}

RefPtr<Terminal> Session::terminal() const {
    return terminal_.with([](const RefPtr<Terminal>& terminal) { return terminal; });
}

void Session::set_terminal(RefPtr<Terminal> terminal) {
    terminal_.with([&](RefPtr<Terminal>& current) { current.swap(terminal); });
}

}  // namespace kernel::linux_abi
