// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstdint>

#include "lib/own.h"
#include "lib/result.h"
#include "lib/types.h"

namespace kernel::platform {

// Access that user code has to a page. Write implies Read on this hardware; None keeps the page unmapped.
enum class Access : std::uint8_t { None = 0, Read = 1, Write = 2, Execute = 4 };
constexpr Access operator|(Access a, Access b) {
    return static_cast<Access>(static_cast<std::uint8_t>(a) | static_cast<std::uint8_t>(b));
}
constexpr Access operator&(Access a, Access b) {
    return static_cast<Access>(static_cast<std::uint8_t>(a) & static_cast<std::uint8_t>(b));
}
constexpr bool allows(Access granted, Access wanted) {
    return (granted & wanted) == wanted;
}

// User addresses are in [kUserMin, kUserMax). The hosted platform keeps its stub above kUserMax.
inline constexpr VirtAddr kUserMin{0x10000};
inline constexpr VirtAddr kUserMax{0x7fff'0000'0000};

// The translations of one address space: a cache, like a TLB. The platform may drop any of them at any time (never
// add one); the page-fault handler puts them back. Calls of one PageMap may come from several CPUs at once; the caller
// serialises changes to the same range by the lock of its address space.
class PageMap {
public:
    static Result<OwnPtr<PageMap>> create();
    virtual ~PageMap() = default;

    // Maps `pages` consecutive frames at `address`, replacing what is there. The frames stay the caller's to keep alive
    // until they have been unmapped and committed. Errors: NoMemory.
    virtual Result<> map(VirtAddr address, FrameNumber first, std::uint64_t pages, Access access) = 0;
    virtual void unmap(VirtAddr address, std::uint64_t pages) = 0;
    // Reduces or widens the access of what is mapped in the range; unmapped pages stay so.
    virtual void protect(VirtAddr address, std::uint64_t pages, Access access) = 0;

    // unmap, protect and replacing maps may be queued; after commit() they hold on every CPU. Frames that were unmapped
    // may be freed only after it. Entering user mode commits first.
    virtual void commit() = 0;
};

}  // namespace kernel::platform
