// SPDX-License-Identifier: MIT OR Apache-2.0
#include "lib/bytes.h"
#include "platform/boot.h"
#include "platform/frames.h"
#include "selftest.h"

namespace selftest {

using namespace kernel;
using namespace kernel::platform;

namespace {

void check_ranges() {
    std::uint64_t frames = 0;
    std::uint64_t last_count = 0;
    for (const FrameRange& range : frame_ranges()) {
        CHECK(range.count >= last_count);
        last_count = range.count;
        CHECK(frame_value(range.first) >= 0x100);  // the first MiB is kept
        frames += range.count;
        // Both ends can be read and written.
        for (const FrameNumber frame : {range.first, range.first + (range.count - 1)}) {
            std::byte* const pointer = frame_pointer(frame);
            pointer[0] = std::byte{0x5a};
            pointer[kPageSize - 1] = std::byte{0xa5};
            CHECK(pointer[0] == std::byte{0x5a} && pointer[kPageSize - 1] == std::byte{0xa5});
            CHECK(frame_of_pointer(pointer + 17) == frame);
        }
    }
    say("     {} KiB in {} ranges\n", frames * 4, frame_ranges().size());
}

void check_boot_array() {
    constexpr std::size_t kBytes = 5 << 20;
    std::uint64_t before = 0;
    for (const FrameRange& range : frame_ranges()) {
        before += range.count;
    }
    auto* const array = static_cast<std::byte*>(reserve_boot_array(kBytes));
    CHECK(array != nullptr);
    if (array == nullptr) {
        return;
    }
    std::uint64_t after = 0;
    for (const FrameRange& range : frame_ranges()) {
        after += range.count;
    }
    CHECK(after < before && before - after < (kBytes >> kPageShift) + 8);
    for (const std::size_t offset : {std::size_t{0}, std::size_t{4095}, std::size_t{4096}, kBytes / 2, kBytes - 1}) {
        CHECK(array[offset] == std::byte{0});
        array[offset] = std::byte{7};
        CHECK(array[offset] == std::byte{7});
    }
    CHECK(reserve_boot_array(std::size_t{1} << 40) == nullptr);
}

}  // namespace

void test_memory() {
    check_ranges();
    check_boot_array();
    if (!initramfs().empty()) {
        say("     initramfs {} bytes, starts with {}\n", initramfs().size(), as_text(initramfs().first(6)));
        CHECK(as_text(initramfs().first(6)) == "070701");
        const FrameNumber frame = frame_of_pointer(initramfs().data());
        for (const FrameRange& range : frame_ranges()) {
            CHECK(frame < range.first || frame >= range.first + range.count);
        }
    }
}

}  // namespace selftest
