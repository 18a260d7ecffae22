// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/mm/io_buffer.h"
#include "core/sched/wait_queue.h"
#include "lib/guarded.h"
#include "lib/own.h"
#include "lib/ref.h"
#include "lib/result.h"
#include "lib/vector.h"
#include "services/vfs/poll.h"
#include "services/vfs/turn.h"

namespace kernel::linux_abi {

// A pipe or FIFO, pipe(7): bytes in pages that come into being when they are first needed. A transfer allocates nothing
// else. One reader and one writer at a time copy, without a lock, because copying can fault; the state's lock is held
// for moments. Waiting happens outside of the turns, so that a signal always ends it.
//
// Order: read turn, write turn, state (Rank::Pipe); wait queues are woken without any of them.
class Pipe final : public RefCounted {
public:
    static constexpr std::size_t kDefaultBytes = 65536;
    static constexpr std::size_t kMaxBytes = 1048576;  // /proc/sys/fs/pipe-max-size
    static constexpr std::size_t kAtomicBytes = 4096;  // PIPE_BUF

    // Errors: NoMemory.
    static Result<RefPtr<Pipe>> create();

    // What is there, at least one byte, unless the writers are gone (0). May block. Errors: WouldBlock, Interrupted,
    // BadAddress.
    Result<std::size_t> read(mm::IoBuffer& to, bool non_blocking);
    // All of it; less only when that would block (non_blocking), after a signal, a bad address or the end of the
    // readers. Up to kAtomicBytes go in one piece. May block. Errors: BrokenPipe, WouldBlock, Interrupted, BadAddress,
    // NoMemory.
    Result<std::size_t> write(mm::IoBuffer& from, bool non_blocking);

    // For splice(2): hands what is there, at most `limit` bytes, piece by piece to sink(span), which says how many it
    // used; these leave the pipe unless `keep`. Returns how many were used, 0 when the pipe is empty. The sink runs
    // with the reader's turn taken and may not wait for anything that this pipe's readers do. Errors: the sink's, if
    // nothing was used.
    enum class Keep : bool { No, Yes };
    template <class Sink>
    Result<std::size_t> drain(std::uint64_t limit, Keep keep, Sink&& sink);
    // Until there is something to read; false when nothing will come any more. Errors: WouldBlock, Interrupted.
    Result<bool> wait_readable(bool non_blocking);
    // Until kAtomicBytes fit. Errors: BrokenPipe, WouldBlock, Interrupted.
    Result<> wait_writable(bool non_blocking);
    std::size_t free_bytes() const;

    enum class End : std::uint8_t { Read = 1, Write = 2, Both = 3 };
    // A count of opens that never comes.
    static constexpr std::uint64_t kNever = UINT64_MAX;
    // A reader sees a hang-up when all writers are gone, but not while writers have been opened `quiet_until` times: a
    // FIFO that no writer has come to yet.
    Result<vfs::PollEvents> poll(End end, std::uint64_t quiet_until, vfs::PollRegistrar* registrar);
    std::size_t readable_bytes() const;
    std::size_t capacity() const;
    // Errors: Busy (more bytes are in it), NoMemory.
    Result<> set_capacity(std::size_t bytes);

    // Adds an end, and tells what the other side was like at that moment.
    struct Opened {
        bool has_readers = false;
        bool has_writers = false;
        std::uint64_t readers_ever = 0;
        std::uint64_t writers_ever = 0;
    };
    Opened open(End end);
    // With its last end the pipe loses its contents.
    void close(End end);
    bool has_readers() const;
    // For FIFOs: blocks until somebody has opened the other side since. Errors: Interrupted.
    Result<> wait_for_writer(const Opened& since);
    Result<> wait_for_reader(const Opened& since);

private:
    friend class kernel::ObjectMaker;
    using Page = std::array<std::byte, kPageSize>;

    // A ring of bytes over pages_.size() pages.
    struct State {
        Vector<OwnPtr<Page>> pages;
        std::size_t start = 0;
        std::size_t used = 0;
        bool writer_copies = false;  // bytes behind the used ones are being filled: positions must stay
        unsigned readers = 0;
        unsigned writers = 0;
        std::uint64_t readers_ever = 0;
        std::uint64_t writers_ever = 0;

        std::size_t capacity() const { return pages.size() * kPageSize; }
        std::size_t free_space() const { return capacity() - used; }
        std::size_t wrap(std::size_t position) const {
            return position >= capacity() ? position - capacity() : position;
        }
        void consume(std::size_t bytes);
        void rewind_if_empty();
    };

    Pipe() = default;
    ~Pipe() override = default;

    std::span<const std::byte> used_bytes(std::size_t skip) const;
    void consume(std::size_t bytes);
    // Both with their turn held.
    Result<std::size_t> take_available(mm::IoBuffer& to);
    Result<std::size_t> put_available(mm::IoBuffer& from, std::size_t needed);
    Result<std::span<std::byte>> next_free_bytes(std::size_t needed);
    void wake_reader();
    void wake_writer();

    SpinGuarded<State, Rank::Pipe> state_;
    vfs::Turn read_turn_;
    vfs::Turn write_turn_;
    sched::WaitQueue readable_;  // readers, and whoever polls for reading; writers of a FIFO being opened wake it too
    sched::WaitQueue writable_;
};

template <class Sink>
Result<std::size_t> Pipe::drain(std::uint64_t limit, Keep keep, Sink&& sink) {
    std::size_t done = 0;
    {
        const vfs::Turn::Holder turn(read_turn_);
        while (done < limit) {
            const std::span<const std::byte> there = used_bytes(keep == Keep::Yes ? done : 0);
            if (there.empty()) {
                break;
            }
            const std::span<const std::byte> piece =
                there.first(there.size() < limit - done ? there.size() : static_cast<std::size_t>(limit - done));
            const Result<std::size_t> used = sink(piece);
            if (!used && done == 0) {
                return used.error();
            }
            if (keep == Keep::No) {
                consume(used.value_or(0));
            }
            done += used.value_or(0);
            if (!used || *used < piece.size()) {
                break;
            }
        }
    }
    if (keep == Keep::No && done != 0) {
        wake_writer();
    }
    return done;
}

constexpr bool includes(Pipe::End set, Pipe::End end) {
    return (static_cast<std::uint8_t>(set) & static_cast<std::uint8_t>(end)) != 0;
}

}  // namespace kernel::linux_abi
