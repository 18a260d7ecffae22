// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/ipc_table.h"

#include "platform/clock.h"

namespace kernel::linux_abi {

IpcObject::IpcObject(std::int32_t key, std::uint32_t mode, const security::Credentials& creator)
    : key_(key),
      creator_user_(creator.values().user_effective),
      creator_group_(creator.values().group_effective),
      owner_(Owner{creator_user_, creator_group_, mode & 0777}) {}

// svipc(7): the owner's bits for owner and creator, the group's for theirs, else the rest.
Result<> IpcObject::check_access(const security::Credentials& who, IpcAccess wanted) const {
    const Owner owner = owner_.with([](const Owner& current) { return current; });
    const security::CredentialValues& own = who.values();
    std::uint32_t granted = owner.mode;
    if (own.user_effective == creator_user_ || own.user_effective == owner.user) {
        granted >>= 6;
    } else if (own.group_effective == creator_group_ || own.group_effective == owner.group ||
               who.in_group(creator_group_) || who.in_group(owner.group)) {
        granted >>= 3;
    }
    const auto bits = static_cast<std::uint32_t>(wanted);
    const std::uint32_t needed = ((bits >> 6) | (bits >> 3) | bits) & 7;
    if ((needed & ~granted) == 0 || who.capable(security::Capability::IpcOwner)) {
        return {};
    }
    return Error::AccessDenied;
}

Result<> IpcObject::check_owner(const security::Credentials& who) const {
    const std::uint32_t user = who.values().user_effective;
    const std::uint32_t owner = owner_.with([](const Owner& current) { return current.user; });
    if (user == owner || user == creator_user_ || who.capable(security::Capability::SysAdmin)) {
        return {};
    }
    return Error::NotPermitted;
}

abi::IpcPerm IpcObject::permissions() const {
    const Owner owner = owner_.with([](const Owner& current) { return current; });
    return {.key = key_.load(),
            .uid = owner.user,
            .gid = owner.group,
            .creator_uid = creator_user_,
            .creator_gid = creator_group_,
            .mode = owner.mode,
            .sequence = static_cast<std::uint16_t>(id_ / 32768),
            .padding0 = 0,
            .padding1 = 0,
            .unused = {}};
}

void IpcObject::set_owner(const abi::IpcPerm& wanted) {
    owner_.with([&](Owner& owner) { owner = {.user = wanted.uid, .group = wanted.gid, .mode = wanted.mode & 0777}; });
}

std::int64_t ipc_now_s() {
    constexpr std::uint64_t kSecondNs = 1'000'000'000;
    return static_cast<std::int64_t>(platform::realtime_ns() / kSecondNs);
}

Result<RefPtr<IpcObject>> IpcTableBase::find_number(std::int32_t id) const {
    if (id < 0) {
        return Error::InvalidArgument;
    }
    return state_.with([&](const State& state) -> Result<RefPtr<IpcObject>> {
        IpcObject* const object = state.objects.get(static_cast<std::uint32_t>(id) % kIndexLimit);
        if (object == nullptr || object->id_ != id) {
            return Error::InvalidArgument;
        }
        return RefPtr<IpcObject>(*object);
    });
}

RefPtr<IpcObject> IpcTableBase::find_key(std::int32_t key) const {
    return state_.with([&](const State& state) {
        for (auto entry = state.objects.next(0); entry; entry = state.objects.next(entry->index + 1)) {
            if (entry->value->key_.load(std::memory_order_relaxed) == key) {
                return RefPtr<IpcObject>(*entry->value);
            }
        }
        return RefPtr<IpcObject>();
    });
}

RefPtr<IpcObject> IpcTableBase::next(std::uint64_t index) const {
    return state_.with([&](const State& state) {
        const auto entry = state.objects.next(index);
        return RefPtr<IpcObject>(entry ? entry->value : nullptr);
    });
}

Result<bool> IpcTableBase::add(IpcObject& object) {
    const std::int32_t key = object.key_.load();
    return state_.with([&](State& state) -> Result<bool> {
        if (state.objects.size() >= kMaxObjects) {
            return Error::NoSpace;
        }
        for (auto entry = state.objects.next(0); entry && key != abi::kIpcPrivate;
             entry = state.objects.next(entry->index + 1)) {
            if (entry->value->key_.load(std::memory_order_relaxed) == key) {
                return false;
            }
        }
        while (state.objects.get(state.next_index) != nullptr) {
            state.next_index = (state.next_index + 1) % kIndexLimit;
        }
        TRY(state.objects.set(state.next_index, &object));
        object.id_ = static_cast<std::int32_t>(state.sequence % 32768 * kIndexLimit + state.next_index);
        // The lowest number first, but never the same one soon again.
        ++state.sequence;
        object.add_reference();
        return true;
    });
}

bool IpcTableBase::remove_object(IpcObject& object) {
    const bool mine = state_.with([&](State& state) {
        const auto index = static_cast<std::uint32_t>(object.id_) % kIndexLimit;
        if (state.objects.get(index) != &object) {
            return false;
        }
        state.objects.erase(index);
        state.next_index = index < state.next_index ? index : state.next_index;
        object.key_.store(abi::kIpcPrivate);
        object.removed_.store(true, std::memory_order_release);
        return true;
    });
    if (mine) {
        object.drop_reference();  // the caller has one of its own
    }
    return mine;
}

}  // namespace kernel::linux_abi
