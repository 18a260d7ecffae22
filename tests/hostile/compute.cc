// SPDX-License-Identifier: MIT OR Apache-2.0
// compute ROUNDS: a checksum over memory that is allocated, forked, written and piped about. The result depends on
// ROUNDS alone: another process's misdeeds must not change it.
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace {

std::uint64_t mix(std::uint64_t state, std::uint64_t value) {
    state ^= value;
    state *= 0x9e3779b97f4a7c15;
    return (state << 29 | state >> 35) + 0x632be59bd9b4e019;
}

[[noreturn]] void fail(const char* what) {
    std::perror(what);
    std::exit(1);
}

// Another program may have everything there is for a while: a call that finds nothing left is repeated.
template <class Call>
auto persist(const char* what, Call call) {
    for (int patience = 0; patience < 20'000; ++patience) {
        const auto result = call();
        if (result != decltype(result)(-1)) {
            return result;
        }
        if (errno != EAGAIN && errno != ENOMEM && errno != ENFILE) {
            fail(what);
        }
        const timespec pause{0, 1'000'000};
        nanosleep(&pause, nullptr);
    }
    fail(what);
}

std::uint64_t round_of(std::uint64_t state) {
    constexpr std::size_t kWords = 32768;
    auto* memory = static_cast<std::uint64_t*>(persist(
        "mmap", [] { return mmap(nullptr, kWords * 8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }));
    for (std::size_t i = 0; i < kWords; ++i) {
        if (memory[i] != 0) {
            fail("memory was not zero");
        }
        memory[i] = state = mix(state, i);
    }
    // A child adds over its copy and reports.
    int fds[2];
    persist("pipe", [&] { return pipe(fds); });
    const pid_t child = persist("fork", [] { return fork(); });
    if (child == 0) {
        std::uint64_t sum = 0;
        for (std::size_t i = 0; i < kWords; ++i) {
            sum = mix(sum, memory[i]);
            memory[i] = 0;
        }
        _exit(write(fds[1], &sum, sizeof(sum)) == sizeof(sum) ? 0 : 1);
    }
    double floating = 1.0;
    for (int i = 1; i < 2000; ++i) {
        floating = floating * 1.0000001 + 1.0 / i;
    }
    std::uint64_t sum = 0;
    int status = -1;
    if (read(fds[0], &sum, sizeof(sum)) != sizeof(sum) || waitpid(child, &status, 0) != child || status != 0) {
        fail("child");
    }
    close(fds[0]);
    close(fds[1]);
    std::uint64_t own = 0;
    for (std::size_t i = 0; i < kWords; ++i) {
        own = mix(own, memory[i]);
    }
    if (own != sum) {
        fail("the copies differ");
    }
    munmap(memory, kWords * 8);
    return mix(mix(state, sum), static_cast<std::uint64_t>(floating * 1e6));
}

}  // namespace

int main(int argument_count, char** arguments) {
    std::uint64_t state = 1;
    for (int i = argument_count > 1 ? std::atoi(arguments[1]) : 20; i > 0; --i) {
        state = round_of(state);
    }
    std::printf("checksum %016lx\n", state);
    return 0;
}
