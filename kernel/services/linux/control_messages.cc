// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/control_messages.h"

#include <algorithm>
#include <utility>

#include "lib/bytes.h"
#include "services/linux/file_arguments.h"
#include "services/linux/process.h"

namespace kernel::linux_abi {
namespace {

constexpr std::uint64_t kMaxControlBytes = 131072;  // net.core.optmem_max
constexpr std::uint64_t kHeaderBytes = sizeof(abi::Cmsghdr);

constexpr std::uint64_t aligned(std::uint64_t bytes) {
    return (bytes + 7) & ~std::uint64_t{7};
}

Result<> add_descriptor(Task& task, std::int32_t fd, unix_domain::Outgoing& outgoing) {
    object::Slot slot = TRY(task.handles().get_slot(fd));
    unix_domain::Passenger passenger{.object = std::move(slot.object), .rights = slot.rights};
    if (passenger.object->type() == object::ObjectType::File) {
        vfs::File& file = static_cast<vfs::File&>(*passenger.object);
        SocketFile* const socket = file_cast<SocketFile>(file);
        passenger.socket = socket != nullptr ? &socket->socket() : nullptr;
    }
    return outgoing.passengers.push_back(std::move(passenger));
}

Result<> read_descriptors(Task& task, VirtAddr data, std::uint64_t bytes, unix_domain::Outgoing& outgoing) {
    const std::uint64_t count = bytes / sizeof(std::int32_t);
    if (count + outgoing.passengers.size() > abi::kScmMaxFd) {
        return Error::InvalidArgument;
    }
    for (std::uint64_t i = 0; i < count; ++i) {
        const UserPtr<std::int32_t> place{data + i * sizeof(std::int32_t)};
        TRY(add_descriptor(task, TRY(task.space().read_user(place)), outgoing));
    }
    const RefPtr<security::Credentials> credentials = task.credentials();
    const bool privileged =
        credentials->capable(security::Capability::SysResource) || credentials->capable(security::Capability::SysAdmin);
    outgoing.user = credentials->values().user_real;
    outgoing.passenger_limit = privileged ? UINT64_MAX : task.process().limit(abi::kRlimitNofile).current;
    return {};
}

// unix(7): others than the own ids need a capability.
Result<> read_credentials(Task& task, VirtAddr data, std::uint64_t bytes, unix_domain::Outgoing& outgoing) {
    if (bytes != sizeof(abi::Ucred)) {
        return Error::InvalidArgument;
    }
    const auto claimed = TRY(task.space().read_user(UserPtr<abi::Ucred>{data}));
    const RefPtr<security::Credentials> credentials = task.credentials();
    const security::CredentialValues& own = credentials->values();
    const auto is_user = [&](std::uint32_t id) {
        return id == own.user_real || id == own.user_effective || id == own.user_saved;
    };
    const auto is_group = [&](std::uint32_t id) {
        return id == own.group_real || id == own.group_effective || id == own.group_saved;
    };
    const bool honest = (claimed.pid == task.process().pid() || credentials->capable(security::Capability::SysAdmin)) &&
                        (is_user(claimed.uid) || credentials->capable(security::Capability::SetUid)) &&
                        (is_group(claimed.gid) || credentials->capable(security::Capability::SetGid));
    if (!honest) {
        return Error::NotPermitted;
    }
    outgoing.sender = {.pid = claimed.pid, .user = claimed.uid, .group = claimed.gid};
    return {};
}

// Writes one control message after the other.
class ControlWriter {
public:
    ControlWriter(Task& task, VirtAddr control, std::uint64_t room) : task_(task), next_(control), room_(room) {}

    // Cut when there is not enough room.
    Result<> put(std::int32_t type, std::span<const std::byte> data) {
        if (room_ < kHeaderBytes) {
            truncated_ = true;
            return {};
        }
        std::uint64_t length = kHeaderBytes + data.size();
        if (room_ < length) {
            truncated_ = true;
            length = room_;
        }
        const abi::Cmsghdr header{.length = length, .level = abi::kSolSocket, .type = type};
        TRY(task_.space().copy_out(next_, as_bytes_of(header)));
        TRY(task_.space().copy_out(next_ + kHeaderBytes, data.first(length - kHeaderBytes)));
        advance(aligned(kHeaderBytes + data.size()));
        return {};
    }
    // The descriptors that fit are installed, and closed again if their numbers cannot be written.
    Result<> put_descriptors(std::span<unix_domain::Passenger> passengers, bool close_on_exec) {
        const std::uint64_t fit = room_ < kHeaderBytes ? 0 : (room_ - kHeaderBytes) / sizeof(std::int32_t);
        std::uint64_t count = 0;
        while (count < std::min<std::uint64_t>(fit, passengers.size())) {
            unix_domain::Passenger& passenger = passengers[count];
            const Result<int> fd = task_.handles().reserve();
            if (!fd) {
                break;
            }
            const UserPtr<std::int32_t> place{next_ + kHeaderBytes + count * sizeof(std::int32_t)};
            if (const Result<> written = task_.space().write_user(place, *fd); !written) {
                task_.handles().cancel(*fd);
                return written;
            }
            task_.handles().install(*fd, std::move(passenger.object), passenger.rights, handle_flags(close_on_exec));
            ++count;
        }
        truncated_ = truncated_ || count < passengers.size();
        if (count == 0) {
            return {};
        }
        const std::uint64_t data_bytes = count * sizeof(std::int32_t);
        const abi::Cmsghdr header{
            .length = kHeaderBytes + data_bytes, .level = abi::kSolSocket, .type = abi::kScmRights};
        TRY(task_.space().copy_out(next_, as_bytes_of(header)));
        advance(aligned(kHeaderBytes + data_bytes));
        return {};
    }
    ControlResult result() const { return {.bytes = written_, .truncated = truncated_}; }

private:
    void advance(std::uint64_t space) {
        const std::uint64_t step = std::min(space, room_);
        next_ = next_ + step;
        room_ -= step;
        written_ += step;
    }

    Task& task_;
    VirtAddr next_;
    std::uint64_t room_;
    std::uint64_t written_ = 0;
    bool truncated_ = false;
};

}  // namespace

Result<> read_control(Task& task, VirtAddr control, std::uint64_t bytes, unix_domain::Outgoing& outgoing) {
    if (bytes > kMaxControlBytes) {
        return Error::NoBufferSpace;
    }
    std::uint64_t position = 0;
    while (bytes - position >= kHeaderBytes) {
        const auto header = TRY(task.space().read_user(UserPtr<abi::Cmsghdr>{control + position}));
        if (header.length < kHeaderBytes || header.length > bytes - position) {
            return Error::InvalidArgument;
        }
        const VirtAddr data = control + position + kHeaderBytes;
        const std::uint64_t data_bytes = header.length - kHeaderBytes;
        if (header.level == abi::kSolSocket) {
            switch (header.type) {
                case abi::kScmRights:
                    TRY(read_descriptors(task, data, data_bytes, outgoing));
                    break;
                case abi::kScmCredentials:
                    TRY(read_credentials(task, data, data_bytes, outgoing));
                    break;
                default:
                    return Error::InvalidArgument;
            }
        }
        if (aligned(header.length) > bytes - position) {
            break;
        }
        position += aligned(header.length);
    }
    return {};
}

Result<ControlResult> write_control(Task& task, VirtAddr control, std::uint64_t room, SocketFile& file,
                                    unix_domain::Incoming& incoming, bool close_on_exec) {
    ControlWriter writer(task, control, control.is_null() ? 0 : room);
    if (file.passes_credentials().load() && incoming.sender) {
        const abi::Ucred sender{
            .pid = incoming.sender->pid, .uid = incoming.sender->user, .gid = incoming.sender->group};
        TRY(writer.put(abi::kScmCredentials, as_bytes_of(sender)));
    }
    if (!incoming.passengers.empty()) {
        TRY(writer.put_descriptors(incoming.passengers.span(), close_on_exec));
    }
    return writer.result();
}

}  // namespace kernel::linux_abi
