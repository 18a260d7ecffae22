// SPDX-License-Identifier: MIT OR Apache-2.0
// The machine that tests of this module run on: scheduler and memory, but no user mode and no console.
#include "platform/console.h"
#include "platform/user_context.h"
#include "support/sched_platform.inc"

namespace kernel::platform {

[[gnu::weak]] Result<OwnPtr<UserContext>> UserContext::create(PageMap&, const Registers&) {
    return Error::WouldBlock;
}
[[gnu::weak]] std::size_t xstate_size() {
    return 512;
}
[[gnu::weak]] std::uint64_t xstate_features() {
    return 3;
}
[[gnu::weak]] CpuIdentification cpu_identification(std::uint32_t, std::uint32_t) {
    return {};
}
[[gnu::weak]] std::uint32_t cpu_feature_word() {
    return 0;
}

[[gnu::weak]] Result<std::size_t> console_write(ConsoleStream, std::span<const std::byte> bytes) {
    return bytes.size();
}
[[gnu::weak]] Result<std::size_t> console_read(std::span<std::byte>) {
    return Error::WouldBlock;
}
[[gnu::weak]] ConsoleKind console_kind() {
    return {false, false, false};
}
[[gnu::weak]] std::optional<ConsoleSize> console_size() {
    return std::nullopt;
}
[[gnu::weak]] void console_set_raw(bool) {}

}  // namespace kernel::platform
