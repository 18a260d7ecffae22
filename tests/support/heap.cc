// SPDX-License-Identifier: MIT OR Apache-2.0
#include "support/heap.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <unordered_map>

#include "lib/heap.h"

namespace test_support {
namespace {

struct Block {
    std::size_t bytes;
    std::size_t align;
};

struct State {
    std::mutex mutex;
    std::unordered_map<void*, Block> blocks;
    std::size_t live_bytes = 0;
    std::size_t allocations = 0;
    std::size_t until_failure = 0;
    bool failed = false;
    int exhausted = 0;
};

// Never destroyed: objects with static storage free their memory late.
State& state() {
    static State* const kInstance = new State;
    return *kInstance;
}

bool fails_now(State& s) {
    ++s.allocations;
    if (s.exhausted != 0) {
        return true;
    }
    if (s.until_failure != 0) {
        --s.until_failure;
        s.failed = s.until_failure == 0;
        return s.failed;
    }
    return false;
}

[[noreturn]] void misuse(const char* what) {
    std::fprintf(stderr, "heap misuse: %s\n", what);
    std::abort();
}

}  // namespace

std::size_t live_heap_blocks() {
    const std::lock_guard guard(state().mutex);
    return state().blocks.size();
}

std::size_t live_heap_bytes() {
    const std::lock_guard guard(state().mutex);
    return state().live_bytes;
}

std::size_t heap_allocations() {
    const std::lock_guard guard(state().mutex);
    return state().allocations;
}

void fail_allocation(std::size_t number) {
    const std::lock_guard guard(state().mutex);
    state().until_failure = number;
    state().failed = false;
}

bool end_allocation_failure() {
    const std::lock_guard guard(state().mutex);
    state().until_failure = 0;
    return state().failed;
}

HeapExhausted::HeapExhausted() {
    const std::lock_guard guard(state().mutex);
    ++state().exhausted;
}

HeapExhausted::~HeapExhausted() {
    const std::lock_guard guard(state().mutex);
    --state().exhausted;
}

}  // namespace test_support

namespace kernel {

using test_support::misuse;
using test_support::state;

[[gnu::weak]] Result<void*> heap_allocate(std::size_t bytes, std::size_t align) {
    if (bytes == 0 || (align & (align - 1)) != 0 || align == 0) {
        misuse("allocation of nothing, or alignment is not a power of two");
    }
    const std::lock_guard guard(state().mutex);
    if (test_support::fails_now(state())) {
        return Error::NoMemory;
    }
    void* block = nullptr;
    if (posix_memalign(&block, align < sizeof(void*) ? sizeof(void*) : align, bytes) != 0) {
        return Error::NoMemory;
    }
    // Contents are undefined, so nothing may rely on zeros.
    std::memset(block, 0xa5, bytes);
    state().blocks.emplace(block, test_support::Block{bytes, align});
    state().live_bytes += bytes;
    return block;
}

[[gnu::weak]] void heap_free(void* block, std::size_t bytes, std::size_t align) {
    if (block == nullptr) {
        return;
    }
    const std::lock_guard guard(state().mutex);
    const auto found = state().blocks.find(block);
    if (found == state().blocks.end()) {
        misuse("block was not allocated, or is free already");
    }
    if (found->second.bytes != bytes || found->second.align != align) {
        misuse("block is freed with another size or alignment than it was allocated with");
    }
    state().live_bytes -= bytes;
    state().blocks.erase(found);
    std::free(block);
}

}  // namespace kernel
