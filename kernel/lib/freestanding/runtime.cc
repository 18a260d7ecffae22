// SPDX-License-Identifier: MIT OR Apache-2.0
// What the compiler and libstdc++'s headers expect from a C++ runtime (Itanium C++ ABI).
#include <cstddef>
#include <new>

#include "lib/assert.h"
#include "lib/format.h"

// The names are those of the ABI and of libstdc++, which is what a lint rule about names cannot know.
// NOLINTBEGIN(readability-identifier-naming,misc-new-delete-overloads,bugprone-std-namespace-modification)

extern "C" {

// Identifies the image to __cxa_atexit.
extern void* __dso_handle;
[[gnu::visibility("hidden"), gnu::used]] void* __dso_handle = nullptr;

// Objects with static storage are never destroyed: the kernel does not exit.
[[gnu::used]] int __cxa_atexit(void (*)(void*), void*, void*) {
    return 0;
}

[[gnu::used, noreturn]] void __cxa_pure_virtual() {
    kernel::panic("pure virtual function called");
}
[[gnu::used, noreturn]] void __cxa_deleted_virtual() {
    kernel::panic("deleted virtual function called");
}
[[gnu::used, noreturn]] void abort() {
    kernel::panic("abort called");
}

}  // extern "C"

// Virtual destructors refer to operator delete. Kernel objects are freed by RefCounted or OwnPtr, so no one gets here.
void operator delete(void*) noexcept {
    kernel::panic("global operator delete called");
}
void operator delete(void*, std::size_t) noexcept {
    kernel::panic("global operator delete called");
}
void operator delete(void*, std::align_val_t) noexcept {
    kernel::panic("global operator delete called");
}
void operator delete(void*, std::size_t, std::align_val_t) noexcept {
    kernel::panic("global operator delete called");
}

// libstdc++'s headers declare these as noreturn and call them when a precondition does not hold.
namespace std {

void __glibcxx_assert_fail(const char* file, int line, const char* function, const char* condition) noexcept {
    kernel::InlineFormatBuffer<256> message;
    kernel::format_to(message, "assertion failed: {} in {} at {}:{}", condition, function, file, line);
    kernel::panic(message.c_str());
}

void __throw_bad_alloc() {
    kernel::panic("std::bad_alloc");
}
void __throw_bad_array_new_length() {
    kernel::panic("std::bad_array_new_length");
}
void __throw_length_error(const char* message) {
    kernel::panic(message);
}
void __throw_logic_error(const char* message) {
    kernel::panic(message);
}
void __throw_out_of_range(const char* message) {
    kernel::panic(message);
}
// The format's text says enough.
void __throw_out_of_range_fmt(const char* format, ...) {
    kernel::panic(format);
}

}  // namespace std
// NOLINTEND(readability-identifier-naming,misc-new-delete-overloads,bugprone-std-namespace-modification)
