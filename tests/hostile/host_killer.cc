// SPDX-License-Identifier: MIT OR Apache-2.0
// host_killer TIMES COMMAND…: runs the command on the host, kills it with SIGKILL at a random moment of its life, and
// checks that none of the processes it started is left a moment later. What the command leaves behind becomes our
// child.
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>

namespace {

constexpr std::int64_t kPatienceNs = 10'000'000'000;

std::int64_t now_ns() {
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

void sleep_ns(std::int64_t length_ns) {
    const timespec time{length_ns / 1'000'000'000, length_ns % 1'000'000'000};
    nanosleep(&time, nullptr);
}

pid_t start(char** command) {
    const pid_t child = fork();
    if (child == 0) {
        const int null = open("/dev/null", O_RDWR);
        dup2(null, 0);
        dup2(null, 1);
        dup2(null, 2);
        execvp(command[0], command);
        _exit(127);
    }
    return child;
}

// Reaps until nothing is left of the family; false when something stays.
bool all_gone() {
    const std::int64_t until = now_ns() + kPatienceNs;
    while (true) {
        const pid_t ended = waitpid(-1, nullptr, WNOHANG);
        if (ended < 0 && errno == ECHILD) {
            return true;
        }
        if (ended == 0) {
            if (now_ns() > until) {
                return false;
            }
            sleep_ns(200'000);
        }
    }
}

}  // namespace

int main(int argument_count, char** arguments) {
    if (argument_count < 3 || prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) {
        return 2;
    }
    // How long it lives by itself: moments are spread over that, and some lie at the very beginning.
    std::int64_t start_ns = now_ns();
    const pid_t first = start(arguments + 2);
    int status = 0;
    const std::int64_t limit = start_ns + 1'000'000'000;
    while (waitpid(first, &status, WNOHANG) == 0 && now_ns() < limit) {
        sleep_ns(100'000);
    }
    std::int64_t life_ns = now_ns() - start_ns;
    kill(first, SIGKILL);
    if (!all_gone()) {
        std::fprintf(stderr, "host_killer: a process outlives the first run\n");
        return 1;
    }
    std::mt19937_64 random(12345);
    int early = 0;
    for (int i = std::atoi(arguments[1]); i > 0; --i) {
        const std::int64_t span = i % 3 == 0 ? 5'000'000 : life_ns;
        const auto moment = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(span));
        const pid_t child = start(arguments + 2);
        sleep_ns(moment);
        if (waitpid(child, nullptr, WNOHANG) == child) {
            ++early;
        } else {
            kill(child, SIGKILL);
        }
        if (!all_gone()) {
            std::fprintf(stderr, "host_killer: a process is left, killed after %ld us\n", moment / 1000);
            return 1;
        }
    }
    std::printf("killed %s times, %d of them ended before; nothing is left\n", arguments[1], early);
    return 0;
}
