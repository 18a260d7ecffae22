// SPDX-License-Identifier: MIT OR Apache-2.0
// Looking into other processes: process_vm_readv(2), process_vm_writev(2), kcmp(2).
#include <algorithm>
#include <atomic>

#include "lib/hash.h"
#include "lib/own.h"
#include "platform/entropy.h"
#include "services/linux/file_arguments.h"
#include "services/linux/inspection.h"
#include "services/linux/process.h"
#include "services/linux/process_tree.h"
#include "services/linux/syscalls.h"

namespace kernel::linux_abi {
namespace {

Result<RefPtr<Task>> inspected_task(Task& caller, std::int32_t pid) {
    RefPtr<Task> task = process_tree::find_task(pid);
    if (!task) {
        return Error::NoSuchProcess;
    }
    if (!may_inspect(caller, *task, InspectAs::RealUser)) {
        return Error::NotPermitted;
    }
    return task;
}

using Chunk = std::array<std::byte, 4 * kPageSize>;
enum class Direction : bool { Read, Write };

// One remote range; false when it ended early.
Result<bool> transfer(mm::AddressSpace& remote, mm::UserRange range, mm::IoBuffer& local, Chunk& chunk, Direction way) {
    while (range.bytes != 0 && local.remaining() != 0) {
        const std::span<std::byte> part =
            std::span(chunk).first(std::min({range.bytes, local.remaining(), std::uint64_t{chunk.size()}}));
        std::size_t moved = 0;
        if (way == Direction::Read) {
            const std::size_t got = remote.copy_in_some(part, range.address);
            moved = got == 0 ? 0 : local.copy_from(part.first(got)).value_or(0);
        } else {
            const std::size_t got = local.copy_to(part).value_or(0);
            moved = remote.copy_out_some(range.address, part.first(got));
            local.rewind(got - moved);
        }
        range.address += moved;
        range.bytes -= moved;
        if (moved < part.size()) {
            return false;
        }
    }
    return true;
}

Result<std::int64_t> move_between(Task& task, std::int32_t pid, UserPtr<abi::Iovec> local, std::uint64_t local_count,
                                  UserPtr<abi::Iovec> remote, std::uint64_t remote_count, std::uint64_t flags,
                                  Direction way) {
    if (flags != 0 || local_count > INT32_MAX || remote_count > INT32_MAX) {
        return Error::InvalidArgument;
    }
    IovecArgument own;
    IovecArgument others;
    TRY(own.read(task.space(), local, static_cast<std::int32_t>(local_count)));
    TRY(others.read(task.space(), remote, static_cast<std::int32_t>(remote_count)));
    if (own.bytes() == 0 || others.bytes() == 0) {
        return 0;
    }
    const RefPtr<Task> target = TRY(inspected_task(task, pid));
    const RefPtr<mm::AddressSpace> space = target->process().space();
    if (!space) {
        return Error::NoSuchProcess;
    }
    const OwnPtr<Chunk> chunk = TRY(make_own<Chunk>());
    mm::IoBuffer buffer(task.space(), own.ranges());
    for (const mm::UserRange& range : others.ranges()) {
        if (!TRY(transfer(*space, range, buffer, *chunk, way))) {
            break;
        }
    }
    if (buffer.done() == 0) {
        return Error::BadAddress;
    }
    return static_cast<std::int64_t>(buffer.done());
}

enum KcmpType : std::int32_t { kKcmpFile, kKcmpVm, kKcmpFiles, kKcmpFs, kKcmpSighand };

constinit std::atomic<std::uint64_t> order_secret = 0;

// Chosen by whoever comes first.
std::uint64_t secret_of_order() {
    std::uint64_t secret = order_secret.load(std::memory_order_relaxed);
    if (secret == 0) {
        std::uint64_t fresh = 0;
        platform::fill_random(as_writable_bytes_of(fresh));
        fresh |= 1;
        secret = order_secret.compare_exchange_strong(secret, fresh, std::memory_order_relaxed) ? fresh : secret;
    }
    return secret;
}

// An order of objects that does not tell where they are.
std::uint64_t disguised(const void* object) {
    return combine_hashes(hash_value(object), secret_of_order());
}

Result<std::int64_t> compare(const void* a, const void* b) {
    const std::uint64_t left = disguised(a);
    const std::uint64_t right = disguised(b);
    return left == right ? 0 : (left < right ? 1 : 2);
}

Result<RefPtr<object::Object>> open_object(Task& task, std::uint64_t index) {
    const RefPtr<object::HandleTable> handles = task.shared_handles();
    if (!handles || index > INT32_MAX) {
        return Error::BadHandle;
    }
    return handles->get(static_cast<int>(index));
}

}  // namespace

Result<std::int64_t> sys_process_vm_readv(Task& task, Pid pid, UserPtr<abi::Iovec> local, Size local_count,
                                          UserPtr<abi::Iovec> remote, Size remote_count, Hex flags) {
    return move_between(task, pid, local, local_count, remote, remote_count, flags, Direction::Read);
}

Result<std::int64_t> sys_process_vm_writev(Task& task, Pid pid, UserPtr<abi::Iovec> local, Size local_count,
                                           UserPtr<abi::Iovec> remote, Size remote_count, Hex flags) {
    return move_between(task, pid, local, local_count, remote, remote_count, flags, Direction::Write);
}

Result<std::int64_t> sys_kcmp(Task& task, Pid pid1, Pid pid2, Int type, Hex index1, Hex index2) {
    const RefPtr<Task> a = TRY(inspected_task(task, pid1));
    const RefPtr<Task> b = TRY(inspected_task(task, pid2));
    switch (type) {
        case kKcmpFile:
            return compare(TRY(open_object(*a, index1)).get(), TRY(open_object(*b, index2)).get());
        case kKcmpVm:
            return compare(a->process().space().get(), b->process().space().get());
        case kKcmpFiles:
            return compare(a->shared_handles().get(), b->shared_handles().get());
        case kKcmpFs:
            return compare(a->shared_fs().get(), b->shared_fs().get());
        case kKcmpSighand:
            return compare(a->process().actions().get(), b->process().actions().get());
        default:
            return Error::InvalidArgument;
    }
}

}  // namespace kernel::linux_abi
