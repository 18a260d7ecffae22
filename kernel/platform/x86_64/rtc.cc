// SPDX-License-Identifier: MIT OR Apache-2.0
// The MC146818 real-time clock behind ports 0x70 and 0x71.
#include "platform/x86_64/rtc.h"

#include <array>

#include "platform/x86_64/instructions.h"

namespace kernel::platform::x86 {
namespace {

constexpr std::uint8_t kStatusA = 0x0a;
constexpr std::uint8_t kStatusB = 0x0b;
constexpr std::uint8_t kUpdateInProgress = 0x80;
constexpr std::uint8_t kBinary = 0x04;
constexpr std::uint8_t kTwentyFourHours = 0x02;
constexpr std::uint8_t kAfternoon = 0x80;

std::uint8_t read_register(std::uint8_t index) {
    out8(0x70, index);
    return in8(0x71);
}

// Seconds, minutes, hours, day, month, year.
using Fields = std::array<std::uint8_t, 6>;

Fields read_fields() {
    constexpr std::array<std::uint8_t, 6> kIndices = {0, 2, 4, 7, 8, 9};
    Fields fields{};
    for (std::size_t i = 0; i < fields.size(); ++i) {
        fields[i] = read_register(kIndices[i]);
    }
    return fields;
}

unsigned decode(std::uint8_t value, bool binary) {
    return binary ? value : (value >> 4) * 10u + (value & 15u);
}

// Days since 1970-01-01 in the Gregorian calendar, counting years from March so that the leap day comes last.
std::uint64_t days_since_1970(unsigned year, unsigned month, unsigned day) {
    const unsigned y = month <= 2 ? year - 1 : year;
    const unsigned m = month <= 2 ? month + 9 : month - 3;
    constexpr unsigned kDaysTo1970 = 719'468;
    return y * 365u + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - kDaysTo1970;
}

}  // namespace

std::uint64_t read_rtc_ns() {
    if (read_register(kStatusB) == 0xff) {
        return 0;
    }
    // The same values twice, outside an update: they belong together.
    Fields fields{};
    for (unsigned tries = 0; tries < 10'000; ++tries) {
        if ((read_register(kStatusA) & kUpdateInProgress) != 0) {
            continue;
        }
        const Fields again = read_fields();
        if (again == fields) {
            break;
        }
        fields = again;
    }
    const std::uint8_t status = read_register(kStatusB);
    const bool binary = (status & kBinary) != 0;
    unsigned hour = decode(fields[2] & static_cast<std::uint8_t>(~kAfternoon), binary);
    if ((status & kTwentyFourHours) == 0) {
        hour = hour % 12 + ((fields[2] & kAfternoon) != 0 ? 12 : 0);
    }
    const unsigned month = decode(fields[4], binary);
    if (month < 1 || month > 12) {
        return 0;
    }
    const std::uint64_t days = days_since_1970(2000 + decode(fields[5], binary), month, decode(fields[3], binary));
    const std::uint64_t seconds =
        days * 86'400 + hour * 3600 + decode(fields[1], binary) * 60 + decode(fields[0], binary);
    return seconds * 1'000'000'000;
}

}  // namespace kernel::platform::x86
