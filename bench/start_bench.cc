// SPDX-License-Identifier: MIT OR Apache-2.0
// start_bench COUNT PROGRAM [ARGUMENT…]: nanoseconds from starting the program to its end, the median of COUNT.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

namespace {

std::int64_t now_ns() {
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

int main(int argument_count, char** arguments) {
    if (argument_count < 3) {
        return 2;
    }
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    std::vector<std::int64_t> times;
    for (long i = std::strtol(arguments[1], nullptr, 10); i > 0; --i) {
        const std::int64_t start = now_ns();
        pid_t child = 0;
        int status = 0;
        if (posix_spawnp(&child, arguments[2], &actions, nullptr, arguments + 2, environ) != 0 ||
            waitpid(child, &status, 0) != child || status != 0) {
            std::fprintf(stderr, "start_bench: %s failed\n", arguments[2]);
            return 1;
        }
        times.push_back(now_ns() - start);
    }
    std::ranges::sort(times);
    std::printf("%lld\n", static_cast<long long>(times[times.size() / 2]));
    return 0;
}
