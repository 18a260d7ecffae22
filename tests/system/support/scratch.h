// SPDX-License-Identifier: MIT OR Apache-2.0
// A directory of the test's own as the working directory, and files in it.
#pragma once

#include <grp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "system/support/check.h"

namespace scratch {

// Enters a new directory below /tmp; the destructor removes it with everything in it.
class Directory {
public:
    Directory() {
        char name[] = "/tmp/kpio-test-XXXXXX";
        REQUIRE(mkdtemp(name) != nullptr);
        path_ = name;
        owner_ = getpid();
        REQUIRE(chmod(name, 0755) == 0 && chdir(name) == 0);
    }
    ~Directory() {
        if (getpid() == owner_) {
            std::error_code ignored;
            (void)!chdir("/");
            std::filesystem::remove_all(path_, ignored);
        }
    }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;
    const std::string& path() const { return path_; }

private:
    std::string path_;
    pid_t owner_ = 0;
};

// Closes itself.
class Fd {
public:
    explicit Fd(int fd) : fd_(fd) {}
    ~Fd() { close_now(); }
    Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;
    operator int() const { return fd_; }
    void close_now() {
        if (fd_ >= 0) {
            close(std::exchange(fd_, -1));
        }
    }

private:
    int fd_;
};

inline Fd open_file(const char* path, int flags, mode_t mode = 0644) {
    const int fd = open(path, flags, mode);
    if (fd < 0) {
        check::failed(__FILE__, __LINE__, std::string("open ") + path + ": " + std::strerror(errno));
    }
    return Fd(fd);
}

inline void make_file(const char* path, std::string_view contents = {}, mode_t mode = 0644) {
    const Fd fd = open_file(path, O_CREAT | O_TRUNC | O_WRONLY, mode);
    if (write(fd, contents.data(), contents.size()) != static_cast<ssize_t>(contents.size())) {
        check::failed(__FILE__, __LINE__, std::string("write ") + path);
    }
}

inline std::string contents_of(const char* path) {
    const Fd fd = open_file(path, O_RDONLY);
    std::string all;
    char chunk[4096];
    for (ssize_t count = read(fd, chunk, sizeof(chunk)); count > 0; count = read(fd, chunk, sizeof(chunk))) {
        all.append(chunk, static_cast<std::size_t>(count));
    }
    return all;
}

// An address where nothing is mapped, and one where a page ends before nothing.
inline char* bad_address() {
    return reinterpret_cast<char*>(std::uintptr_t{16});
}
inline char* end_of_page() {
    static char* const end = [] {
        const auto size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
        void* const pages = mmap(nullptr, 2 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        REQUIRE(pages != MAP_FAILED && munmap(static_cast<char*>(pages) + size, size) == 0);
        return static_cast<char*>(pages) + size;
    }();
    return end;
}

// The check in a child that is an ordinary user. Skips it, successfully, where the test is one and the files would be
// its own.
template <class Function>
int as_other_user(Function function) {
    if (geteuid() != 0) {
        return 0;
    }
    return check::child_status([&] {
        REQUIRE(setgroups(0, nullptr) == 0 && setresgid(12345, 12345, 12345) == 0 &&
                setresuid(12345, 12345, 12345) == 0);
        function();
    });
}

inline const std::string kLongName(256, 'n');  // NAME_MAX + 1
inline const std::string kLongPath = [] {      // PATH_MAX with the zero is one too many
    std::string path;
    while (path.size() < 4096) {
        path += "./";
    }
    return path;
}();

}  // namespace scratch
