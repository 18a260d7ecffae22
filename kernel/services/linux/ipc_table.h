// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>

#include "abi/linux/ipc.h"
#include "core/object/object.h"
#include "lib/guarded.h"
#include "lib/ref.h"
#include "lib/result.h"
#include "lib/sparse_array.h"
#include "services/linux/task.h"

// What the three kinds of System V objects share, svipc(7): keys, numbers, owners, permissions.
namespace kernel::linux_abi {

enum class IpcAccess : std::uint32_t { None = 0, Write = 0222, Read = 0444 };

// An object with a number. Made by a table, which refers to it until it is removed.
class IpcObject : public object::Object {
public:
    object::ObjectType type() const override { return object::ObjectType::Other; }

    std::int32_t id() const { return id_; }
    bool is_removed() const { return removed_.load(std::memory_order_acquire); }
    // Errors: AccessDenied; NotPermitted for strangers.
    Result<> check_access(const security::Credentials& who, IpcAccess wanted) const;
    Result<> check_owner(const security::Credentials& who) const;
    abi::IpcPerm permissions() const;
    // IPC_SET.
    void set_owner(const abi::IpcPerm& wanted);

protected:
    IpcObject(std::int32_t key, std::uint32_t mode, const security::Credentials& creator);
    ~IpcObject() override = default;

private:
    friend class IpcTableBase;
    struct Owner {
        std::uint32_t user, group, mode;
    };
    std::atomic<std::int32_t> key_;
    const std::uint32_t creator_user_;
    const std::uint32_t creator_group_;
    std::int32_t id_ = -1;
    std::atomic<bool> removed_ = false;
    SpinGuarded<Owner, Rank::EventFile> owner_;
};

// Seconds since 1970, as the structures show times.
std::int64_t ipc_now_s();

// Numbers to objects. A number is an index and a sequence, so that a stale one is noticed.
class IpcTableBase {
public:
    static constexpr std::uint64_t kMaxObjects = 32000;

protected:
    struct Found {
        RefPtr<IpcObject> object;
        bool created = false;
    };
    // Errors: InvalidArgument (a number that was removed, or never was).
    Result<RefPtr<IpcObject>> find_number(std::int32_t id) const;
    RefPtr<IpcObject> find_key(std::int32_t key) const;
    // Unless the key exists by now (then null). Errors: NoSpace, NoMemory.
    Result<bool> add(IpcObject& object);
    RefPtr<IpcObject> next(std::uint64_t index) const;
    static std::uint64_t index_of(const IpcObject& object) {
        return static_cast<std::uint32_t>(object.id()) % kIndexLimit;
    }
    // Takes key and number away; false if somebody else has. The table's reference is dropped.
    bool remove_object(IpcObject& object);

private:
    struct State {
        SparseArray<IpcObject> objects;  // each holds a reference
        std::uint32_t next_index = 0;
        std::uint32_t sequence = 0;
    };
    static constexpr std::uint32_t kIndexLimit = 32768;  // IPCMNI

    SpinGuarded<State, Rank::Pipe> state_;
};

template <class T>
class IpcTable : public IpcTableBase {
public:
    Result<RefPtr<T>> find(std::int32_t id) const { return static_ref_cast<T>(TRY(find_number(id))); }
    bool remove(T& object) { return remove_object(object); }
    // Without a lock; what is made meanwhile may be missed.
    template <class F>
    void for_each(F&& f) {
        for (RefPtr<IpcObject> object = next(0); object; object = next(index_of(*object) + 1)) {
            f(static_cast<T&>(*object));
        }
    }

    // shmget(2) and its like: make() -> Result<RefPtr<T>>; check(T&) -> Result<> for one that exists. Returns the
    // number.
    template <class Make, class Check>
    Result<std::int32_t> get(Task& task, std::int32_t key, std::uint32_t flags, Make&& make, Check&& check) {
        while (true) {
            if (key != abi::kIpcPrivate) {
                if (const RefPtr<T> found = static_ref_cast<T>(find_key(key))) {
                    if ((flags & (abi::kIpcCreat | abi::kIpcExcl)) == (abi::kIpcCreat | abi::kIpcExcl)) {
                        return Error::Exists;
                    }
                    TRY(check(*found));
                    TRY(found->check_access(*task.credentials(), static_cast<IpcAccess>(flags & 0666)));
                    return found->id();
                }
                if ((flags & abi::kIpcCreat) == 0) {
                    return Error::NotFound;
                }
            }
            const RefPtr<T> fresh = TRY(make());
            if (TRY(add(*fresh))) {
                return fresh->id();
            }
        }
    }
};

}  // namespace kernel::linux_abi
