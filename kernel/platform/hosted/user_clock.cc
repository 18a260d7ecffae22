// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/user_clock.h"

#include <fcntl.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <string_view>

#include "lib/guarded.h"
#include "platform/clock.h"
#include "platform/hosted/host_clock.h"

namespace kernel::platform {
namespace hosted {
namespace {

// The host's clock may run a little faster or slower than before at any time (adjtime): new values each 16 ms keep the
// difference below a system call's time.
constexpr std::uint64_t kLimitNs = 16'000'000;
// The slope is taken over at least this long, so that how long reading a clock takes does not matter.
constexpr std::uint64_t kShortestBaseNs = 1'000'000;
constexpr std::uint64_t kLongestBaseNs = 2'000'000'000;
// Between the two readings of a sample.
constexpr std::uint64_t kReadingErrorNs = 100;

struct Sample {
    std::uint64_t ticks = 0;
    std::uint64_t monotonic_ns = 0;
};

struct Estimate {
    Sample base;  // what the slope is measured from
    Sample next;  // becomes the base when that is too old
};

SpinGuarded<Estimate, Rank::Platform> estimate;
bool usable = false;

// The counter is read after the clock: at that value the clock says no less.
Sample take_sample() {
    const std::uint64_t now = platform::monotonic_ns();
    return {user_ticks(), now};
}

bool host_counts_by_tsc() {
    const int file = open("/sys/devices/system/clocksource/clocksource0/current_clocksource", O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return false;
    }
    std::array<char, 16> text{};
    const auto size = read(file, text.data(), text.size());
    close(file);
    return std::string_view(text.data(), static_cast<std::size_t>(std::max<long>(size, 0))) == "tsc\n";
}

}  // namespace

void set_up_user_clock() {
    usable = host_counts_by_tsc();
    estimate.with([](Estimate& all) { all.base = all.next = take_sample(); });
}

}  // namespace hosted

std::uint64_t user_ticks() {
    std::uint32_t low, high;
    // SAFETY: reads a counter; LFENCE keeps it from being read before what comes earlier.
    asm volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high) : : "memory");
    return std::uint64_t{high} << 32 | low;
}

std::optional<UserClock> user_clock() {
    using namespace hosted;
    if (!usable) {
        return std::nullopt;
    }
    const std::uint64_t real = realtime_ns();
    const Sample now = take_sample();
    return estimate.with([&](Estimate& all) -> std::optional<UserClock> {
        const std::uint64_t passed_ns = now.monotonic_ns - all.base.monotonic_ns;
        const std::uint64_t passed_ticks = now.ticks - all.base.ticks;
        if (passed_ns < kShortestBaseNs || passed_ticks == 0 || passed_ticks >> 62 != 0) {
            return std::nullopt;
        }
        if (passed_ns > kLongestBaseNs / 2 && all.next.monotonic_ns == all.base.monotonic_ns) {
            all.next = now;
        }
        if (passed_ns > kLongestBaseNs) {
            all.base = std::exchange(all.next, now);
        }
        UserClock clock{.ticks = now.ticks, .monotonic_ns = now.monotonic_ns, .realtime_ns = real};
        const auto slope = [&](std::uint64_t ns) {
            return static_cast<std::uint64_t>((static_cast<unsigned __int128>(ns) << 32) / passed_ticks);
        };
        clock.ns_per_tick = slope(passed_ns - kReadingErrorNs);
        clock.limit_ticks =
            static_cast<std::uint64_t>(static_cast<unsigned __int128>(kLimitNs) * passed_ticks / passed_ns);
        return clock;
    });
}

}  // namespace kernel::platform
