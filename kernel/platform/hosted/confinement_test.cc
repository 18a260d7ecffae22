// SPDX-License-Identifier: MIT OR Apache-2.0
#include "platform/hosted/confinement.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace kernel::platform::hosted {
namespace {

namespace fs = std::filesystem;

constexpr int kForbidden = 99;

// Runs in a child that confines itself; the result is what the body returns, or kForbidden when a system call was
// refused.
template <class Body>
int confined(std::span<const HostRoot> roots, Body&& body) {
    const pid_t child = fork();
    if (child == 0) {
        struct sigaction action{};
        action.sa_handler = [](int) { syscall(SYS_exit_group, kForbidden); };
        sigaction(SIGSYS, &action, nullptr);
        const int status = confine_kernel_process(roots) ? body() : 98;
        syscall(SYS_exit_group, status);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

template <class Body>
int confined(Body&& body) {
    return confined({}, std::forward<Body>(body));
}

TEST(Confinement, AllowsWhatTheKernelNeeds) {
    EXPECT_EQ(confined([] {
                  void* memory = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                  return memory != MAP_FAILED && munmap(memory, 4096) == 0 && getpid() > 0 ? 0 : 1;
              }),
              0);
}

TEST(Confinement, AllowsThreads) {
    EXPECT_EQ(confined([] {
                  pthread_t thread;
                  int value = 0;
                  const auto body = [](void* argument) -> void* {
                      *static_cast<int*>(argument) = 7;
                      return nullptr;
                  };
                  const int status = pthread_create(&thread, nullptr, body, &value);
                  return status == 0 && pthread_join(thread, nullptr) == 0 ? value : 1;
              }),
              7);
}

TEST(Confinement, ForbidsEverythingElse) {
    EXPECT_EQ(confined([] { return static_cast<int>(syscall(SYS_socket, AF_INET, SOCK_STREAM, 0)); }), kForbidden);
    EXPECT_EQ(confined([] { return static_cast<int>(syscall(SYS_fork)); }), kForbidden);
    EXPECT_EQ(confined([] { return static_cast<int>(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)); }), kForbidden);
    EXPECT_EQ(confined([] { return static_cast<int>(syscall(SYS_execve, "/bin/true", nullptr, nullptr)); }),
              kForbidden);
    EXPECT_EQ(confined([] { return static_cast<int>(syscall(SYS_ptrace, 0, 0, 0, 0)); }), kForbidden);
    EXPECT_EQ(confined([] { return static_cast<int>(syscall(SYS_process_vm_readv, 1, 0, 0, 0, 0, 0)); }), kForbidden);
    EXPECT_EQ(confined([] { return static_cast<int>(syscall(1000)); }), kForbidden);
}

TEST(Confinement, ForbidsExecutableMemory) {
    EXPECT_EQ(confined([] {
                  return mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED;
              }),
              kForbidden);
    EXPECT_EQ(confined([] {
                  void* memory = mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                  return mprotect(memory, 4096, PROT_READ | PROT_EXEC);
              }),
              kForbidden);
}

TEST(Confinement, ForbidsTypingIntoTheTerminal) {
    EXPECT_EQ(confined([] { return ioctl(0, TIOCSTI, "x"); }), kForbidden);
    EXPECT_EQ(confined([] { return static_cast<int>(syscall(SYS_ioctl, 0, TIOCSTI | 1ull << 32, "x")); }), kForbidden);
}

class ConfinedFiles : public testing::Test {
protected:
    void SetUp() override {
        if (syscall(SYS_landlock_create_ruleset, nullptr, 0, 1) < 1) {
            GTEST_SKIP() << "no Landlock here";
        }
        char pattern[] = "/tmp/kpio-confinement-XXXXXX";
        path_ = mkdtemp(pattern);
        for (const char* name : {"read", "write", "other"}) {
            fs::create_directory(path_ + "/" + name);
            std::ofstream(path_ + "/" + name + "/file") << name;
        }
        read_ = path_ + "/read";
        write_ = path_ + "/write";
        roots_ = {HostRoot{.path = read_.c_str(), .writable = false},
                  HostRoot{.path = write_.c_str(), .writable = true}};
    }
    void TearDown() override {
        if (!path_.empty()) {
            fs::remove_all(path_);
        }
    }
    // The errno of opening a file of the test's directory.
    int open_error(const char* name, int flags) {
        return confined(roots_, [&] {
            const std::string path = path_ + "/" + name;
            return openat(AT_FDCWD, path.c_str(), flags, 0600) >= 0 ? 0 : errno;
        });
    }

    std::string path_, read_, write_;
    std::array<HostRoot, 2> roots_{};
};

TEST_F(ConfinedFiles, OnlyBoundDirectoriesCanBeReached) {
    EXPECT_EQ(open_error("read/file", O_RDONLY), 0);
    EXPECT_EQ(open_error("read/file", O_RDWR), EACCES);
    EXPECT_EQ(open_error("read/new", O_RDWR | O_CREAT), EACCES);
    EXPECT_EQ(open_error("write/file", O_RDWR | O_TRUNC), 0);
    EXPECT_EQ(open_error("write/new", O_RDWR | O_CREAT), 0);
    EXPECT_EQ(open_error("other/file", O_RDONLY), EACCES);
    EXPECT_EQ(open_error("read/../other/file", O_RDONLY), EACCES);
}

TEST_F(ConfinedFiles, FilesMoveInsideWritableDirectories) {
    fs::create_directory(path_ + "/write/sub");
    EXPECT_EQ(confined(roots_,
                       [&] {
                           const std::string from = path_ + "/write/file";
                           const std::string to = path_ + "/write/sub/file";
                           return syscall(SYS_renameat2, AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), 0) == 0 ? 0
                                                                                                               : errno;
                       }),
              0);
}

TEST(Confinement, RootKeepsFewCapabilities) {
    if (geteuid() != 0) {
        GTEST_SKIP() << "for root";
    }
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    std::array<__user_cap_data_struct, 2> sets{};
    int pipes[2];
    ASSERT_EQ(pipe(pipes), 0);
    const pid_t child = fork();
    if (child == 0) {
        // Read by the parent: capget is not among the allowed calls.
        confine_kernel_process({});
        syscall(SYS_write, pipes[1], "x", 1);
        for (;;) {
            syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, std::array<long, 2>{1000, 0}.data(), nullptr);
        }
    }
    char byte;
    ASSERT_EQ(read(pipes[0], &byte, 1), 1);
    header.pid = child;
    EXPECT_EQ(syscall(SYS_capget, &header, sets.data()), 0);
    EXPECT_EQ(sets[0].effective & ~(1u << CAP_DAC_READ_SEARCH | 1u << CAP_KILL), 0u);
    EXPECT_EQ(sets[0].permitted, sets[0].effective);
    EXPECT_EQ(sets[1].permitted, 0u);
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
}

}  // namespace
}  // namespace kernel::platform::hosted
