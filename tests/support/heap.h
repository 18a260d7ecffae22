// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <concepts>
#include <cstddef>
#include <type_traits>

#include "lib/result.h"

// The heap of unit tests: malloc, which the sanitizers watch, with book-keeping. heap_free aborts the test when the
// block, its size or its alignment is not that of an allocation.
namespace test_support {

std::size_t live_heap_blocks();
std::size_t live_heap_bytes();
// Allocations so far, failed ones included.
std::size_t heap_allocations();

// Lets the allocation fail that is the `number`th from now on (1: the next), on whatever thread. 0: none.
void fail_allocation(std::size_t number);
// Ends that, and tells whether the allocation came and failed.
bool end_allocation_failure();

// Every allocation fails while in scope.
class HeapExhausted {
public:
    HeapExhausted();
    HeapExhausted(const HeapExhausted&) = delete;
    HeapExhausted& operator=(const HeapExhausted&) = delete;
    ~HeapExhausted();
};

// Runs `fn`, which returns a Result of any type or nothing, once for each of its allocations, and lets that one fail;
// then once without failure. Expects that a failed run returns Error::NoMemory (or survives the failure), that no run
// leaves a block behind, and that the last run succeeds. What fn works on is created inside fn.
template <class Fn>
void for_each_allocation_failure(Fn&& fn) {
    constexpr std::size_t kPlenty = 100'000;
    for (std::size_t number = 1; number < kPlenty; ++number) {
        SCOPED_TRACE(testing::Message() << "allocation " << number << " fails");
        const std::size_t blocks_before = live_heap_blocks();
        bool failed = false;
        kernel::Error error{};
        fail_allocation(number);
        if constexpr (std::is_void_v<std::invoke_result_t<Fn&>>) {
            fn();
        } else {
            const auto result = fn();
            failed = !result.has_value();
            error = failed ? result.error() : kernel::Error{};
        }
        const bool came = end_allocation_failure();
        EXPECT_EQ(live_heap_blocks(), blocks_before) << "leak";
        if (!came) {
            EXPECT_FALSE(failed) << "fails with memory at hand: " << kernel::error_name(error);
            return;
        }
        if (failed) {
            EXPECT_EQ(kernel::error_name(error), "NoMemory");
        }
        if (testing::Test::HasFailure()) {
            return;
        }
    }
    ADD_FAILURE() << "does not end";
}

}  // namespace test_support
