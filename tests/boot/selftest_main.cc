// SPDX-License-Identifier: MIT OR Apache-2.0
// The kernel's command line chooses what happens: nothing = all tests; see run_selftest.sh for the rest.
#include "lib/assert.h"
#include "platform/boot.h"
#include "platform/clock.h"
#include "platform/entry.h"
#include "platform/power.h"
#include "selftest.h"

namespace selftest {
namespace {

constinit unsigned failures = 0;

struct Test {
    const char* name;
    void (*run)();
};

constexpr Test kTests[] = {
    {"memory", test_memory},
    {"page map", test_page_map},
    {"system calls", test_syscalls},
    {"page faults", test_faults},
    {"exceptions", test_exceptions},
    {"return to user mode", test_return_to_user},
    {"segment bases", test_segment_bases},
    {"vector state", test_vector_state},
    {"clock", test_clock},
    {"timer", test_timer},
    {"kernel contexts", test_kernel_contexts},
    {"entropy", test_entropy},
};

bool wants(std::string_view word) {
    return kernel::platform::boot_command_line().find(word) != std::string_view::npos;
}

unsigned run_all() {
    for (const Test& test : kTests) {
        const unsigned before = failures;
        test.run();
        say("{} {}\n", failures == before ? "ok  " : "FAIL", test.name);
    }
    if (wants("input")) {
        test_console_input();
    }
    if (wants("measure")) {
        measure();
    }
    return failures;
}

[[gnu::noinline]] std::uint64_t overflow_stack(std::uint64_t depth) {
    volatile std::byte block[1024] = {};
    block[depth % sizeof block] = std::byte{1};
    if (depth == UINT64_MAX) {
        return 0;
    }
    return overflow_stack(depth + 1) + static_cast<std::uint64_t>(block[0]);
}

void write_to(std::uint64_t address) {
    // SAFETY: none: the write must fault.
    // NOLINTNEXTLINE(clang-analyzer-core.FixedAddressDereference)
    *reinterpret_cast<volatile std::uint64_t*>(address) = 1;
}

void panic_on_request() {
    if (wants("panic=message")) {
        kernel::panic("as requested");
    }
    if (wants("panic=null")) {
        write_to(0x10);
    }
    if (wants("panic=text")) {
        // SAFETY: only the number is used.
        write_to(reinterpret_cast<std::uint64_t>(&panic_on_request));
    }
    if (wants("panic=direct-text")) {
        // SAFETY: only the number is used.
        write_to(reinterpret_cast<std::uint64_t>(&panic_on_request) - 0xffff'ffff'8000'0000 + 0xffff'8000'0000'0000);
    }
    if (wants("panic=stack")) {
        say("{}\n", overflow_stack(0));
    }
}

}  // namespace

void note_failure(const char* what, const char* file, int line) {
    ++failures;
    say("    {}:{}: {}\n", file, line, what);
}

unsigned failure_count() {
    return failures;
}

}  // namespace selftest

namespace kernel {

void kernel_main() {
    using namespace selftest;
    say("kpio selftest, {} us after entry\n", platform::monotonic_ns() / 1000);
    panic_on_request();
    if (wants("status=")) {
        const auto line = platform::boot_command_line();
        int status = 0;
        for (const char digit : line.substr(line.find("status=") + 7)) {
            status = digit >= '0' && digit <= '9' ? status * 10 + (digit - '0') : status;
        }
        platform::power_off(status);
    }
    const unsigned failed = run_all();
    say("selftest: {} failures\n", failed);
    platform::power_off(failed == 0 ? 0 : 1);
}

}  // namespace kernel
