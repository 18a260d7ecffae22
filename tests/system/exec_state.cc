// SPDX-License-Identifier: MIT OR Apache-2.0
// execve(2): what survives and what does not; execution by a thread that is not the first; set-user-ID programs.
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <atomic>
#include <thread>

#include "system/support/elf_file.h"

namespace {

[[noreturn]] void execute_role(const char* role, std::initializer_list<std::string> arguments) {
    std::vector<std::string> strings{check::program_path, "--role", role};
    strings.insert(strings.end(), arguments);
    std::vector<char*> pointers;
    for (std::string& text : strings) {
        pointers.push_back(text.data());
    }
    pointers.push_back(nullptr);
    execv(check::program_path, pointers.data());
    _exit(127);
}

}  // namespace

ROLE(check_state) {
    CHECK_EQ(getpid(), std::atoi(arguments[0]));
    CHECK_EQ(gettid(), getpid());
    CHECK_EQ(getppid(), std::atoi(arguments[1]));
    // Caught signals are back to the default, ignored ones stay ignored, the mask and pending signals stay.
    struct sigaction action;
    CHECK_OK(sigaction(SIGUSR1, nullptr, &action));
    CHECK(action.sa_handler == SIG_DFL);
    CHECK_OK(sigaction(SIGUSR2, nullptr, &action));
    CHECK(action.sa_handler == SIG_IGN);
    sigset_t set;
    CHECK_OK(sigprocmask(SIG_BLOCK, nullptr, &set));
    CHECK(sigismember(&set, SIGTERM) == 1 && sigismember(&set, SIGUSR1) == 0);
    CHECK_OK(sigpending(&set));
    CHECK(sigismember(&set, SIGTERM) == 1);
    stack_t stack;
    CHECK_OK(sigaltstack(nullptr, &stack));
    CHECK_EQ(stack.ss_flags, SS_DISABLE);
    CHECK(alarm(0) > 50);
    CHECK_EQ(umask(022), 031u);
    char directory[64];
    CHECK(getcwd(directory, sizeof(directory)) != nullptr && std::strcmp(directory, "/tmp") == 0);
    CHECK_OK(fcntl(std::atoi(arguments[2]), F_GETFD));
    CHECK_ERRNO(fcntl(std::atoi(arguments[3]), F_GETFD), EBADF);
    rlimit limit;
    CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
    CHECK_EQ(limit.rlim_cur, 77u);
    char name[16] = {};
    CHECK_OK(prctl(PR_GET_NAME, name));
    CHECK_EQ(std::string(name), std::string(std::strrchr(check::program_path, '/') + 1).substr(0, 15));
    return check::failures;
}

TEST(what_survives) {
    CHECK_CHILD([] {
        signal(SIGUSR1, [](int) {});
        signal(SIGUSR2, SIG_IGN);
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        CHECK_OK(sigprocmask(SIG_BLOCK, &set, nullptr));
        CHECK_OK(raise(SIGTERM));
        static std::byte alternate[16384];
        const stack_t stack{.ss_sp = alternate, .ss_flags = 0, .ss_size = sizeof(alternate)};
        CHECK_OK(sigaltstack(&stack, nullptr));
        alarm(100);
        umask(031);
        CHECK_OK(chdir("/tmp"));
        const rlimit limit{77, 100};
        CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
        CHECK_OK(prctl(PR_SET_NAME, "other"));
        const int kept = open("/dev/null", O_RDONLY);
        const int closed = open("/dev/null", O_RDONLY | O_CLOEXEC);
        execute_role("check_state", {std::to_string(getpid()), std::to_string(getppid()), std::to_string(kept),
                                     std::to_string(closed)});
    });
}

TEST(a_failed_call_changes_nothing) {
    CHECK_CHILD([] {
        signal(SIGUSR1, [](int) {});
        const int closed = open("/dev/null", O_RDONLY | O_CLOEXEC);
        char* none[] = {nullptr};
        CHECK_ERRNO(execve("/missing", none, none), ENOENT);
        CHECK_OK(fcntl(closed, F_GETFD));
        struct sigaction action;
        CHECK_OK(sigaction(SIGUSR1, nullptr, &action));
        CHECK(action.sa_handler != SIG_DFL);
    });
}

ROLE(check_identifiers) {
    CHECK_EQ(getpid(), std::atoi(arguments[0]));
    CHECK_EQ(gettid(), std::atoi(arguments[0]));
    // The descriptors are this process's own again.
    CHECK_OK(close(std::atoi(arguments[1])));
    return check::failures;
}

TEST(by_another_thread) {
    for (int round = 0; round < 5; ++round) {
        CHECK_CHILD([] {
            const int fd = open("/dev/null", O_RDONLY);
            std::atomic<int> running = 0;
            // Some compute, some sleep, the first waits for ever.
            for (int i = 0; i < 4; ++i) {
                std::thread([&running, i] {
                    ++running;
                    while (i % 2 == 0) {
                        sched_yield();
                    }
                    pause();
                }).detach();
            }
            while (running < 4) {
                sched_yield();
            }
            std::thread([fd] {
                execute_role("check_identifiers", {std::to_string(getpid()), std::to_string(fd)});
            }).join();
        });
    }
}

TEST(several_threads_at_once) {
    for (int round = 0; round < 5; ++round) {
        CHECK_CHILD([] {
            const int fd = open("/dev/null", O_RDONLY);
            const auto execute = [fd] {
                execute_role("check_identifiers", {std::to_string(getpid()), std::to_string(fd)});
            };
            std::thread first(execute);
            std::thread second(execute);
            execute();
        });
    }
}

TEST(while_signals_arrive) {
    CHECK_CHILD([] {
        signal(SIGUSR2, SIG_IGN);
        const pid_t target = getpid();
        const int fd = open("/dev/null", O_RDONLY);
        // Ignored before and after: never fatal in between.
        const pid_t sender = fork();
        if (sender == 0) {
            while (kill(target, SIGUSR2) == 0 && getppid() == target) {
                sched_yield();
            }
            _exit(0);
        }
        execute_role("check_identifiers", {std::to_string(getpid()), std::to_string(fd)});
    });
}

ROLE(repeat) {
    const int left = std::atoi(arguments[0]);
    if (left > 0) {
        execute_role("repeat", {std::to_string(left - 1)});
    }
    return 0;
}

TEST(again_and_again) {
    CHECK_CHILD([] { execute_role("repeat", {"30"}); });
}

TEST(from_vfork) {
    for (int i = 0; i < 5; ++i) {
        const char* const arguments[] = {check::program_path, "--role", "repeat", "1", nullptr};
        const pid_t child = vfork();
        if (child == 0) {
            execv(check::program_path, const_cast<char* const*>(arguments));
            _exit(127);
        }
        CHECK_EXIT(check::wait_status(child), 0);
    }
}

// Exits with the effective user id.
MACHINE_CODE(effective_user, "mov $107, %eax\n syscall\n mov %eax, %edi\n mov $60, %eax\n syscall")

TEST(set_user_id) {
    if (getuid() != 0) {
        return;
    }
    elf_file::Folder folder;
    const std::string program = folder.add("effective", elf_file::image(effective_user()).bytes());
    CHECK_OK(chown(program.c_str(), 77, 78));
    CHECK_EXIT(elf_file::run_status(program), 0);
    CHECK_OK(chmod(program.c_str(), 04755));
    CHECK_EXIT(elf_file::run_status(program), 77);
    CHECK_CHILD([&] {
        CHECK_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
        CHECK_EXIT(elf_file::run_status(program), 0);
    });
}

TEST_MAIN()
