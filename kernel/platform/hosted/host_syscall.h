// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "lib/result.h"

namespace kernel::platform::hosted {

// Host system calls without the C library: no errno, no thread-local storage, no cancellation points. The result is
// what the host kernel returns: a value, or a negative errno.
using HostResult = std::int64_t;

// Arguments may be integers, enums, pointers or nullptr.
template <class T>
constexpr std::uint64_t host_argument(T value) {
    if constexpr (std::is_null_pointer_v<T>) {
        return 0;
    } else if constexpr (std::is_pointer_v<T>) {
        // SAFETY: the host kernel takes addresses as integers.
        return reinterpret_cast<std::uint64_t>(value);
    } else if constexpr (std::is_signed_v<T>) {
        return static_cast<std::uint64_t>(static_cast<std::int64_t>(value));
    } else {
        return static_cast<std::uint64_t>(value);
    }
}

inline HostResult host_syscall_raw(std::uint64_t number, std::uint64_t a = 0, std::uint64_t b = 0, std::uint64_t c = 0,
                                   std::uint64_t d = 0, std::uint64_t e = 0, std::uint64_t f = 0) {
    HostResult result;
    register std::uint64_t r10 asm("r10") = d;
    register std::uint64_t r8 asm("r8") = e;
    register std::uint64_t r9 asm("r9") = f;
    // SAFETY: the x86-64 system call convention (syscall(2)); the kernel clobbers rcx and r11 and may change memory.
    asm volatile("syscall"
                 : "=a"(result)
                 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                 : "rcx", "r11", "memory");
    return result;
}

template <class... Arguments>
inline HostResult host_syscall(long number, Arguments... arguments) {
    static_assert(sizeof...(arguments) <= 6);
    return host_syscall_raw(static_cast<std::uint64_t>(number), host_argument(arguments)...);
}

constexpr bool host_failed(HostResult result) {
    return result < 0 && result >= -4095;
}

// The positive errno of a failed call.
constexpr int host_errno(HostResult result) {
    return static_cast<int>(-result);
}

// The kernel's error for a host errno; unknown ones are Io.
Error error_from_host(int host_errno_value);

// A host result as a Result: the value, or error_from_host.
inline Result<std::uint64_t> host_checked(HostResult result) {
    if (host_failed(result)) {
        return std::unexpected(error_from_host(host_errno(result)));
    }
    return static_cast<std::uint64_t>(result);
}

}  // namespace kernel::platform::hosted
