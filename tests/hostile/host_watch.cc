// SPDX-License-Identifier: MIT OR Apache-2.0
// host_watch [--but NUMBER,…] MARK COMMAND…: runs the command on the host and looks, through the host kernel's
// tracepoint at the entry of system calls, at every call that any of its processes gets carried out (the tracepoint
// comes after seccomp). Calls whose first argument is MARK (hexadecimal) or its low half are printed, and the status is
// 99; else the command's. Status 77 when this host does not let us watch (needs root). Calls given by --but may have
// the mark.
#include <linux/perf_event.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fcntl.h>
#include <sched.h>
#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

constexpr std::size_t kRingBytes = 32 << 20;
constexpr std::size_t kPage = 4096;

[[noreturn]] void unable(const char* what) {
    std::fprintf(stderr, "host_watch: cannot watch here: %s: %s\n", what, std::strerror(errno));
    _exit(77);
}

// The tracepoint's number, from tracefs, which is mounted in a namespace of our own.
std::uint64_t tracepoint() {
    const auto read_number = [](const char* folder) -> std::uint64_t {
        const std::string path = std::string(folder) + "/events/raw_syscalls/sys_enter/id";
        std::FILE* file = std::fopen(path.c_str(), "r");
        unsigned long number = 0;
        if (file != nullptr) {
            if (std::fscanf(file, "%lu", &number) != 1) {
                number = 0;
            }
            std::fclose(file);
        }
        return number;
    };
    for (const char* folder : {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"}) {
        if (const std::uint64_t number = read_number(folder)) {
            return number;
        }
    }
    int out[2];
    if (pipe(out) != 0) {
        return 0;
    }
    const pid_t reader = fork();
    if (reader == 0) {
        std::uint64_t number = 0;
        if (unshare(CLONE_NEWNS) == 0 && mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
            mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, nullptr) == 0) {
            number = read_number("/sys/kernel/tracing");
        }
        _exit(write(out[1], &number, sizeof(number)) == sizeof(number) ? 0 : 1);
    }
    std::uint64_t number = 0;
    if (read(out[0], &number, sizeof(number)) != sizeof(number)) {
        number = 0;
    }
    waitpid(reader, nullptr, 0);
    return number;
}

struct Ring {
    int fd = -1;
    perf_event_mmap_page* header = nullptr;
    const char* data = nullptr;
};

// On one CPU, for the process and all it will start.
Ring open_ring(std::uint64_t number, pid_t process, int cpu) {
    perf_event_attr attributes{};
    attributes.type = PERF_TYPE_TRACEPOINT;
    attributes.size = sizeof(attributes);
    attributes.config = number;
    attributes.sample_period = 1;
    attributes.sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_RAW;
    attributes.inherit = 1;
    attributes.disabled = 1;
    attributes.enable_on_exec = 1;
    attributes.wakeup_watermark = kRingBytes / 16;
    attributes.watermark = 1;
    Ring ring;
    ring.fd = static_cast<int>(syscall(SYS_perf_event_open, &attributes, process, cpu, -1, PERF_FLAG_FD_CLOEXEC));
    if (ring.fd < 0) {
        unable("perf_event_open");
    }
    void* at = mmap(nullptr, kRingBytes + kPage, PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd, 0);
    if (at == MAP_FAILED) {
        unable("mmap");
    }
    ring.header = static_cast<perf_event_mmap_page*>(at);
    ring.data = static_cast<const char*>(at) + kPage;
    return ring;
}

class Watcher {
public:
    Watcher(std::uint64_t mark, std::vector<std::uint64_t> allowed, std::vector<Ring> rings)
        : mark_(mark), allowed_(std::move(allowed)), rings_(std::move(rings)) {}

    void drain() {
        for (Ring& ring : rings_) {
            const std::uint64_t head = __atomic_load_n(&ring.header->data_head, __ATOMIC_ACQUIRE);
            std::uint64_t tail = ring.header->data_tail;
            while (tail < head) {
                perf_event_header header;
                copy(ring, tail, &header, sizeof(header));
                look(ring, tail, header);
                tail += header.size;
            }
            __atomic_store_n(&ring.header->data_tail, tail, __ATOMIC_RELEASE);
        }
    }

    std::uint64_t calls() const { return calls_; }
    std::uint64_t lost() const { return lost_; }
    std::uint64_t found() const { return found_; }

private:
    static void copy(const Ring& ring, std::uint64_t from, void* to, std::size_t bytes) {
        for (std::size_t i = 0; i < bytes; ++i) {
            static_cast<char*>(to)[i] = ring.data[(from + i) % kRingBytes];
        }
    }

    void look(const Ring& ring, std::uint64_t at, const perf_event_header& header) {
        if (header.type == PERF_RECORD_LOST) {
            std::uint64_t fields[2];
            copy(ring, at + sizeof(header), fields, sizeof(fields));
            lost_ += fields[1];
        }
        if (header.type != PERF_RECORD_SAMPLE) {
            return;
        }
        // pid, tid, size of the raw data; then the tracepoint's 8 bytes of common fields, number, six arguments.
        struct {
            std::uint32_t process, thread, bytes;
            char common[8];
            char number[8];
            char arguments[48];
        } sample;
        copy(ring, at + sizeof(header), &sample, sizeof(sample));
        ++calls_;
        std::uint64_t number;
        std::uint64_t first;
        std::memcpy(&number, sample.number, sizeof(number));
        std::memcpy(&first, sample.arguments, sizeof(first));
        // Linux lets these two through every filter (seccomp: "uretprobe" and "uprobe" pass, since 6.14 and 6.18):
        // outside of a probe they do nothing but fail or raise SIGILL.
        constexpr std::uint64_t kUretprobe = 335;
        constexpr std::uint64_t kUprobe = 336;
        if (number == kUretprobe || number == kUprobe || std::ranges::find(allowed_, number) != allowed_.end()) {
            return;
        }
        if (first == mark_ || first == (mark_ & 0xffff'ffff) || (first & ~0xffful) == (mark_ & ~0xffful)) {
            ++found_;
            if (found_ <= 20) {
                std::fprintf(stderr, "host_watch: process %u thread %u: the host carried out call %lu with %#lx\n",
                             sample.process, sample.thread, number, first);
            }
        }
    }

    std::uint64_t mark_;
    std::vector<std::uint64_t> allowed_;
    std::vector<Ring> rings_;
    std::uint64_t calls_ = 0;
    std::uint64_t lost_ = 0;
    std::uint64_t found_ = 0;
};

}  // namespace

int main(int argument_count, char** arguments) {
    std::vector<std::uint64_t> allowed;
    if (argument_count > 2 && std::string(arguments[1]) == "--but") {
        char* next = arguments[2];
        do {
            allowed.push_back(std::strtoull(next, &next, 10));
        } while (*next++ == ',');
        arguments += 2;
        argument_count -= 2;
    }
    if (argument_count < 3) {
        return 2;
    }
    const std::uint64_t mark = std::strtoull(arguments[1], nullptr, 16);
    const std::uint64_t number = tracepoint();
    if (number == 0) {
        unable("no tracepoint for system calls");
    }
    int go[2];
    if (pipe(go) != 0) {
        unable("pipe");
    }
    const pid_t command = fork();
    if (command == 0) {
        close(go[1]);
        char token;
        if (read(go[0], &token, 1) != 1) {
            _exit(77);
        }
        close(go[0]);
        execvp(arguments[2], arguments + 2);
        _exit(127);
    }
    std::vector<Ring> rings;
    const long cpus = sysconf(_SC_NPROCESSORS_CONF);
    for (int cpu = 0; cpu < cpus; ++cpu) {
        rings.push_back(open_ring(number, command, cpu));
    }
    std::vector<pollfd> polls;
    for (const Ring& ring : rings) {
        polls.push_back({ring.fd, POLLIN, 0});
    }
    Watcher watcher(mark, std::move(allowed), std::move(rings));
    if (write(go[1], "g", 1) != 1) {
        return 2;
    }
    int status = 0;
    while (waitpid(command, &status, WNOHANG) == 0) {
        poll(polls.data(), polls.size(), 20);
        watcher.drain();
    }
    watcher.drain();
    std::fprintf(stderr, "host_watch: %lu calls seen, %lu lost, %lu with the mark\n", watcher.calls(), watcher.lost(),
                 watcher.found());
    if (watcher.found() != 0) {
        return 99;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
