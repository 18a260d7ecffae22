// SPDX-License-Identifier: MIT OR Apache-2.0
#include "support/fake_platform.h"

#include <sys/mman.h>
#include <time.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include "lib/own.h"
#include "platform/clock.h"
#include "platform/cpu.h"
#include "platform/entropy.h"
#include "platform/user_clock.h"

namespace test_support {
namespace {

using kernel::FrameNumber;
using kernel::kPageSize;
using kernel::VirtAddr;
using kernel::platform::Access;
using kernel::platform::allows;

constexpr FrameNumber kKernelFirst{0x100};
constexpr std::uint64_t kKernelFrames = 16 * 1024;
constexpr FrameNumber kUserFirst{0x10'0000};
constexpr std::uint64_t kUserFrames = 64 * 1024;

std::byte* reserve(std::size_t bytes) {
    void* const memory =
        mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        std::abort();
    }
    return static_cast<std::byte*>(memory);
}

// Reserved once, whichever thread comes first: function-local statics are not guarded in these builds.
std::byte* reserve_once(std::once_flag& flag, std::byte*& memory, std::size_t bytes) {
    std::call_once(flag, [&] { memory = reserve(bytes); });
    return memory;
}

std::byte* kernel_memory() {
    static constinit std::once_flag flag;
    static constinit std::byte* memory = nullptr;
    return reserve_once(flag, memory, kKernelFrames * kPageSize);
}

std::byte* user_memory() {
    static constinit std::once_flag flag;
    static constinit std::byte* memory = nullptr;
    return reserve_once(flag, memory, kUserFrames * kPageSize);
}

// Each thread is a CPU as long as it lives.
class CpuNumber {
public:
    CpuNumber() {
        for (unsigned i = 0; i < taken.size(); ++i) {
            if (!taken[i].exchange(true)) {
                local.index = i;
                return;
            }
        }
        std::fprintf(stderr, "more threads than CPUs\n");
        std::abort();
    }
    CpuNumber(const CpuNumber&) = delete;
    CpuNumber& operator=(const CpuNumber&) = delete;
    ~CpuNumber() { taken[local.index] = false; }

    kernel::platform::CpuLocal local;

private:
    static inline std::array<std::atomic<bool>, kernel::platform::kMaxCpus> taken{};
};

std::atomic<std::uint64_t> maps_until_failure = 0;
std::atomic<std::size_t> page_maps = 0;

[[noreturn]] void broken(const char* rule) {
    std::fprintf(stderr, "page map: %s\n", rule);
    std::abort();
}

void check_range(VirtAddr address, std::uint64_t pages) {
    if (!address.is_page_aligned() || pages == 0 || address < kernel::platform::kUserMin ||
        address > kernel::platform::kUserMax || pages > (kernel::platform::kUserMax - address) / kPageSize) {
        broken("range is not user pages");
    }
}

}  // namespace

FakePageMap::~FakePageMap() {
    --page_maps;
}

kernel::Result<> FakePageMap::map(VirtAddr address, FrameNumber first, std::uint64_t pages, Access access) {
    check_range(address, pages);
    if (access == Access::None) {
        broken("maps without access");
    }
    if (kernel::frame_value(first) < kernel::frame_value(kUserFirst) ||
        kernel::frame_value(first) + pages > kernel::frame_value(kUserFirst) + kUserFrames) {
        broken("maps frames that are not for users");
    }
    if (maps_until_failure != 0 && --maps_until_failure == 0) {
        return kernel::Error::NoMemory;
    }
    const std::lock_guard guard(mutex_);
    ++maps;
    const std::uint64_t page = address.page_index();
    const Change change{Action::Map, page, pages, {first, access}};
    const auto present = translations_.lower_bound(page);
    if (queue_.empty() && (present == translations_.end() || present->first >= page + pages)) {
        apply(change);
    } else {
        queue_.push_back(change);
    }
    return {};
}

void FakePageMap::unmap(VirtAddr address, std::uint64_t pages) {
    check_range(address, pages);
    const std::lock_guard guard(mutex_);
    ++unmaps;
    queue_.push_back({Action::Unmap, address.page_index(), pages, {}});
}

void FakePageMap::protect(VirtAddr address, std::uint64_t pages, Access access) {
    check_range(address, pages);
    const std::lock_guard guard(mutex_);
    ++protects;
    queue_.push_back({Action::Protect, address.page_index(), pages, {{}, access}});
}

void FakePageMap::commit() {
    const std::lock_guard guard(mutex_);
    ++commits;
    for (const Change& change : queue_) {
        apply(change);
    }
    queue_.clear();
}

void FakePageMap::apply(const Change& change) {
    const auto first = translations_.lower_bound(change.page);
    const auto end = translations_.lower_bound(change.page + change.pages);
    switch (change.action) {
        case Action::Map:
            for (std::uint64_t i = 0; i < change.pages; ++i) {
                translations_[change.page + i] = {change.to.frame + i, change.to.access};
            }
            break;
        case Action::Unmap:
            translations_.erase(first, end);
            break;
        case Action::Protect:
            for (auto it = first; it != end; ++it) {
                it->second.access = change.to.access;
            }
            break;
    }
}

FakePageMap::Outcome FakePageMap::find(VirtAddr address, Access access, std::byte*& byte) {
    const auto found = translations_.find(address.page_index());
    if (found == translations_.end()) {
        return Outcome::Absent;
    }
    if (access == Access::Write && !allows(found->second.access, Access::Write)) {
        return Outcome::Denied;
    }
    byte = kernel::platform::frame_pointer(found->second.frame) + address.page_offset();
    return Outcome::Done;
}

// The access is under the mutex, as a processor finishes an instruction before it takes a shoot-down.
FakePageMap::Outcome FakePageMap::read(VirtAddr address, std::byte& value) {
    const std::lock_guard guard(mutex_);
    std::byte* byte = nullptr;
    const Outcome outcome = find(address, Access::Read, byte);
    if (outcome == Outcome::Done) {
        // Relaxed atomics: user programs race as they like.
        value = std::byte{__atomic_load_n(reinterpret_cast<unsigned char*>(byte), __ATOMIC_RELAXED)};
    }
    return outcome;
}

FakePageMap::Outcome FakePageMap::write(VirtAddr address, std::byte value) {
    const std::lock_guard guard(mutex_);
    std::byte* byte = nullptr;
    const Outcome outcome = find(address, Access::Write, byte);
    if (outcome == Outcome::Done) {
        __atomic_store_n(reinterpret_cast<unsigned char*>(byte), static_cast<unsigned char>(value), __ATOMIC_RELAXED);
    }
    return outcome;
}

void FakePageMap::drop_some(std::mt19937_64& random, double probability) {
    const std::lock_guard guard(mutex_);
    std::bernoulli_distribution drop(probability);
    std::erase_if(translations_, [&](const auto&) { return drop(random); });
}

std::size_t FakePageMap::translations() {
    const std::lock_guard guard(mutex_);
    return translations_.size();
}

std::optional<FrameNumber> FakePageMap::frame_at(VirtAddr address) {
    const std::lock_guard guard(mutex_);
    const auto found = translations_.find(address.page_index());
    return found == translations_.end() ? std::nullopt : std::optional(found->second.frame);
}

void fail_page_map(std::uint64_t number) {
    maps_until_failure = number;
}

std::size_t live_page_maps() {
    return page_maps;
}

}  // namespace test_support

namespace kernel::platform {

using test_support::kKernelFirst;
using test_support::kKernelFrames;
using test_support::kUserFirst;
using test_support::kUserFrames;

[[gnu::weak]] Result<OwnPtr<PageMap>> PageMap::create() {
    OwnPtr<PageMap> map = TRY(make_own<test_support::FakePageMap>());
    ++test_support::page_maps;
    return map;
}

[[gnu::weak]] std::span<const FrameRange> frame_ranges() {
    static constexpr std::array kRanges = {
        FrameRange{kKernelFirst, kKernelFrames, FrameZone::Kernel, false},
        FrameRange{kUserFirst, kUserFrames, FrameZone::User, true},
    };
    return kRanges;
}

[[gnu::weak]] std::byte* frame_pointer(FrameNumber frame) {
    const std::uint64_t value = frame_value(frame);
    if (value - frame_value(kKernelFirst) < kKernelFrames) {
        return test_support::kernel_memory() + (frame - kKernelFirst) * kPageSize;
    }
    if (value - frame_value(kUserFirst) < kUserFrames) {
        return test_support::user_memory() + (frame - kUserFirst) * kPageSize;
    }
    test_support::broken("no such frame");
}

[[gnu::weak]] FrameNumber frame_of_pointer(const void* pointer) {
    const auto* const byte = static_cast<const std::byte*>(pointer);
    const std::byte* const kernel = test_support::kernel_memory();
    if (byte >= kernel && byte < kernel + kKernelFrames * kPageSize) {
        return kKernelFirst + static_cast<std::uint64_t>(byte - kernel) / kPageSize;
    }
    const std::byte* const user = test_support::user_memory();
    if (byte >= user && byte < user + kUserFrames * kPageSize) {
        return kUserFirst + static_cast<std::uint64_t>(byte - user) / kPageSize;
    }
    test_support::broken("pointer outside of memory");
}

[[gnu::weak]] bool discard_frames(FrameNumber first, std::uint64_t count) {
    return madvise(frame_pointer(first), count * kPageSize, MADV_DONTNEED) == 0;
}

[[gnu::weak]] void* reserve_boot_array(std::size_t bytes) {
    return test_support::reserve(bytes);
}

[[gnu::weak]] unsigned cpu_count() {
    return kMaxCpus;
}

[[gnu::weak]] CpuLocal& this_cpu() {
    thread_local test_support::CpuNumber number;
    return number.local;
}

[[gnu::weak]] void spin_pause() {
    __builtin_ia32_pause();
}

[[gnu::weak]] std::uint64_t cpu_ticks() {
    return monotonic_ns();
}

[[gnu::weak]] std::uint64_t ticks_to_ns(std::uint64_t ticks) {
    return ticks;
}

[[gnu::weak]] std::uint64_t user_ticks() {
    return monotonic_ns();
}

[[gnu::weak]] std::optional<UserClock> user_clock() {
    return std::nullopt;
}

[[gnu::weak]] std::uint64_t monotonic_ns() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

[[gnu::weak]] std::uint64_t realtime_ns() {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

// Reproducible, but not constant.
[[gnu::weak]] void fill_random(std::span<std::byte> bytes) {
    static std::mutex mutex;
    static std::mt19937_64 random;
    const std::lock_guard guard(mutex);
    for (std::byte& byte : bytes) {
        byte = static_cast<std::byte>(random() & 0xff);
    }
}

}  // namespace kernel::platform
