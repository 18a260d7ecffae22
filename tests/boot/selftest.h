// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "lib/format.h"
#include "platform/page_map.h"
#include "platform/user_context.h"

// Tests of the bare-metal platform that run as a kernel of their own, in place of kernel/main.
namespace selftest {

void print(std::string_view text);

template <class... Args>
void say(kernel::FormatString<Args...> format, const Args&... args) {
    kernel::InlineFormatBuffer<256> line;
    kernel::format_to(line, format, args...);
    print(line.view());
}

// Counts and shows a check that does not hold; the test goes on.
void note_failure(const char* what, const char* file, int line);
unsigned failure_count();

#define CHECK(condition) \
    (static_cast<bool>(condition) ? static_cast<void>(0) : ::selftest::note_failure(#condition, __FILE__, __LINE__))

#define CHECK_EQUAL(left, right)                                                  \
    do {                                                                          \
        const auto check_left = static_cast<std::uint64_t>(left);                 \
        const auto check_right = static_cast<std::uint64_t>(right);               \
        if (check_left != check_right) {                                          \
            ::selftest::say("    {:#x} is not {:#x}\n", check_left, check_right); \
            ::selftest::note_failure(#left " == " #right, __FILE__, __LINE__);    \
        }                                                                         \
    } while (false)

// Of support.cc: the memory below the platform.
std::size_t frames_in_use();
std::size_t free_frames();
void fail_allocations_after(std::size_t count);  // SIZE_MAX: never
kernel::FrameNumber take_frame();                // one user frame, zeroed
void give_back_frame(kernel::FrameNumber frame);
kernel::FrameNumber take_large_run();  // 512 frames, aligned; for ever

// An address space with one page of code, one of data, one of stack, and a thread in it.
inline constexpr kernel::VirtAddr kCode{0x400000};
inline constexpr kernel::VirtAddr kData{0x600000};
inline constexpr kernel::VirtAddr kStack{0x700000};
inline constexpr kernel::VirtAddr kStackTop{0x701000};

class Program {
public:
    // Copies the instructions between two labels of user_code.S.
    Program(const std::byte* begin, const std::byte* end);
    ~Program();
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

    kernel::platform::UserContext& context() { return *context_; }
    kernel::platform::PageMap& map() { return *map_; }
    kernel::platform::Registers& registers() { return *MUST(context_->registers()); }
    std::span<std::byte> data() const;
    kernel::FrameNumber data_frame() const { return data_frame_; }
    // Runs until something other than a stray interrupt happens.
    kernel::platform::Trap run();

private:
    kernel::FrameNumber code_frame_;
    kernel::FrameNumber data_frame_;
    kernel::FrameNumber stack_frame_;
    kernel::OwnPtr<kernel::platform::PageMap> map_;
    kernel::OwnPtr<kernel::platform::UserContext> context_;
};

// Declares the labels of a piece of user code: USER_CODE(foo) stands for user_foo_begin, user_foo_end.
#define DECLARE_USER_CODE(name)                       \
    extern "C" const std::byte user_##name##_begin[]; \
    extern "C" const std::byte user_##name##_end[]
#define USER_CODE(name) user_##name##_begin, user_##name##_end

void test_memory();
void test_page_map();
void test_syscalls();
void test_faults();
void test_exceptions();
void test_return_to_user();
void test_segment_bases();
void test_vector_state();
void test_timer();
void test_clock();
void test_kernel_contexts();
void test_entropy();
void test_console_input();
void measure();

}  // namespace selftest
