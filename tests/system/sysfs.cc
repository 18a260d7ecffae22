// SPDX-License-Identifier: MIT OR Apache-2.0
// sysfs(5) as programs read it for processors and memory, and the parts of /proc that tools expect besides.
#include <dirent.h>
#include <sched.h>

#include <sstream>
#include <thread>

#include "system/support/scratch.h"

namespace {

using scratch::contents_of;

std::string line_of(const std::string& path) {
    std::string text = contents_of(path.c_str());
    return text.substr(0, text.find('\n'));
}

// "0-2,5" has 4.
int count_of_list(const std::string& list) {
    int count = 0;
    std::istringstream parts(list);
    for (std::string part; std::getline(parts, part, ',');) {
        const std::size_t dash = part.find('-');
        const int first = std::atoi(part.c_str());
        count += dash == part.npos ? 1 : std::atoi(part.c_str() + dash + 1) - first + 1;
    }
    return count;
}

int field_of(const std::string& text, const std::string& name) {
    const std::size_t at = text.find("\n" + name);
    return at == text.npos ? -1 : std::atoi(text.c_str() + at + 1 + name.size());
}

TEST(processors) {
    const std::string folder = "/sys/devices/system/cpu/";
    const int online = count_of_list(line_of(folder + "online"));
    const int possible = count_of_list(line_of(folder + "possible"));
    CHECK_EQ(online, sysconf(_SC_NPROCESSORS_ONLN));
    CHECK(possible >= online);
    CHECK(count_of_list(line_of(folder + "present")) >= online);
    int folders = 0;
    DIR* const opened = opendir(folder.c_str());
    REQUIRE(opened != nullptr);
    while (const dirent* entry = readdir(opened)) {
        int number = -1;
        char rest = 0;
        if (std::sscanf(entry->d_name, "cpu%d%c", &number, &rest) == 1) {
            ++folders;
            CHECK_EQ(entry->d_type, DT_DIR);
        }
    }
    closedir(opened);
    CHECK(folders >= online);
    CHECK_EQ(line_of(folder + "cpu0/topology/physical_package_id"), "0");
    CHECK(!line_of(folder + "cpu0/topology/core_id").empty());
    CHECK(count_of_list(line_of(folder + "cpu0/topology/thread_siblings_list")) >= 1);
    CHECK_ERRNO(open((folder + "cpu4000").c_str(), O_RDONLY), ENOENT);
    CHECK_ERRNO(open((folder + "cpu01").c_str(), O_RDONLY), ENOENT);
    CHECK_EQ(scratch::as_other_user([&] { CHECK_ERRNO(open((folder + "online").c_str(), O_WRONLY), EACCES); }), 0);
}

TEST(one_memory_node) {
    CHECK(line_of("/sys/devices/system/node/online").starts_with("0"));
    CHECK(contents_of("/sys/devices/system/node/node0/meminfo").find("Node 0 MemTotal:") != std::string::npos);
    CHECK(line_of("/sys/devices/system/node/node0/cpulist").starts_with("0"));
}

TEST(is_a_mount) {
    struct stat sys{};
    struct stat root{};
    CHECK_OK(stat("/sys", &sys));
    CHECK_OK(stat("/", &root));
    CHECK(sys.st_dev != root.st_dev);
    CHECK(contents_of("/proc/self/mounts").find(" /sys sysfs ") != std::string::npos);
    CHECK(contents_of("/proc/filesystems").find("\tsysfs\n") != std::string::npos);
}

TEST(cpuinfo) {
    const std::string text = "\n" + contents_of("/proc/cpuinfo");
    int processors = 0;
    for (std::size_t at = text.find("\nprocessor\t: "); at != text.npos; at = text.find("\nprocessor\t: ", at + 1)) {
        ++processors;
    }
    CHECK_EQ(processors, sysconf(_SC_NPROCESSORS_ONLN));
    // x86-64's own, that every such processor has.
    for (const char* feature : {" fpu ", " sse2 ", " lm ", " syscall ", " fxsr "}) {
        CHECK(text.find(feature) != std::string::npos);
    }
    CHECK_EQ(text.find(" avx2 ") != std::string::npos, static_cast<bool>(__builtin_cpu_supports("avx2")));
    CHECK(text.find("\nmodel name\t: ") != std::string::npos);
    CHECK(text.find("\naddress sizes\t: ") != std::string::npos);
}

TEST(vmstat) {
    const std::string text = "\n" + contents_of("/proc/vmstat");
    CHECK(field_of(text, "nr_free_pages ") > 0);
    const int before = field_of(text, "pgfault ");
    for (int i = 0; i < 50; ++i) {
        void* const page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        *static_cast<volatile char*>(page) = 1;
        munmap(page, 4096);
    }
    CHECK(field_of("\n" + contents_of("/proc/vmstat"), "pgfault ") > before);
}

TEST(smaps) {
    constexpr std::size_t kPages = 64;
    // Between two that nothing merges with.
    void* const around = mmap(nullptr, (kPages + 2) * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(around != MAP_FAILED);
    char* const memory = static_cast<char*>(around) + 4096;
    CHECK_OK(mprotect(memory, kPages * 4096, PROT_READ | PROT_WRITE));
    std::memset(memory, 1, kPages * 4096);
    char start[32];
    std::snprintf(start, sizeof(start), "\n%08lx-", reinterpret_cast<unsigned long>(memory));
    const std::string all = "\n" + contents_of("/proc/self/smaps");
    const std::size_t at = all.find(start);
    REQUIRE(at != all.npos);
    CHECK_EQ(field_of(all.substr(at + 1), "Rss: "), static_cast<int>(kPages * 4));
    CHECK_EQ(field_of(all.substr(at + 1), "Size: "), static_cast<int>(kPages * 4));
    const std::string rollup = contents_of("/proc/self/smaps_rollup");
    CHECK(rollup.find("[rollup]") != std::string::npos);
    CHECK(field_of(rollup, "Anonymous: ") >= static_cast<int>(kPages * 4));
    CHECK(field_of(rollup, "Rss: ") >= field_of(rollup, "Anonymous: "));
    munmap(around, (kPages + 2) * 4096);
}

bool put(const char* path, const char* text) {
    const scratch::Fd fd = scratch::open_file(path, O_WRONLY);
    return write(fd, text, strlen(text)) == static_cast<ssize_t>(strlen(text));
}

TEST(oom_score_adjustment) {
    CHECK_CHILD([] {
        const char* const path = "/proc/self/oom_score_adj";
        CHECK(put(path, "500\n"));
        CHECK_EQ(line_of(path), "500");
        CHECK_CHILD([&] { CHECK_EQ(line_of(path), "500"); });
        CHECK(!put(path, "1001"));
        CHECK_EQ(errno, EINVAL);
        CHECK(!put(path, "x"));
        CHECK_EQ(errno, EINVAL);
    });
}

TEST(children) {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    const pid_t child = check::start_child([&] {
        char c;
        close(ends[1]);
        (void)!read(ends[0], &c, 1);
    });
    const std::string path = "/proc/self/task/" + std::to_string(getpid()) + "/children";
    if (access(path.c_str(), R_OK) == 0) {  // a kernel without CONFIG_PROC_CHILDREN
        CHECK_EQ(contents_of(path.c_str()), std::to_string(child) + " ");
    }
    close(ends[0]);
    close(ends[1]);
    CHECK_EXIT(check::wait_status(child), 0);
}

TEST(status_has_what_tools_read) {
    const std::string text = "\n" + contents_of("/proc/self/status");
    for (const char* name :
         {"Umask:", "Threads:", "Seccomp:", "Cpus_allowed:", "Cpus_allowed_list:", "Mems_allowed_list:", "VmHWM:"}) {
        CHECK(text.find(std::string("\n") + name) != std::string::npos);
    }
}

}  // namespace

TEST_MAIN()
