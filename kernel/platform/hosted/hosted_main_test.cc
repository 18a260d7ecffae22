// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/hosted/hosted_main.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>
#include <array>

#include "platform/boot.h"
#include "platform/clock.h"
#include "platform/entropy.h"
#include "platform/entry.h"
#include "platform/frames.h"
#include "platform/hosted/host_clock.h"
#include "platform/power.h"

namespace kernel {
namespace {

void (*kernel_body)() = nullptr;

}  // namespace

// What hosted_start() ends in; here the body of the test that runs.
void kernel_main() {
    kernel_body();
    platform::power_off(0);
}

namespace platform::hosted {
namespace {

int status_of_kernel(const HostedOptions& options, void (*body)(), void (*before)() = nullptr) {
    const pid_t child = fork();
    if (child == 0) {
        kernel_body = body;
        if (before != nullptr) {
            before();
        }
        hosted_start(options);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

constexpr std::uint64_t kMemory = std::uint64_t{64} << 20;

TEST(HostedStart, ReachesTheKernelAndReturnsItsStatus) {
    EXPECT_EQ(status_of_kernel({.memory_bytes = kMemory}, [] { power_off(42); }), 42);
}

TEST(HostedStart, ServesTheKernelWhenConfined) {
    EXPECT_EQ(status_of_kernel({.memory_bytes = kMemory, .start_ns = host_monotonic_ns()},
                               [] {
                                   std::array<std::byte, 16> random{};
                                   fill_random(random);
                                   const FrameNumber frame = frame_ranges()[0].first;
                                   *frame_pointer(frame) = std::byte{1};
                                   const bool good = discard_frames(frame, 1) && initramfs().empty() &&
                                                     monotonic_ns() < 60'000'000'000 && realtime_ns() > monotonic_ns();
                                   power_off(good ? 3 : 4);
                               }),
              3);
}

// Otherwise the first descriptor that the kernel opens, guest memory, would be the guest's standard output.
TEST(HostedStart, ClosedStandardStreamsAreFilled) {
    EXPECT_EQ(status_of_kernel(
                  {.memory_bytes = kMemory, .confine = false},
                  [] {
                      const char text[] = "lost";
                      power_off(write(1, text, sizeof text) == sizeof text &&
                                        *frame_pointer(frame_ranges()[0].first) == std::byte{0}
                                    ? 5
                                    : 6);
                  },
                  [] {
                      for (const int descriptor : {0, 1, 2}) {
                          close(descriptor);
                      }
                  }),
              5);
}

TEST(HostedStart, TooMuchMemoryIsAMessageNotACrash) {
    EXPECT_EQ(status_of_kernel({.memory_bytes = std::uint64_t{1} << 60}, [] { power_off(0); }), 125);
}

}  // namespace
}  // namespace platform::hosted
}  // namespace kernel
