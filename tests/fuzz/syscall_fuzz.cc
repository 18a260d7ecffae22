// SPDX-License-Identifier: MIT OR Apache-2.0
// syscall_fuzz [--rounds N] [--calls N] [--seed N]: random system calls drawn from the kernel's own table, each round
// in a child process that may die of them. The parent computes on; it fails if its own memory or its children's
// obedience suffers.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <span>
#include <string_view>
#include <vector>

namespace {

struct Row {
    int number;
    std::string_view name;
    std::vector<std::string_view> types;
};

std::vector<Row> rows() {
    return {
#define ARG(type, name) #type
#define SYSCALL(number, name, status, note, ...) Row{number, #name, {__VA_ARGS__}},
#define MISSING(number, name)
#include "abi/linux/syscalls.def"
#undef MISSING
#undef SYSCALL
#undef ARG
    };
}

// splitmix64: the same seed gives the same calls everywhere.
class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}
    std::uint64_t next() {
        std::uint64_t z = (state_ += 0x9e37'79b9'7f4a'7c15u);
        z = (z ^ (z >> 30)) * 0xbf58'476d'1ce4'e5b9u;
        z = (z ^ (z >> 27)) * 0x94d0'49bb'1331'11ebu;
        return z ^ (z >> 31);
    }
    std::uint64_t below(std::uint64_t bound) { return next() % bound; }
    template <class T, std::size_t N>
    T pick(const T (&values)[N]) {
        return values[below(N)];
    }

private:
    std::uint64_t state_;
};

constexpr std::size_t kArenaBytes = 1 << 16;
alignas(4096) std::byte arena[kArenaBytes];

constexpr const char* kPaths[] = {"/",
                                  "/tmp",
                                  "/tmp/fuzz_a",
                                  "/tmp/fuzz_b/c",
                                  "/proc/self/maps",
                                  "/proc/self/fd/1",
                                  "/dev/null",
                                  "/dev/zero",
                                  "",
                                  ".",
                                  "..",
                                  "/tmp/../tmp/./fuzz_a/",
                                  "/nothing/here",
                                  "/usr",
                                  "fuzz_c"};

std::uint64_t interesting(Random& random) {
    constexpr std::uint64_t kValues[] = {0,
                                         1,
                                         2,
                                         3,
                                         7,
                                         8,
                                         16,
                                         63,
                                         64,
                                         255,
                                         511,
                                         512,
                                         4095,
                                         4096,
                                         4097,
                                         65536,
                                         0x7fffffff,
                                         0x80000000,
                                         0xffffffff,
                                         0x7fff'ffff'f000,
                                         0x8000'0000'0000,
                                         0x7fff'ffff'ffff'ffff,
                                         0x8000'0000'0000'0000,
                                         ~0ull,
                                         ~0ull - 1,
                                         ~0ull - 4095};
    return random.below(4) == 0 ? random.next() >> random.below(64) : random.pick(kValues);
}

std::uint64_t address(Random& random) {
    switch (random.below(8)) {
        case 0:
            return 0;
        case 1:
            return interesting(random);
        case 2:
            return reinterpret_cast<std::uint64_t>(arena) + kArenaBytes - random.below(16);  // over the end
        default:
            return reinterpret_cast<std::uint64_t>(arena) + random.below(kArenaBytes);
    }
}

std::uint64_t argument(Random& random, std::string_view type) {
    const bool pointer = type.starts_with("UserPtr") || type.starts_with("InStruct") || type.starts_with("OutStruct") ||
                         type == "Address" || type == "InBuffer" || type == "OutBuffer";
    if (pointer) {
        return address(random);
    }
    if (type == "PathName") {
        return random.below(6) == 0 ? address(random) : reinterpret_cast<std::uint64_t>(random.pick(kPaths));
    }
    if (type == "Fd" || type == "DirFd") {
        return random.below(3) == 0   ? interesting(random)
               : random.below(2) == 0 ? static_cast<std::uint64_t>(AT_FDCWD)
                                      : random.below(16);
    }
    if (type == "Pid") {
        const std::uint64_t own = static_cast<std::uint64_t>(getpid());
        const std::uint64_t kPids[] = {0, own, ~own + 1, 99999, 0x80000000, 1};
        return random.pick(kPids);
    }
    if (type == "SignalArg") {
        return random.below(68);
    }
    if (type == "Size") {
        return random.below(3) == 0 ? interesting(random) : random.below(3 * 4096);
    }
    if (type.ends_with("Arg") || type == "Hex") {
        return random.below(3) == 0 ? interesting(random) : random.next() & ((1ull << random.below(24)) - 1);
    }
    return interesting(random);
}

// Endless waits are ended by the parent; what ends the test itself is left out.
bool is_excluded(std::string_view name) {
    return name == "pause" || name == "exit" || name == "exit_group" || name == "reboot";
}

void limit_child(int nothing) {
    const rlimit memory{std::uint64_t{256} << 20, std::uint64_t{256} << 20};
    setrlimit(RLIMIT_AS, &memory);
    const rlimit file{std::uint64_t{4} << 20, std::uint64_t{4} << 20};
    setrlimit(RLIMIT_FSIZE, &file);
    setsid();
    // What it writes is noise.
    for (int fd = 0; fd < 3; ++fd) {
        dup2(nothing, fd);
    }
}

[[noreturn]] void run_child(int nothing, std::uint64_t seed, unsigned calls) {
    limit_child(nothing);
    Random random(seed);
    const std::vector<Row> table = rows();
    const pid_t self = getpid();
    for (std::byte& byte : arena) {
        byte = static_cast<std::byte>(random.next());
    }
    for (unsigned i = 0; i < calls; ++i) {
        const Row& row = table[random.below(table.size())];
        if (is_excluded(row.name)) {
            continue;
        }
        std::array<std::uint64_t, 6> a{};
        for (std::uint64_t& value : a) {
            value = random.next();
        }
        for (std::size_t k = 0; k < row.types.size(); ++k) {
            a[k] = argument(random, row.types[k]);
        }
        // Now and then a number that does not exist.
        const long number = random.below(64) == 0 ? static_cast<long>(interesting(random)) : row.number;
        syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
        if (getpid() != self) {
            _exit(0);  // a descendant
        }
    }
    _exit(0);
}

// False if the child did not obey SIGKILL.
bool finish(pid_t child) {
    constexpr int kPatienceMs = 300;
    constexpr int kDeadlineMs = 20'000;
    const timespec step{0, 1'000'000};
    for (int waited_ms = 0; waited_ms < kDeadlineMs; ++waited_ms) {
        int status = 0;
        if (waitpid(child, &status, WNOHANG) == child) {
            return true;
        }
        if (waited_ms == kPatienceMs) {
            kill(child, SIGKILL);
        }
        nanosleep(&step, nullptr);
    }
    return false;
}

std::uint64_t checksum(std::span<const std::uint64_t> words) {
    std::uint64_t sum = 0xcbf2'9ce4'8422'2325u;
    for (const std::uint64_t word : words) {
        sum = (sum ^ word) * 0x100'0000'01b3u;
    }
    return sum;
}

}  // namespace

int main(int count, char** words) {
    std::uint64_t rounds = 200, calls = 200, seed = 1;
    for (int i = 1; i + 1 < count; i += 2) {
        const std::uint64_t value = std::strtoull(words[i + 1], nullptr, 0);
        if (std::strcmp(words[i], "--rounds") == 0) {
            rounds = value;
        } else if (std::strcmp(words[i], "--calls") == 0) {
            calls = value;
        } else if (std::strcmp(words[i], "--seed") == 0) {
            seed = value;
        } else {
            return std::fputs("usage: syscall_fuzz [--rounds N] [--calls N] [--seed N]\n", stderr), 2;
        }
    }
    std::vector<std::uint64_t> own(1 << 14);
    Random random(seed);
    for (std::uint64_t& word : own) {
        word = random.next();
    }
    const std::uint64_t expected = checksum(own);
    // Opened once: a child that runs as root may take the name away.
    const int nothing = open("/dev/null", O_RDWR);
    for (std::uint64_t round = 0; round < rounds; ++round) {
        const std::uint64_t child_seed = random.next();
        const pid_t child = fork();
        if (child == 0) {
            run_child(nothing, child_seed, static_cast<unsigned>(calls));
        }
        if (child < 0) {
            return std::printf("round %lu: fork: %s\n", round, std::strerror(errno)), 1;
        }
        if (!finish(child)) {
            return std::printf("round %lu, seed %#lx: the child outlives SIGKILL\n", round, child_seed), 1;
        }
        if (checksum(own) != expected) {
            return std::printf("round %lu, seed %#lx: memory of another process changed\n", round, child_seed), 1;
        }
    }
    std::printf("%lu rounds of %lu calls, seed %lu\n", rounds, calls, seed);
    return 0;
}
