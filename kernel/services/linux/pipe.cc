// SPDX-License-Identifier: MIT OR Apache-2.0
#include "services/linux/pipe.h"

#include <algorithm>
#include <utility>

#include "lib/bytes.h"

namespace kernel::linux_abi {
namespace {

// An empty pipe keeps this much, so that a steady exchange of messages allocates nothing and stays in the cache.
constexpr std::size_t kKeptPages = 2;

std::size_t smaller(std::size_t left, std::uint64_t right) {
    return left < right ? left : static_cast<std::size_t>(right);
}

constexpr sched::WaitOptions kInterruptible{.deadline_ns = platform::kNoDeadline, .interruptible = true};

}  // namespace

void Pipe::State::consume(std::size_t bytes) {
    start = wrap(start + bytes);
    used -= bytes;
    rewind_if_empty();
}

void Pipe::State::rewind_if_empty() {
    if (used != 0 || writer_copies) {
        return;
    }
    start = 0;
    for (std::size_t i = kKeptPages; i < pages.size() && pages[i]; ++i) {
        pages[i].reset();
    }
}

Result<RefPtr<Pipe>> Pipe::create() {
    RefPtr<Pipe> pipe = TRY(make_ref<Pipe>());
    TRY(pipe->state_.unguarded().pages.resize(kDefaultBytes / kPageSize));
    return pipe;
}

void Pipe::wake_reader() {
    if (readable_.has_waiters()) {
        readable_.wake_one_sync();
    }
}

void Pipe::wake_writer() {
    if (writable_.has_waiters()) {
        writable_.wake_one_sync();
    }
}

Result<std::size_t> Pipe::take_available(mm::IoBuffer& to) {
    std::size_t taken = 0;
    while (to.remaining() != 0) {
        const auto bytes = state_.with([](State& state) -> std::span<const std::byte> {
            if (state.used == 0) {
                return {};
            }
            const std::size_t offset = state.start % kPageSize;
            const std::size_t length = std::min(kPageSize - offset, state.used);
            return std::span(*state.pages[state.start / kPageSize]).subspan(offset, length);
        });
        if (bytes.empty()) {
            break;
        }
        const std::span<const std::byte> wanted = bytes.first(smaller(bytes.size(), to.remaining()));
        const Result<std::size_t> copied = to.copy_from(wanted);
        if (!copied) {
            if (taken == 0) {
                return copied.error();
            }
            break;
        }
        if (*copied < wanted.size()) {
            // A bad address in the middle: as on Linux, what was to go there stays in the pipe.
            to.rewind(*copied);
            if (taken == 0) {
                return Error::BadAddress;
            }
            break;
        }
        state_.with([&](State& state) { state.consume(*copied); });
        taken += *copied;
    }
    return taken;
}

// The next contiguous ones behind the first `skip`.
std::span<const std::byte> Pipe::used_bytes(std::size_t skip) const {
    return state_.with([&](const State& state) -> std::span<const std::byte> {
        if (state.used <= skip) {
            return {};
        }
        const std::size_t position = state.wrap(state.start + skip);
        const std::size_t offset = position % kPageSize;
        const std::size_t length = std::min(kPageSize - offset, state.used - skip);
        return std::span(*state.pages[position / kPageSize]).subspan(offset, length);
    });
}

void Pipe::consume(std::size_t bytes) {
    state_.with([&](State& state) { state.consume(bytes); });
}

Result<bool> Pipe::wait_readable(bool non_blocking) {
    const auto ready = [this] {
        return state_.with([](const State& state) { return state.used != 0 || state.writers == 0; });
    };
    if (!ready()) {
        if (non_blocking) {
            return Error::WouldBlock;
        }
        TRY(sched::wait_until(readable_, ready, kInterruptible));
    }
    return readable_bytes() != 0;
}

Result<> Pipe::wait_writable(bool non_blocking) {
    const auto ready = [this] {
        return state_.with([](const State& state) { return state.free_space() >= kAtomicBytes || state.readers == 0; });
    };
    if (!ready()) {
        if (non_blocking) {
            return Error::WouldBlock;
        }
        TRY(sched::wait_until(writable_, ready, kInterruptible));
    }
    return has_readers() ? Result<>() : Error::BrokenPipe;
}

std::size_t Pipe::free_bytes() const {
    return state_.with([](const State& state) { return state.free_space(); });
}

Result<std::size_t> Pipe::read(mm::IoBuffer& to, bool non_blocking) {
    if (to.remaining() == 0) {
        return 0;
    }
    while (true) {
        const Result<std::size_t> taken = [&] {
            const vfs::Turn::Holder turn(read_turn_);
            return take_available(to);
        }();
        struct Situation {
            std::size_t used;
            std::size_t free;
            bool ended;
        };
        const Situation now = state_.with(
            [](const State& state) { return Situation{state.used, state.free_space(), state.writers == 0}; });
        if (!taken || *taken != 0) {
            if (now.free >= kAtomicBytes) {
                wake_writer();
            }
            if (now.used != 0) {
                readable_.pass_on(sched::WakeHint::Sync);  // the wake-up was perhaps for more bytes than were taken
            }
            return taken;
        }
        if (now.used != 0) {
            continue;
        }
        if (now.ended) {
            return 0;
        }
        if (non_blocking) {
            return Error::WouldBlock;
        }
        TRY(sched::wait_until(
            readable_,
            [this] { return state_.with([](const State& state) { return state.used != 0 || state.writers == 0; }); },
            kInterruptible));
    }
}

// The next contiguous free bytes, with memory behind them; empty when fewer than `needed` bytes are free in all.
Result<std::span<std::byte>> Pipe::next_free_bytes(std::size_t needed) {
    struct Free {
        std::size_t page = 0;
        std::span<std::byte> bytes;
        bool full = false;
        bool broken = false;
    };
    const auto find = [&](State& state) {
        Free result;
        result.broken = state.readers == 0;
        result.full = state.free_space() < needed;
        state.writer_copies = !result.broken && !result.full;
        if (!state.writer_copies) {
            state.rewind_if_empty();
            return result;
        }
        const std::size_t position = state.wrap(state.start + state.used);
        const std::size_t offset = position % kPageSize;
        result.page = position / kPageSize;
        if (OwnPtr<Page>& page = state.pages[result.page]; page) {
            const std::size_t length = std::min(kPageSize - offset, state.free_space());
            result.bytes = std::span(*page).subspan(offset, length);
        }
        return result;
    };
    Free free = state_.with(find);
    if (!free.broken && !free.full && free.bytes.empty()) {
        Result<OwnPtr<Page>> fresh = make_own<Page>();
        if (!fresh) {
            state_.with([](State& state) {
                state.writer_copies = false;
                state.rewind_if_empty();
            });
            return fresh.error();
        }
        free = state_.with([&](State& state) {
            state.pages[free.page] = std::move(*fresh);
            return find(state);
        });
    }
    if (free.broken) {
        return Error::BrokenPipe;
    }
    return free.bytes;
}

Result<std::size_t> Pipe::put_available(mm::IoBuffer& from, std::size_t needed) {
    std::size_t put = 0;
    while (from.remaining() != 0) {
        const Result<std::span<std::byte>> room = next_free_bytes(put == 0 ? needed : 1);
        if (!room) {
            if (put == 0) {
                return room.error();
            }
            break;
        }
        if (room->empty()) {
            break;
        }
        const std::span<std::byte> target = room->first(smaller(room->size(), from.remaining()));
        const Result<std::size_t> copied = from.copy_to(target);
        state_.with([&](State& state) {
            state.writer_copies = false;
            state.used += copied.value_or(0);
            state.rewind_if_empty();
        });
        if (!copied) {
            if (put == 0) {
                return copied.error();
            }
            break;
        }
        put += *copied;
        if (*copied < target.size()) {
            break;
        }
    }
    return put;
}

Result<std::size_t> Pipe::write(mm::IoBuffer& from, bool non_blocking) {
    std::size_t written = 0;
    while (from.remaining() != 0) {
        const std::size_t needed =
            written == 0 && from.remaining() <= kAtomicBytes ? static_cast<std::size_t>(from.remaining()) : 1;
        const Result<std::size_t> put = [&] {
            const vfs::Turn::Holder turn(write_turn_);
            return put_available(from, needed);
        }();
        if (!put) {
            return written != 0 ? Result<std::size_t>(written) : put;
        }
        if (*put != 0) {
            written += *put;
            wake_reader();
        }
        if (from.remaining() == 0) {
            break;
        }
        const auto worth_trying = [this, wanted = smaller(kAtomicBytes, from.remaining())] {
            return state_.with([&](const State& state) { return state.free_space() >= wanted || state.readers == 0; });
        };
        if (worth_trying()) {
            continue;
        }
        if (non_blocking) {
            return written != 0 ? Result<std::size_t>(written) : Result<std::size_t>(Error::WouldBlock);
        }
        const Result<> waited = sched::wait_until(writable_, worth_trying, kInterruptible);
        if (!waited) {
            return written != 0 ? Result<std::size_t>(written) : Result<std::size_t>(waited.error());
        }
    }
    if (state_.with([](const State& state) { return state.free_space() >= kAtomicBytes; })) {
        writable_.pass_on(sched::WakeHint::Sync);  // to the next of several writers that waited
    }
    return written;
}

Result<vfs::PollEvents> Pipe::poll(End end, std::uint64_t quiet_until, vfs::PollRegistrar* registrar) {
    using vfs::PollEvents;
    if (registrar != nullptr && includes(end, End::Read)) {
        TRY(registrar->watch(readable_));
    }
    if (registrar != nullptr && includes(end, End::Write)) {
        TRY(registrar->watch(writable_));
    }
    return state_.with([&](const State& state) {
        PollEvents events = PollEvents::None;
        if (includes(end, End::Read)) {
            if (state.used != 0) {
                events |= PollEvents::In | PollEvents::ReadNormal;
            }
            if (state.writers == 0 && state.writers_ever != quiet_until) {
                events |= PollEvents::HangUp;
            }
        }
        if (includes(end, End::Write)) {
            if (state.free_space() >= kAtomicBytes) {
                events |= PollEvents::Out | PollEvents::WriteNormal;
            }
            if (state.readers == 0) {
                events |= PollEvents::Error;
            }
        }
        return events;
    });
}

std::size_t Pipe::readable_bytes() const {
    return state_.with([](const State& state) { return state.used; });
}

std::size_t Pipe::capacity() const {
    return state_.with([](const State& state) { return state.capacity(); });
}

Result<> Pipe::set_capacity(std::size_t bytes) {
    const std::size_t page_count = pages_for_bytes(bytes);
    const vfs::Turn::Holder no_reader(read_turn_);
    const vfs::Turn::Holder no_writer(write_turn_);
    const std::size_t used = readable_bytes();
    if (used > page_count * kPageSize) {
        return Error::Busy;
    }
    Vector<OwnPtr<Page>> pages;
    TRY(pages.resize(page_count));
    for (std::size_t i = 0; i < pages_for_bytes(used); ++i) {
        pages[i] = TRY(make_own<Page>());
    }
    state_.with([&](State& state) {
        std::size_t moved = 0;
        while (moved < used) {
            const std::size_t from = state.wrap(state.start + moved);
            const std::size_t length =
                std::min({kPageSize - from % kPageSize, kPageSize - moved % kPageSize, used - moved});
            copy_bytes(std::span(*pages[moved / kPageSize]).subspan(moved % kPageSize),
                       std::span(*state.pages[from / kPageSize]).subspan(from % kPageSize, length));
            moved += length;
        }
        state.pages.swap(pages);
        state.start = 0;
    });
    writable_.wake_all();
    return {};
}

Pipe::Opened Pipe::open(End end) {
    const Opened opened = state_.with([&](State& state) {
        const Opened before{state.readers != 0, state.writers != 0, state.readers_ever, state.writers_ever};
        if (includes(end, End::Read)) {
            ++state.readers;
            ++state.readers_ever;
        }
        if (includes(end, End::Write)) {
            ++state.writers;
            ++state.writers_ever;
        }
        return before;
    });
    if (includes(end, End::Read)) {
        writable_.wake_all();
    }
    if (includes(end, End::Write)) {
        readable_.wake_all();
    }
    return opened;
}

void Pipe::close(End end) {
    state_.with([&](State& state) {
        if (includes(end, End::Read)) {
            --state.readers;
        }
        if (includes(end, End::Write)) {
            --state.writers;
        }
        if (state.readers == 0 && state.writers == 0) {
            state.used = 0;
            state.start = 0;
            for (OwnPtr<Page>& page : state.pages) {
                page.reset();
            }
        }
    });
    readable_.wake_all();
    writable_.wake_all();
}

bool Pipe::has_readers() const {
    return state_.with([](const State& state) { return state.readers != 0; });
}

Result<> Pipe::wait_for_writer(const Opened& since) {
    return sched::wait_until(
        readable_,
        [&] { return state_.with([&](const State& state) { return state.writers_ever != since.writers_ever; }); },
        kInterruptible);
}

Result<> Pipe::wait_for_reader(const Opened& since) {
    return sched::wait_until(
        writable_,
        [&] { return state_.with([&](const State& state) { return state.readers_ever != since.readers_ever; }); },
        kInterruptible);
}

}  // namespace kernel::linux_abi
