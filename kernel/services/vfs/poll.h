// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstdint>

#include "lib/result.h"

namespace kernel::sched {
class WaitQueue;
}

namespace kernel::vfs {

// poll(2); the values are those of the Linux ABI.
enum class PollEvents : std::uint32_t {
    None = 0,
    In = 0x1,
    Priority = 0x2,
    Out = 0x4,
    Error = 0x8,
    HangUp = 0x10,
    Invalid = 0x20,
    ReadNormal = 0x40,
    ReadBand = 0x80,
    WriteNormal = 0x100,
    WriteBand = 0x200,
    ReadHangUp = 0x2000,
};
constexpr PollEvents operator|(PollEvents a, PollEvents b) {
    return static_cast<PollEvents>(static_cast<std::uint32_t>(a) | static_cast<std::uint32_t>(b));
}
constexpr PollEvents operator&(PollEvents a, PollEvents b) {
    return static_cast<PollEvents>(static_cast<std::uint32_t>(a) & static_cast<std::uint32_t>(b));
}
constexpr PollEvents& operator|=(PollEvents& a, PollEvents b) {
    return a = a | b;
}
constexpr bool any(PollEvents events) {
    return events != PollEvents::None;
}

// Readable and writable without blocking: what regular files always are.
inline constexpr PollEvents kAlwaysReady =
    PollEvents::In | PollEvents::Out | PollEvents::ReadNormal | PollEvents::WriteNormal;

// Whoever polls gets every wait queue on which a change of readiness is signalled. File::poll first registers, then
// looks at the state, so that no change between the two is lost.
class PollRegistrar {
public:
    virtual Result<> watch(sched::WaitQueue& queue) = 0;

protected:
    ~PollRegistrar() = default;
};

}  // namespace kernel::vfs
