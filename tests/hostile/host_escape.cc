// SPDX-License-Identifier: MIT OR Apache-2.0
// Attack (d): host_escape SECRET_PATH SECRET_TEXT HOST_PID FOLDER: files, processes and memory of the host. SECRET_PATH
// is a file outside the guest's view; FOLDER is visible and holds links to it and a name that the host swaps between a
// folder and a link to the secret's folder.
#include <fcntl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <atomic>
#include <string>
#include <thread>

#include "hostile/support/attack.h"

namespace {

std::string secret_text;
int tries;

// Opens and reads: whatever comes, it must not be the secret.
void try_path(const std::string& path) {
    for (const int flags : {O_RDONLY, O_RDONLY | O_NOFOLLOW, O_RDWR, O_PATH}) {
        ++tries;
        const int fd = open(path.c_str(), flags | O_NONBLOCK);
        if (fd < 0) {
            continue;
        }
        char text[256] = {};
        if (read(fd, text, sizeof(text) - 1) > 0 && std::string(text).find(secret_text) != std::string::npos) {
            std::fprintf(stderr, "attack: read the secret through %s\n", path.c_str());
            _exit(attack::kFound);
        }
        close(fd);
    }
    struct stat status;
    stat(path.c_str(), &status);
    char target[256];
    (void)!readlink(path.c_str(), target, sizeof(target));
}

void paths(const std::string& secret, const std::string& folder) {
    const std::string up = "/../../../../../../../../../../../..";
    try_path(secret);
    try_path(up + secret);
    try_path(folder + up + secret);
    try_path(folder + "/." + up + secret);
    for (const char* root : {"/proc/self/root", "/proc/1/root", "/proc/thread-self/root", "/proc/self/cwd", "/dev/fd/0",
                             "/proc/self/fd/0", "/proc/self/fd/1", "/dev/stdin"}) {
        try_path(root);
        try_path(root + secret);
        try_path(std::string(root) + up + secret);
    }
    for (const char* name : {"link", "relative_link", "folder_link/secret", "chain"}) {
        try_path(folder + "/" + name);
    }
    // Links of the guest's own.
    const std::string own = "/tmp/escape_link";
    for (const std::string& target : {secret, up + secret, "/proc/self/root" + secret}) {
        unlink(own.c_str());
        if (symlink(target.c_str(), own.c_str()) == 0) {
            try_path(own);
        }
    }
    for (const char* device : {"/dev/mem", "/dev/kmem", "/dev/port", "/dev/sda", "/dev/vda", "/proc/kcore",
                               "/proc/1/mem", "/proc/self/mem", "/dev/kvm", "/dev/fuse", "/dev/ptmx", "/etc/shadow",
                               "/root/.ssh", "/var/run/docker.sock", "/sys/kernel", "/proc/sys/kernel/core_pattern"}) {
        try_path(device);
    }
    // Descriptors that this process was not given.
    for (int fd = 3; fd < 1024; ++fd) {
        char text[64];
        if (read(fd, text, sizeof(text)) >= 0 || write(fd, "x", 1) >= 0) {
            attack::fail("a descriptor that nobody gave");
        }
    }
    chroot("/tmp");
    chdir("/");
    try_path(up + secret);
}

// The host swaps FOLDER/swap between a folder and a link out; the guest itself renames, too.
void races(const std::string& folder) {
    std::atomic<bool> stop = false;
    const std::string mine = "/tmp/escape_race";
    mkdir(mine.c_str(), 0700);
    mkdir((mine + "/a").c_str(), 0700);
    (void)!symlink(folder.c_str(), (mine + "/b").c_str());
    std::thread renamer([&] {
        while (!stop) {
            rename((mine + "/a").c_str(), (mine + "/c").c_str());
            rename((mine + "/b").c_str(), (mine + "/a").c_str());
            rename((mine + "/c").c_str(), (mine + "/b").c_str());
        }
    });
    const std::int64_t until = attack::now_ms() + 1500;
    while (attack::now_ms() < until) {
        try_path(folder + "/swap/secret");
        try_path(folder + "/swap/../swap/secret");
        try_path(mine + "/a/swap/secret");
        try_path(mine + "/b/../../.." + folder + "/swap/secret");
    }
    stop = true;
    renamer.join();
}

void processes(pid_t host) {
    for (const int number : {0, SIGTERM, SIGKILL, SIGSTOP}) {
        if (kill(host, number) == 0 || syscall(SYS_tkill, host, number) == 0 ||
            syscall(SYS_tgkill, host, host, number) == 0) {
            attack::fail("the host's process could be signalled");
        }
    }
    syscall(SYS_ptrace, PTRACE_ATTACH, host, 0, 0);
    syscall(SYS_ptrace, PTRACE_SEIZE, host, 0, 0);
    char text[64];
    iovec local{text, sizeof(text)};
    iovec remote{reinterpret_cast<void*>(0x400000), sizeof(text)};
    if (syscall(SYS_process_vm_readv, host, &local, 1, &remote, 1, 0) >= 0) {
        attack::fail("the host's memory could be read");
    }
    if (syscall(SYS_pidfd_open, host, 0) >= 0) {
        attack::fail("the host's process could be opened");
    }
    for (const char* name : {"/mem", "/maps", "/root", "/cwd", "/fd/0", "/environ"}) {
        try_path("/proc/" + std::to_string(host) + name);
    }
    syscall(SYS_setpriority, 0, host, 19);
    syscall(SYS_prlimit64, host, 7, nullptr, text);
}

}  // namespace

int main(int argument_count, char** arguments) {
    attack::require_kpio();
    if (argument_count != 5) {
        return 2;
    }
    secret_text = arguments[2];
    const std::string folder = arguments[4];
    attack::Outcome outcome;
    attack::attempt(outcome, [&] { paths(arguments[1], folder); }, 20'000);
    attack::attempt(outcome, [&] { races(folder); }, 20'000);
    attack::attempt(outcome, [&] { processes(std::atoi(arguments[3])); }, 20'000);
    // Everybody there is, then: the guest's own family only.
    attack::attempt(
        outcome,
        [] {
            for (pid_t pid = 2; pid < 70'000; ++pid) {
                if (pid != getpid() && pid != getppid()) {
                    kill(pid, 0);
                }
            }
        },
        20'000);
    attack::report("files and processes of the host", outcome);
    if (outcome.ended != 4) {
        attack::fail("a try was killed or failed");
    }
    attack::check_alive();
    return 0;
}
