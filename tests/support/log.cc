// SPDX-License-Identifier: MIT OR Apache-2.0
#include "support/log.h"

#include "lib/log.h"

#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <utility>

#include "lib/assert.h"

namespace {

std::mutex log_mutex;

std::string& collected() {
    static std::string* const kText = new std::string;
    return *kText;
}

}  // namespace

namespace test_support {

std::string take_log() {
    const std::lock_guard guard(log_mutex);
    return std::exchange(collected(), {});
}

}  // namespace test_support

namespace kernel {

[[gnu::weak]] void log_write(std::string_view line) {
    const std::lock_guard guard(log_mutex);
    collected().append(line);
    if (std::getenv("KPIO_TEST_LOG") != nullptr) {
        std::fwrite(line.data(), 1, line.size(), stderr);
    }
}

// Death tests match the message.
[[gnu::weak]] void panic(const char* message) {
    std::fprintf(stderr, "panic: %s\n", message);
    std::abort();
}

}  // namespace kernel
