// SPDX-License-Identifier: MIT OR Apache-2.0
// select(2), pselect(2).
#include <algorithm>
#include <bit>

#include "platform/clock.h"
#include "services/linux/file_arguments.h"
#include "services/linux/poll_files.h"
#include "services/linux/syscalls.h"

namespace kernel::linux_abi {
namespace {

using vfs::PollEvents;

// What each set stands for, select(2) NOTES.
constexpr PollEvents kReadEvents =
    PollEvents::In | PollEvents::ReadNormal | PollEvents::ReadBand | PollEvents::HangUp | PollEvents::Error;
constexpr PollEvents kWriteEvents =
    PollEvents::Out | PollEvents::WriteNormal | PollEvents::WriteBand | PollEvents::Error;
constexpr PollEvents kExceptEvents = PollEvents::Priority;

constexpr std::size_t kSetCount = 3;
constexpr std::array<PollEvents, kSetCount> kSetEvents{kReadEvents, kWriteEvents, kExceptEvents};
using SetAddresses = std::array<VirtAddr, kSetCount>;

// The three descriptor sets, in words of 64 descriptors.
class DescriptorSets : NonCopyable {
public:
    DescriptorSets() {}
    // Null addresses are empty sets. Errors: InvalidArgument, BadAddress, BadHandle (a descriptor is not open),
    // NoMemory.
    Result<> read(Task& task, std::int32_t count, const SetAddresses& addresses);
    std::span<PolledFile> files() { return files_.span(); }
    // Turns the sets into results; the number of bits in them.
    std::int64_t take_results();
    Result<> write(Task& task, const SetAddresses& addresses) const;

private:
    static constexpr std::size_t kBitsPerWord = 64;
    static constexpr std::size_t kInlineWords = 16;  // FD_SETSIZE

    std::span<std::uint64_t> set(std::size_t index) const { return storage_.subspan(index * words_, words_); }
    Result<> collect_files(Task& task);

    std::array<std::uint64_t, kSetCount * kInlineWords> inline_;
    Vector<std::uint64_t> more_;
    std::span<std::uint64_t> storage_;
    std::size_t words_ = 0;
    Vector<PolledFile> files_;
    Vector<std::uint32_t> numbers_;  // the descriptors of files_
};

Result<> DescriptorSets::read(Task& task, std::int32_t count, const SetAddresses& addresses) {
    if (count < 0) {
        return Error::InvalidArgument;
    }
    // As on Linux, what is beyond any possible descriptor is not looked at.
    const std::size_t possible = std::bit_ceil(std::max<std::size_t>(task.handles().limit(), kBitsPerWord));
    const std::size_t bits = std::min(static_cast<std::size_t>(count), possible);
    words_ = (bits + kBitsPerWord - 1) / kBitsPerWord;
    if (words_ > kInlineWords) {
        TRY(more_.resize(kSetCount * words_));
        storage_ = more_.span();
    } else {
        storage_ = std::span(inline_).first(kSetCount * words_);
    }
    for (std::size_t i = 0; i < kSetCount; ++i) {
        if (addresses[i].is_null()) {
            zero(std::as_writable_bytes(set(i)));
            continue;
        }
        TRY(task.space().copy_in(std::as_writable_bytes(set(i)), addresses[i]));
        if (bits % kBitsPerWord != 0) {
            set(i).back() &= (std::uint64_t{1} << (bits % kBitsPerWord)) - 1;
        }
    }
    return collect_files(task);
}

Result<> DescriptorSets::collect_files(Task& task) {
    for (std::size_t word = 0; word < words_; ++word) {
        std::uint64_t wanted = set(0)[word] | set(1)[word] | set(2)[word];
        for (; wanted != 0; wanted &= wanted - 1) {
            const auto bit = static_cast<unsigned>(std::countr_zero(wanted));
            const auto number = static_cast<std::uint32_t>(word * kBitsPerWord + bit);
            PolledFile polled;
            polled.file = TRY(file_of(task, static_cast<std::int32_t>(number)));
            for (std::size_t i = 0; i < kSetCount; ++i) {
                if (((set(i)[word] >> bit) & 1) != 0) {
                    polled.interest |= kSetEvents[i];
                }
            }
            TRY(files_.push_back(std::move(polled)));
            TRY(numbers_.push_back(number));
        }
    }
    return {};
}

std::int64_t DescriptorSets::take_results() {
    std::int64_t count = 0;
    for (std::size_t f = 0; f < files_.size(); ++f) {
        const std::size_t word = numbers_[f] / kBitsPerWord;
        const std::uint64_t bit = std::uint64_t{1} << (numbers_[f] % kBitsPerWord);
        for (std::size_t i = 0; i < kSetCount; ++i) {
            if ((set(i)[word] & bit) == 0) {
                continue;
            }
            if (any(files_[f].found & kSetEvents[i])) {
                ++count;
            } else {
                set(i)[word] &= ~bit;
            }
        }
    }
    return count;
}

Result<> DescriptorSets::write(Task& task, const SetAddresses& addresses) const {
    for (std::size_t i = 0; i < kSetCount; ++i) {
        if (!addresses[i].is_null()) {
            TRY(task.space().copy_out(addresses[i], std::as_bytes(set(i))));
        }
    }
    return {};
}

// The sets are written on success only, so that a restarted call finds what it was given.
Result<std::int64_t> select_until(Task& task, std::int32_t count, const SetAddresses& addresses,
                                  std::uint64_t deadline_ns) {
    DescriptorSets sets;
    TRY(sets.read(task, count, addresses));
    TRY(wait_for_files(task, sets.files(), deadline_ns));
    const std::int64_t bits = sets.take_results();
    TRY(sets.write(task, addresses));
    return bits;
}

// select(2) takes microseconds beyond a second; POSIX does not ask for that, Linux does it.
Result<std::uint64_t> read_select_deadline(Task& task, UserPtr<abi::Timeval> timeout) {
    constexpr std::int64_t kMicrosecondsPerSecond = 1'000'000;
    if (!timeout) {
        return platform::kNoDeadline;
    }
    const abi::Timeval value = TRY(task.space().read_user(timeout));
    std::int64_t seconds = 0;
    if (__builtin_add_overflow(value.seconds, value.microseconds / kMicrosecondsPerSecond, &seconds)) {
        return Error::InvalidArgument;
    }
    const abi::Timespec precise{seconds, value.microseconds % kMicrosecondsPerSecond * 1000};
    const std::uint64_t deadline_ns = TRY(deadline_after(precise));
    return precise.seconds == 0 && precise.nanoseconds == 0 ? kAlreadyOver : deadline_ns;
}

Result<> write_select_remaining(Task& task, UserPtr<abi::Timeval> timeout, std::uint64_t deadline_ns) {
    if (!timeout) {
        return {};
    }
    const abi::Timespec left = remaining_until(deadline_ns);
    return task.space().write_user(timeout, abi::Timeval{left.seconds, left.nanoseconds / 1000});
}

struct MaskArgument {
    std::uint64_t address;
    std::uint64_t bytes;
};

}  // namespace

Result<std::int64_t> sys_select(Task& task, Int count, Address read_set, Address write_set, Address except_set,
                                InStruct<abi::Timeval> timeout) {
    const std::uint64_t deadline_ns = TRY(read_select_deadline(task, timeout));
    const Result<std::int64_t> ready = select_until(task, count, {read_set, write_set, except_set}, deadline_ns);
    return finish_timed_wait(task, ready, [&] { return write_select_remaining(task, timeout, deadline_ns); });
}

Result<std::int64_t> sys_pselect6(Task& task, Int count, Address read_set, Address write_set, Address except_set,
                                  InStruct<abi::Timespec> timeout, Address mask_argument) {
    MaskArgument mask{};
    if (!mask_argument.is_null()) {
        mask = TRY(task.space().read_user(UserPtr<MaskArgument>{mask_argument}));
    }
    const std::uint64_t deadline_ns = TRY(read_deadline(task, timeout));
    TRY(use_temporary_mask(task, UserPtr<abi::SignalMask>{VirtAddr{mask.address}}, mask.bytes));
    const Result<std::int64_t> ready = select_until(task, count, {read_set, write_set, except_set}, deadline_ns);
    return finish_timed_wait(task, ready, [&] { return write_remaining(task, timeout, deadline_ns); });
}

}  // namespace kernel::linux_abi
