// SPDX-License-Identifier: MIT OR Apache-2.0
// memfd_create(2) and file seals, fcntl(2).
#include <sys/mman.h>

#include "system/support/scratch.h"

namespace {

using scratch::bad_address;
using scratch::Fd;

constexpr std::size_t kPage = 4096;

std::string link_of(int fd) {
    char text[200];
    const std::string path = "/proc/self/fd/" + std::to_string(fd);
    const ssize_t length = readlink(path.c_str(), text, sizeof(text));
    return std::string(text, length > 0 ? static_cast<std::size_t>(length) : 0);
}

void* map(int fd, int protection, int flags = MAP_SHARED) {
    return mmap(nullptr, kPage, protection, flags, fd, 0);
}

TEST(is_a_file) {
    const Fd fd(memfd_create("name", MFD_CLOEXEC));
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(write(fd, "hello", 5), 5);
    struct stat status;
    CHECK_OK(fstat(fd, &status));
    CHECK_EQ(status.st_size, 5);
    CHECK_EQ(status.st_mode, S_IFREG | 0777u);
    CHECK_EQ(status.st_nlink, 0u);
    CHECK_EQ(link_of(fd), "/memfd:name (deleted)");
    const Fd again(open(("/proc/self/fd/" + std::to_string(fd)).c_str(), O_RDONLY));
    char text[10];
    CHECK_EQ(read(again, text, sizeof(text)), 5);
    auto* const mapped = static_cast<char*>(map(fd, PROT_READ | PROT_WRITE));
    REQUIRE(mapped != MAP_FAILED);
    CHECK_EQ(mapped[4], 'o');
    mapped[0] = 'j';
    CHECK_EQ(pread(fd, text, 5, 0), 5);
    CHECK_EQ(text[0], 'j');
    munmap(mapped, kPage);
    CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SEAL);
    CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), EPERM);
}

TEST(size_seals) {
    const Fd fd(memfd_create("", MFD_ALLOW_SEALING));
    CHECK_EQ(fcntl(fd, F_GET_SEALS), 0);
    CHECK_OK(ftruncate(fd, 2 * kPage));
    CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
    CHECK_ERRNO(ftruncate(fd, kPage), EPERM);
    CHECK_OK(ftruncate(fd, 3 * kPage));
    CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
    CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW);
    CHECK_ERRNO(ftruncate(fd, 4 * kPage), EPERM);
    CHECK_ERRNO(pwrite(fd, "x", 1, 3 * kPage), EPERM);
    CHECK_ERRNO(fallocate(fd, 0, 0, 4 * kPage), EPERM);
    const std::string much(2 * kPage, 'm');
    CHECK_EQ(pwrite(fd, much.data(), much.size(), 2 * kPage), static_cast<ssize_t>(kPage));
    CHECK_EQ(pwrite(fd, "x", 1, 0), 1);
}

TEST(write_seal) {
    const Fd fd(memfd_create("", MFD_ALLOW_SEALING));
    CHECK_OK(ftruncate(fd, kPage));
    void* const writable = map(fd, PROT_READ | PROT_WRITE);
    REQUIRE(writable != MAP_FAILED);
    CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
    CHECK_OK(mprotect(writable, kPage, PROT_READ));
    CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
    CHECK_OK(munmap(writable, kPage));
    void* const copy = map(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    REQUIRE(copy != MAP_FAILED);
    CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    CHECK_ERRNO(write(fd, "x", 1), EPERM);
    CHECK_ERRNO(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, kPage), EPERM);
    CHECK_EQ(map(fd, PROT_READ | PROT_WRITE), MAP_FAILED);
    CHECK_EQ(errno, EPERM);
    CHECK(map(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE) != MAP_FAILED);
    CHECK_OK(ftruncate(fd, 2 * kPage));
}

TEST(future_write_seal) {
    const Fd fd(memfd_create("", MFD_ALLOW_SEALING));
    CHECK_OK(ftruncate(fd, kPage));
    auto* const writable = static_cast<char*>(map(fd, PROT_READ | PROT_WRITE));
    REQUIRE(writable != MAP_FAILED);
    CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
    writable[0] = 'w';
    char c = 0;
    CHECK_EQ(pread(fd, &c, 1, 0), 1);
    CHECK_EQ(c, 'w');
    CHECK_ERRNO(write(fd, "x", 1), EPERM);
    CHECK_EQ(map(fd, PROT_READ | PROT_WRITE), MAP_FAILED);
    void* const reader = map(fd, PROT_READ);
    CHECK(reader != MAP_FAILED);
    CHECK_ERRNO(mprotect(reader, kPage, PROT_READ | PROT_WRITE), EACCES);
    munmap(writable, kPage);
}

TEST(seal_seal) {
    const Fd fd(memfd_create("", MFD_ALLOW_SEALING));
    CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
    CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), EPERM);
}

TEST(errors) {
    CHECK_ERRNO(memfd_create("x", 0x4000), EINVAL);
    CHECK_ERRNO(memfd_create(bad_address(), 0), EFAULT);
    CHECK_ERRNO(memfd_create(std::string(250, 'n').c_str(), 0), EINVAL);
    CHECK_OK(memfd_create(std::string(249, 'n').c_str(), 0));
    const Fd fd(memfd_create("", MFD_ALLOW_SEALING));
    CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, 0x4000), EINVAL);
    const Fd reader(open(("/proc/self/fd/" + std::to_string(fd)).c_str(), O_RDONLY));
    CHECK_ERRNO(fcntl(reader, F_ADD_SEALS, F_SEAL_GROW), EPERM);
    int ends[2];
    CHECK_OK(pipe(ends));
    CHECK_ERRNO(fcntl(ends[0], F_GET_SEALS), EINVAL);
    CHECK_ERRNO(fcntl(ends[1], F_ADD_SEALS, F_SEAL_GROW), EINVAL);
}

TEST(executes) {
    CHECK_CHILD([&] {
        const int fd = memfd_create("program", MFD_CLOEXEC);
        const Fd in(open("/proc/self/exe", O_RDONLY));
        char chunk[65536];
        for (ssize_t count = read(in, chunk, sizeof(chunk)); count > 0; count = read(in, chunk, sizeof(chunk))) {
            REQUIRE(write(fd, chunk, static_cast<std::size_t>(count)) == count);
        }
        // Nobody may execute what is open for writing.
        const int reader = open(("/proc/self/fd/" + std::to_string(fd)).c_str(), O_RDONLY | O_CLOEXEC);
        close(fd);
        char name[] = "name";
        char role[] = "--role";
        char leave[] = "leave";
        char* arguments[] = {name, role, leave, nullptr};
        fexecve(reader, arguments, environ);
        check::failed(__FILE__, __LINE__, "fexecve");
    });
}

ROLE(leave) {
    char exe[200];
    const ssize_t length = readlink("/proc/self/exe", exe, sizeof(exe));
    return std::string_view(exe, length > 0 ? static_cast<std::size_t>(length) : 0) == "/memfd:program (deleted)" ? 0
                                                                                                                  : 1;
}

}  // namespace

TEST_MAIN()
