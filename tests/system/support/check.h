// SPDX-License-Identifier: MIT OR Apache-2.0
// A system test is a program of TEST blocks, run in the order they are written; a failed check is counted and the test
// goes on. "ok NAME" is written after each block, so that the block that hangs is the one after the last line. Names
// given as arguments select blocks. A ROLE is what the program does when it executes itself: PROGRAM --role NAME
// [ARG…].
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <concepts>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace check {

struct Block {
    const char* name;
    void (*function)();
};

struct Role {
    const char* name;
    int (*function)(int argument_count, char** arguments);
};

inline std::vector<Block>& blocks() {
    static std::vector<Block> all;
    return all;
}

inline std::vector<Role>& roles() {
    static std::vector<Role> all;
    return all;
}

inline int failures = 0;
inline const char* program_path = "";

// Unbuffered: nothing is written twice after fork.
inline void say(const std::string& line) {
    const std::string text = line + "\n";
    if (write(STDOUT_FILENO, text.data(), text.size()) < 0) {
        _exit(3);
    }
}

inline void failed(const char* file, int line, const std::string& what) {
    const int saved = errno;
    __atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED);
    const char* slash = std::strrchr(file, '/');
    say(std::string(slash != nullptr ? slash + 1 : file) + ":" + std::to_string(line) + ": failed: " + what);
    errno = saved;
}

template <class T>
std::string show(const T& value) {
    if constexpr (std::is_same_v<T, bool>) {
        return value ? "true" : "false";
    } else if constexpr (std::is_enum_v<T>) {
        return std::to_string(static_cast<long long>(value));
    } else if constexpr (std::is_arithmetic_v<T>) {
        return std::to_string(value);
    } else if constexpr (std::is_convertible_v<T, std::string_view>) {
        return '"' + std::string(std::string_view(value)) + '"';
    } else if constexpr (std::is_pointer_v<T>) {
        char text[32];
        std::snprintf(text, sizeof(text), "%p", static_cast<const void*>(value));
        return text;
    } else {
        return "?";
    }
}

inline bool check_true(const char* file, int line, const char* text, bool held) {
    if (!held) {
        failed(file, line, text);
    }
    return held;
}

template <class A, class B>
bool equal(const A& a, const B& b) {
    // Promotion makes integers of characters.
    if constexpr (std::integral<A> && std::integral<B>) {
        return std::cmp_equal(+a, +b);
    } else {
        return a == b;
    }
}

template <class A, class B>
bool check_equal(const char* file, int line, const char* text, const A& a, const B& b) {
    if (equal(a, b)) {
        return true;
    }
    failed(file, line, std::string(text) + ": " + show(a) + " and " + show(b));
    return false;
}

template <class T>
bool check_succeeds(const char* file, int line, const char* text, const T& result) {
    if (result != T(-1)) {
        return true;
    }
    failed(file, line, std::string(text) + ": " + std::strerror(errno));
    return false;
}

template <class T>
bool check_errno(const char* file, int line, const char* text, const T& result, int expected) {
    if (result == T(-1) && errno == expected) {
        return true;
    }
    const std::string seen = result == T(-1) ? strerrorname_np(errno) : "result " + show(result);
    failed(file, line, std::string(text) + ": " + seen + " instead of " + strerrorname_np(expected));
    return false;
}

// Status as of waitpid: "exit N" or "signal N" in failures.
inline std::string show_status(int status) {
    if (WIFEXITED(status)) {
        return "exit " + std::to_string(WEXITSTATUS(status));
    }
    if (WIFSIGNALED(status)) {
        return "signal " + std::to_string(WTERMSIG(status));
    }
    return "status " + std::to_string(status);
}

inline int wait_status(pid_t child) {
    int status = -1;
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) {
            return -1;
        }
    }
    return status;
}

// Until the process sleeps in a system call that a signal may end: state S, proc(5). However slow the machine is, a
// signal that is sent then finds it there.
inline void wait_until_asleep(pid_t process) {
    const std::string path = "/proc/" + std::to_string(process) + "/stat";
    for (int tries = 0; tries < 20'000; ++tries) {
        char text[128] = {};
        const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
        if (file < 0 || read(file, text, sizeof(text) - 1) <= 0) {
            break;
        }
        close(file);
        // The name stands in parentheses and may have some of its own.
        const char* const state = std::strrchr(text, ')');
        if (state != nullptr && state[1] != '\0' && state[2] == 'S') {
            return;
        }
        usleep(1000);
    }
    failed(__FILE__, __LINE__, path + ": never asleep");
}

// Forks; the child runs `function` and exits with 0 if it returned without a failed check.
template <class Function>
pid_t start_child(Function function) {
    const pid_t child = fork();
    if (child == 0) {
        failures = 0;
        function();
        _exit(failures == 0 ? 0 : 1);
    }
    if (child < 0) {
        failed(__FILE__, __LINE__, std::string("fork: ") + std::strerror(errno));
        _exit(1);
    }
    return child;
}

// Runs `function` in a child and returns its wait status.
template <class Function>
int child_status(Function function) {
    return wait_status(start_child(function));
}

inline bool check_exit(const char* file, int line, int status, int expected) {
    if (WIFEXITED(status) && WEXITSTATUS(status) == expected) {
        return true;
    }
    failed(file, line, show_status(status) + " instead of exit " + std::to_string(expected));
    return false;
}

inline bool check_signaled(const char* file, int line, int status, int expected) {
    if (WIFSIGNALED(status) && WTERMSIG(status) == expected) {
        return true;
    }
    failed(file, line, show_status(status) + " instead of signal " + std::to_string(expected));
    return false;
}

struct Register {
    explicit Register(Block block) { blocks().push_back(block); }
    explicit Register(Role role) { roles().push_back(role); }
};

// The test cannot run here; CTest counts it as skipped.
[[noreturn]] inline void skip(const char* reason) {
    say(std::string("skipped: ") + reason);
    _exit(77);
}

inline int run(int argument_count, char** arguments) {
    program_path = arguments[0];
    if (argument_count > 2 && std::strcmp(arguments[1], "--role") == 0) {
        for (const Role& role : roles()) {
            if (std::strcmp(role.name, arguments[2]) == 0) {
                return role.function(argument_count - 3, arguments + 3);
            }
        }
        return 2;
    }
    for (const Block& block : blocks()) {
        bool wanted = argument_count < 2;
        for (int i = 1; i < argument_count; ++i) {
            wanted = wanted || std::strcmp(block.name, arguments[i]) == 0;
        }
        if (wanted) {
            const int before = failures;
            block.function();
            say(std::string(failures == before ? "ok " : "FAILED ") + block.name);
        }
    }
    return failures == 0 ? 0 : 1;
}

}  // namespace check

#define TEST(name)                                                                   \
    static void test_##name();                                                       \
    static const check::Register register_##name(check::Block{#name, &test_##name}); \
    static void test_##name()

#define ROLE(name)                                                                       \
    static int role_##name(int argument_count, char** arguments);                        \
    static const check::Register register_role_##name(check::Role{#name, &role_##name}); \
    static int role_##name([[maybe_unused]] int argument_count, [[maybe_unused]] char** arguments)

// Each is an expression: true if it held.
#define CHECK(condition) check::check_true(__FILE__, __LINE__, #condition, (condition))
#define CHECK_EQ(a, b) check::check_equal(__FILE__, __LINE__, #a " == " #b, a, b)
// The call does not return -1.
#define CHECK_OK(call) check::check_succeeds(__FILE__, __LINE__, #call, call)
// The call returns -1 with this errno.
#define CHECK_ERRNO(call, expected) check::check_errno(__FILE__, __LINE__, #call, call, expected)
// A wait status is that of an exit with this code, or of a death by this signal.
#define CHECK_EXIT(status, code) check::check_exit(__FILE__, __LINE__, status, code)
#define CHECK_SIGNALED(status, signal) check::check_signaled(__FILE__, __LINE__, status, signal)
// Runs the block in a child process, which must end without a failed check: CHECK_CHILD([&] { … });
#define CHECK_CHILD(...) check::check_exit(__FILE__, __LINE__, check::child_status(__VA_ARGS__), 0)
// Ends the process when it does not hold.
#define REQUIRE(condition)                                 \
    do {                                                   \
        if (!(condition)) {                                \
            check::failed(__FILE__, __LINE__, #condition); \
            _exit(1);                                      \
        }                                                  \
    } while (false)

#define TEST_MAIN()                                   \
    int main(int argument_count, char** arguments) {  \
        return check::run(argument_count, arguments); \
    }
