// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/socket_address.h"

#include <algorithm>

#include "lib/bytes.h"
#include "lib/scope_guard.h"
#include "services/linux/file_arguments.h"
#include "services/vfs/operations.h"

namespace kernel::linux_abi {
namespace {

// What the user sees: the family, and the name if there is one.
struct ShownAddress {
    std::array<char, abi::kFamilyBytes + unix_domain::kMaxNameBytes + 1> bytes{};
    std::size_t length = abi::kFamilyBytes;
};

ShownAddress shown(const unix_domain::Address* name) {
    ShownAddress result;
    result.bytes[0] = abi::kAfUnix;
    if (name != nullptr) {
        const std::string_view text = name->shown();
        std::ranges::copy(text, result.bytes.begin() + abi::kFamilyBytes);
        result.length += text.size();
    }
    return result;
}

Result<> copy_some(Task& task, const ShownAddress& from, VirtAddr address, std::int32_t room) {
    const std::size_t bytes = std::min(from.length, static_cast<std::size_t>(room));
    return task.space().copy_out(address, std::as_bytes(std::span(from.bytes)).first(bytes));
}

}  // namespace

Result<> SocketName::read(Task& task, VirtAddr address, std::int32_t length) {
    if (length < 0 || length > abi::kSockaddrStorageBytes) {
        return Error::InvalidArgument;
    }
    length_ = static_cast<std::uint32_t>(length);
    // A longer address is none of ours, but its memory is looked at first.
    std::array<std::byte, abi::kSockaddrStorageBytes> bytes{};
    TRY(task.space().copy_in(std::span(bytes).first(length_), address));
    copy_bytes(as_writable_bytes_of(address_), std::span<const std::byte>(bytes).first(sizeof(address_)));
    return {};
}

Result<> SocketName::check_named() const {
    if (length_ <= abi::kFamilyBytes || length_ > sizeof(address_) || address_.family != abi::kAfUnix) {
        return Error::InvalidArgument;
    }
    return {};
}

std::string_view SocketName::name() const {
    const std::string_view all(address_.path, length_ - abi::kFamilyBytes);
    return is_abstract() ? all : all.substr(0, all.find('\0'));
}

Result<> write_address(Task& task, const unix_domain::Address* name, VirtAddr address, UserPtr<std::int32_t> length) {
    const std::int32_t room = TRY(task.space().read_user(length));
    if (room < 0) {
        return Error::InvalidArgument;
    }
    const ShownAddress whole = shown(name);
    TRY(copy_some(task, whole, address, room));
    return task.space().write_user(length, static_cast<std::int32_t>(whole.length));
}

Result<std::int32_t> write_sender(Task& task, const unix_domain::Address* name, VirtAddr address, std::int32_t room) {
    if (room < 0) {
        return Error::InvalidArgument;
    }
    if (name == nullptr) {
        return 0;
    }
    const ShownAddress whole = shown(name);
    TRY(copy_some(task, whole, address, room));
    return static_cast<std::int32_t>(whole.length);
}

Result<RefPtr<unix_domain::Socket>> find_socket(Task& task, const SocketName& address, unix_domain::SocketType type) {
    if (address.is_abstract()) {
        RefPtr<unix_domain::Socket> socket = unix_domain::abstract_names::find(type, address.name());
        return socket ? Result<RefPtr<unix_domain::Socket>>(std::move(socket))
                      : Result<RefPtr<unix_domain::Socket>>(Error::ConnectionRefused);
    }
    const WalkScope scope(task);
    const vfs::Path place = TRY(vfs::resolve(scope.context(), address.name()));
    TRY(vfs::check_permission(place, vfs::Wanted::Write, scope.credentials()));
    if (place.inode().type() != vfs::FileType::Socket) {
        return Error::ConnectionRefused;
    }
    // Only bind_socket attaches something to an inode of this type.
    const RefPtr<unix_domain::Binding> binding = static_ref_cast<unix_domain::Binding>(place.inode().attachment());
    RefPtr<unix_domain::Socket> socket = binding ? binding->socket() : RefPtr<unix_domain::Socket>();
    if (!socket) {
        return Error::ConnectionRefused;
    }
    if (socket->type() != type) {
        return Error::WrongProtocolType;
    }
    return socket;
}

Result<> bind_socket(Task& task, SocketFile& file, const SocketName& address) {
    unix_domain::Socket& socket = file.socket();
    if (address.length() == abi::kFamilyBytes && address.family() == abi::kAfUnix) {
        return socket.bind_automatically();
    }
    TRY(address.check_named());
    if (address.is_abstract()) {
        return socket.bind_abstract(address.name());
    }
    RefPtr<unix_domain::Address> name = TRY(unix_domain::Address::create(address.name()));
    RefPtr<unix_domain::Binding> binding = TRY(unix_domain::Binding::create(socket, socket.type(), std::move(name)));
    TRY(socket.reserve_name());
    ScopeGuard cancel([&] { socket.cancel_name(); });
    const WalkScope scope(task);
    constexpr std::uint32_t kPermissions = 0777;
    Result<vfs::Path> place = vfs::make_socket(scope.context(), address.name(), kPermissions & ~task.fs().umask());
    if (!place) {
        return place.error() == Error::Exists ? Error::AddressInUse : place.error();
    }
    (void)place->inode().attach(binding);
    file.keep_place(std::move(*place));
    cancel.dismiss();
    socket.set_name(std::move(binding));
    return {};
}

}  // namespace kernel::linux_abi
