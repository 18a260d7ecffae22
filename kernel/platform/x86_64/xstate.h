// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "lib/result.h"
#include "lib/types.h"

namespace kernel::platform::x86 {

// Chooses the vector state that user code gets and enables it on this CPU.
void initialise_xstate();

// One thread's vector state in memory: standard-format XSAVE area (SDM vol. 1, 13.4), synthetic header on CPUs without
// XSAVE.
class XstateArea : NonCopyable {
public:
    static Result<XstateArea> create();
    XstateArea() = default;
    XstateArea(XstateArea&& other) noexcept;
    XstateArea& operator=(XstateArea&& other) noexcept;
    ~XstateArea();

    void reset();
    void save();           // from this CPU's registers
    void restore() const;  // into them
    // Everything in the area as it would be written, also what the CPU leaves out because it is in its initial state.
    std::span<const std::byte> complete();
    // Replaces the state by that of a signal frame: the whole area or the 512 bytes of FXSAVE. Errors: InvalidArgument.
    Result<> assign(std::span<const std::byte> state);

private:
    std::span<std::byte> bytes() const;

    std::byte* area_ = nullptr;
};

}  // namespace kernel::platform::x86
