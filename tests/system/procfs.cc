// SPDX-License-Identifier: MIT OR Apache-2.0
// proc(5), as far as ps, top, free and shells read it.
#include <dirent.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <sstream>
#include <thread>

#include "system/support/scratch.h"

namespace {

using scratch::contents_of;
using scratch::open_file;

scratch::Directory directory;

std::vector<std::string> lines_of(const char* path) {
    std::istringstream stream(contents_of(path));
    std::vector<std::string> lines;
    for (std::string line; std::getline(stream, line);) {
        lines.push_back(line);
    }
    return lines;
}

// The value behind "NAME:" in a file of such lines.
std::string field(const char* path, const std::string& name) {
    for (const std::string& line : lines_of(path)) {
        if (line.starts_with(name + ":")) {
            const std::size_t at = line.find_first_not_of(" \t", name.size() + 1);
            return at == std::string::npos ? "" : line.substr(at);
        }
    }
    return "(missing)";
}

std::set<std::string> names_in(const char* path) {
    std::set<std::string> names;
    DIR* const folder = opendir(path);
    REQUIRE(folder != nullptr);
    while (const dirent* entry = readdir(folder)) {
        names.insert(entry->d_name);
    }
    closedir(folder);
    return names;
}

std::string link_at(const std::string& path) {
    char text[4096];
    const ssize_t length = readlink(path.c_str(), text, sizeof(text));
    return length < 0 ? std::strerror(errno) : std::string(text, static_cast<std::size_t>(length));
}

struct Stat {
    std::string name;
    char state = '?';
    std::vector<long long> numbers;  // field 4 of proc(5) is numbers[0]
    long long at(std::size_t field) const { return numbers.at(field - 4); }
};

Stat stat_of(const char* path) {
    const std::string text = contents_of(path);
    Stat result;
    const std::size_t open = text.find('(');
    const std::size_t close = text.rfind(')');
    REQUIRE(open != std::string::npos && close != std::string::npos);
    result.name = text.substr(open + 1, close - open - 1);
    std::istringstream rest(text.substr(close + 2));
    rest >> result.state;
    for (std::string number; rest >> number;) {
        result.numbers.push_back(static_cast<long long>(std::strtoull(number.c_str(), nullptr, 10)));
    }
    return result;
}

TEST(who_i_am) {
    const std::string pid = std::to_string(getpid());
    CHECK_EQ(link_at("/proc/self"), pid);
    CHECK_EQ(link_at("/proc/thread-self"), pid + "/task/" + pid);
    CHECK(names_in("/proc").contains(pid));
    CHECK(names_in("/proc").contains("self"));
    CHECK_EQ(contents_of("/proc/self/comm"), "procfs\n");
    CHECK_CHILD([] { CHECK_EQ(link_at("/proc/self"), std::to_string(getpid())); });
}

TEST(links) {
    char here[4096];
    REQUIRE(getcwd(here, sizeof(here)) != nullptr);
    CHECK_EQ(link_at("/proc/self/cwd"), std::string(here));
    CHECK_EQ(link_at("/proc/self/root"), "/");
    char program[4096];
    REQUIRE(realpath(check::program_path[0] == '/' ? check::program_path : "/proc/self/exe", program) != nullptr);
    CHECK_EQ(link_at("/proc/self/exe"), std::string(program));
    scratch::make_file("inside", "through cwd");
    CHECK_EQ(contents_of("/proc/self/cwd/inside"), "through cwd");
    const scratch::Fd self = open_file("/proc/self/exe", O_RDONLY);
    char magic[4];
    CHECK_EQ(read(self, magic, 4), 4);
    CHECK_EQ(std::string(magic, 4), "\177ELF");
    struct stat status{};
    CHECK_OK(lstat("/proc/self", &status));
    CHECK(S_ISLNK(status.st_mode));
    CHECK_OK(stat("/proc/self", &status));
    CHECK(S_ISDIR(status.st_mode));
    CHECK_EQ(status.st_uid, geteuid());
}

TEST(descriptors) {
    scratch::make_file("open_one", "contents");
    const scratch::Fd fd = open_file("open_one", O_RDONLY | O_CLOEXEC);
    const std::string name = std::to_string(fd);
    CHECK(names_in("/proc/self/fd").contains(name));
    CHECK_EQ(link_at("/proc/self/fd/" + name), directory.path() + "/open_one");
    struct stat status{};
    CHECK_OK(lstat(("/proc/self/fd/" + name).c_str(), &status));
    CHECK_EQ(status.st_mode & 0777, 0500);
    char byte = 0;
    CHECK_EQ(read(fd, &byte, 1), 1);
    const scratch::Fd again = open_file(("/proc/self/fd/" + name).c_str(), O_RDONLY);
    CHECK_EQ(read(again, &byte, 1), 1);
    CHECK_EQ(byte, 'c');  // a new open file with a position of its own
    CHECK_OK(unlink("open_one"));
    CHECK_EQ(link_at("/proc/self/fd/" + name), directory.path() + "/open_one (deleted)");
    const scratch::Fd deleted = open_file(("/proc/self/fd/" + name).c_str(), O_RDONLY);
    CHECK_EQ(read(deleted, &byte, 1), 1);
    const std::string info = "/proc/self/fdinfo/" + name;
    CHECK_EQ(field(info.c_str(), "pos"), "1");
    CHECK_EQ(field(info.c_str(), "flags"), "02100000");
    CHECK_ERRNO(open("/proc/self/fd/900", O_RDONLY), ENOENT);
    CHECK_ERRNO(open("/proc/self/fd/x", O_RDONLY), ENOENT);
}

TEST(program_text) {
    const std::string arguments = contents_of("/proc/self/cmdline");
    CHECK(arguments.starts_with(std::string(check::program_path) + '\0'));
    CHECK_EQ(arguments.back(), '\0');
    CHECK_CHILD([] {
        char name[] = "/proc/self/exe";
        char role[] = "--role";
        char show[] = "environment";
        char* const argv[] = {name, role, show, nullptr};
        char variable[] = "KPIO_TEST=yes";
        char* const environment[] = {variable, nullptr};
        execve(name, argv, environment);
        CHECK(false);
    });
}

ROLE(environment) {
    CHECK_EQ(contents_of("/proc/self/environ"), std::string("KPIO_TEST=yes\0", 14));
    CHECK_EQ(contents_of("/proc/self/cmdline"), std::string("/proc/self/exe\0--role\0environment\0", 34));
    CHECK_EQ(contents_of("/proc/self/comm"), "exe\n");
    return check::failures;
}

TEST(names_can_change) {
    CHECK_CHILD([] {
        const scratch::Fd fd = open_file("/proc/self/comm", O_WRONLY);
        CHECK_EQ(write(fd, "another) name that is long\n", 27), 27);
        CHECK_EQ(contents_of("/proc/self/comm"), "another) name t\n");
        CHECK_EQ(stat_of("/proc/self/stat").name, "another) name t");
        CHECK_EQ(field("/proc/self/status", "Name"), "another) name t");
    });
}

TEST(stat_fields) {
    const Stat self = stat_of("/proc/self/stat");
    CHECK_EQ(self.name, "procfs");
    CHECK_EQ(self.state, 'R');
    CHECK_EQ(self.numbers.size(), 49);
    CHECK_EQ(self.at(4), getppid());
    CHECK_EQ(self.at(5), getpgid(0));
    CHECK_EQ(self.at(6), getsid(0));
    CHECK_EQ(self.at(18), 20);
    CHECK_EQ(self.at(19), 0);
    CHECK_EQ(self.at(20), 1);
    CHECK(self.at(22) >= 0);
    CHECK(self.at(23) > 100'000);  // bytes of address space
    CHECK(self.at(24) > 0);        // pages in memory
    CHECK_EQ(self.at(38), SIGCHLD);
}

TEST(processor_time_is_counted) {
    CHECK_CHILD([] {
        volatile unsigned work = 0;
        const clock_t start = clock();
        while (clock() - start < CLOCKS_PER_SEC / 5) {
            work = work + 1;
        }
        const Stat self = stat_of("/proc/self/stat");
        CHECK(self.at(14) + self.at(15) >= 15);  // hundredths of a second
    });
}

TEST(states) {
    const pid_t sleeper = check::start_child([] { pause(); });
    const std::string path = "/proc/" + std::to_string(sleeper) + "/stat";
    usleep(50'000);
    CHECK_EQ(stat_of(path.c_str()).state, 'S');
    CHECK_EQ(stat_of(path.c_str()).at(4), getpid());
    CHECK_OK(kill(sleeper, SIGSTOP));
    usleep(50'000);
    CHECK_EQ(stat_of(path.c_str()).state, 'T');
    CHECK_OK(kill(sleeper, SIGKILL));
    usleep(50'000);
    CHECK_EQ(stat_of(path.c_str()).state, 'Z');
    const std::string folder = "/proc/" + std::to_string(sleeper);
    const scratch::Fd held = open_file(folder.c_str(), O_RDONLY);
    CHECK_EQ(contents_of((folder + "/cmdline").c_str()), "");
    CHECK_EQ(link_at(folder + "/exe"), std::strerror(ENOENT));
    CHECK_SIGNALED(check::wait_status(sleeper), SIGKILL);
    CHECK_ERRNO(access(folder.c_str(), F_OK), ENOENT);
    CHECK(!names_in("/proc").contains(std::to_string(sleeper)));
    CHECK_EQ(openat(held, "stat", O_RDONLY), -1);
    CHECK(errno == ENOENT || errno == ESRCH);
}

TEST(status_lines) {
    const char* const path = "/proc/self/status";
    CHECK_EQ(field(path, "Name"), "procfs");
    CHECK_EQ(field(path, "State"), "R (running)");
    CHECK_EQ(field(path, "Pid"), std::to_string(getpid()));
    CHECK_EQ(field(path, "Tgid"), std::to_string(getpid()));
    CHECK_EQ(field(path, "PPid"), std::to_string(getppid()));
    CHECK_EQ(field(path, "TracerPid"), "0");
    CHECK_EQ(field(path, "Threads"), "1");
    std::istringstream ids(field(path, "Uid"));
    uid_t real = 0;
    uid_t effective = 0;
    ids >> real >> effective;
    CHECK(real == getuid() && effective == geteuid());
    const mode_t old = umask(0123);
    CHECK_EQ(field(path, "Umask"), "0123");
    umask(old);
    CHECK(field(path, "VmSize").ends_with(" kB"));
    CHECK(field(path, "VmRSS").ends_with(" kB"));
    CHECK(std::strtol(field(path, "VmSize").c_str(), nullptr, 10) > 100);
    CHECK(field(path, "SigQ").find('/') != std::string::npos);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    CHECK_OK(sigprocmask(SIG_BLOCK, &set, nullptr));
    CHECK_OK(kill(getpid(), SIGUSR1));
    CHECK_EQ(field(path, "SigBlk"), "0000000000000200");
    CHECK_EQ(field(path, "ShdPnd"), "0000000000000200");
    signal(SIGUSR1, SIG_IGN);
    CHECK(std::strtoull(field(path, "SigIgn").c_str(), nullptr, 16) & 0x200);
    CHECK_OK(sigprocmask(SIG_UNBLOCK, &set, nullptr));
    signal(SIGUSR1, [](int) {});
    CHECK(std::strtoull(field(path, "SigCgt").c_str(), nullptr, 16) & 0x200);
    CHECK(!field(path, "Cpus_allowed_list").empty());
}

TEST(threads) {
    std::atomic<pid_t> other = 0;
    std::atomic<bool> done = false;
    std::thread thread([&] {
        other = gettid();
        while (!done) {
            usleep(1000);
        }
    });
    while (other == 0) {
        usleep(1000);
    }
    const std::string name = std::to_string(other);
    const std::set<std::string> expected{".", "..", std::to_string(getpid()), name};
    CHECK(names_in("/proc/self/task") == expected);
    CHECK_EQ(field("/proc/self/status", "Threads"), "2");
    const std::string path = "/proc/self/task/" + name + "/status";
    CHECK_EQ(field(path.c_str(), "Pid"), name);
    CHECK_EQ(field(path.c_str(), "Tgid"), std::to_string(getpid()));
    // A thread is found in /proc, but not listed.
    CHECK_OK(access(("/proc/" + name + "/stat").c_str(), F_OK));
    CHECK(!names_in("/proc").contains(name));
    done = true;
    thread.join();
    CHECK_ERRNO(access("/proc/self/task/1", F_OK), ENOENT);
}

TEST(memory_map) {
    static const char constant = 'c';
    char local = 'l';
    const auto find = [](const void* address) {
        for (const std::string& line : lines_of("/proc/self/maps")) {
            const auto at = reinterpret_cast<std::uintptr_t>(address);
            char* end = nullptr;
            const std::uintptr_t start = std::strtoull(line.c_str(), &end, 16);
            if (start <= at && at < std::strtoull(end + 1, nullptr, 16)) {
                return line;
            }
        }
        return std::string("(none)");
    };
    CHECK(find(&local).ends_with("[stack]"));
    CHECK(find(&local).find(" rw-p ") != std::string::npos);
    CHECK(find(&constant).find(" r--p ") != std::string::npos);
    CHECK(find(&constant).ends_with(link_at("/proc/self/exe")));
    CHECK(find(reinterpret_cast<const void*>(&link_at)).find(" r-xp ") != std::string::npos);
    scratch::make_file("mapped", std::string(8192, 'm'));
    const scratch::Fd fd = open_file("mapped", O_RDWR);
    void* const map = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 4096);
    REQUIRE(map != MAP_FAILED);
    struct stat status{};
    CHECK_OK(fstat(fd, &status));
    const std::string line = find(map);
    CHECK(line.find(" rw-s 00001000 ") != std::string::npos);
    CHECK(line.find(" " + std::to_string(status.st_ino) + " ") != std::string::npos);
    CHECK(line.ends_with(directory.path() + "/mapped"));
    CHECK_EQ(line.find('/'), 73);
    CHECK_OK(munmap(map, 4096));
    CHECK_EQ(find(map), "(none)");
}

TEST(limits) {
    bool found = false;
    for (const std::string& line : lines_of("/proc/self/limits")) {
        if (line.starts_with("Max open files ")) {
            rlimit limit{};
            CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
            std::istringstream numbers(line.substr(26));
            rlim_t soft = 0;
            rlim_t hard = 0;
            numbers >> soft >> hard;
            CHECK(soft == limit.rlim_cur && hard == limit.rlim_max);
            found = true;
        }
    }
    CHECK(found);
}

TEST(statm_fields) {
    std::istringstream stream(contents_of("/proc/self/statm"));
    long size = 0;
    long resident = 0;
    stream >> size >> resident;
    CHECK(size > 10);
    CHECK(resident > 0);
    CHECK(resident <= size);
}

TEST(mounts) {
    bool root = false;
    bool proc = false;
    for (const std::string& line : lines_of("/proc/mounts")) {
        std::istringstream stream(line);
        std::string source;
        std::string place;
        std::string type;
        std::string options;
        int dump = -1;
        int pass = -1;
        stream >> source >> place >> type >> options >> dump >> pass;
        CHECK(dump == 0 && pass == 0);
        CHECK(options.starts_with("rw") || options.starts_with("ro"));
        root = root || place == "/";
        proc = proc || (place == "/proc" && type == "proc");
    }
    // Elsewhere than in a chroot, that is.
    struct statx status{};
    CHECK_OK(statx(AT_FDCWD, "/", 0, STATX_BASIC_STATS, &status));
    CHECK_EQ(root, (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0);
    CHECK(proc);
    CHECK_EQ(link_at("/proc/mounts"), "self/mounts");
    CHECK_EQ(lines_of("/proc/self/mountinfo").size(), lines_of("/proc/mounts").size());
}

TEST(the_machine) {
    const auto memory = [](const char* name) {
        const std::string value = field("/proc/meminfo", name);
        CHECK(value.ends_with(" kB"));
        return std::strtoull(value.c_str(), nullptr, 10);
    };
    CHECK(memory("MemTotal") > 1000);
    CHECK(memory("MemFree") > 0);
    CHECK(memory("MemFree") < memory("MemTotal"));
    CHECK(memory("MemAvailable") <= memory("MemTotal"));
    for (const char* name : {"Buffers", "Cached", "SwapTotal", "SwapFree", "Shmem", "SReclaimable", "Slab"}) {
        memory(name);
    }
    long cpus = 0;
    for (const std::string& line : lines_of("/proc/cpuinfo")) {
        cpus += line.starts_with("processor\t:") ? 1 : 0;
    }
    CHECK_EQ(cpus, sysconf(_SC_NPROCESSORS_ONLN));
    double up = 0;
    std::istringstream(contents_of("/proc/uptime")) >> up;
    struct sysinfo info{};
    CHECK_OK(sysinfo(&info));
    CHECK(up >= 0 && up - static_cast<double>(info.uptime) < 2);
    double one = -1;
    double five = -1;
    double fifteen = -1;
    std::string tasks;
    std::istringstream(contents_of("/proc/loadavg")) >> one >> five >> fifteen >> tasks;
    CHECK(one >= 0 && fifteen >= 0 && tasks.find('/') != std::string::npos);
    const std::vector<std::string> times = lines_of("/proc/stat");
    REQUIRE(!times.empty());
    CHECK(times[0].starts_with("cpu  "));
    CHECK(std::any_of(times.begin(), times.end(), [](const std::string& line) { return line.starts_with("btime 1"); }));
    CHECK(std::any_of(times.begin(), times.end(), [](const std::string& line) { return line.starts_with("ctxt "); }));
}

TEST(settings) {
    utsname name{};
    CHECK_OK(uname(&name));
    CHECK_EQ(contents_of("/proc/sys/kernel/ostype"), std::string(name.sysname) + "\n");
    CHECK_EQ(contents_of("/proc/sys/kernel/osrelease"), std::string(name.release) + "\n");
    CHECK_EQ(contents_of("/proc/sys/kernel/hostname"), std::string(name.nodename) + "\n");
    CHECK_EQ(contents_of("/proc/sys/kernel/version"), std::string(name.version) + "\n");
    CHECK(contents_of("/proc/version").starts_with(std::string(name.sysname) + " version " + name.release));
    CHECK(std::stol(contents_of("/proc/sys/kernel/pid_max")) >= 32768);
    CHECK_EQ(contents_of("/proc/sys/vm/overcommit_memory").size(), 2);
    CHECK_EQ(contents_of("/proc/sys/kernel/random/uuid").size(), 37);
    CHECK(contents_of("/proc/filesystems").find("nodev\tproc\n") != std::string::npos);
}

TEST(reading_in_pieces) {
    const std::string whole = contents_of("/proc/self/limits");
    const scratch::Fd fd = open_file("/proc/self/limits", O_RDONLY);
    std::string pieces;
    char chunk[7];
    for (ssize_t count = read(fd, chunk, sizeof(chunk)); count > 0; count = read(fd, chunk, sizeof(chunk))) {
        pieces.append(chunk, static_cast<std::size_t>(count));
    }
    CHECK_EQ(pieces, whole);
    CHECK_EQ(pread(fd, chunk, 5, 0), 5);
    CHECK_EQ(std::string(chunk, 5), "Limit");
}

TEST(nothing_can_be_made_or_removed) {
    CHECK_EQ(open("/proc/new", O_CREAT | O_RDWR, 0644), -1);
    CHECK_EQ(mkdir("/proc/new", 0755), -1);
    CHECK_EQ(unlink("/proc/version"), -1);
    CHECK_ERRNO(open("/proc/self/nothing", O_RDONLY), ENOENT);
    CHECK_ERRNO(open("/proc/0", O_RDONLY), ENOENT);
    CHECK_ERRNO(open("/proc/00001", O_RDONLY), ENOENT);
}

TEST(others_may_not_look_inside) {
    const std::string folder = "/proc/" + std::to_string(getpid());
    CHECK_EXIT(scratch::as_other_user([&] {
                   CHECK_ERRNO(open((folder + "/environ").c_str(), O_RDONLY), EACCES);
                   CHECK_EQ(link_at(folder + "/exe"), "Permission denied");
                   CHECK_EQ(link_at(folder + "/cwd"), "Permission denied");
                   CHECK_ERRNO(open((folder + "/fd").c_str(), O_RDONLY), EACCES);
                   CHECK_EQ(contents_of((folder + "/comm").c_str()), "procfs\n");
                   CHECK_EQ(stat_of((folder + "/stat").c_str()).name, "procfs");
               }),
               0);
}

}  // namespace

TEST_MAIN()
