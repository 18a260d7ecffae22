// SPDX-License-Identifier: MIT OR Apache-2.0
// guest_bench [ITEM…]: what operations cost inside a system, on Linux as well as in KPIO. Prints "ITEM NANOSECONDS",
// the median of several rounds, each long enough for the clock. Without names: all items. `busy UNITS` and `sleep` are
// for the script beside this program.
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <iterator>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

const char* own_path = "/proc/self/exe";

constexpr int kRounds = 7;
constexpr std::int64_t kRoundNs = 15'000'000;

[[noreturn]] void fail(const char* what) {
    std::fprintf(stderr, "guest_bench: %s: %s\n", what, std::strerror(errno));
    _exit(1);
}

std::int64_t now_ns() {
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

double median(std::vector<double> values) {
    std::ranges::sort(values);
    return values[values.size() / 2];
}

// The cost of one `operation`, which is given how often to do it.
template <class Operation>
double measure(Operation operation) {
    std::int64_t count = 1;
    std::int64_t spent = 0;
    while (true) {
        const std::int64_t start = now_ns();
        operation(count);
        spent = now_ns() - start;
        if (spent >= kRoundNs || count >= 1 << 24) {
            break;
        }
        count = spent < kRoundNs / 16 ? count * 8 : count * 2;
    }
    std::vector<double> rounds;
    for (int round = 0; round < kRounds; ++round) {
        const std::int64_t start = now_ns();
        operation(count);
        rounds.push_back(static_cast<double>(now_ns() - start) / static_cast<double>(count));
    }
    return median(rounds);
}

// For operations of which each one is called by itself.
template <class Once>
double measure_each(Once once) {
    return measure([&](std::int64_t count) {
        for (std::int64_t i = 0; i < count; ++i) {
            once();
        }
    });
}

std::string temporary_path() {
    return std::string("/tmp/guest_bench.") + std::to_string(getpid());
}

// An open file of 64 KiB that is gone at the end.
class File {
public:
    File() : path_(temporary_path()), fd_(open(path_.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600)) {
        static const char kBlock[65536] = {};
        if (fd_ < 0 || write(fd_, kBlock, sizeof(kBlock)) != sizeof(kBlock)) {
            fail("temporary file");
        }
    }
    ~File() {
        close(fd_);
        unlink(path_.c_str());
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    int fd() const { return fd_; }
    const char* path() const { return path_.c_str(); }

private:
    std::string path_;
    int fd_;
};

void wait_for(pid_t child) {
    int status;
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) {
            fail("waitpid");
        }
    }
    if (status != 0) {
        fail("a child failed");
    }
}

double lseek_item() {
    const File file;
    return measure_each([&] { lseek(file.fd(), 0, SEEK_SET); });
}

double getppid_item() {
    return measure_each([] { syscall(SYS_getppid); });
}

double fork_exit_wait() {
    return measure_each([] {
        const pid_t child = fork();
        if (child == 0) {
            _exit(0);
        }
        wait_for(child);
    });
}

void execute_nothing() {
    const char* const arguments[] = {own_path, "nothing", nullptr};
    const char* const environment[] = {nullptr};
    execve(own_path, const_cast<char* const*>(arguments), const_cast<char* const*>(environment));
    _exit(127);
}

double fork_exec() {
    return measure_each([] {
        const pid_t child = fork();
        if (child == 0) {
            execute_nothing();
        }
        wait_for(child);
    });
}

double vfork_exec() {
    return measure_each([] {
        const pid_t child = vfork();  // NOLINT(bugprone-unsafe-functions): its cost is the question
        if (child == 0) {
            execute_nothing();
        }
        wait_for(child);
    });
}

double pipe_round_trip() {
    int there[2];
    int back[2];
    if (pipe(there) != 0 || pipe(back) != 0) {
        fail("pipe");
    }
    const pid_t child = fork();
    if (child == 0) {
        close(there[1]);
        close(back[0]);
        char token;
        while (read(there[0], &token, 1) == 1 && write(back[1], &token, 1) == 1) {
        }
        _exit(0);
    }
    close(there[0]);
    close(back[1]);
    const double cost = measure_each([&] {
        char token = 'x';
        if (write(there[1], &token, 1) != 1 || read(back[0], &token, 1) != 1) {
            fail("pipe");
        }
    });
    close(there[1]);
    close(back[0]);
    wait_for(child);
    return cost;
}

// One thread hands the word to the other and waits until it comes back.
double futex_round_trip() {
    static std::atomic<std::uint32_t> word;
    word = 0;
    const auto hand_over = [](std::uint32_t from, std::uint32_t to) {
        word = to;
        syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1);
        while (true) {
            const std::uint32_t seen = word;
            if (seen == from || seen == 2) {
                return seen;
            }
            syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, seen, nullptr);
        }
    };
    std::thread partner([&] {
        while (word == 0) {
            syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, nullptr);
        }
        while (hand_over(1, 0) != 2) {
        }
    });
    const double cost = measure_each([&] { hand_over(0, 1); });
    word = 2;
    syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1);
    partner.join();
    return cost;
}

// Two processes on one CPU give it to each other: one operation is there and back.
double yield_pair() {
    cpu_set_t old;
    CPU_ZERO(&old);
    sched_getaffinity(0, sizeof(old), &old);
    cpu_set_t one;
    CPU_ZERO(&one);
    for (std::size_t i = 0; i < CPU_SETSIZE; ++i) {
        if (CPU_ISSET(i, &old)) {
            CPU_SET(i, &one);
            break;
        }
    }
    sched_setaffinity(0, sizeof(one), &one);
    auto* turns = static_cast<std::atomic<std::int64_t>*>(
        mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    auto* stop = turns + 1;
    const pid_t child = fork();
    if (child == 0) {
        while (*stop == 0) {
            ++*turns;
            sched_yield();
        }
        _exit(0);
    }
    // Counted by the partner's turns, since a yield need not switch.
    const double cost = measure([&](std::int64_t count) {
        const std::int64_t until = *turns + count;
        while (*turns < until) {
            sched_yield();
        }
    });
    *stop = 1;
    wait_for(child);
    sched_setaffinity(0, sizeof(old), &old);
    munmap(turns, 4096);
    return cost;
}

double page_fault() {
    struct sysinfo info;
    std::size_t bytes = 256u << 20;
    if (sysinfo(&info) == 0) {
        bytes = std::clamp<std::size_t>(info.freeram * info.mem_unit / 4, 4u << 20, bytes);
    }
    std::vector<double> rounds;
    for (int round = 0; round < 3; ++round) {
        auto* memory = static_cast<volatile char*>(
            mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        if (memory == MAP_FAILED) {
            fail("mmap");
        }
        // Small pages on all sides.
        madvise(const_cast<char*>(memory), bytes, MADV_NOHUGEPAGE);
        const std::int64_t start = now_ns();
        for (std::size_t at = 0; at < bytes; at += 4096) {
            memory[at] = 1;
        }
        rounds.push_back(static_cast<double>(now_ns() - start) / (static_cast<double>(bytes) / 4096));
        munmap(const_cast<char*>(memory), bytes);
    }
    return median(rounds);
}

double read_4k() {
    const File file;
    static char block[4096];
    return measure_each([&] {
        if (pread(file.fd(), block, sizeof(block), 8192) != sizeof(block)) {
            fail("pread");
        }
    });
}

double open_close() {
    const File file;
    return measure_each([&] { close(open(file.path(), O_RDONLY)); });
}

double stat_item() {
    const File file;
    struct stat status;
    return measure_each([&] { stat(file.path(), &status); });
}

double mmap_touch_munmap() {
    return measure_each([] {
        auto* memory = static_cast<volatile char*>(
            mmap(nullptr, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        memory[0] = 1;
        munmap(const_cast<char*>(memory), 65536);
    });
}

double thread_create_join() {
    return measure_each([] { std::thread([] {}).join(); });
}

double clock_gettime_item() {
    return measure_each([] { now_ns(); });
}

// A unit of mixed work: compute, fork, fault memory in, and talk through a pipe.
void busy_unit() {
    int fds[2];
    if (pipe(fds) != 0) {
        fail("pipe");
    }
    const pid_t child = fork();
    if (child < 0) {
        fail("fork");
    }
    constexpr std::size_t kBytes = 256 * 1024;
    auto* memory = static_cast<volatile unsigned char*>(
        mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    unsigned sum = 0;
    for (std::size_t at = 0; at < kBytes; at += 4096) {
        memory[at] = static_cast<unsigned char>(at);
    }
    for (int pass = 0; pass < 4; ++pass) {
        for (std::size_t at = 0; at < kBytes; at += 8) {
            sum = sum * 31 + memory[at];
        }
    }
    if (child == 0) {
        for (int i = 0; i < 10; ++i) {
            if (write(fds[1], &sum, sizeof(sum)) != sizeof(sum)) {
                _exit(1);
            }
        }
        _exit(0);
    }
    for (int i = 0; i < 10; ++i) {
        if (read(fds[0], &sum, sizeof(sum)) != sizeof(sum)) {
            fail("pipe");
        }
    }
    wait_for(child);
    munmap(const_cast<unsigned char*>(memory), kBytes);
    close(fds[0]);
    close(fds[1]);
}

// Two processes do so many units each; the time until both are done, a unit.
double busy(int units) {
    std::vector<double> rounds;
    for (int round = 0; round < 3; ++round) {
        const std::int64_t start = now_ns();
        pid_t children[2];
        for (pid_t& child : children) {
            child = fork();
            if (child == 0) {
                for (int i = 0; i < units; ++i) {
                    busy_unit();
                }
                _exit(0);
            }
        }
        for (const pid_t child : children) {
            wait_for(child);
        }
        rounds.push_back(static_cast<double>(now_ns() - start) / (2.0 * units));
    }
    return median(rounds);
}

// A large file in memory, read in blocks from front to back or anywhere; one operation is one block.
double read_large(std::size_t block, bool random) {
    constexpr std::size_t kBytes = 64u << 20;
    const std::string path = temporary_path();
    const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
    std::vector<char> buffer(1u << 20, 'x');
    for (std::size_t done = 0; done < kBytes; done += buffer.size()) {
        if (write(fd, buffer.data(), buffer.size()) != static_cast<ssize_t>(buffer.size())) {
            fail("large file");
        }
    }
    std::uint64_t at = 0;
    const double cost = measure_each([&] {
        at = random ? at * 6364136223846793005u + 1442695040888963407u : at + 1;
        const std::uint64_t index = (random ? at >> 33 : at) % (kBytes / block);
        if (pread(fd, buffer.data(), block, static_cast<off_t>(index * block)) != static_cast<ssize_t>(block)) {
            fail("pread");
        }
    });
    close(fd);
    unlink(path.c_str());
    return cost;
}

double read_sequential_64k() {
    return read_large(65536, false);
}

double read_random_4k() {
    return read_large(4096, true);
}

double create_stat_unlink() {
    const std::string path = temporary_path();
    return measure_each([&] {
        struct stat status;
        const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600);
        if (fd < 0 || close(fd) != 0 || stat(path.c_str(), &status) != 0 || unlink(path.c_str()) != 0) {
            fail("create");
        }
    });
}

double unix_round_trip() {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) {
        fail("socketpair");
    }
    const pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        char token;
        while (read(ends[1], &token, 1) == 1 && write(ends[1], &token, 1) == 1) {
        }
        _exit(0);
    }
    close(ends[1]);
    const double cost = measure_each([&] {
        char token = 'x';
        if (write(ends[0], &token, 1) != 1 || read(ends[0], &token, 1) != 1) {
            fail("socket");
        }
    });
    close(ends[0]);
    wait_for(child);
    return cost;
}

struct Item {
    std::string_view name;
    double (*run)();
};

constexpr Item kItems[] = {
    {"lseek", lseek_item},
    {"getppid", getppid_item},
    {"clock_gettime", clock_gettime_item},
    {"fork_exit_wait", fork_exit_wait},
    {"fork_exec", fork_exec},
    {"vfork_exec", vfork_exec},
    {"pipe_round_trip", pipe_round_trip},
    {"futex_round_trip", futex_round_trip},
    {"yield_pair", yield_pair},
    {"thread_create_join", thread_create_join},
    {"page_fault", page_fault},
    {"mmap_touch_munmap", mmap_touch_munmap},
    {"read_4k", read_4k},
    {"open_close", open_close},
    {"stat", stat_item},
    {"read_sequential_64k", read_sequential_64k},
    {"read_random_4k", read_random_4k},
    {"create_stat_unlink", create_stat_unlink},
    {"unix_round_trip", unix_round_trip},
};

void report(std::string_view name, double cost_ns) {
    std::printf("%.*s %.1f\n", static_cast<int>(name.size()), name.data(), cost_ns);
    std::fflush(stdout);
}

}  // namespace

int main(int argument_count, char** arguments) {
    const std::vector<std::string_view> names(arguments + std::min(argument_count, 1), arguments + argument_count);
    if (argument_count > 0 && arguments[0][0] == '/') {
        own_path = arguments[0];
    }
    if (!names.empty() && names[0] == "nothing") {
        return 0;
    }
    std::printf("guest_bench ready\n");
    std::fflush(stdout);
    if (!names.empty() && names[0] == "sleep") {
        pause();
    }
    if (names.size() == 2 && names[0] == "busy") {
        report("busy", busy(static_cast<int>(std::strtol(arguments[2], nullptr, 10))));
        return 0;
    }
    for (const Item& item : kItems) {
        if (names.empty() || std::ranges::find(names, item.name) != names.end()) {
            report(item.name, item.run());
        }
    }
    return 0;
}
