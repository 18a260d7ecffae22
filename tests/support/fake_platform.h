// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <vector>

#include "lib/types.h"
#include "platform/frames.h"
#include "platform/page_map.h"

// A platform for unit tests of what needs frames, page maps, a CPU number, a clock and entropy. Its definitions are
// weak, like the others of tests/support. Memory is 64 MiB of kernel and 256 MiB of user frames that cost nothing until
// touched.
namespace test_support {

// Translations as the MMU would have them. Operations that take something away are queued until commit(), as real
// platforms do, so that a missing commit shows. Aborts the test when something outside the rules is mapped.
class FakePageMap final : public kernel::platform::PageMap {
public:
    ~FakePageMap() override;

    kernel::Result<> map(kernel::VirtAddr address, kernel::FrameNumber first, std::uint64_t pages,
                         kernel::platform::Access access) override;
    void unmap(kernel::VirtAddr address, std::uint64_t pages) override;
    void protect(kernel::VirtAddr address, std::uint64_t pages, kernel::platform::Access access) override;
    void commit() override;

    enum class Outcome : std::uint8_t { Done, Absent, Denied };
    // What a user instruction does: one byte, within the rights of the translation.
    Outcome read(kernel::VirtAddr address, std::byte& value);
    Outcome write(kernel::VirtAddr address, std::byte value);

    // Drops each translation with the given probability, as a platform may at any time.
    void drop_some(std::mt19937_64& random, double probability);
    std::size_t translations();
    // The frame behind the address, if there is a translation.
    std::optional<kernel::FrameNumber> frame_at(kernel::VirtAddr address);

    // Calls so far.
    std::uint64_t maps = 0;
    std::uint64_t unmaps = 0;
    std::uint64_t protects = 0;
    std::uint64_t commits = 0;

private:
    struct Translation {
        kernel::FrameNumber frame;
        kernel::platform::Access access;
    };
    enum class Action : std::uint8_t { Map, Unmap, Protect };
    struct Change {
        Action action;
        std::uint64_t page;
        std::uint64_t pages;
        Translation to;
    };

    void apply(const Change& change);
    Outcome find(kernel::VirtAddr address, kernel::platform::Access access, std::byte*& byte);

    std::mutex mutex_;
    std::map<std::uint64_t, Translation> translations_;
    std::vector<Change> queue_;
};

// The next map() of any page map that is the `number`th from now on fails. 0: none.
void fail_page_map(std::uint64_t number);
// Live page maps.
std::size_t live_page_maps();

}  // namespace test_support
